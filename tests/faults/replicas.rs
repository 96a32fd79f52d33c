//! Two replicas of the source cache, and an update that rolls over them.

use anyhow::{Context as _, ensure};
use kube::api::{Api, DynamicObject, ListParams};
use tenure_testkit::Installation;
use tenure_testkit::install::Options;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, Stage, objects};

use crate::set::{Crew, Set, many};

const DOWNLOADS: &str = "tenure_cache_downloads_total";

async fn two_caches() -> anyhow::Result<Stage> {
    let mut stage = Stage::start().await?;
    let options = Options {
        suffix: format!("-{:08x}", rand::random::<u32>()),
        two_caches: true,
        log: Some("info,tenure_supervisor::movements=debug".to_owned()),
        ..Options::default()
    };
    stage.tenure = Installation::start_with(&stage.plane, options).await?;
    Ok(stage)
}

async fn downloads(stage: &Stage, replica: usize) -> anyhow::Result<u64> {
    let metrics = stage.tenure.replica_metrics(replica).await?;
    let line = metrics
        .lines()
        .find(|line| line.starts_with(DOWNLOADS))
        .context("no such metric")?;
    Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
}

/// What people were told that went wrong.
async fn warnings(stage: &Stage, crew: &Crew) -> anyhow::Result<Vec<String>> {
    let events: Api<DynamicObject> = objects(&stage.client(), "", "v1", "Event", "events", crew.home());
    let all = events.list(&ListParams::default().fields("type=Warning")).await?;
    Ok(all
        .into_iter()
        .map(|event| {
            let said = |field: &str| event.data[field].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", said("reason"), said("message"))
        })
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_the_remotes_and_an_update_that_rolls_over_them_fails_nothing()
-> anyhow::Result<()> {
    let mut stage = two_caches().await?;
    let mut set: Set = many("first", 2);
    let mut crews = Vec::new();
    for name in ["roll-a", "roll-b", "roll-c", "roll-d"] {
        crews.push(Crew::at_work(&stage, name, &set).await?);
    }
    let each = [downloads(&stage, 0).await?, downloads(&stage, 1).await?];
    ensure!(
        each.iter().sum::<u64>() == 4,
        "each remote has one replica: {each:?}"
    );

    for (replica, round) in [(0, "second"), (1, "third")] {
        let stopped = stage.tenure.stop_replica(replica);
        set = many(round, 2);
        let mut commits = Vec::new();
        for crew in &crews {
            commits.push(crew.commit(&set)?);
            crew.poke("GitRepository", "app").await?;
        }
        stopped.await?;
        for (crew, commit) in crews.iter().zip(&commits) {
            crew.settled(commit, &set).await?;
        }
        stage.tenure.start_replica(replica).await?;
    }
    for crew in &crews {
        let warnings = warnings(&stage, crew).await?;
        ensure!(warnings.is_empty(), "{}: {warnings:?}", crew.home());
        // what the replica gave out that stopped last is listed again when it is asked for
        crew.ask("GitRepository", "app").await?;
    }
    let listed = objects(
        &stage.client(),
        "tenure.dev",
        "v1alpha1",
        "Artifact",
        "artifacts",
        stage.tenure.system(),
    );
    until("what both replicas have to be listed", PATIENCE, || async {
        let all = listed.list(&ListParams::default()).await?;
        let homes: Vec<String> = all
            .into_iter()
            .map(|object| object.data["status"]["homes"].to_string())
            .collect();
        for crew in &crews {
            ensure!(
                homes.iter().any(|homes| homes.contains(crew.home())),
                "{} is in none of {homes:?}",
                crew.home()
            );
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_is_heard_from_whichever_replica_asks() -> anyhow::Result<()> {
    let mut stage = two_caches().await?;
    let set = many("first", 2);
    let crew = Crew::at_work(&stage, "heard", &set).await?;
    let leases = async |stage: &Stage| {
        let mut held = Vec::new();
        for replica in 0..2 {
            let metrics = stage.tenure.replica_metrics(replica).await?;
            held.push(metrics.contains("tenure_cache_leases 1"));
        }
        anyhow::Ok(held)
    };
    let heard = |stage: &Stage| stage.tenure.supervisor_log().matches("a source moved").count();
    // with a lease that is asked soon enough, and long before it is over
    crew.source("app", &serde_json::json!({"interval": "20s"}))
        .await?;
    until("one of them to hold the lease", PATIENCE, || async {
        let held = leases(&stage).await?;
        ensure!(held.iter().filter(|held| **held).count() == 1, "{held:?}");
        Ok(())
    })
    .await?;
    let holder = leases(&stage)
        .await?
        .iter()
        .position(|held| *held)
        .context("one")?;
    let second = many("second", 2);
    let commit = crew.commit(&second)?;
    crew.settled(&commit, &second).await?;
    let before = heard(&stage);
    ensure!(
        before > 0,
        "the replica has not said that it moved: {}",
        stage.tenure.supervisor_log()
    );

    stage.tenure.stop_replica(holder).await?;
    let third = many("third", 2);
    let commit = crew.commit(&third)?;
    // its lease went with it: a look brings the next one
    crew.ask("GitRepository", "app").await?;
    crew.settled(&commit, &third).await?;
    until("the other one to hold the lease", PATIENCE, || async {
        let other = stage.tenure.replica_metrics(1 - holder).await?;
        ensure!(other.contains("tenure_cache_leases 1"), "{other}");
        Ok(())
    })
    .await?;
    let fourth = many("fourth", 2);
    let commit = crew.commit(&fourth)?;
    crew.settled(&commit, &fourth).await?;
    ensure!(
        heard(&stage) > before,
        "the other replica has not said that it moved"
    );
    Ok(())
}
