//! kill -9 of a worker, and workers that die or hang by themselves.

use anyhow::{Context as _, ensure};
use serde_json::json;
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, condition, flux, ready, value};

use crate::processes::{a_child, metric, workers};
use crate::set::{Crew, many};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_of_an_apply_is_started_again_and_finishes_it() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let crew = Crew::at_work(&stage, "worker", &many("start", 60)).await?;
    let mut met = 0;
    for (round, made) in [0, 1, 30].into_iter().enumerate() {
        let prefix = format!("r{round}");
        let set = many(&prefix, 60);
        let commit = crew.commit(&set)?;
        crew.poke("GitRepository", "app").await?;
        crew.fetched(&commit).await?;
        crew.midway(&prefix, made).await?;
        for worker in workers(&mut stage) {
            met += usize::from(worker.kill() && !crew.is_applied(&commit).await?);
        }
        crew.settled(&commit, &set).await?;
    }
    ensure!(met > 0, "no kill met an apply");
    let page = stage.tenure.supervisor_metrics().await?;
    ensure!(
        metric(&page, "tenure_supervisor_worker_restarts_total")? >= 1.0,
        "{page}"
    );
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    until("the Tenant to be well again", PATIENCE, || async {
        let tenant = ready(&tenants, "Tenant", &crew.fixture.name).await?;
        ensure!(
            tenant["status"]["homes"][0].get("lastError").is_none(),
            "{}",
            tenant["status"]
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hangs_is_ended_and_another_finishes() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let crew = Crew::at_work(&stage, "hang", &many("start", 60)).await?;
    let set = many("next", 60);
    let commit = crew.commit(&set)?;
    crew.poke("GitRepository", "app").await?;
    let supervisor = stage.tenure.supervisor().context("it runs")?.id();
    let worker = a_child("a worker", supervisor).await?;
    ensure!(worker.freeze(), "the worker had ended already");
    crew.settled(&commit, &set).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_kills_its_workers_is_left_alone_and_named_and_its_neighbour_goes_on()
-> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let fixture = TenantFixture::new("greedy").with(&json!({"limits": {"memory": "96Mi"}}));
    let crew = Crew::onboard(&stage, fixture).await?;
    let small = many("small", 3);
    crew.set_up(&small).await?;

    let numbers = "1,".repeat(3 << 20);
    let huge = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: huge}}\nnumbers: [{numbers}1]\n");
    let set = many("next", 3);
    crew.repo.write("huge/huge.yaml", huge.as_bytes())?;
    let commit = crew.commit(&set)?;
    crew.kustomization("greedy", &json!({"path": "./huge"})).await?;
    crew.poke("GitRepository", "app").await?;
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    until("the object to be left alone", PATIENCE, || async {
        let tenant = value(&tenants, &crew.fixture.name).await?;
        let ready = condition(&tenant, "Ready").context("no condition")?;
        ensure!(
            ready["status"] == "False" && ready["reason"] == "ObjectQuarantined",
            "{ready}"
        );
        let message = ready["message"].as_str().unwrap_or_default();
        ensure!(
            message.contains("Kustomization/greedy") && !message.contains("/app"),
            "{message}"
        );
        ensure!(message.contains("limits.memory"), "{message}");
        Ok(())
    })
    .await?;
    let message = crew.refused("Kustomization", "greedy", "Quarantined").await?;
    ensure!(message.contains("left alone"), "{message}");
    crew.settled(&commit, &set).await?;
    let spawns = spawns(&stage).await?;
    let another = many("another", 3);
    let commit = crew.commit(&another)?;
    crew.ask("GitRepository", "app").await?;
    crew.settled(&commit, &another).await?;
    ensure!(spawns < 30.0, "{spawns} workers were started: a hot loop");

    crew.repo.write(
        "huge/huge.yaml",
        b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: huge}\n",
    )?;
    let commit = crew.commit(&many("mended", 3))?;
    crew.ask("GitRepository", "app").await?;
    crew.ready("Kustomization", "greedy")
        .await
        .with_context(|| stage.tenure.supervisor_log())?;
    crew.settled(&commit, &many("mended", 3)).await?;
    ready(&tenants, "Tenant", &crew.fixture.name).await?;
    Ok(())
}

async fn spawns(stage: &Stage) -> anyhow::Result<f64> {
    metric(
        &stage.tenure.supervisor_metrics().await?,
        "tenure_supervisor_worker_spawns_total",
    )
}
