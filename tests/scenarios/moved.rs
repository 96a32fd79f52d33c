//! Commits, and charts, that come while the worker sleeps.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tenure_api::CACHE_AUDIENCE;
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, value};
use tenure_worker::source_client::SourceClient;

use crate::kustomization::data;
use crate::world::{config_map, play_alone};

/// The cache as the home's worker would call it.
pub(crate) async fn worker(stage: &Stage, team: &Team<'_>) -> anyhow::Result<SourceClient> {
    let account = (stage.tenure.workers(), team.home());
    let token = stage.plane.token_for(account, Some(CACHE_AUDIENCE), 600).await?;
    let ca = std::fs::read(stage.tenure.dir().join("cache-ca.crt"))?;
    let token = Arc::new(move || Some(token.clone()));
    Ok(SourceClient::new(
        &stage.tenure.cache_url(),
        &ca,
        "tenure-cache",
        token,
    )?)
}

pub(crate) async fn nobody_is_awake(stage: &Stage) -> anyhow::Result<()> {
    until("the worker to sleep", PATIENCE, || async {
        let metrics = stage.tenure.supervisor_metrics().await?;
        ensure!(metrics.contains("tenure_supervisor_workers_awake 0"), "{metrics}");
        Ok(())
    })
    .await
}

#[test]
fn a_sleeping_worker_is_woken_by_a_commit_and_not_by_its_interval() -> anyhow::Result<()> {
    play_alone(|stage| async move {
        let team = stage.tenant(TenantFixture::new("moved")).await?;
        let map = config_map("kept", "one");
        let first = team.commit(&[("kept.yaml", Some(map.as_str()))], "first")?;
        team.git_repository(&json!({"interval": "5m0s"})).await?;
        team.kustomization(
            "app",
            &json!({"targetNamespace": team.home(), "interval": "1h0m0s"}),
        )
        .await?;
        team.applied("app", &first).await?;
        nobody_is_awake(&stage).await?;
        let metrics = stage.tenure.cache_metrics().await?;
        ensure!(metrics.contains("tenure_cache_leases 1"), "{metrics}");

        let map = config_map("kept", "two");
        let second = team.commit(&[("kept.yaml", Some(map.as_str()))], "second")?;
        let object = value(&team.objects("GitRepository"), "app").await?;
        let url = object["spec"]["url"].as_str().context("a URL")?.to_owned();
        worker(&stage, &team).await?.hint(url).await?;
        // long before the interval, and the lease after it, are over
        team.applied("app", &second).await?;
        ensure!(data(&stage, &team, "kept").await?.as_deref() == Some("two"));
        let metrics = stage.tenure.cache_metrics().await?;
        ensure!(
            metrics.contains("tenure_cache_polls_total{result=\"ok\"} 1"),
            "one question, and the worker did not ask again: {metrics}"
        );
        nobody_is_awake(&stage).await
    })
}
