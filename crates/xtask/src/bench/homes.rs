//! What a dormant home costs the supervisor and the API server, by difference.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde_json::json;
use tenure_testkit::until;

use super::PATIENCE;
use super::figure::{Section, bytes};
use super::process::{self, Part};
use super::stage::Stage;
use super::world::{World, kustomization, onboard, tenant};
use super::write::apply_all;

/// Of the supervisor's memory, for each dormant home with its watches, KiB.
const HOME: f64 = 1024.0;
/// For each watch, KiB.
const WATCH: f64 = 64.0;
/// Kinds that are watched in each home.
const KINDS: f64 = 7.0;

struct Point {
    homes: f64,
    supervisor: f64,
    server: f64,
}

pub(super) async fn measure(stage: &mut Stage, world: &World, counts: &[usize]) -> anyhow::Result<Section> {
    stage.asleep().await?;
    let mut points = vec![point(stage).await?];
    let mut made = 0;
    for count in counts {
        let tenants: Vec<_> = (made..*count)
            .map(|number| tenant(&format!("bench-home-{number:04}")))
            .collect();
        made = made.max(*count);
        onboard(stage, &tenants).await?;
        let rests: Vec<_> = tenants
            .iter()
            .map(|tenant| kustomization(&tenant.home, "rests", "none", &json!({"suspend": true})))
            .collect();
        apply_all(&stage.client, &rests).await?;
        settled(stage, world.tenants.len() + 1 + made).await?;
        points.push(point(stage).await?);
    }
    Ok(section(&points))
}

/// Every home watched, and its one object seen.
async fn settled(stage: &Stage, homes: usize) -> anyhow::Result<()> {
    until("every home to be dormant", PATIENCE, || async {
        let watches = stage.metric("tenure_supervisor_watches").await?;
        ensure!(
            watches >= homes as f64 * KINDS,
            "{watches} watches for {homes} homes"
        );
        let objects = super::write::get(&stage.client, "/apis/tenure.dev/v1alpha1/tenants").await?;
        let phases: BTreeMap<String, usize> =
            objects["items"]
                .as_array()
                .into_iter()
                .flatten()
                .fold(BTreeMap::new(), |mut all, tenant| {
                    let phase = tenant["status"]["homes"][0]["phase"]
                        .as_str()
                        .unwrap_or("unknown");
                    *all.entry(phase.to_owned()).or_default() += 1;
                    all
                });
        ensure!(
            phases.get("Dormant") == Some(&homes),
            "of {homes} homes are {phases:?}"
        );
        Ok(())
    })
    .await?;
    stage.asleep().await
}

async fn point(stage: &Stage) -> anyhow::Result<Point> {
    let pid = stage.pid(Part::Supervisor)?;
    let memory = process::memory(pid).context("the supervisor's memory")?;
    Ok(Point {
        homes: stage.metric("tenure_supervisor_homes").await?,
        supervisor: memory.private,
        server: server_memory(stage).await?,
    })
}

/// What the API server holds after its garbage is collected: heap and stacks.
pub(super) async fn server_memory(stage: &Stage) -> anyhow::Result<f64> {
    let text = |path: &'static str| async move {
        let request = http::Request::get(path).body(Vec::new())?;
        anyhow::Ok(stage.client.request_text(request).await?)
    };
    for _ in 0..2 {
        text("/debug/pprof/heap?gc=1&debug=1").await?;
    }
    let metrics = text("/metrics").await?;
    let value = |name: &str| {
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse::<f64>().ok())
            .with_context(|| format!("no metric {name}"))
    };
    Ok(value("go_memstats_heap_alloc_bytes")? + value("go_memstats_stack_inuse_bytes")?)
}

fn section(points: &[Point]) -> Section {
    let note = "Each home has one suspended Kustomization and seven metadata watches. Memory is what the supervisor shares with nobody; the API server's is heap and stacks after a collection. The cost of one is the slope of a line through all points.";
    let mut section = Section::new("Dormant homes", note);
    for point in points {
        section.fact(
            format!("{} homes: supervisor / kube-apiserver", point.homes),
            format!("{} / {}", bytes(point.supervisor), bytes(point.server)),
        );
    }
    let each = slope(points, |point| point.supervisor) / 1024.0;
    section.bounded("supervisor, for each dormant home", each, HOME, "KiB");
    section.bounded(
        "supervisor, for each watch (the home's all, over its watches)",
        each / KINDS,
        WATCH,
        "KiB",
    );
    section.fact(
        "kube-apiserver, for each home with its objects",
        bytes(slope(points, |point| point.server)),
    );
    section
}

/// Least squares.
fn slope(points: &[Point], of: impl Fn(&Point) -> f64) -> f64 {
    let count = points.len() as f64;
    let mean = |of: &dyn Fn(&Point) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(&|point| point.homes), mean(&|point| of(point)));
    let over: f64 = points
        .iter()
        .map(|point| (point.homes - x) * (of(point) - y))
        .sum();
    let under: f64 = points.iter().map(|point| (point.homes - x).powi(2)).sum();
    over / under
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_the_cost_of_one() {
        let point = |homes: f64| Point {
            homes,
            supervisor: 1000.0 + 7.0 * homes,
            server: 0.0,
        };
        let points = [point(10.0), point(60.0), point(210.0)];
        assert!((slope(&points, |point| point.supervisor) - 7.0).abs() < 1e-9);
    }
}
