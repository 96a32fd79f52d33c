//! What waits for what.

use serde_json::json;
use tenure_tests::{condition, value};

use super::{data, events, roll};
use crate::world::{config_map, play, settled};

#[test]
fn a_dependant_waits_until_what_it_needs_is_ready() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "depends").await?;
        team.commit(&[("top/top.yaml", Some(&config_map("top", "x")))], "add")?;
        let spec = |needs: &str| json!({"path": "./top", "targetNamespace": team.home(), "dependsOn": [{"name": needs}]});
        team.kustomization("app", &json!({"path": "./nope"})).await?;
        team.refused("Kustomization", "app", "ArtifactFailed").await?;
        team.kustomization("top", &spec("app")).await?;
        let message = team.refused("Kustomization", "top", "DependencyNotReady").await?;
        assert_eq!(message, format!("dependency '{}/app' is not ready", team.home()));
        let event = "Kustomization Normal DependencyNotReady Dependencies do not meet ready condition, retrying in 30s";
        events(&stage, &team, "top", event).await?;
        assert_eq!(data(&stage, &team, "top").await?, None);
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": team.home()}),
        )
        .await?;
        team.reconcile("GitRepository", "app").await?;
        team.ready("Kustomization", "top").await?;
        assert_eq!(data(&stage, &team, "top").await?.as_deref(), Some("x"));
        Ok(())
    })
}

#[test]
fn a_dependency_that_does_not_exist_is_named() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "depends-none").await?;
        let spec =
            json!({"path": "./deploy", "targetNamespace": team.home(), "dependsOn": [{"name": "nope"}]});
        team.kustomization("app", &spec).await?;
        let message = team.refused("Kustomization", "app", "DependencyNotReady").await?;
        let expected = format!(
            "dependency '{}/nope' not found: kustomizations.kustomize.toolkit.fluxcd.io \"nope\" not found",
            team.home()
        );
        assert_eq!(message, expected);
        let object = value(&team.objects("Kustomization"), "app").await?;
        assert!(
            condition(&object, "Reconciling").is_none(),
            "waiting is not reconciling: {object}"
        );
        Ok(())
    })
}

#[test]
fn a_circle_waits_and_says_for_whom() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "circle").await?;
        for (name, needs) in [("one", "two"), ("two", "one")] {
            let spec =
                json!({"path": "./deploy", "targetNamespace": team.home(), "dependsOn": [{"name": needs}]});
            team.kustomization(name, &spec).await?;
        }
        for (name, needs) in [("one", "two"), ("two", "one")] {
            // the first of them may have been looked at before the second was there
            team.reconcile("Kustomization", name).await?;
            let message = team.refused("Kustomization", name, "DependencyNotReady").await?;
            assert_eq!(
                message,
                format!("dependency '{}/{needs}' is not ready", team.home())
            );
        }
        Ok(())
    })
}

#[test]
fn a_missing_source_is_said_without_an_event_and_found_when_it_comes() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "no-source").await?;
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "sourceRef": {"kind": "GitRepository", "name": "lost"}});
        team.kustomization("app", &spec).await?;
        let message = team.refused("Kustomization", "app", "ArtifactFailed").await?;
        assert_eq!(
            message,
            "GitRepository.source.toolkit.fluxcd.io \"lost\" not found"
        );
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": team.home()}),
        )
        .await?;
        team.ready("Kustomization", "app").await?;
        // a later event: whatever the failure had to say is there by now
        roll(&team, &[("deploy/later.yaml", Some(&config_map("later", "x")))]).await?;
        let lines = events(&stage, &team, "app", "/later created").await?;
        let told = lines.iter().any(|line| line.contains("not found"));
        assert!(!told, "{lines:?}");
        Ok(())
    })
}
