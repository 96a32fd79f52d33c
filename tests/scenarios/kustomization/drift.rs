//! The source wins over what was changed by hand, and a pass that finds nothing writes nothing.

use kube::api::{Patch, PatchParams};
use serde_json::json;
use tenure_testkit::TenantFixture;
use tenure_testkit::control_plane::AuditMark;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, Stage, value};

use super::{data, events, maps};
use crate::world::{config_map, play, says, settled};

#[test]
fn drift_that_is_only_to_be_reported_is_left_until_the_source_changes() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "reported").await?;
        let report = json!({"metadata": {"annotations": {"tenure.dev/drift": "report"}}});
        let objects = team.objects("Kustomization");
        objects
            .patch("app", &PatchParams::default(), &Patch::Merge(report))
            .await?;
        let by_hand = json!({"data": {"key": "by hand"}});
        maps(&stage, &team)
            .patch("kept", &PatchParams::default(), &Patch::Merge(by_hand))
            .await?;
        team.reconcile("Kustomization", "app").await?;
        let line = format!(
            "Kustomization Warning DriftDetected ConfigMap/{}/kept drifted",
            team.home()
        );
        events(&stage, &team, "app", &line).await?;
        let object = team.ready("Kustomization", "app").await?;
        let drifted = tenure_tests::condition(&object, "Drifted")
            .cloned()
            .unwrap_or_default();
        assert_eq!(drifted["status"], "True", "{object}");
        assert_eq!(data(&stage, &team, "kept").await?.as_deref(), Some("by hand"));
        let gauge = format!(
            r#"tenure_drifted_objects{{kind="Kustomization",name="app",namespace="{}"}} 1"#,
            team.home()
        );
        drifts(&stage, &gauge, true).await?;
        let changed = config_map("kept", "new");
        let commit = team.commit(&[("deploy/kept.yaml", Some(&changed))], "new")?;
        team.reconcile("GitRepository", "app").await?;
        let object = team.applied("app", &commit).await?;
        assert!(tenure_tests::condition(&object, "Drifted").is_none(), "{object}");
        assert_eq!(data(&stage, &team, "kept").await?.as_deref(), Some("new"));
        drifts(&stage, &gauge, false).await
    })
}

/// Waits until the supervisor's metrics have the line, or have it no more.
async fn drifts(stage: &Stage, line: &str, wanted: bool) -> anyhow::Result<()> {
    until("the metric to say what drifted", PATIENCE, || async {
        let page = stage.tenure.supervisor_metrics().await?;
        anyhow::ensure!(page.lines().any(|found| found == line) == wanted, "{page}");
        Ok(())
    })
    .await
}

/// Watches of ConfigMaps of the home, as they were opened or have ended.
fn watches(stage: &Stage, home: &str, mark: AuditMark, step: &str) -> anyhow::Result<usize> {
    let all = stage.plane.audit_events(mark)?;
    let ours = all.iter().filter(|event| {
        let object = event.object.clone().unwrap_or_default();
        let about = object.namespace == home && object.resource == "configmaps";
        about && event.user.contains("tenure-workers") && event.verb == "watch" && event.stage == step
    });
    Ok(ours.count())
}

#[test]
fn drift_that_is_watched_for_is_corrected_long_before_the_interval() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "watched").await?;
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "interval": "1h"});
        team.kustomization("app", &spec).await?;
        team.ready("Kustomization", "app").await?;
        let mark = stage.plane.audit_mark()?;
        let objects = team.objects("Kustomization");
        let annotate = |value: serde_json::Value| {
            let patch = json!({"metadata": {"annotations": {"tenure.dev/drift": value}}});
            let objects = objects.clone();
            async move {
                objects
                    .patch("app", &PatchParams::default(), &Patch::Merge(patch))
                    .await
            }
        };
        annotate(json!("watch")).await?;
        let opened = |count: usize| {
            let (stage, home) = (&stage, team.home());
            until("the watch to be open", PATIENCE, move || async move {
                let now = watches(stage, home, mark, "ResponseStarted")?;
                anyhow::ensure!(now >= count, "there are {now}");
                Ok(())
            })
        };
        opened(1).await?;
        for (round, word) in ["once", "twice"].into_iter().enumerate() {
            let by_hand = json!({"data": {"key": word}});
            maps(&stage, &team)
                .patch("kept", &PatchParams::default(), &Patch::Merge(by_hand))
                .await?;
            until("the change to be undone", PATIENCE, || async {
                let now = data(&stage, &team, "kept").await?;
                anyhow::ensure!(now.as_deref() == Some("old"), "it is {now:?}");
                Ok(())
            })
            .await?;
            opened(round + 2).await?;
        }
        maps(&stage, &team)
            .delete("kept", &kube::api::DeleteParams::default())
            .await?;
        until("the object to be made anew", PATIENCE, || async {
            let now = data(&stage, &team, "kept").await?;
            anyhow::ensure!(now.as_deref() == Some("old"), "it is {now:?}");
            Ok(())
        })
        .await?;
        annotate(serde_json::Value::Null).await?;
        until("nobody to watch any more", PATIENCE, || async {
            let open = watches(&stage, team.home(), mark, "ResponseStarted")?;
            let ended = watches(&stage, team.home(), mark, "ResponseComplete")?;
            anyhow::ensure!(open == ended, "{open} were opened, {ended} have ended");
            Ok(())
        })
        .await
    })
}

#[test]
fn an_account_that_may_not_watch_is_told_once_and_its_drift_is_still_put_back_at_the_interval()
-> anyhow::Result<()> {
    play(|stage| async move {
        let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create", "patch", "delete"]}]);
        let team = stage.tenant(TenantFixture::new("unwatched").may(rules)).await?;
        let commit = team.commit(&[("deploy/kept.yaml", Some(&config_map("kept", "old")))], "first")?;
        team.git_repository(&json!({})).await?;
        let spec =
            json!({"path": "./deploy", "targetNamespace": team.home(), "interval": "1h", "wait": false});
        team.kustomization("app", &spec).await?;
        team.applied("app", &commit).await?;
        let patch = json!({"metadata": {"annotations": {"tenure.dev/drift": "watch"}}});
        team.objects("Kustomization")
            .patch("app", &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        let said = events(&stage, &team, "app", "DriftNotWatched").await?;
        let line = said.iter().find(|line| line.contains("DriftNotWatched"));
        let line = line.cloned().unwrap_or_default();
        says(
            &line,
            &[
                "Warning",
                "drift is not watched for",
                "watch",
                "configmaps",
                "tenure.dev/drift",
            ],
        )?;
        let by_hand = json!({"data": {"key": "other"}});
        maps(&stage, &team)
            .patch("kept", &PatchParams::default(), &Patch::Merge(by_hand))
            .await?;
        team.reconcile("Kustomization", "app").await?;
        assert_eq!(data(&stage, &team, "kept").await?.as_deref(), Some("old"));
        Ok(())
    })
}

/// What the worker has asked about ConfigMaps of the home since the mark.
fn asked(stage: &Stage, home: &str, mark: AuditMark) -> anyhow::Result<Vec<String>> {
    let all = stage.plane.audit_events(mark)?;
    let ours = all.iter().filter(|event| {
        let object = event.object.clone().unwrap_or_default();
        let about = object.namespace == home && object.resource == "configmaps";
        about && event.user.contains("tenure-workers") && event.stage == "ResponseComplete"
    });
    Ok(ours
        .map(|event| format!("{} {}", event.verb, event.request_uri))
        .collect())
}

#[test]
fn an_interval_in_which_nothing_changed_lists_and_asks_for_nothing_else() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "quiet").await?;
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "interval": "1s"});
        team.kustomization("app", &spec).await?;
        team.ready("Kustomization", "app").await?;
        let mark = stage.plane.audit_mark()?;
        let asked = until("three looks at the ConfigMaps", PATIENCE, || async {
            let asked = asked(&stage, team.home(), mark)?;
            anyhow::ensure!(asked.len() >= 3, "there are {asked:?}");
            Ok(asked)
        })
        .await?;
        let listed = |line: &&String| line.starts_with("list ") && line.contains("labelSelector=");
        assert_eq!(asked.iter().filter(listed).count(), asked.len(), "{asked:?}");
        Ok(())
    })
}

#[test]
fn a_revision_that_changes_nothing_of_it_is_taken_over_without_asking() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "elsewhere").await?;
        let mark = stage.plane.audit_mark()?;
        let commit = team.commit(&[("docs/readme.md", Some("nothing to apply"))], "docs")?;
        team.reconcile("GitRepository", "app").await?;
        let object = team.applied("app", &commit).await?;
        assert_eq!(object["status"]["history"].as_array().map(Vec::len), Some(1));
        assert_eq!(object["status"]["history"][0]["totalReconciliations"], 2);
        let line = "Kustomization Normal ReconciliationSucceeded Reconciliation finished in";
        events(&stage, &team, "app", line).await?;
        let asked = asked(&stage, team.home(), mark)?;
        assert!(asked.is_empty(), "{asked:?}");
        // a person who asks gets the whole of it
        team.reconcile("Kustomization", "app").await?;
        until("a dry-run", PATIENCE, || async {
            let asked = self::asked(&stage, team.home(), mark)?;
            anyhow::ensure!(
                asked.iter().any(|line| line.contains("dryRun=All")),
                "there are {asked:?}"
            );
            Ok(())
        })
        .await
    })
}

#[test]
fn a_pass_that_finds_nothing_to_do_writes_only_the_answers() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "idle").await?;
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "wait": true});
        team.kustomization("app", &spec).await?;
        team.ready("Kustomization", "app").await?;
        team.reconcile("Kustomization", "app").await?;
        let before = value(&team.objects("Kustomization"), "app").await?["status"].clone();
        let mark = stage.plane.audit_mark()?;
        team.reconcile("GitRepository", "app").await?;
        let after = team.reconcile("Kustomization", "app").await?["status"].clone();
        let quiet = |mut status: serde_json::Value| {
            status["lastHandledReconcileAt"] = json!(null);
            status
        };
        assert_eq!(quiet(after), quiet(before));
        // the answer of the second request is in the log: so is everything before it
        let home = team.home().to_owned();
        let writes = until("both answers to be in the audit log", PATIENCE, || async {
            let all = stage.plane.audit_events(mark)?;
            let written = all.iter().filter(|event| {
                let object = event.object.clone().unwrap_or_default();
                let ours = object.namespace == home && event.user.contains("tenure-workers");
                ours && !event.request_uri.contains("dryRun=All") && event.stage == "ResponseComplete"
            });
            let writes: Vec<String> = written
                .filter(|event| matches!(event.verb.as_str(), "create" | "update" | "patch" | "delete"))
                .map(|event| format!("{} {}", event.verb, event.request_uri))
                .collect();
            anyhow::ensure!(writes.len() >= 3, "there are {writes:?}");
            Ok(writes)
        })
        .await?;
        // Who asked a source is told that nothing is new, as with Flux.
        let answers = |write: &&String| write.starts_with("patch") && write.contains("/app/status");
        let events = |write: &&String| write.starts_with("create") && write.ends_with("/events");
        let count = (
            writes.iter().filter(answers).count(),
            writes.iter().filter(events).count(),
        );
        assert_eq!((count, writes.len()), ((2, 1), 3), "{writes:?}");
        Ok(())
    })
}
