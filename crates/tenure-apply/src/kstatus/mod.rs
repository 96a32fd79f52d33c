//! Whether an object has become what its spec asks for, read off the object alone: the rules of
//! kstatus, as Flux uses them.

mod kinds;

use jiff::Timestamp;
use serde_json::Value;

/// What an object has come to, with a reason for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub message: String,
}

/// How far an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// As its spec asks for.
    Current,
    /// On the way.
    InProgress,
    /// Stuck, and will not get there by itself.
    Failed,
    /// Being deleted.
    Terminating,
    /// Not there.
    NotFound,
    /// An expression could not be evaluated.
    Unknown,
}

impl Verdict {
    /// The word that stands in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "Current",
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
            Self::Unknown => "Unknown",
        }
    }
}

impl Status {
    pub(crate) fn current(message: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Current,
            message: message.into(),
        }
    }

    pub(crate) fn in_progress(message: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::InProgress,
            message: message.into(),
        }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Failed,
            message: message.into(),
        }
    }
}

/// Judges `object` at the time `now`, which matters for Pods that cannot be scheduled.
#[must_use]
pub fn compute(object: &Value, now: Timestamp) -> Status {
    generic(object)
        .or_else(|| kinds::typed(object, now))
        .unwrap_or_else(|| by_ready(object))
}

/// What holds for every kind.
fn generic(object: &Value) -> Option<Status> {
    if object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|t| !t.is_null())
    {
        return Some(Status {
            verdict: Verdict::Terminating,
            message: "resource scheduled for deletion".to_owned(),
        });
    }
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let observed = object
        .pointer("/status/observedGeneration")
        .and_then(Value::as_i64);
    if let (Some(generation), Some(observed)) = (generation, observed)
        && generation != observed
    {
        return Some(Status::in_progress(format!(
            "generation is {generation}, but latest observed generation is {observed}"
        )));
    }
    if let Some(condition) = condition(object, "Reconciling").filter(|c| c.is("True")) {
        return Some(Status::in_progress(condition.message));
    }
    condition(object, "Stalled")
        .filter(|c| c.is("True"))
        .map(|condition| Status::failed(condition.message))
}

/// For kinds without rules of their own: a Ready that is not True is never a failure.
fn by_ready(object: &Value) -> Status {
    match condition(object, "Ready") {
        Some(ready) if !ready.is("True") => Status::in_progress(ready.message),
        _ => Status::current("resource is current"),
    }
}

/// One entry of `status.conditions`.
pub(crate) struct Condition<'a> {
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
}

impl Condition<'_> {
    pub(crate) fn is(&self, status: &str) -> bool {
        self.status == status
    }
}

pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<Condition<'a>> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found = conditions
        .iter()
        .find(|c| c.get("type").and_then(Value::as_str) == Some(kind))?;
    let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
    })
}

#[cfg(test)]
mod tests;
