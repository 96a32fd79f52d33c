//! What waits for what.

use serde_json::json;
use tenure_testkit::TenantFixture;

use super::{data, events, roll};
use crate::world::{config_map, play, says, settled};

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
