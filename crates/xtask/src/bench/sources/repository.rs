//! Many objects on one repository, from nothing to Ready.

use std::time::Instant;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::memory::{self, Watch};
use super::scene::{HOMES, Scene};
use crate::bench::figure::{Section, bytes, digits};
use crate::bench::requests::answered;
use crate::bench::write::{apply_all, apply_statuses};

/// Objects in each namespace.
pub(super) const EACH: usize = 4;
/// Private memory of cache and fetchers above what they hold when idle, MiB.
const MEMORY: f64 = 64.0;
/// In times of what the bare loop needs.
const LOOPS: f64 = 3.0;

pub(super) async fn measure(scene: &mut Scene) -> anyhow::Result<Section> {
    let alone = scene.alone.home.clone();
    let one = vec![scene.source(&alone, "alone", &scene.other, "2h0m0s")];
    let before = scene.git.traffic();
    let first = run(scene, &one, &alone).await?;
    let of_one = scene.git.traffic().bytes_sent - before.bytes_sent;
    scene.stage.tenure.kill_supervisor()?;

    let all: Vec<_> = scene
        .homes
        .iter()
        .flat_map(|home| (0..EACH).map(|number| scene.source(&home.home, &name(number), &scene.repo, "1m0s")))
        .collect();
    let idle = memory::now();
    let watch = Watch::start();
    let before = scene.git.traffic();
    let many = run(scene, &all, "bench-source-").await?;
    let traffic = scene.git.traffic();
    let peak = watch.stop();
    let floor = floor(scene, &many).await?;

    let note = format!(
        "{} GitRepositories in {HOMES} namespaces with {} different passwords on one repository of 50 MiB that doesn't compress. \
         All objects exist before the supervisor is started; the cache runs and knows nothing of the repository. One object on \
         another repository of that size went before. The bare loop is the same number of status writes.",
        all.len(),
        super::scene::CREDENTIALS,
    );
    let mut section = Section::new("One repository, many homes", note);
    let mib = |count: u64| count as f64 / 1024.0 / 1024.0;
    let sent = traffic.bytes_sent - before.bytes_sent;
    section.fact("sent by the remote for one object", bytes(of_one as f64));
    section.bounded("sent by the remote for all", mib(sent), mib(of_one) * 1.01, "MiB");
    section.bounded("downloads", (traffic.fetches - before.fetches) as f64, 1.0, "");
    section.fact(
        "lists of references asked for",
        (traffic.listings - before.listings).to_string(),
    );
    let mib = |count: f64| count / 1024.0 / 1024.0;
    section.bounded(
        "private memory of cache and fetchers above idle",
        mib(peak.private - idle.private),
        MEMORY,
        "MiB",
    );
    section.fact("… of that not a copy of a file", bytes(peak.dirty - idle.dirty));
    section.fact(
        "one object: start → Ready",
        format!("{} s", digits(first.seconds)),
    );
    section.fact(
        format!("bare loop of {} status writes", many.writes),
        format!("{} s", digits(floor)),
    );
    section.bounded(
        "all objects: start → Ready",
        many.seconds,
        first.seconds + LOOPS * floor,
        "s",
    );
    Ok(section)
}

pub(super) fn name(number: usize) -> String {
    format!("source-{number:02}")
}

struct Run {
    seconds: f64,
    writes: usize,
    status: Value,
}

/// From the start of the supervisor to the last status.
async fn run(scene: &mut Scene, objects: &[Value], namespaces: &str) -> anyhow::Result<Run> {
    apply_all(&scene.stage.client, objects).await?;
    let mark = scene.stage.plane.audit_mark()?;
    let began = Timestamp::now();
    scene.stage.tenure.start_supervisor().await?;
    let ready = scene
        .ready("gitrepositories", objects.len(), namespaces, "")
        .await?;
    let (mut last, mut writes) = (Timestamp::UNIX_EPOCH, 0);
    for event in scene.stage.plane.audit_events(mark)? {
        let status = event
            .object
            .as_ref()
            .is_some_and(|object| object.resource == "gitrepositories" && object.subresource == "status");
        if status {
            writes += 1;
            last = last.max(answered(&event)?);
        }
    }
    scene.stage.asleep().await?;
    let status = ready.first().context("none is Ready")?["status"].clone();
    Ok(Run {
        seconds: last.duration_since(began).as_secs_f64(),
        writes,
        status,
    })
}

/// Seconds that the same number of status writes take, on objects of no Tenant.
async fn floor(scene: &Scene, run: &Run) -> anyhow::Result<f64> {
    let client = &scene.stage.client;
    let name_of = |home: usize| format!("floor-source-{home:03}");
    let namespaces: Vec<_> = (0..HOMES)
        .map(|home| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name_of(home)}}))
        .collect();
    apply_all(client, &namespaces).await?;
    let objects: Vec<_> = (0..HOMES)
        .flat_map(|home| (0..EACH).map(move |number| (name_of(home), name(number))))
        .map(|(home, name)| scene.source(&home, &name, &scene.repo, "2h0m0s"))
        .collect();
    apply_all(client, &objects).await?;
    let statuses: Vec<_> = objects
        .iter()
        .cycle()
        .take(run.writes)
        .enumerate()
        .map(|(round, object)| {
            let mut status = run.status.clone();
            // so that none is the same as the one before
            status["lastHandledReconcileAt"] = format!("write {round}").into();
            json!({
                "apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": object["metadata"], "status": status,
            })
        })
        .collect();
    let began = Instant::now();
    apply_statuses(client, &statuses).await?;
    Ok(began.elapsed().as_secs_f64())
}
