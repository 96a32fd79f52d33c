//! What the object said before a pass, so that the pass says only what is new.

use serde_json::Value;
use tenure_api::{self as condition, Condition, ConditionStatus, REQUESTED_AT};
use tenure_core::{ObjectKey, Revision};

use super::run::Failure;
use crate::Effects;
use crate::merge::conditions_of;

/// The parts of the status that tell whether something is news.
pub(super) struct Before {
    /// `lastAppliedRevision`
    pub(super) applied: Option<String>,
    attempted: Option<String>,
    /// Whether nobody waits for an answer.
    pub(super) answered: bool,
    /// `observedGeneration`
    pub(super) observed: Option<i64>,
    conditions: Vec<Condition>,
}

impl Before {
    pub(super) fn of(key: &ObjectKey, effects: &Effects) -> Self {
        let object = effects.snapshot.get(key);
        let text = |path: &str| object.as_ref()?.pointer(path)?.as_str().map(str::to_owned);
        let annotations = object
            .as_ref()
            .and_then(|object| object.pointer("/metadata/annotations"));
        let requested = annotations
            .and_then(|all| all.get(REQUESTED_AT))
            .and_then(Value::as_str);
        let handled = text("/status/lastHandledReconcileAt");
        Self {
            applied: text("/status/lastAppliedRevision"),
            attempted: text("/status/lastAttemptedRevision"),
            answered: requested.is_none_or(|requested| handled.as_deref() == Some(requested)),
            observed: object
                .as_ref()
                .and_then(|object| object.pointer("/status/observedGeneration")?.as_i64()),
            conditions: object
                .and_then(|object| object.get("status").map(conditions_of))
                .unwrap_or_default(),
        }
    }

    /// Whether nothing of it was ever applied.
    pub(super) fn untried(&self) -> bool {
        self.attempted.is_none() && self.applied.is_none()
    }

    /// Whether this condition was true.
    pub(super) fn is(&self, kind: &str) -> bool {
        condition::is_true(&self.conditions, kind)
    }

    /// What this condition said.
    pub(super) fn message(&self, kind: &str) -> String {
        condition::get(&self.conditions, kind)
            .map(|condition| condition.message.clone())
            .unwrap_or_default()
    }

    /// Whether the object already says this of this revision, and nobody has asked again.
    pub(super) fn has_failed_like(&self, failure: &Failure, revision: &Revision) -> bool {
        let same = |ready: &Condition| {
            ready.status == ConditionStatus::False
                && ready.reason == failure.reason
                && ready.message == failure.message
        };
        self.answered
            && self.attempted.as_deref() == Some(revision.to_string().as_str())
            && condition::get(&self.conditions, condition::READY).is_some_and(same)
    }
}
