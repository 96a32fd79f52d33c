//! Parts killed at random while a repository changes. `TENURE_LONG=1` for ten times as many rounds,
//! `TENURE_SEED` to repeat a row.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tenure_tests::Stage;

use crate::processes::{fetchers, workers};
use crate::set::{Crew, Set, many};

#[derive(Clone, Copy, Debug)]
enum Part {
    Supervisor,
    Worker,
    Cache,
    Fetcher,
}

#[derive(Clone, Copy, Debug)]
enum Moment {
    Before,
    Asked,
    Fetched,
    Made,
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_and_whenever_the_cluster_holds_what_the_repository_says() -> anyhow::Result<()> {
    let rounds = if std::env::var_os("TENURE_LONG").is_some() {
        200
    } else {
        20
    };
    let seed = std::env::var("TENURE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random);
    println!("TENURE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut stage = Stage::start().await?;
    let mut set = many("start", 20);
    let crew = Crew::at_work(&stage, "random", &set).await?;
    for round in 0..rounds {
        let part = *[Part::Supervisor, Part::Worker, Part::Cache, Part::Fetcher]
            .choose(&mut random)
            .expect("four");
        let moment = *[Moment::Before, Moment::Asked, Moment::Fetched, Moment::Made]
            .choose(&mut random)
            .expect("four");
        let prefix = format!("r{round}");
        let made = change(&mut set, &prefix, &mut random);
        println!(
            "round {round}: {part:?} at {moment:?} of {} objects, {made} of them new",
            set.len()
        );
        let mut killed = matches!(moment, Moment::Before) && kill(&mut stage, part)?;
        let commit = crew.commit(&set)?;
        crew.poke("GitRepository", "app").await?;
        if !killed {
            match moment {
                Moment::Before | Moment::Asked => {}
                Moment::Fetched => crew.fetched(&commit).await?,
                Moment::Made => crew.midway(&prefix, random.random_range(1..=made)).await?,
            }
            killed = kill(&mut stage, part)?;
        }
        println!("  killed: {killed}");
        revive(&mut stage).await?;
        crew.settled(&commit, &set).await?;
    }
    Ok(())
}

/// Takes some away, changes some, adds some; says how many are new.
fn change(set: &mut Set, prefix: &str, random: &mut StdRng) -> usize {
    set.retain(|_, _| random.random_bool(0.6));
    for value in set.values_mut().filter(|_| random.random_bool(0.3)) {
        prefix.clone_into(value);
    }
    let made = random.random_range(5..30);
    set.extend(many(prefix, made));
    made
}

/// Whether there was something to kill.
fn kill(stage: &mut Stage, part: Part) -> anyhow::Result<bool> {
    let of = |processes: Vec<crate::processes::Process>| {
        processes.iter().filter(|process| process.kill()).count() > 0
    };
    Ok(match part {
        Part::Supervisor => stage.tenure.kill_supervisor().map(|()| true)?,
        Part::Cache => stage.tenure.kill_cache().map(|()| true)?,
        Part::Worker => of(workers(stage)),
        Part::Fetcher => of(fetchers(stage)),
    })
}

/// As the cluster does with a container that has ended.
async fn revive(stage: &mut Stage) -> anyhow::Result<()> {
    if stage.tenure.supervisor().is_none() {
        stage.tenure.start_supervisor().await?;
    }
    if stage.tenure.cache().is_none() {
        stage.tenure.start_cache().await?;
    }
    Ok(())
}
