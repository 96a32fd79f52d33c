//! How the supervisor watches homes' objects changes under work: each home by itself, or all by one watch for each kind.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tenure_testkit::install::Options;
use tenure_testkit::{Installation, TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, condition, is_ready};

use crate::kustomization::{data, roll};
use crate::world::{config_map, play_alone, settled};

/// Waits until so many watches of single homes are open.
async fn watches(stage: &Stage, wanted: impl Fn(u64) -> bool) -> anyhow::Result<()> {
    until("the watches of homes to be as wanted", PATIENCE, || async {
        let page = stage.tenure.supervisor_metrics().await?;
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("tenure_supervisor_watches "));
        let open: u64 = line.context("no such metric")?.parse()?;
        ensure!(wanted(open), "{open} are open");
        Ok(())
    })
    .await
}

/// A change of the spec, of the source and an object that is new are all heard.
async fn hears(stage: &Stage, team: &Team<'_>, value: &str) -> anyhow::Result<()> {
    roll(team, &[("deploy/kept.yaml", Some(&config_map("kept", value)))]).await?;
    ensure!(data(stage, team, "kept").await?.as_deref() == Some(value));
    let name = format!("more-{value}");
    team.kustomization(
        &name,
        &json!({"path": "./deploy", "targetNamespace": team.home(), "prune": false}),
    )
    .await?;
    team.ready("Kustomization", &name).await?;
    Ok(())
}

#[test]
fn watches_of_single_homes_give_way_to_one_for_all_and_come_back() -> anyhow::Result<()> {
    play_alone(|stage| async move {
        let mut stage = std::sync::Arc::into_inner(stage).context("the stage is shared")?;
        let options = Options {
            suffix: format!("-{:08x}", rand::random::<u32>()),
            watch: Some("auto"),
            ..Options::default()
        };
        stage.tenure = Installation::start_with(&stage.plane, options).await?;
        let first = settled(&stage, "watched").await?;
        watches(&stage, |open| open > 0).await?;
        hears(&stage, &first, "one").await?;

        // The platform gives the right, and nothing is restarted.
        let right = stage.watch_right();
        stage.tenure.apply(&right).await?;
        watches(&stage, |open| open == 0).await?;
        hears(&stage, &first, "two").await?;
        let second = settled(&stage, "later").await?;
        hears(&stage, &second, "three").await?;
        watches(&stage, |open| open == 0).await?;

        // It takes it away again.
        let name = format!("tenure:watch:{}", stage.tenure.system());
        stage
            .plane
            .kubectl(&["delete", "clusterrolebinding", &name])
            .await?;
        watches(&stage, |open| open > 0).await?;
        hears(&stage, &first, "four").await?;
        hears(&stage, &second, "five").await?;
        let fixture = TenantFixture::new("last");
        let last = stage.tenant(fixture).await?;
        last.commit(&[("a.yaml", Some(&config_map("a", "b")))], "first")?;
        last.git_repository(&json!({})).await?;
        last.ready("GitRepository", "app").await?;
        stage.plane.kubectl(&["delete", "clusterrole", &name]).await?;
        Ok(())
    })
}

#[test]
fn a_supervisor_that_is_to_watch_everywhere_and_may_not_says_so_on_the_tenant_until_it_may()
-> anyhow::Result<()> {
    play_alone(|stage| async move {
        let mut stage = std::sync::Arc::into_inner(stage).context("the stage is shared")?;
        let options = Options {
            suffix: format!("-{:08x}", rand::random::<u32>()),
            watch: Some("cluster"),
            ..Options::default()
        };
        stage.tenure = Installation::start_with(&stage.plane, options).await?;
        let team = stage.tenant(TenantFixture::new("barred")).await?;
        let (name, system) = (team.fixture.name.clone(), stage.tenure.system().to_owned());
        let tenant = || async {
            let text = stage
                .plane
                .kubectl(&["get", "tenants.tenure.dev", &name, "-n", &system, "-o", "json"])
                .await?;
            Ok::<Value, anyhow::Error>(serde_json::from_str(&text)?)
        };
        until("the Tenant to say what is missing", PATIENCE, || async {
            let object = tenant().await?;
            let onboarded = condition(&object, "Onboarded").context("no condition yet")?;
            let message = onboarded["message"].as_str().unwrap_or_default();
            ensure!(
                onboarded["status"] == "False" && message.contains("ClusterRole tenure:watch"),
                "it is {onboarded}"
            );
            Ok(())
        })
        .await?;
        let right = stage.watch_right();
        stage.tenure.apply(&right).await?;
        until("the Tenant to be served", PATIENCE, || async {
            let object = tenant().await?;
            ensure!(is_ready(&object), "its status is {}", object["status"]);
            Ok(())
        })
        .await?;
        let name = format!("tenure:watch:{system}");
        stage
            .plane
            .kubectl(&["delete", "clusterrole,clusterrolebinding", &name])
            .await?;
        Ok(())
    })
}
