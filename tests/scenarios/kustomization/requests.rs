//! Suspend, resume, and asking for a reconcile.

use anyhow::ensure;
use serde_json::json;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, condition, value};

use super::{data, events, roll};
use crate::world::{config_map, play, settled};

#[test]
fn a_suspended_object_rests_answers_requests_and_catches_up_when_resumed() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "suspend").await?;
        let spec = |suspend| json!({"path": "./deploy", "targetNamespace": team.home(), "suspend": suspend});
        team.kustomization("app", &spec(true)).await?;
        let commit = team.commit(
            &[("deploy/kept.yaml", Some(&config_map("kept", "new")))],
            "change",
        )?;
        team.reconcile("GitRepository", "app").await?;
        team.reconcile("Kustomization", "app").await?;
        assert_eq!(data(&stage, &team, "kept").await?.as_deref(), Some("old"));
        team.kustomization("app", &spec(false)).await?;
        team.applied("app", &commit).await?;
        assert_eq!(data(&stage, &team, "kept").await?.as_deref(), Some("new"));
        Ok(())
    })
}

#[test]
fn a_suspended_source_keeps_its_artifact_and_answers_requests() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "source-rest").await?;
        let before = value(&team.objects("GitRepository"), "app").await?["status"]["artifact"].clone();
        team.git_repository(&json!({"suspend": true})).await?;
        let commit = team.commit(
            &[("deploy/kept.yaml", Some(&config_map("kept", "new")))],
            "change",
        )?;
        let object = team.reconcile("GitRepository", "app").await?;
        assert_eq!(object["status"]["artifact"], before);
        team.git_repository(&json!({"suspend": false})).await?;
        team.applied("app", &commit).await?;
        Ok(())
    })
}

#[test]
fn who_asks_a_source_that_has_nothing_new_is_told_so() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "unmoved").await?;
        let object = team.reconcile("GitRepository", "app").await?;
        let revision = object["status"]["artifact"]["revision"]
            .as_str()
            .unwrap_or_default();
        let news = format!(
            "GitRepository Normal GitOperationSucceeded no changes since last reconciliation: observed revision '{revision}'"
        );
        events(&stage, &team, "app", &news).await?;
        Ok(())
    })
}

#[test]
fn an_object_that_is_suspended_from_the_start_has_its_finalizer_and_no_condition() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "born-asleep").await?;
        team.kustomization("later", &json!({"path": "./deploy", "suspend": true}))
            .await?;
        let object = team.reconcile("Kustomization", "later").await?;
        assert_eq!(object["metadata"]["finalizers"], json!(["finalizers.fluxcd.io"]));
        assert!(condition(&object, "Ready").is_none(), "{object}");
        Ok(())
    })
}

#[test]
fn a_failing_object_answers_requests_too() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "ask-failing").await?;
        team.kustomization("app", &json!({"path": "./nope", "retryInterval": "1h"}))
            .await?;
        team.refused("Kustomization", "app", "ArtifactFailed").await?;
        let object = team.reconcile("Kustomization", "app").await?;
        assert_eq!(
            condition(&object, "Ready").map(|ready| ready["status"].clone()),
            Some(json!("False"))
        );
        Ok(())
    })
}

#[test]
fn a_failed_apply_is_in_the_history_once_and_a_later_success_before_it() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "history").await?;
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": "nowhere-at-all"}),
        )
        .await?;
        team.refused("Kustomization", "app", "ReconciliationFailed")
            .await?;
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": team.home()}),
        )
        .await?;
        roll(&team, &[("deploy/kept.yaml", Some(&config_map("kept", "new")))]).await?;
        let object = value(&team.objects("Kustomization"), "app").await?;
        let history = object["status"]["history"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let outcomes: Vec<_> = history
            .iter()
            .map(|line| line["lastReconciledStatus"].as_str().unwrap_or_default())
            .collect();
        assert_eq!(
            outcomes,
            [
                "ReconciliationSucceeded",
                "ReconciliationSucceeded",
                "ReconciliationFailed"
            ]
        );
        Ok(())
    })
}

#[test]
fn how_long_passes_take_is_measured_by_object_while_it_is_there() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "measured").await?;
        let line = format!(
            "gotk_reconcile_duration_seconds_count{{kind=\"Kustomization\",name=\"app\",namespace=\"{}\"}}",
            team.home()
        );
        // The status is written before the worker says that the pass ended.
        until("the object's durations", PATIENCE, || async {
            let page = stage.tenure.supervisor_metrics().await?;
            ensure!(page.contains(&line), "there are none");
            Ok(())
        })
        .await?;
        let api = team.objects("Kustomization");
        api.delete("app", &kube::api::DeleteParams::default()).await?;
        until("the object's durations to go", PATIENCE, || async {
            let page = stage.tenure.supervisor_metrics().await?;
            ensure!(!page.contains(&line), "they are there");
            Ok(())
        })
        .await
    })
}
