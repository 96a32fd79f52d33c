//! Deleting a Kustomization, as its policy says and as its tenant.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, gone};

use super::{data, events, maps};
use crate::world::{play, settled};

#[test]
fn deleting_a_kustomization_deletes_what_it_made_as_the_tenant() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "delete").await?;
        let mark = stage.plane.audit_mark()?;
        team.objects("Kustomization")
            .delete("app", &DeleteParams::default())
            .await?;
        gone(&team.objects("Kustomization"), "app").await?;
        assert_eq!(data(&stage, &team, "kept").await?, None);
        let line = format!(
            "Kustomization Normal ReconciliationSucceeded ConfigMap/{}/kept deleted",
            team.home()
        );
        events(&stage, &team, "app", &line).await?;
        let tenant = format!("system:serviceaccount:{}:deployer", team.home());
        let home = team.home().to_owned();
        until("the audit log to have the deletion", PATIENCE, || async {
            let deletions = stage.plane.audit_events(mark)?;
            let ours = deletions.iter().find(|event| {
                let object = event.object.clone().unwrap_or_default();
                event.verb == "delete" && object.resource == "configmaps" && object.namespace == home
            });
            let who = ours.and_then(|event| event.impersonated_user.clone());
            anyhow::ensure!(who.as_deref() == Some(tenant.as_str()), "it was {who:?}");
            Ok(())
        })
        .await
    })
}

#[test]
fn policies_that_orphan_leave_the_objects_where_they_are() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "orphan").await?;
        for policy in [
            json!({"deletionPolicy": "Orphan"}),
            json!({"prune": false}),
            json!({"suspend": true}),
        ] {
            let mut spec = json!({"path": "./deploy", "targetNamespace": team.home()});
            team.kustomization("app", &spec).await?;
            team.ready("Kustomization", "app").await?;
            for (field, value) in policy.as_object().into_iter().flatten() {
                spec[field] = value.clone();
            }
            team.kustomization("app", &spec).await?;
            team.reconcile("Kustomization", "app").await?;
            team.objects("Kustomization")
                .delete("app", &DeleteParams::default())
                .await?;
            gone(&team.objects("Kustomization"), "app").await?;
            assert_eq!(
                data(&stage, &team, "kept").await?.as_deref(),
                Some("old"),
                "{policy}"
            );
        }
        Ok(())
    })
}

#[test]
fn delete_prunes_even_what_prune_would_leave() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "policy-delete").await?;
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "prune": false, "deletionPolicy": "Delete"});
        team.kustomization("app", &spec).await?;
        team.ready("Kustomization", "app").await?;
        team.objects("Kustomization")
            .delete("app", &DeleteParams::default())
            .await?;
        gone(&team.objects("Kustomization"), "app").await?;
        assert_eq!(data(&stage, &team, "kept").await?, None);
        Ok(())
    })
}

#[test]
fn wait_for_termination_keeps_the_kustomization_until_its_objects_are_gone() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "policy-wait").await?;
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "deletionPolicy": "WaitForTermination"});
        team.kustomization("app", &spec).await?;
        team.ready("Kustomization", "app").await?;
        let hold =
            |finalizers: serde_json::Value| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
        let maps = maps(&stage, &team);
        maps.patch(
            "kept",
            &PatchParams::default(),
            &hold(json!(["example.org/hold"])),
        )
        .await?;
        team.objects("Kustomization")
            .delete("app", &DeleteParams::default())
            .await?;
        until("the object to be deleted", PATIENCE, || async {
            anyhow::ensure!(
                maps.get("kept").await?.metadata.deletion_timestamp.is_some(),
                "not yet"
            );
            Ok(())
        })
        .await?;
        let line = format!(
            "Kustomization Normal ReconciliationSucceeded ConfigMap/{}/kept deleted",
            team.home()
        );
        events(&stage, &team, "app", &line).await?;
        // time enough for a worker that does not wait to let it go
        team.reconcile("GitRepository", "app").await?;
        assert!(
            team.objects("Kustomization").get_opt("app").await?.is_some(),
            "it waits"
        );
        maps.patch("kept", &PatchParams::default(), &hold(json!(null)))
            .await?;
        gone(&team.objects("Kustomization"), "app").await
    })
}

#[test]
fn a_source_can_go_first_and_says_that_its_artifact_is_gone() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "source-first").await?;
        team.objects("GitRepository")
            .delete("app", &DeleteParams::default())
            .await?;
        gone(&team.objects("GitRepository"), "app").await?;
        let text = "GitRepository Normal GarbageCollectionSucceeded garbage collected artifacts for deleted resource";
        events(&stage, &team, "app", text).await?;
        team.reconcile("Kustomization", "app").await?;
        team.refused("Kustomization", "app", "ArtifactFailed").await?;
        team.objects("Kustomization")
            .delete("app", &DeleteParams::default())
            .await?;
        gone(&team.objects("Kustomization"), "app").await?;
        assert_eq!(
            data(&stage, &team, "kept").await?,
            None,
            "what it held is in its status"
        );
        let line = format!(
            "Kustomization Normal ArtifactFailed ConfigMap/{}/kept deleted",
            team.home()
        );
        events(&stage, &team, "app", &line).await?;
        Ok(())
    })
}
