//! Workers that are not needed, or not wanted.

use anyhow::{Context as _, ensure};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, Stage, condition, flux, value};

use crate::processes::{a_child, metric, workers};
use crate::set::{Crew, many};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_when_nothing_is_due_and_a_change_brings_another() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let crew = Crew::at_work(&stage, "dormant", &many("one", 3)).await?;
    asleep(&mut stage).await?;
    // the process may be gone before its supervisor has heard of it
    let page = until("the supervisor to count none", PATIENCE, || async {
        let page = stage.tenure.supervisor_metrics().await?;
        let awake = metric(&page, "tenure_supervisor_workers_awake")?;
        ensure!(awake == 0.0, "it counts {awake}");
        Ok(page)
    })
    .await?;
    assert_eq!(
        metric(&page, "tenure_supervisor_worker_restarts_total")?,
        0.0,
        "it ended well"
    );

    let set = many("two", 3);
    let commit = crew.commit(&set)?;
    crew.poke("GitRepository", "app").await?;
    crew.settled(&commit, &set).await?;
    asleep(&mut stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_is_left_as_it_is_and_goes_on_when_it_is_resumed() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let crew = Crew::at_work(&stage, "suspended", &many("one", 60)).await?;
    let other = Crew::at_work(&stage, "other", &many("one", 3)).await?;
    let supervisor = stage.tenure.supervisor().context("it runs")?.id();
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    let suspend = |yes: bool| Patch::Merge(json!({"spec": {"suspend": yes}}));

    let set = many("two", 60);
    let commit = crew.commit(&set)?;
    asleep(&mut stage).await?;
    crew.poke("GitRepository", "app").await?;
    let worker = a_child("a worker", supervisor).await?;
    tenants
        .patch(&crew.fixture.name, &PatchParams::default(), &suspend(true))
        .await?;
    until("the worker to be drained", PATIENCE, || async {
        ensure!(!worker.is_alive(), "it runs");
        Ok(())
    })
    .await?;
    until("the Tenant to say so", PATIENCE, || async {
        let tenant = value(&tenants, &crew.fixture.name).await?;
        let ready = condition(&tenant, "Ready").context("no condition")?;
        ensure!(
            ready["reason"] == "TenantSuspended" && tenant["status"]["phase"] == "Suspended",
            "{tenant}"
        );
        Ok(())
    })
    .await?;
    let page = stage.tenure.supervisor_metrics().await?;
    let restarts = metric(&page, "tenure_supervisor_worker_restarts_total")?;
    assert_eq!(restarts, 0.0, "it was asked to end, and did");

    let before = value(&crew.objects("Kustomization"), "app").await?;
    let unanswered = crew.poke("Kustomization", "app").await?;
    let known = workers(&mut stage);
    for _ in 0..3 {
        other.ask("Kustomization", "app").await?;
    }
    let after = value(&crew.objects("Kustomization"), "app").await?;
    assert_eq!(
        after["status"], before["status"],
        "others were served three times meanwhile"
    );
    ensure!(known.is_empty(), "nobody was at work: {known:?}");

    tenants
        .patch(&crew.fixture.name, &PatchParams::default(), &suspend(false))
        .await?;
    crew.settled(&commit, &set).await?;
    let now = value(&crew.objects("Kustomization"), "app").await?;
    assert_eq!(now["status"]["lastHandledReconcileAt"], unanswered);
    Ok(())
}

/// Waits until no worker runs.
async fn asleep(stage: &mut Stage) -> anyhow::Result<()> {
    let supervisor = stage.tenure.supervisor().context("it runs")?.id();
    until("the workers to end", PATIENCE, || async {
        let left = crate::processes::children(supervisor);
        ensure!(left.is_empty(), "these run: {left:?}");
        Ok(())
    })
    .await
}
