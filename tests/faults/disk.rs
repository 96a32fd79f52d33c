//! What is left on disk after many violent ends.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use kube::api::DeleteParams;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, Stage, flux};

use crate::processes::{a_child, all_ended, workers};
use crate::set::{Crew, many};

#[tokio::test(flavor = "multi_thread")]
async fn violent_ends_leave_nothing_unfinished_on_disk() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let sets = [many("one", 60), many("two", 60)];
    let crew = Crew::at_work(&stage, "disk", &sets[0]).await?;
    let mut sizes = Vec::new();
    for round in 0..6 {
        let set = &sets[(round + 1) % 2];
        crew.repo.write("round.txt", format!("{round:04}").as_bytes())?;
        let commit = crew.commit(set)?;
        crew.poke("GitRepository", "app").await?;
        let cache = stage.tenure.cache().context("it runs")?.id();
        let fetcher = a_child("a fetcher", cache).await?;
        stage.tenure.kill_cache()?;
        all_ended("the fetcher to end", &[fetcher]).await?;
        stage.tenure.start_cache().await?;
        crew.fetched(&commit).await?;
        for worker in workers(&mut stage) {
            worker.kill();
        }
        crew.settled(&commit, set).await?;
        stage.tenure.kill_supervisor()?;
        stage.tenure.start_supervisor().await?;
        crew.ask("Kustomization", "app").await?;
        crew.settled(&commit, set).await?;
        let unfinished = unfinished(stage.tenure.dir())?;
        ensure!(unfinished.is_empty(), "left in round {round}: {unfinished:?}");
        sizes.push(below(&stage.tenure.dir().join("scratch"))?.len());
    }
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    ensure!(last <= first, "the scratch directory grows: {sizes:?} files");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_is_given_up_leaves_nothing_in_the_scratch_directory() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let crew = Crew::at_work(&stage, "given-up", &many("one", 3)).await?;
    let scratch = stage.tenure.dir().join("scratch").join(crew.home());
    ensure!(scratch.is_dir(), "a worker has worked there");
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    tenants
        .delete(&crew.fixture.name, &DeleteParams::default())
        .await?;
    until("the scratch directory to go", PATIENCE, || async {
        ensure!(!scratch.exists(), "it is there");
        Ok(())
    })
    .await
}

/// What is on its way in or only for a while, by where it is and how it is called.
fn unfinished(root: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let all = ["data", "scratch"].map(|part| below(&root.join(part)));
    let mut found = BTreeSet::new();
    for path in all.into_iter().collect::<anyhow::Result<Vec<_>>>()?.concat() {
        let inside = |directory: &str| path.parent().is_some_and(|parent| parent.ends_with(directory));
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        if inside("incoming")
            || ["tmp", "temp", ".lock", ".next"]
                .iter()
                .any(|part| name.contains(part))
        {
            found.insert(path);
        }
    }
    Ok(found)
}

/// Everything below a directory.
fn below(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).with_context(|| format!("read {}", directory.display()))? {
            let entry = entry?;
            found.push(entry.path());
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok(found)
}
