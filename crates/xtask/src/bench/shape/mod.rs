//! Many small applications: the shape that Flux's own benchmark has.
//!
//! An application is a ServiceAccount, a Service, a Deployment scaled to zero and an Ingress, of an artifact
//! of its own in a registry, with `wait: true` and an impersonated account.

mod apps;
mod mix;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Instant;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::Value;
use tenure_testkit::control_plane::AuditEvent;
use tenure_testkit::oci::{Login, Registry, Transport};

use super::cold::last_status;
use super::figure::{Section, bytes, digits};
use super::process::{self, Part, Sampler};
use super::requests::Tally;
use super::stage::{Stage, is_ready};
use super::write::{CONNECTIONS, apply_all};
use super::{noop, requests};
use apps::Apps;

/// Times of the floor.
const FLOOR: f64 = 5.0;
/// Times of a loop that sends the same requests.
const MIX: f64 = 1.7;
/// Requests for each application when it is new, and when it was there before.
const REQUESTS: (f64, f64) = (13.0, 17.0);

/// So many applications of so many tenants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) apps: usize,
    pub(super) tenants: usize,
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
        text.split_once('/')
            .and_then(|(apps, tenants)| {
                Some(Self {
                    apps: number(apps)?,
                    tenants: number(tenants)?,
                })
            })
            .ok_or_else(|| format!("{text:?} is not like 500/50: applications over tenants"))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenants = if self.tenants == 1 { "tenant" } else { "tenants" };
        write!(f, "{} applications of {} {tenants}", self.apps, self.tenants)
    }
}

impl Shape {
    /// As it is given on the command line.
    pub(super) fn text(self) -> String {
        format!("{}/{}", self.apps, self.tenants)
    }

    /// Milliseconds of CPU for each application: a tenth of what Flux 2.9 needed on a machine of this size,
    /// which was 12.6 s for 100 applications in one namespace and 60 s for 500 in 50.
    fn cpu(self) -> f64 {
        if self.tenants > 1 { 12.0 } else { 12.6 }
    }

    /// Of all our processes at once, MiB.
    fn memory(self) -> f64 {
        if self.tenants > 50 { 200.0 } else { 150.0 }
    }
}

/// One shape on a control plane of its own. The first one also shows what an interval costs.
pub(super) async fn measure(binary: PathBuf, shape: Shape, with_noop: bool) -> anyhow::Result<Vec<Section>> {
    super::say(&shape.to_string());
    let mut stage = Stage::start(binary).await?;
    let registry = Registry::start_with(Transport::Http, Login::Nobody).await?;
    let apps = Apps { shape };
    apps.push(&registry, "1.0.0").await?;
    apps.create(&stage, &registry).await?;
    let (first, events) = first(&mut stage, &apps).await?;
    let mut sections = against_the_server(&stage, &apps, first, &events).await?;
    super::say("a new revision of everything");
    sections.push(second(&stage, &apps, &registry).await?);
    if with_noop {
        super::say("passes with nothing to do");
        sections.push(noop::measure(&mut stage).await?);
    }
    Ok(sections)
}

/// From a stopped supervisor to Ready.
async fn first(stage: &mut Stage, apps: &Apps) -> anyhow::Result<(Section, Vec<AuditEvent>)> {
    let shape = apps.shape;
    let mark = stage.plane.audit_mark()?;
    let before = process::cpu();
    let sampler = Sampler::start();
    let began = Timestamp::now();
    stage.tenure.start_supervisor().await?;
    ready(stage, shape).await?;
    let events = stage.plane.audit_events(mark)?;
    let seconds = last_status(&events)?.duration_since(began).as_secs_f64();
    stage.asleep().await?;
    listed(stage, shape, "1.0.0").await?;
    let used = process::less(&process::cpu(), &before);
    let peaks = sampler.stop();
    let events = stage.plane.audit_events(mark)?;
    let note = format!(
        "{} applications (ServiceAccount, Service, Deployment scaled to zero, Ingress), each with an OCIRepository and a Kustomization with `wait: true`. All exist before the supervisor is started. CPU and requests until all workers have left.",
        shape.apps
    );
    let mut section = Section::new(shape.to_string(), note);
    section.seconds = Some(seconds);
    let each = |count: f64| count / shape.apps as f64;
    section.fact(
        "start of the supervisor → last one Ready",
        format!("{} s", digits(seconds)),
    );
    let cpu = ours(&used);
    section.bounded(
        "CPU for each, all our processes",
        each(cpu * 1000.0),
        shape.cpu(),
        "ms",
    );
    for part in Part::OURS {
        let own = used.get(&part).copied().unwrap_or_default();
        section.fact(
            format!("&emsp;{}", part.name()),
            format!("{} ms", digits(each(own * 1000.0))),
        );
    }
    let mib = |bytes: f64| bytes / 1024.0 / 1024.0;
    section.bounded(
        "memory of all our processes, PSS at most",
        mib(peaks.all),
        shape.memory(),
        "MiB",
    );
    let slots = stage.metric("tenure_supervisor_awake_slots").await?;
    section.fact("workers that the supervisor lets begin at once", digits(slots));
    for part in Part::OURS {
        let peak = peaks.of(part);
        let text = format!(
            "{}, {} at once, largest {}",
            bytes(peak.sum),
            peak.count,
            bytes(peak.one)
        );
        section.fact(format!("&emsp;{}", part.name()), text);
    }
    let tally = Tally::of(&events, &stage.tenure);
    section.bounded(
        "requests for each, all identities",
        each(tally.all() as f64),
        REQUESTS.0,
        "",
    );
    requests::list(&mut section, &tally, shape.apps as f64);
    Ok((section, events))
}

/// The same by loops that know nothing.
async fn against_the_server(
    stage: &Stage,
    apps: &Apps,
    mut first: Section,
    events: &[AuditEvent],
) -> anyhow::Result<Vec<Section>> {
    let seconds = first.seconds.context("it was measured")?;
    super::say("the floor: the same objects by a bare loop");
    let (namespaces, objects) = apps.floor("floor");
    apply_all(&stage.client, &namespaces).await?;
    let began = Instant::now();
    apply_all(&stage.client, &objects).await?;
    let floor = began.elapsed().as_secs_f64();
    super::say("the same requests by a bare loop");
    let (namespaces, objects) = apps.replayed("replay");
    apply_all(&stage.client, &namespaces).await?;
    apply_all(&stage.client, &objects).await?;
    let (sent, mixed) = mix::replay(stage, apps, events).await?;
    first.fact(
        format!("the floor: the same objects, server-side applied by {CONNECTIONS} kept connections"),
        format!("{} s", digits(floor)),
    );
    first.bounded("time, in times of the floor", seconds / floor, FLOOR, "");
    first.fact(
        format!("a bare loop that sends the same {sent} requests"),
        format!("{} s", digits(mixed)),
    );
    first.bounded("time, in times of that loop", seconds / mixed, MIX, "");
    Ok(vec![first])
}

/// A new revision of each application changes one of its objects.
async fn second(stage: &Stage, apps: &Apps, registry: &Registry) -> anyhow::Result<Section> {
    let shape = apps.shape;
    let mark = stage.plane.audit_mark()?;
    let before = process::cpu();
    apps.push(registry, "1.0.1").await?;
    apps.ask(stage).await?;
    applied(stage, shape, "1.0.1").await?;
    stage.asleep().await?;
    listed(stage, shape, "1.0.1").await?;
    let used = process::less(&process::cpu(), &before);
    let tally = Tally::of(&stage.plane.audit_events(mark)?, &stage.tenure);
    let note = "A new artifact for each application, in which the Deployment has changed; the sources are asked to look.";
    let mut section = Section::new("A new revision of everything", note);
    let each = |count: f64| count / shape.apps as f64;
    section.bounded(
        "requests for each, all identities",
        each(tally.all() as f64),
        REQUESTS.1,
        "",
    );
    requests::list(&mut section, &tally, shape.apps as f64);
    section.fact(
        "CPU for each, all our processes",
        format!("{} ms", digits(each(ours(&used) * 1000.0))),
    );
    Ok(section)
}

fn ours(used: &std::collections::BTreeMap<Part, f64>) -> f64 {
    Part::OURS.iter().filter_map(|part| used.get(part)).sum()
}

async fn ready(stage: &Stage, shape: Shape) -> anyhow::Result<()> {
    let what = "every Kustomization to be Ready";
    stage.until_all(what, shape.apps, is_ready).await
}

/// What is cached is listed a while after it was fetched.
async fn listed(stage: &Stage, shape: Shape, tag: &str) -> anyhow::Result<()> {
    let there = |object: &Value| {
        let revision = object["status"]["revision"].as_str();
        revision.is_some_and(|revision| revision.starts_with(tag))
    };
    stage.until_cached(shape.apps, there).await
}

async fn applied(stage: &Stage, shape: Shape, tag: &str) -> anyhow::Result<()> {
    let there = |object: &Value| {
        let revision = object["status"]["lastAppliedRevision"].as_str();
        revision.is_some_and(|revision| revision.starts_with(tag))
    };
    let what = "every Kustomization to have the new revision";
    stage.until_all(what, shape.apps, there).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_applications_over_tenants() {
        let shape: Shape = "500/50".parse().expect("valid");
        assert_eq!((shape.apps, shape.tenants), (500, 50));
        for wrong in ["500", "0/1", "a/b", "5/0"] {
            assert!(wrong.parse::<Shape>().is_err(), "{wrong}");
        }
    }
}
