//! `tenure.dev/drift: report`: what somebody changed is said, and left as it is.

use std::sync::Arc;

use tenure_api::{self as condition, DRIFT, KUSTOMIZE_CONTROLLER, reasons};
use tenure_apply::{Action, Report};
use tenure_core::{Digest, ObjectKey};
use tenure_kube::EventKind;

use super::before::Before;
use super::plan::Apply;
use crate::merge::conditions_of;
use crate::writer::event;
use crate::{Effects, Snapshot};

/// Whether what differs is drift, and is only to be said: the same was built for the same generation and
/// was applied. What is new is applied all the same.
pub(super) fn only_reported(plan: &Apply, built: Digest, before: &Before) -> bool {
    let annotations = plan.kustomization.metadata.annotations.as_ref();
    let asked = annotations.and_then(|all| all.get(DRIFT)).map(String::as_str) == Some("report");
    let status = plan.kustomization.status.as_ref();
    let history = status.and_then(|status| status.history.as_ref());
    let last = history.and_then(|history| history.first());
    let same = last.is_some_and(|last| last.digest == built.to_string());
    asked && same && before.is(condition::READY) && before.observed == plan.kustomization.metadata.generation
}

/// What was found to have changed; the message of the condition, or nothing.
pub(super) fn message(report: &Report) -> Option<String> {
    let changes = report.changes.iter();
    let lines: Vec<String> = changes
        .filter(|change| change.action == Action::Drifted)
        .map(ToString::to_string)
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// How many objects the Kustomization says have changed and were left so; none of another kind.
pub fn drifted(snapshot: &Snapshot, key: &ObjectKey) -> u64 {
    let object = snapshot.get(key);
    let conditions = object
        .as_ref()
        .and_then(|object| object.get("status").map(conditions_of));
    let found = condition::get(conditions.as_deref().unwrap_or_default(), condition::DRIFTED);
    found.map_or(0, |found| found.message.lines().count() as u64)
}

/// An event about what is new of it.
pub(super) async fn announce(key: &ObjectKey, found: Option<&str>, before: &Before, effects: &Arc<Effects>) {
    let Some(found) = found.filter(|found| before.message(condition::DRIFTED) != *found) else {
        return;
    };
    let (kind, reason) = (EventKind::Warning, reasons::DRIFT_DETECTED);
    tracing::warn!(object = %key, changes = found, "drift was found and left");
    event(
        effects,
        key,
        KUSTOMIZE_CONTROLLER,
        kind,
        reason,
        found.to_owned(),
        [],
    )
    .await;
}
