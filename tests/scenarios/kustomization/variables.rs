//! `spec.postBuild`.

use serde_json::json;
use tenure_testkit::canary::{Place, assert_absent};
use tenure_testkit::{TenantFixture, until};
use tenure_tests::PATIENCE;

use super::data;
use crate::world::{config_map, play, says, settled};

#[test]
fn a_labelled_map_is_heeded_long_before_the_interval_where_the_tenant_says_so() -> anyhow::Result<()> {
    play(|stage| async move {
        let fixture = TenantFixture::new("heeded").with(&json!({"watchSecrets": true}));
        let team = stage.tenant(fixture).await?;
        let map = |word: &str| {
            let labels = json!({"reconcile.fluxcd.io/watch": "Enabled"});
            let metadata = json!({"name": "vars", "namespace": team.home(), "labels": labels});
            [json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"word": word}})]
        };
        stage.tenure.apply(&map("first")).await?;
        let commit = team.commit(
            &[("deploy/kept.yaml", Some(&config_map("kept", "${word}")))],
            "first",
        )?;
        team.git_repository(&json!({})).await?;
        let from = json!([{"kind": "ConfigMap", "name": "vars"}]);
        let spec = json!({
            "path": "./deploy", "targetNamespace": team.home(), "interval": "1h", "postBuild": {"substituteFrom": from},
        });
        team.kustomization("app", &spec).await?;
        team.applied("app", &commit).await?;
        assert_eq!(data(&stage, &team, "kept").await?.as_deref(), Some("first"));
        stage.tenure.apply(&map("second")).await?;
        until("the new value to be applied", PATIENCE, || async {
            let now = data(&stage, &team, "kept").await?;
            anyhow::ensure!(now.as_deref() == Some("second"), "it is {now:?}");
            Ok(())
        })
        .await
    })
}

#[test]
fn a_variable_that_is_not_set_fails_the_build_and_names_object_and_variable() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "unset").await?;
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "postBuild": {"substitute": {"a": "x"}}});
        team.kustomization("app", &spec).await?;
        team.commit(
            &[("deploy/kept.yaml", Some(&config_map("kept", "${missing}")))],
            "change",
        )?;
        team.reconcile("GitRepository", "app").await?;
        let message = team.refused("Kustomization", "app", "BuildFailed").await?;
        says(
            &message,
            &["ConfigMap", "kept", "variable not set (strict mode)", "missing"],
        )?;
        assert_eq!(data(&stage, &team, "kept").await?.as_deref(), Some("old"));
        Ok(())
    })
}

#[test]
fn a_reference_that_is_missing_is_named_with_what_would_help() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "no-vars").await?;
        let from = json!([{"kind": "Secret", "name": "lost"}]);
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "postBuild": {"substituteFrom": from}});
        team.kustomization("app", &spec).await?;
        let message = team.refused("Kustomization", "app", "BuildFailed").await?;
        let secret = format!("Secret '{}/lost'", team.home());
        says(&message, &[&secret, "not found", "optional"])?;
        Ok(())
    })
}

#[test]
fn a_secret_that_breaks_the_yaml_is_not_shown() -> anyhow::Result<()> {
    const CANARY: &str = "canary-77ab-of-a-secret: of: a value";
    play(|stage| async move {
        let team = settled(&stage, "breaking-value").await?;
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vars", "namespace": team.home()}, "stringData": {"value": CANARY}});
        stage.tenure.apply(&[secret]).await?;
        let from = json!([{"kind": "Secret", "name": "vars"}]);
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "postBuild": {"substituteFrom": from}});
        team.kustomization("app", &spec).await?;
        team.commit(
            &[("deploy/kept.yaml", Some(&config_map("kept", "${value}")))],
            "change",
        )?;
        team.reconcile("GitRepository", "app").await?;
        let message = team.refused("Kustomization", "app", "BuildFailed").await?;
        says(&message, &["ConfigMap", "kept", "not valid YAML"])?;
        let status = tenure_tests::value(&team.objects("Kustomization"), "app")
            .await?
            .to_string();
        let places = [
            Place::text("the object", status),
            Place::text("the log", stage.tenure.supervisor_log()),
        ];
        assert_absent(&places, "canary-77ab-of-a-secret");
        Ok(())
    })
}
