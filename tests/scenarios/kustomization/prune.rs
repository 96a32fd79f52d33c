//! What leaves the source leaves the cluster, unless somebody said no.

use kube::api::{Patch, PatchParams};
use serde_json::json;
use tenure_testkit::TenantFixture;
use tenure_tests::{Stage, Team, value};

use super::{data, events, maps, roll};
use crate::world::{config_map, play, says, settled};

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

/// Twelve ConfigMaps, of which `stay` stay.
async fn thinned(stage: &Stage, team: &Team<'_>, stay: usize) -> anyhow::Result<()> {
    let name = |n: usize| format!("deploy/m{n}.yaml");
    let all: Vec<_> = (0..11)
        .map(|n| (name(n), config_map(&format!("m{n}"), "x")))
        .collect();
    let files: Vec<_> = all
        .iter()
        .map(|(path, text)| (path.as_str(), Some(text.as_str())))
        .collect();
    roll(team, &files).await?;
    assert_eq!(data(stage, team, "m10").await?.as_deref(), Some("x"));
    let gone: Vec<_> = files.iter().skip(stay).map(|(path, _)| (*path, None)).collect();
    team.commit(&gone, "thin out")?;
    team.reconcile("GitRepository", "app").await?;
    Ok(())
}

#[test]
fn many_objects_are_deleted_once_a_person_has_confirmed_these() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "brake").await?;
        thinned(&stage, &team, 2).await?;
        let message = team
            .refused("Kustomization", "app", "PruneNeedsConfirmation")
            .await?;
        let named = format!("ConfigMap/{}/m10", team.home());
        says(
            &message,
            &[
                "9 objects left the source",
                "more than 50 % of 12",
                &named,
                "tenure.dev/confirm-prune=",
            ],
        )?;
        assert_eq!(data(&stage, &team, "m10").await?.as_deref(), Some("x"));
        let object = value(&team.objects("Kustomization"), "app").await?;
        let held = object["status"]["inventory"]["entries"].as_array().map(Vec::len);
        assert_eq!(held, Some(12), "nothing is forgotten");
        let confirm = |token: String| {
            let objects = team.objects("Kustomization");
            async move {
                let patch = json!({"metadata": {"annotations": {"tenure.dev/confirm-prune": token}}});
                objects
                    .patch("app", &PatchParams::default(), &Patch::Merge(patch))
                    .await?;
                anyhow::Ok(())
            }
        };
        confirm("something-else".to_owned()).await?;
        team.reconcile("Kustomization", "app").await?;
        assert_eq!(data(&stage, &team, "m10").await?.as_deref(), Some("x"));
        let token = message
            .split("tenure.dev/confirm-prune=")
            .nth(1)
            .unwrap_or_default();
        confirm(token.split(';').next().unwrap_or_default().to_owned()).await?;
        let object = team.ready("Kustomization", "app").await?;
        assert_eq!(
            object["status"]["inventory"]["entries"].as_array().map(Vec::len),
            Some(3)
        );
        assert_eq!(data(&stage, &team, "m10").await?, None);
        assert_eq!(data(&stage, &team, "m1").await?.as_deref(), Some("x"));
        Ok(())
    })
}

#[test]
fn objects_that_come_back_need_no_confirmation() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "brake-back").await?;
        thinned(&stage, &team, 2).await?;
        team.refused("Kustomization", "app", "PruneNeedsConfirmation")
            .await?;
        let back: Vec<_> = (2..8)
            .map(|n| (format!("deploy/m{n}.yaml"), config_map(&format!("m{n}"), "x")))
            .collect();
        let files: Vec<_> = back
            .iter()
            .map(|(path, text)| (path.as_str(), Some(text.as_str())))
            .collect();
        roll(&team, &files).await?;
        assert_eq!(data(&stage, &team, "m10").await?, None, "three of twelve");
        assert_eq!(data(&stage, &team, "m7").await?.as_deref(), Some("x"));
        Ok(())
    })
}

#[test]
fn the_tenant_says_from_when_on_a_prune_is_to_be_confirmed() -> anyhow::Result<()> {
    play(|stage| async move {
        let limits = json!({"limits": {"pruneShare": 20, "pruneObjects": 2}});
        let team = stage
            .tenant(TenantFixture::new("brake-low").with(&limits))
            .await?;
        let (one, two) = (config_map("one", "x"), config_map("two", "x"));
        team.commit(
            &[("deploy/one.yaml", Some(&one)), ("deploy/two.yaml", Some(&two))],
            "first",
        )?;
        team.git_repository(&json!({})).await?;
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": team.home()}),
        )
        .await?;
        team.ready("Kustomization", "app").await?;
        team.commit(&[("deploy/two.yaml", None)], "less")?;
        team.reconcile("GitRepository", "app").await?;
        let message = team
            .refused("Kustomization", "app", "PruneNeedsConfirmation")
            .await?;
        says(&message, &["1 object left the source", "more than 20 % of 2"])
    })
}
