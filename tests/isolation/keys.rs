//! The issuer's keys change while everything runs.

use anyhow::ensure;
use serde_json::json;
use tenure_api::CACHE_AUDIENCE;
use tenure_api::rights::SUPERVISOR_ACCOUNT;
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage};
use tenure_worker::source_client::SourceError;

use crate::callers::{client, let_in, worker};

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_new_key_are_accepted_and_those_of_a_removed_key_are_not() -> anyhow::Result<()> {
    let mut stage = Stage::alone().await?;
    let home = TenantFixture::new("rotated");
    home.onboard(&stage.tenure).await?;
    let first = stage
        .plane
        .token_for((stage.tenure.workers(), &home.home), Some(CACHE_AUDIENCE), 3600)
        .await?;
    let first = client(&stage.tenure, Some(first))?;
    let_in(&first).await?;

    stage.plane.rotate_service_account_key(true).await?;
    // A token that the supervisor mints tells it of the new key.
    let next = TenantFixture::new("rotated");
    next.onboard(&stage.tenure).await?;
    let second = worker(&stage.plane, &stage.tenure, &next.home).await?;
    let_in(&second).await?;
    first.release("https://h/x".into()).await?;

    stage.plane.rotate_service_account_key(false).await?;
    // The kubelet would renew the supervisor's own token.
    let own = (stage.tenure.system(), SUPERVISOR_ACCOUNT);
    let token = stage.plane.token_for(own, None, 24 * 3600).await?;
    std::fs::write(stage.tenure.dir().join("token"), token.expose())?;
    let last = TenantFixture::new("rotated");
    last.onboard(&stage.tenure).await?;
    let_in(&worker(&stage.plane, &stage.tenure, &last.home).await?).await?;
    for old in [&first, &second] {
        until("a token of a removed key to be refused", PATIENCE, || async {
            let answer = old.release("https://h/x".into()).await;
            ensure!(
                matches!(answer, Err(SourceError::TokenRefused)),
                "it is {answer:?}"
            );
            Ok(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_goes_on_when_the_issuers_key_changes() -> anyhow::Result<()> {
    let mut stage = Stage::alone().await?;
    let map = |value: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}, "data": {"value": value}}).to_string()
    };
    let fixture = TenantFixture::new("steady");
    let repo = {
        let team = stage.tenant(fixture.clone()).await?;
        team.commit(&[("map.yaml", Some(&map("before")))], "Before")?;
        team.git_repository(&json!({})).await?;
        team.kustomization("app", &json!({"targetNamespace": team.home()}))
            .await?;
        team.ready("Kustomization", "app").await?;
        team.repo
    };
    stage.plane.rotate_service_account_key(true).await?;
    let commit = repo.commit(&[("map.yaml", Some(&map("after")))], "After")?;
    let team = stage.team(fixture, repo);
    team.reconcile("GitRepository", "app").await?;
    team.applied("app", &commit).await?;
    Ok(())
}
