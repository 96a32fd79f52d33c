//! One source, many who use it.

use serde_json::{Value, json};
use tenure_testkit::TenantFixture;
use tenure_testkit::git::keypair;
use tenure_tests::{Stage, Team, value};

use crate::world::{play_alone, settled};

#[test]
fn tenants_that_use_one_repository_cause_one_download_and_each_proves_itself() -> anyhow::Result<()> {
    // the cache's counters say nothing about a test that shares it with others
    play_alone(|stage| async move {
        let first = settled(&stage, "share-one").await?;
        let url = stage.git.url(first.repo.name());
        let second = stage.tenant(TenantFixture::new("share-two")).await?;
        assert_eq!(counter(&stage, "tenure_cache_downloads_total").await?, 1);
        let proved = counter(&stage, "tenure_cache_resolves_total{result=\"OK\"}").await?;
        second.git_repository(&json!({"url": url})).await?;
        second
            .kustomization(
                "app",
                &json!({"path": "./deploy", "targetNamespace": second.home()}),
            )
            .await?;
        second.ready("Kustomization", "app").await?;
        assert_eq!(digest(&first).await?, digest(&second).await?);
        assert_eq!(
            counter(&stage, "tenure_cache_downloads_total").await?,
            1,
            "the second one shares it"
        );
        assert!(counter(&stage, "tenure_cache_resolves_total{result=\"OK\"}").await? > proved);
        let (identity, _) = keypair()?;
        let data = json!({"identity": identity, "known_hosts": stage.git.known_hosts()?});
        let metadata = json!({"name": "stranger", "namespace": second.home()});
        stage
            .tenure
            .apply(&[json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})])
            .await?;
        second
            .git_repository(&json!({"url": url, "secretRef": {"name": "stranger"}}))
            .await?;
        second
            .refused("GitRepository", "app", "GitOperationFailed")
            .await?;
        Ok(())
    })
}

async fn digest(team: &Team<'_>) -> anyhow::Result<Value> {
    Ok(value(&team.objects("GitRepository"), "app").await?["status"]["artifact"]["digest"].clone())
}

/// A counter of the cache; 0 while it is not there.
async fn counter(stage: &Stage, name: &str) -> anyhow::Result<u64> {
    let text = stage.tenure.cache_metrics().await?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.map_or(Ok(0), |number| number.trim().parse())?)
}
