//! How long a dormant tenant takes to be served, one at a time.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tenure_testkit::control_plane::AuditEvent;
use tenure_testkit::until;

use super::PATIENCE;
use super::figure::{Section, digits, quantile};
use super::process::{self, Part};
use super::requests::{Identity, Tally, answered};
use super::stage::Stage;
use super::world::{World, kustomization};
use super::write::{get, merge, path};

/// From the start of a worker's process to the first answer it got, milliseconds.
const FIRST_ANSWER: f64 = 25.0;

pub(super) async fn measure(stage: &mut Stage, world: &World, wakes: usize) -> anyhow::Result<Section> {
    stage.asleep().await?;
    let mark = stage.plane.audit_mark()?;
    let logged = stage.tenure.supervisor_log().len();
    let before = process::cpu();
    let mut handled = Vec::new();
    for wake in 0..wakes {
        let tenant = wake % world.tenants.len();
        let home = world
            .tenants
            .get(tenant)
            .map_or("", |tenant| tenant.home.as_str());
        handled.push(request(stage, home, tenant).await?);
        stage.asleep().await?;
    }
    let used = process::less(&process::cpu(), &before);
    let events = stage.plane.audit_events(mark)?;
    let log = stage.tenure.supervisor_log();
    let mut first = first_answers(&starts(log.get(logged..).unwrap_or_default()), &events, stage);
    ensure!(
        first.len() == wakes,
        "{} of {wakes} workers were seen to start and to list",
        first.len()
    );
    first.sort_by(f64::total_cmp);
    handled.sort_by(f64::total_cmp);
    let mut section = Section::new(
        "Waking a dormant tenant",
        format!(
            "{wakes} requested reconciles of one Kustomization, one after the other, each of a dormant tenant. The first answer is to the worker's first LIST, by the audit log."
        ),
    );
    section.bounded(
        "worker's start → first answer, p50",
        quantile(&first, 0.5),
        FIRST_ANSWER,
        "ms",
    );
    section.fact(
        "worker's start → first answer, p99",
        format!("{} ms", digits(quantile(&first, 0.99))),
    );
    section.fact(
        "request → answered in the status, p50",
        format!("{} ms", digits(quantile(&handled, 0.5))),
    );
    section.fact(
        "request → answered in the status, p99",
        format!("{} ms", digits(quantile(&handled, 0.99))),
    );
    let each = |part: Part| used.get(&part).copied().unwrap_or_default() * 1000.0 / wakes as f64;
    section.fact(
        "CPU of the worker for each wake",
        format!("{} ms", digits(each(Part::Worker))),
    );
    section.fact(
        "CPU of the supervisor for each wake",
        format!("{} ms", digits(each(Part::Supervisor))),
    );
    let tally = Tally::of(&events, &stage.tenure);
    section.fact(
        "requests for each wake",
        digits(tally.all() as f64 / wakes as f64),
    );
    Ok(section)
}

/// Asks for a reconcile of the tenant's first application; milliseconds until the status says it was done.
async fn request(stage: &Stage, home: &str, app: usize) -> anyhow::Result<f64> {
    let path = path(&kustomization(home, &super::world::app_name(app), "", &json!({})))?;
    let began = Timestamp::now();
    let token = began.to_string();
    let annotations = json!({"reconcile.fluxcd.io/requestedAt": token});
    merge(
        &stage.client,
        &path,
        &json!({"metadata": {"annotations": annotations}}),
    )
    .await?;
    let mark = stage.plane.audit_mark()?;
    until("a request to be answered", PATIENCE, || async {
        let object = get(&stage.client, &path).await?;
        ensure!(
            object["status"]["lastHandledReconcileAt"] == token,
            "its status is {}",
            object["status"]
        );
        Ok(())
    })
    .await?;
    let events = stage.plane.audit_events(mark)?;
    let written = events.iter().rev().find(|event| {
        let object = event.object.as_ref();
        object.is_some_and(|object| object.resource == "kustomizations" && object.subresource == "status")
    });
    let written = answered(written.context("no status was written")?)?;
    Ok(milliseconds(written.duration_since(began)))
}

/// When each worker was started, by home.
fn starts(log: &str) -> BTreeMap<String, Vec<Timestamp>> {
    let mut starts: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains("worker started")) {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let (Some(home), Some(at)) = (line["home"].as_str(), line["ts"].as_str()) else {
            continue;
        };
        let took = SignedDuration::from_micros(line["took_us"].as_i64().unwrap_or_default());
        if let Some(began) = at
            .parse::<Timestamp>()
            .ok()
            .and_then(|at| at.checked_sub(took).ok())
        {
            starts.entry(home.to_owned()).or_default().push(began);
        }
    }
    starts
}

/// Milliseconds from each start to the first complete answer to the worker itself.
fn first_answers(
    starts: &BTreeMap<String, Vec<Timestamp>>,
    events: &[AuditEvent],
    stage: &Stage,
) -> Vec<f64> {
    let mut answers: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| Identity::of(event, &stage.tenure) == Some(Identity::Own))
    {
        let home = event.user.rsplit(':').next().unwrap_or_default();
        answers.entry(home).or_default().extend(answered(event));
    }
    let mut first = Vec::new();
    for (home, begun) in starts {
        let answers = answers.get(home.as_str()).map_or(&[][..], Vec::as_slice);
        for began in begun {
            let next = answers.iter().filter(|answer| *answer >= began).min();
            first.extend(next.map(|next| milliseconds(next.duration_since(*began))));
        }
    }
    first
}

fn milliseconds(duration: SignedDuration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
