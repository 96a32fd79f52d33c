//! What an interval costs when nothing has changed.

use anyhow::ensure;
use serde_json::json;
use tenure_testkit::until;

use super::PATIENCE;
use super::figure::{Section, digits};
use super::process::{self, Part};
use super::requests::{Identity, Tally};
use super::stage::Stage;
use super::world::{app_name, kustomization, onboard, repository, source_of, tenant};
use super::write::apply_all;

const HOME: &str = "bench-noop";
const APPS: usize = 10;
const OBJECTS: usize = 4;
/// Longer than a worker lingers, so that each interval is a wake.
const INTERVAL: &str = "8s";
/// Passes that are watched.
const PASSES: f64 = 30.0;
const PASSED: &str = "tenure_supervisor_passes_total";

pub(super) async fn measure(stage: &mut Stage) -> anyhow::Result<Section> {
    onboard(stage, &[tenant(HOME)]).await?;
    let apps: Vec<usize> = (0..APPS).collect();
    let repo = repository(stage, HOME, &apps, OBJECTS)?;
    let mut objects = vec![stage.secret(HOME), source_of(stage, HOME, "apps", repo.name())];
    let often = json!({"interval": INTERVAL});
    objects.extend(
        apps.iter()
            .map(|app| kustomization(HOME, &app_name(*app), "apps", &often)),
    );
    apply_all(&stage.client, &objects).await?;
    until(
        "the Kustomizations with a short interval to be Ready",
        PATIENCE,
        || async {
            let all = stage.kustomizations().await?;
            let ready = all
                .iter()
                .filter(|(key, ready)| key.starts_with(HOME) && **ready)
                .count();
            ensure!(ready == APPS, "{ready} are");
            Ok(())
        },
    )
    .await?;
    stage.asleep().await?;
    let section = watch(stage).await?;
    // What follows must not be disturbed.
    for object in &mut objects {
        object["spec"]["suspend"] = true.into();
    }
    let suspended: Vec<_> = objects
        .into_iter()
        .filter(|object| object["kind"] == "Kustomization")
        .collect();
    apply_all(&stage.client, &suspended).await?;
    Ok(section)
}

async fn watch(stage: &Stage) -> anyhow::Result<Section> {
    let mark = stage.plane.audit_mark()?;
    let before = process::cpu();
    let (passes, spawns) = (
        stage.metric(PASSED).await?,
        stage.metric("tenure_supervisor_worker_spawns_total").await?,
    );
    until("passes with nothing to do", PATIENCE, || async {
        let passed = stage.metric(PASSED).await? - passes;
        ensure!(passed >= PASSES, "{passed} so far");
        Ok(())
    })
    .await?;
    stage.asleep().await?;
    let passed = stage.metric(PASSED).await? - passes;
    let spawned = stage.metric("tenure_supervisor_worker_spawns_total").await? - spawns;
    let used = process::less(&process::cpu(), &before);
    let tally = Tally::of(&stage.plane.audit_events(mark)?, &stage.tenure);
    let note = format!(
        "{APPS} Kustomizations of {OBJECTS} objects in one home, an interval of {INTERVAL}, nothing to change: {passed} passes in {spawned} wakes. The requests of a wake are spread over its passes."
    );
    let mut section = Section::new("A pass with nothing to do", note);
    let is_list = |((identity, what), _): &(&(Identity, String), &usize)| {
        *identity == Identity::Acting && what.starts_with("list ")
    };
    let lists = tally.kinds.iter().filter(is_list).map(|(_, count)| count);
    let lists = lists.sum::<usize>() as f64 / passed;
    section.bounded(
        "LISTs for each Kustomization and interval, one for each kind of its objects",
        lists,
        OBJECTS as f64,
        "",
    );
    section.bounded(
        "other requests for each Kustomization and interval",
        tally.all() as f64 / passed - lists,
        2.0,
        "",
    );
    for ((identity, what), count) in &tally.kinds {
        let text = format!("&emsp;{}: `{what}`", identity.name());
        section.fact(text, digits(*count as f64 / passed));
    }
    let writes = tally
        .kinds
        .iter()
        .filter(|((_, what), _)| is_write(what))
        .map(|(_, count)| count)
        .sum::<usize>();
    section.bounded(
        "writes as itself for each Kustomization and interval",
        writes as f64 / passed,
        0.0,
        "",
    );
    let worker = used.get(&Part::Worker).copied().unwrap_or_default();
    section.fact(
        "CPU of the worker for each pass",
        format!("{} ms", digits(worker * 1000.0 / passed)),
    );
    Ok(section)
}

/// Status, finalizers and events; dry runs of the tenant's objects are patches of theirs.
fn is_write(what: &str) -> bool {
    let (verb, resource) = what.split_once(' ').unwrap_or_default();
    let ours = ["gitrepositories", "kustomizations", "events"]
        .iter()
        .any(|kind| resource.starts_with(kind));
    ours && ["patch", "create"].contains(&verb)
}
