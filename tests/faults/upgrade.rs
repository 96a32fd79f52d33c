//! Two versions side by side: parts are replaced one after the other, and back again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use kube::api::ListParams;
use tenure_testkit::Installation;
use tenure_testkit::install::Options;
use tenure_tests::Stage;

use crate::set::{Crew, Set, many};

/// The program of the version before.
const BEFORE: &str = "TENURE_BEFORE";

#[derive(Clone, Copy, Debug)]
enum Part {
    Cache(usize),
    Supervisor,
    Second,
}

const PARTS: [Part; 4] = [Part::Cache(0), Part::Cache(1), Part::Supervisor, Part::Second];

/// Whoever is missing meanwhile, the others serve.
async fn replace(
    stage: &mut Stage,
    part: Part,
    program: &Path,
    crews: &[Crew],
    set: &Set,
) -> anyhow::Result<()> {
    let tenure = &mut stage.tenure;
    match part {
        Part::Cache(number) => tenure.stop_replica(number).await?,
        Part::Supervisor => tenure.stop_supervisor().await?,
        Part::Second => tenure.stop_second().await?,
    }
    let mut commits = Vec::new();
    for crew in crews {
        commits.push(crew.commit(set)?);
        crew.poke("GitRepository", "app").await?;
    }
    match part {
        Part::Cache(number) => {
            tenure.replace_replica(number, program)?;
            tenure.start_replica(number).await?;
        }
        Part::Supervisor => {
            tenure.replace_supervisor(program);
            tenure.start_supervisor().await?;
        }
        Part::Second => {
            tenure.replace_second(program)?;
            tenure.start_second().await?;
        }
    }
    for (crew, commit) in crews.iter().zip(&commits) {
        crew.settled(commit, set)
            .await
            .with_context(|| format!("{} after {part:?} was replaced", crew.home()))?;
    }
    Ok(())
}

async fn kept(crew: &Crew) -> anyhow::Result<BTreeMap<String, String>> {
    let all = crew.config_maps().list(&ListParams::default()).await?;
    let pair = |object: kube::api::DynamicObject| {
        Some((object.metadata.name?, object.metadata.uid?)).filter(|(name, _)| name.starts_with("kept"))
    };
    Ok(all.into_iter().filter_map(pair).collect())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the version before: cargo xtask upgrade"]
async fn an_upgrade_part_by_part_and_the_way_back_lose_no_reconcile_and_no_object() -> anyhow::Result<()> {
    let before = std::env::var_os(BEFORE).map(PathBuf::from);
    let before = before.with_context(|| format!("{BEFORE} is not set; run cargo xtask upgrade"))?;
    let mut stage = Stage::start().await?;
    let now = stage.tenure.binary().to_owned();
    let options = Options {
        suffix: format!("-{:08x}", rand::random::<u32>()),
        binary: Some(before.clone()),
        two_caches: true,
        two_supervisors: true,
        ..Options::default()
    };
    stage.tenure = Installation::start_with(&stage.plane, options).await?;
    stage.tenure.start_second().await?;
    let mut crews = Vec::new();
    for name in ["up-a", "up-b", "up-c", "up-d"] {
        crews.push(Crew::at_work(&stage, name, &many("kept", 3)).await?);
    }
    let mut owned = Vec::new();
    for crew in &crews {
        owned.push(kept(crew).await?);
    }
    let up = PARTS.map(|part| (part, &now));
    // workers of the one version have asked caches of the other now; on the way back it is the reverse
    let mut back = PARTS.map(|part| (part, &before));
    back.reverse();
    for (round, (part, program)) in up.into_iter().chain(back).enumerate() {
        let mut set = many("kept", 3);
        set.extend(many(&format!("r{round}"), 2));
        replace(&mut stage, part, program, &crews, &set).await?;
        for (crew, owned) in crews.iter().zip(&owned) {
            let now = kept(crew).await?;
            ensure!(
                now == *owned,
                "{}: after {part:?} was replaced {owned:?} are {now:?}",
                crew.home()
            );
        }
    }
    Ok(())
}
