//! Many reconciles, with revisions that change while others are built. `TENURE_LONG=1` for ten thousand.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use kube::api::ListParams;
use tenure_tests::Stage;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::processes::metric;
use crate::set::{Crew, many};

const MIB: f64 = 1024.0 * 1024.0;
/// Revisions that follow each other without anybody waiting for them.
const HASTE: usize = 8;
/// What memory may be more at the end than near the beginning: a tenth, and this.
const SLACK: f64 = 4.0 * MIB;

#[tokio::test(flavor = "multi_thread")]
async fn after_many_reconciles_memory_is_as_it_was_and_what_should_stay_has_stayed() -> anyhow::Result<()> {
    let (reconciles, tenants) = if std::env::var_os("TENURE_LONG").is_some() {
        (10_000.0, 8)
    } else {
        (120.0, 2)
    };
    let mut stage = Stage::start().await?;
    let mut crews = Vec::new();
    for number in 0..tenants {
        crews.push(Crew::at_work(&stage, &format!("soak-{number}"), &many("kept", 5)).await?);
    }
    let enough = CancellationToken::new();
    let (ended, mut rounds) = mpsc::channel(1);
    let all = try_join_all(crews.iter().map(|crew| restless(crew, &enough, ended.clone())));
    let first = passes(&stage).await?;
    let watched = async {
        let mut memory = Vec::new();
        while passes(&stage).await? - first < reconciles {
            rounds.recv().await.context("every tenant has stopped")?;
            memory.push(resident(&mut stage)?);
        }
        enough.cancel();
        while rounds.recv().await.is_some() {}
        anyhow::Ok(memory)
    };
    drop(ended);
    let (_, memory) = tokio::try_join!(all, watched)?;
    let quarter = (memory.len() / 4).max(1);
    let (early, late) = (
        median(&memory[..quarter]),
        median(&memory[memory.len() - quarter..]),
    );
    println!(
        "{} rounds of {tenants} tenants, memory {:.1} MiB at first and {:.1} MiB at last",
        memory.len(),
        early / MIB,
        late / MIB
    );
    ensure!(late <= early * 1.1 + SLACK, "memory grows: {memory:?}");
    Ok(())
}

/// Changes what a tenant's repository says, faster than it is applied, and looks after each round whether
/// all is as the last revision says; `ended` hears of each.
async fn restless(crew: &Crew, enough: &CancellationToken, ended: mpsc::Sender<()>) -> anyhow::Result<()> {
    let kept = many("kept", 5);
    let kept_as = uids(crew).await?;
    for round in 0.. {
        if enough.is_cancelled() {
            break;
        }
        let (mut commit, mut wanted) = (String::new(), kept.clone());
        for revision in 0..HASTE {
            wanted = kept.clone();
            wanted.extend(many(&format!("r{}", (round + revision) % 7), 3));
            commit = crew.commit(&wanted)?;
            crew.poke("GitRepository", "app").await?;
            crew.poke("Kustomization", "app").await?;
        }
        crew.settled(&commit, &wanted).await?;
        let now = uids(crew).await?;
        let lost: Vec<_> = kept_as
            .iter()
            .filter(|(name, uid)| now.get(*name) != Some(uid))
            .collect();
        ensure!(
            lost.is_empty(),
            "in round {round} {} did not leave these alone: {lost:?}",
            crew.home()
        );
        ended.send(()).await?;
    }
    Ok(())
}

async fn passes(stage: &Stage) -> anyhow::Result<f64> {
    metric(
        &stage.tenure.supervisor_metrics().await?,
        "tenure_supervisor_passes_total",
    )
}

/// Of everything that the Kustomization owns, by name.
async fn uids(crew: &Crew) -> anyhow::Result<BTreeMap<String, String>> {
    let all = crew.config_maps().list(&ListParams::default()).await?;
    let pair = |object: kube::api::DynamicObject| {
        let metadata = object.metadata;
        Some((metadata.name?, metadata.uid?)).filter(|(name, _)| name.starts_with("kept"))
    };
    Ok(all.items.into_iter().filter_map(pair).collect())
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Bytes of supervisor and cache; workers end when nothing is left to do.
fn resident(stage: &mut Stage) -> anyhow::Result<f64> {
    let pids = [
        stage.tenure.supervisor().context("it runs")?.id(),
        stage.tenure.cache().context("it runs")?.id(),
    ];
    let of = |pid: u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
        let kib = line
            .and_then(|line| line.split_whitespace().next())
            .context("no such line")?;
        Ok(kib.parse::<f64>()? * 1024.0)
    };
    pids.into_iter().map(of).sum()
}
