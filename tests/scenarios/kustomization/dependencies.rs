//! What waits for what.

use serde_json::json;
use tenure_testkit::TenantFixture;
use tenure_tests::{condition, value};

use super::{data, events, roll};
use crate::world::{config_map, play, says, settled};

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

#[test]
fn an_expression_says_when_a_dependency_is_ready() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "ready-expr").await?;
        team.commit(&[("top/top.yaml", Some(&config_map("top", "x")))], "add")?;
        team.reconcile("GitRepository", "app").await?;
        let spec = |expression: &str| {
            let needs = json!([{"name": "app", "readyExpr": expression}]);
            json!({"path": "./top", "targetNamespace": team.home(), "dependsOn": needs})
        };
        team.kustomization(
            "top",
            &spec("has(dep.metadata.labels) && 'go' in dep.metadata.labels"),
        )
        .await?;
        let message = team.refused("Kustomization", "top", "DependencyNotReady").await?;
        let expected = format!(
            "dependency '{}/app' is not ready according to readyExpr eval",
            team.home()
        );
        assert_eq!(message, expected);
        assert_eq!(data(&stage, &team, "top").await?, None);
        team.kustomization(
            "top",
            &spec("self.metadata.name == 'top' && dep.metadata.generation > 0"),
        )
        .await?;
        team.ready("Kustomization", "top").await?;
        team.kustomization("top", &spec("dep.(")).await?;
        let message = team
            .refused("Kustomization", "top", "InvalidCELExpression")
            .await?;
        assert_eq!(
            message,
            "Reconciliation failed terminally due to configuration error: terminal error: failed to evaluate dependency app: failed to parse the CEL expression 'dep.(': ERROR: <input>:1:5: Syntax error: no viable alternative at input '.('\n | dep.(\n | ....^"
        );
        let object = value(&team.objects("Kustomization"), "top").await?;
        assert_eq!(
            object["status"]["observedGeneration"],
            object["metadata"]["generation"]
        );
        assert!(condition(&object, "Stalled").is_some(), "{object}");
        Ok(())
    })
}

#[test]
fn a_dependency_in_another_namespace_is_read_where_its_people_allow_it() -> anyhow::Result<()> {
    play(|stage| async move {
        let other = settled(&stage, "infra").await?;
        let peers = json!([{"namespace": other.home(), "kind": "Kustomization", "name": "app"}]);
        let spec = |team: &tenure_tests::Team<'_>, path: &str| {
            let needs = json!([{"name": "app", "namespace": other.home()}]);
            json!({"path": path, "targetNamespace": team.home(), "dependsOn": needs})
        };
        let stranger = settled(&stage, "stranger").await?;
        stranger
            .kustomization("app", &spec(&stranger, "./deploy"))
            .await?;
        let message = stranger
            .refused("Kustomization", "app", "DependencyNotReady")
            .await?;
        says(
            &message,
            &[other.home(), "tenure:peer", "spec.peers", stranger.home()],
        )?;
        let friend = stage
            .tenant(TenantFixture::new("friend").with(&json!({"peers": peers})))
            .await?;
        friend.commit(&[("deploy/kept.yaml", Some(&config_map("kept", "x")))], "first")?;
        friend.git_repository(&json!({})).await?;
        friend.kustomization("app", &spec(&friend, "./deploy")).await?;
        friend.ready("Kustomization", "app").await?;
        assert_eq!(data(&stage, &friend, "kept").await?.as_deref(), Some("x"));
        Ok(())
    })
}
