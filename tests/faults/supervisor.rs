//! kill -9 of the supervisor.

use anyhow::ensure;
use kube::ResourceExt as _;
use tenure_tests::Stage;

use crate::processes::{all_ended, workers};
use crate::set::{Crew, Set, many};

/// When it is killed, in the life of one commit.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Asked,
    Fetched,
    Made(usize),
}

const MOMENTS: [Moment; 5] = [
    Moment::Asked,
    Moment::Fetched,
    Moment::Made(1),
    Moment::Made(20),
    Moment::Made(59),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_killed_at_any_moment_takes_its_workers_with_it_and_the_next_one_finishes()
-> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let crew = Crew::at_work(&stage, "supervisor", &with_anchor("start")).await?;
    let anchor = crew.config_maps().get("anchor").await?;
    let mut taken_along = 0;
    for (round, moment) in MOMENTS.into_iter().enumerate() {
        let prefix = format!("r{round}");
        let set = with_anchor(&prefix);
        let commit = crew.commit(&set)?;
        crew.poke("GitRepository", "app").await?;
        match moment {
            Moment::Asked => {}
            Moment::Fetched => crew.fetched(&commit).await?,
            Moment::Made(count) => crew.midway(&prefix, count).await?,
        }
        let orphans = workers(&mut stage);
        stage.tenure.kill_supervisor()?;
        taken_along += orphans.len();
        all_ended("the workers to end with their supervisor", &orphans).await?;
        stage.tenure.start_supervisor().await?;
        crew.settled(&commit, &set).await?;
    }
    ensure!(taken_along > 0, "no kill met a worker at work");
    let now = crew.config_maps().get("anchor").await?;
    assert_eq!(
        now.uid(),
        anchor.uid(),
        "what is in every commit was never made anew"
    );
    assert_eq!(
        now.metadata.resource_version, anchor.metadata.resource_version,
        "nor written again"
    );
    Ok(())
}

fn with_anchor(prefix: &str) -> Set {
    let mut set = many(prefix, 60);
    set.insert("anchor".to_owned(), "stays".to_owned());
    set
}
