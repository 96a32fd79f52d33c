//! What a worker holds while it waits.

use anyhow::{Context as _, ensure};
use serde_json::json;
use tenure_testkit::until;

use super::PATIENCE;
use super::figure::{Section, bytes, quantile};
use super::process::{self, Memory, Part};
use super::stage::Stage;
use super::world::{World, deployment, kustomization};
use super::write::{apply_all, get, path};

/// Private memory of a worker that waits, MiB.
const PRIVATE: f64 = 4.0;
/// Workers that are kept awake.
const WORKERS: usize = 4;
const NAME: &str = "waits";

/// A Deployment that no node runs does not get healthy, so `wait: true` keeps its worker awake until it is
/// scaled to zero.
pub(super) async fn measure(stage: &mut Stage, world: &World) -> anyhow::Result<Section> {
    stage.asleep().await?;
    let tenants = world.tenants.iter().take(WORKERS);
    let source = |app: usize| {
        if world.sources == world.tenants.len() {
            "apps".to_owned()
        } else {
            super::world::app_name(app)
        }
    };
    let spec = json!({"wait": true, "timeout": "10m0s"});
    let objects: Vec<_> = tenants
        .enumerate()
        .map(|(number, tenant)| kustomization(&tenant.home, NAME, &source(number), &spec))
        .collect();
    apply_all(&stage.client, &objects).await?;
    for object in &objects {
        let path = path(object)?;
        until("a Deployment to be waited for", PATIENCE, || async {
            let object = get(&stage.client, &path).await?;
            ensure!(
                object["status"]["inventory"]["entries"].is_array(),
                "its status is {}",
                object["status"]
            );
            Ok(())
        })
        .await?;
    }
    let mut private = settled(objects.len()).await?;
    let scaled: Vec<_> = objects
        .iter()
        .map(|object| {
            let mut healthy = deployment(NAME);
            healthy["metadata"]["namespace"] = object["metadata"]["namespace"].clone();
            healthy
        })
        .collect();
    apply_all(&stage.client, &scaled).await?;
    stage.asleep().await?;
    private.sort_by(|a, b| a.private.total_cmp(&b.private));
    let of = |field: fn(&Memory) -> f64| private.iter().map(field).collect::<Vec<_>>();
    let own = of(|memory| memory.private);
    let mut section = Section::new(
        "A worker that is awake and waits",
        format!(
            "{} workers, each kept awake by a Kustomization with `wait: true` on a Deployment that no node runs.",
            own.len()
        ),
    );
    let mib = quantile(&own, 0.5) / 1024.0 / 1024.0;
    section.bounded("private memory (clean and dirty), median", mib, PRIVATE, "MiB");
    section.fact("private memory, largest", bytes(quantile(&own, 1.0)));
    section.fact(
        "PSS, largest",
        bytes(of(|memory| memory.pss).into_iter().fold(0.0, f64::max)),
    );
    Ok(section)
}

/// The workers' memory once it does not change any more.
async fn settled(count: usize) -> anyhow::Result<Vec<Memory>> {
    let mut last = 0.0;
    let mut same = 0;
    let last = &mut last;
    let same = &mut same;
    until("the workers' memory to settle", PATIENCE, || {
        let now: Vec<_> = process::ours()
            .into_iter()
            .filter(|process| process.part == Part::Worker)
            .filter_map(|process| process::memory(process.pid))
            .collect();
        let sum: f64 = now.iter().map(|memory| memory.private).sum();
        *same = if (sum - *last).abs() < 1.0 { *same + 1 } else { 0 };
        *last = sum;
        let settled = *same >= 20;
        async move {
            ensure!(settled && now.len() == count, "{} workers", now.len());
            Ok(now)
        }
    })
    .await
    .context("look at workers")
}
