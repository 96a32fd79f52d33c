//! What is said of an attempt besides the status.

use std::time::{Duration, Instant};

use tenure_api::{KUSTOMIZE_CONTROLLER, KUSTOMIZE_GROUP, reasons};
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

/// The event that ends an attempt that went well: what shows commits' states goes by its annotation.
pub(super) async fn say_finished(key: &ObjectKey, plan: &Apply, began: Instant, effects: &Effects) {
    let mut annotations = revisions(plan);
    annotations.push(annotation("commit_status", "update"));
    event(
        effects,
        key,
        KUSTOMIZE_CONTROLLER,
        EventKind::Normal,
        reasons::RECONCILIATION_SUCCEEDED,
        finished(plan, began),
        annotations,
    )
    .await;
}

/// What every event of an attempt says besides its message.
pub(super) fn revisions(plan: &Apply) -> Vec<(String, String)> {
    annotations(Some(&plan.revision.to_string()), plan.origin.as_deref())
}

/// The revision that an event is about, and what that was made from, as far as they are known.
pub(super) fn annotations(revision: Option<&str>, origin: Option<&str>) -> Vec<(String, String)> {
    let known = [("revision", revision), ("originRevision", origin)];
    let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let known = known.filter(|(_, value)| !value.is_empty());
    known.map(|(name, value)| annotation(name, value)).collect()
}

fn annotation(name: &str, value: &str) -> (String, String) {
    (format!("{KUSTOMIZE_GROUP}/{name}"), value.to_owned())
}

fn finished(plan: &Apply, began: Instant) -> String {
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let took = GoDuration::new(Duration::from_millis(took));
    let next = GoDuration::new(plan.interval);
    format!("Reconciliation finished in {took}, next run in {next}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_the_revisions_that_are_known() {
        let named =
            |name: &str, value: &str| (format!("kustomize.toolkit.fluxcd.io/{name}"), value.to_owned());
        let (revision, origin) = (
            named("revision", "latest@sha256:1"),
            named("originRevision", "main@sha1:2"),
        );
        assert_eq!(
            annotations(Some("latest@sha256:1"), Some("main@sha1:2")),
            [revision.clone(), origin]
        );
        assert_eq!(annotations(Some("latest@sha256:1"), None), [revision]);
        assert!(annotations(None, Some("")).is_empty());
    }
}
