//! What waiting costs.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tenure_testkit::until;

use super::repository::name;
use super::scene::{CREDENTIALS, HOMES, Scene};
use crate::bench::PATIENCE;
use crate::bench::figure::{Section, digits};
use crate::bench::process::{self, Part};
use crate::bench::write::apply_all;

/// Objects in each namespace.
const EACH: usize = 20;
/// Of a core, percent.
const IDLE: f64 = 0.5;
/// As long as it is watched; a lease lasts twice as long.
const WHILE: Duration = Duration::from_secs(60);

/// The supervisor is stopped once all leases are held, so that nobody renews them meanwhile.
pub(super) async fn measure(scene: &mut Scene) -> anyhow::Result<Section> {
    let objects: Vec<_> = scene
        .homes
        .iter()
        .flat_map(|home| (0..EACH).map(|number| scene.source(&home.home, &name(number), &scene.repo, "1m0s")))
        .collect();
    apply_all(&scene.stage.client, &objects).await?;
    scene
        .ready("gitrepositories", HOMES * EACH, "bench-source-", "")
        .await?;
    until("all leases to be held", PATIENCE, || async {
        let leases = metric(scene, "tenure_cache_leases").await?;
        ensure!(leases >= objects.len() as f64, "{leases} are");
        Ok(())
    })
    .await?;
    scene.stage.asleep().await?;
    scene.stage.tenure.kill_supervisor()?;
    let polls = metric(scene, "tenure_cache_polls_total{result=\"ok\"}").await?;
    let before = process::cpu();
    let began = Instant::now();
    tokio::time::sleep(WHILE).await;
    let used = process::less(&process::cpu(), &before);
    let seconds = began.elapsed().as_secs_f64();
    let polls = metric(scene, "tenure_cache_polls_total{result=\"ok\"}").await? - polls;
    let leases = metric(scene, "tenure_cache_leases").await?;
    let of = |part: Part| used.get(&part).copied().unwrap_or_default() / seconds * 100.0;
    let note = format!(
        "{} leases of {HOMES} homes with {CREDENTIALS} passwords on one reference, an interval of one minute, watched for {seconds:.0} s; \
         at the end {leases} were left. {polls} polls were made.",
        objects.len(),
    );
    let mut section = Section::new("Poll leases", note);
    let (cache, fetchers) = (of(Part::Cache), of(Part::Fetcher));
    section.bounded("cache and fetchers, of a core", cache + fetchers, IDLE, "%");
    section.fact("… cache", format!("{} %", digits(cache)));
    section.fact("… fetchers", format!("{} %", digits(fetchers)));
    Ok(section)
}

async fn metric(scene: &Scene, name: &str) -> anyhow::Result<f64> {
    let text = scene.stage.tenure.cache_metrics().await?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = line.with_context(|| format!("no metric {name}"))?;
    Ok(value.trim().parse()?)
}
