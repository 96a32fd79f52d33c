//! What leaves the source leaves the cluster, unless somebody said no.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{data, events, maps, roll};
use crate::world::{config_map, play, settled};

#[test]
fn an_object_that_leaves_the_source_is_deleted_and_the_event_says_so() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "prune").await?;
        roll(&team, &[("deploy/gone.yaml", Some(&config_map("gone", "x")))]).await?;
        roll(&team, &[("deploy/gone.yaml", None)]).await?;
        assert_eq!(data(&stage, &team, "gone").await?, None);
        assert_eq!(data(&stage, &team, "kept").await?.as_deref(), Some("old"));
        let line = format!(
            "Kustomization Normal Progressing ConfigMap/{}/gone deleted",
            team.home()
        );
        events(&stage, &team, "app", &line).await?;
        Ok(())
    })
}

#[test]
fn without_prune_it_stays_and_leaves_the_inventory() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "no-prune").await?;
        roll(&team, &[("deploy/gone.yaml", Some(&config_map("gone", "x")))]).await?;
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": team.home(), "prune": false}),
        )
        .await?;
        roll(&team, &[("deploy/gone.yaml", None)]).await?;
        assert_eq!(data(&stage, &team, "gone").await?.as_deref(), Some("x"));
        let object = team.ready("Kustomization", "app").await?;
        assert_eq!(
            object["status"]["inventory"]["entries"].as_array().map(Vec::len),
            Some(1)
        );
        Ok(())
    })
}

#[test]
fn an_object_marked_to_be_kept_is_skipped_and_the_event_says_so() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "keep").await?;
        let marked = config_map("gone", "x").replace(
            "  name: gone",
            "  name: gone\n  annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}",
        );
        roll(&team, &[("deploy/gone.yaml", Some(&marked))]).await?;
        roll(&team, &[("deploy/gone.yaml", None)]).await?;
        assert_eq!(data(&stage, &team, "gone").await?.as_deref(), Some("x"));
        let line = format!(
            "Kustomization Normal Progressing ConfigMap/{}/gone skipped",
            team.home()
        );
        events(&stage, &team, "app", &line).await?;
        Ok(())
    })
}

#[test]
fn an_object_that_somebody_else_took_over_is_not_deleted() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "taken").await?;
        roll(&team, &[("deploy/gone.yaml", Some(&config_map("gone", "x")))]).await?;
        let labels = json!({"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "another"}}});
        maps(&stage, &team)
            .patch("gone", &PatchParams::default(), &Patch::Merge(labels))
            .await?;
        roll(&team, &[("deploy/gone.yaml", None)]).await?;
        assert_eq!(data(&stage, &team, "gone").await?.as_deref(), Some("x"));
        Ok(())
    })
}

#[test]
fn a_change_of_path_swaps_the_objects() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "path").await?;
        roll(&team, &[("other/new.yaml", Some(&config_map("new", "x")))]).await?;
        team.kustomization("app", &json!({"path": "./other", "targetNamespace": team.home()}))
            .await?;
        team.ready("Kustomization", "app").await?;
        assert_eq!(data(&stage, &team, "kept").await?, None);
        assert_eq!(data(&stage, &team, "new").await?.as_deref(), Some("x"));
        Ok(())
    })
}
