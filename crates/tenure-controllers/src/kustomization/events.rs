//! What is said of an attempt besides the status.

use std::time::{Duration, Instant};

use tenure_api::KUSTOMIZE_CONTROLLER;
use tenure_core::{GoDuration, ObjectKey};
use tenure_kube::EventKind;

use super::plan::Apply;
use crate::Effects;
use crate::writer::event;

/// An event about what went well, unless there is nothing to say.
pub(super) async fn say(
    key: &ObjectKey,
    plan: &Apply,
    reason: &'static str,
    message: String,
    effects: &Effects,
) {
    if message.is_empty() {
        return;
    }
    event(
        effects,
        key,
        KUSTOMIZE_CONTROLLER,
        EventKind::Normal,
        reason,
        message,
        revisions(plan),
    )
    .await;
}

/// What every event of an attempt says besides its message.
pub(super) fn revisions(plan: &Apply) -> Vec<(String, String)> {
    let said = |name: &str, value: String| (format!("kustomize.toolkit.fluxcd.io/{name}"), value);
    let origin = plan.origin.clone();
    [said("revision", plan.revision.to_string())]
        .into_iter()
        .chain(origin.map(|origin| said("originRevision", origin)))
        .collect()
}

pub(super) fn finished(plan: &Apply, began: Instant) -> String {
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let took = GoDuration::new(Duration::from_millis(took));
    let next = GoDuration::new(plan.interval);
    format!("Reconciliation finished in {took}, next run in {next}")
}
