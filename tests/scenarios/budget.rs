//! What a home may have downloaded within an hour.

use anyhow::{Context as _, ensure};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, condition, flux, value};

use crate::world::{config_map, play, says};

#[test]
fn a_home_over_its_budget_keeps_what_it_has_says_so_twice_and_goes_on_when_it_may() -> anyhow::Result<()> {
    play(|stage| async move {
        let fixture = TenantFixture::new("spends").with(&json!({"limits": {"fetchPerHour": "1"}}));
        let team = stage.tenant(fixture).await?;
        let map = |text: &str| config_map("map", text);
        let first = team.commit(&[("map.yaml", Some(&map("one")))], "first")?;
        team.git_repository(&json!({})).await?;
        // what it costs is known afterwards
        team.ready("GitRepository", "app").await?;

        let second = team.commit(&[("map.yaml", Some(&map("two")))], "second")?;
        team.reconcile("GitRepository", "app").await?;
        let message = team.refused("GitRepository", "app", "GitOperationFailed").await?;
        says(
            &message,
            &["budget of 1 bytes an hour", "spec.limits.fetchPerHour"],
        )?;
        let source = value(&team.objects("GitRepository"), "app").await?;
        let kept = source.pointer("/status/artifact/revision");
        ensure!(kept == Some(&json!(format!("main@sha1:{first}"))), "{kept:?}");
        let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
        let limits = async |status: &str, reason: &str| {
            until("the Tenant to say so", PATIENCE, || async {
                let tenant = value(&tenants, &team.fixture.name).await?;
                let limits = condition(&tenant, "WithinLimits").context("nothing is said of limits")?;
                let as_wanted = limits["status"] == status && limits["reason"] == reason;
                ensure!(as_wanted, "{limits}");
                Ok(())
            })
            .await
        };
        limits("False", "FetchBudgetExceeded").await?;

        let more = Patch::Merge(json!({"spec": {"limits": {"fetchPerHour": "1Gi"}}}));
        tenants
            .patch(&team.fixture.name, &PatchParams::default(), &more)
            .await?;
        team.reconcile("GitRepository", "app").await?;
        let source = team.ready("GitRepository", "app").await?;
        let fetched = source.pointer("/status/artifact/revision");
        ensure!(
            fetched == Some(&json!(format!("main@sha1:{second}"))),
            "{fetched:?}"
        );
        limits("True", "Kept").await
    })
}
