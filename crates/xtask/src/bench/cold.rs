//! From a stopped supervisor to every application Ready.

use std::collections::BTreeMap;

use anyhow::ensure;
use jiff::Timestamp;
use tenure_testkit::control_plane::AuditEvent;
use tenure_testkit::until;

use super::PATIENCE;
use super::figure::{Section, bytes, digits};
use super::process::{self, Part, Peaks, Sampler};
use super::requests::{self, Tally, answered};
use super::stage::Stage;
use super::world::World;

/// Requests for each application from a cold start to Ready.
const REQUESTS: f64 = 20.0;

pub(super) async fn measure(stage: &mut Stage, world: &World) -> anyhow::Result<Vec<Section>> {
    let mark = stage.plane.audit_mark()?;
    let before = process::cpu();
    let sampler = Sampler::start();
    let began = Timestamp::now();
    stage.tenure.start_supervisor().await?;
    until("every Kustomization to be Ready", PATIENCE, || async {
        let all = stage.kustomizations().await?;
        let ready = all.values().filter(|ready| **ready).count();
        ensure!(ready == world.apps, "{ready} of {} are", world.apps);
        Ok(())
    })
    .await?;
    let events = stage.plane.audit_events(mark)?;
    let seconds = last_status(&events)?.duration_since(began).as_secs_f64();
    stage.asleep().await?;
    let used = process::less(&process::cpu(), &before);
    let peaks = sampler.stop();
    let events = stage.plane.audit_events(mark)?;
    let spawns = stage.metric("tenure_supervisor_worker_spawns_total").await?;
    let wall = wall(world, seconds, spawns);
    Ok(vec![
        wall,
        asked(&Tally::of(&events, &stage.tenure), world),
        resources(&used, &peaks, world),
    ])
}

/// When the last Kustomization was written to be Ready: the poll that saw it is later.
pub(super) fn last_status(events: &[AuditEvent]) -> anyhow::Result<Timestamp> {
    let mut last = Timestamp::UNIX_EPOCH;
    for event in events {
        let object = event.object.as_ref();
        if object.is_some_and(|object| object.resource == "kustomizations" && object.subresource == "status")
        {
            last = last.max(answered(event)?);
        }
    }
    Ok(last)
}

fn wall(world: &World, seconds: f64, spawns: f64) -> Section {
    let note = format!(
        "{} applications of {} objects, {} tenants, {} GitRepositories. All objects exist before the supervisor is started; the cache runs and is empty.",
        world.apps,
        world.objects,
        world.tenants.len(),
        world.sources,
    );
    let mut section = Section::new("Cold start", note);
    section.seconds = Some(seconds);
    section.fact(
        "start of the supervisor → last application Ready",
        format!("{} s", digits(seconds)),
    );
    section.fact("applications in a second", digits(world.apps as f64 / seconds));
    section.fact("workers started", digits(spawns));
    section
}

fn asked(tally: &Tally, world: &World) -> Section {
    let note = "Counted in the API server's audit log until all workers have left, lists, watches, tokens and events included.";
    let mut section = Section::new("Requests to the API server", note);
    let apps = world.apps as f64;
    section.bounded(
        "for each application, all identities",
        tally.all() as f64 / apps,
        REQUESTS,
        "",
    );
    requests::list(&mut section, tally, apps);
    section
}

fn resources(used: &BTreeMap<Part, f64>, peaks: &Peaks, world: &World) -> Section {
    let note = "CPU until all workers have left. Memory is PSS, sampled ten times a second; the largest sum over the processes of a part, and the largest single one.";
    let mut section = Section::new("CPU and memory of a cold start", note);
    for part in Part::ALL {
        let cpu = used.get(&part).copied().unwrap_or_default();
        let peak = peaks.of(part);
        let each = digits(cpu * 1000.0 / world.apps as f64);
        section.fact(
            format!("{}: CPU", part.name()),
            format!("{cpu:.2} s, {each} ms an application"),
        );
        let memory = match peak.count {
            0 => continue,
            1 => bytes(peak.sum),
            count => format!(
                "{}, {} at once, largest {}",
                bytes(peak.sum),
                count,
                bytes(peak.one)
            ),
        };
        section.fact(format!("{}: memory at most", part.name()), memory);
    }
    section
}
