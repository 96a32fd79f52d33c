//! An API server that goes away and comes back.

use anyhow::{Context as _, ensure};
use serde_json::json;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, Stage};

use crate::set::{Crew, many};

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_restarts_idle_or_in_the_middle_of_an_apply_is_found_again() -> anyhow::Result<()>
{
    let mut stage = Stage::alone().await?;
    let crew = Crew::at_work(&stage, "restart", &many("start", 60)).await?;
    let supervisor = stage.tenure.supervisor().context("it runs")?.id();

    stage.plane.kill_api_server()?;
    until("the supervisor to notice", PATIENCE, || async {
        ensure!(
            stage.tenure.supervisor_log().contains("failed to watch"),
            "nothing in its log"
        );
        Ok(())
    })
    .await?;
    stage.plane.start_api_server().await?;
    let set = many("next", 60);
    let commit = crew.commit(&set)?;
    crew.poke("GitRepository", "app").await?;
    crew.settled(&commit, &set).await?;
    crew.kustomization("later", &json!({"path": "./later"})).await?;
    crew.repo.write(
        "later/one.yaml",
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later}\n",
    )?;
    let commit = crew.commit(&set)?;
    crew.poke("GitRepository", "app").await?;
    crew.ready("Kustomization", "later").await?;
    crew.settled(&commit, &set).await?;

    for (round, made) in [1, 40].into_iter().enumerate() {
        let prefix = format!("r{round}");
        let set = many(&prefix, 60);
        let commit = crew.commit(&set)?;
        crew.poke("GitRepository", "app").await?;
        crew.midway(&prefix, made).await?;
        stage.plane.kill_api_server()?;
        stage.plane.start_api_server().await?;
        crew.settled(&commit, &set).await?;
    }
    let running = stage.tenure.supervisor().context("it runs")?;
    ensure!(
        running.ended()?.is_none() && running.id() == supervisor,
        "the supervisor has ended"
    );
    Ok(())
}
