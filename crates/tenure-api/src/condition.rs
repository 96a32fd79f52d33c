//! Conditions and how they are written.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Most characters of a condition's message.
pub const MAX_MESSAGE: usize = 32768;
/// The condition that says whether the object does what it should.
pub const READY: &str = "Ready";
/// Present, and true, only while there is work.
pub const RECONCILING: &str = "Reconciling";
/// Present, and true, only when nothing will change until the object, or what it names, does.
pub const STALLED: &str = "Stalled";
/// Whether health checks pass; only when there are any.
pub const HEALTHY: &str = "Healthy";
/// Whether somebody changed what was applied; only where drift is said and not corrected.
pub const DRIFTED: &str = "Drifted";
/// Whether a source's artifact is kept.
pub const ARTIFACT_IN_STORAGE: &str = "ArtifactInStorage";
/// The source could not be made into an artifact.
pub const BUILD_FAILED: &str = "BuildFailed";
/// Another source that is to be part of this one has no artifact.
pub const INCLUDE_UNAVAILABLE: &str = "IncludeUnavailable";
/// The artifact could not be kept.
pub const STORAGE_OPERATION_FAILED: &str = "StorageOperationFailed";
/// True only while a source's fetch fails.
pub const FETCH_FAILED: &str = "FetchFailed";
/// True only while a source's artifact is behind its upstream.
pub const ARTIFACT_OUTDATED: &str = "ArtifactOutdated";
/// Whether the signature was verified; only when asked for.
pub const SOURCE_VERIFIED: &str = "SourceVerified";

/// A condition's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// Not known yet.
    Unknown,
}

/// One observation about an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it speaks of, such as [`READY`].
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it is so.
    pub status: ConditionStatus,
    /// One word for machines.
    #[serde(default)]
    pub reason: String,
    /// A sentence for people.
    #[serde(default)]
    pub message: String,
    /// When status, reason or message last changed; RFC 3339 in seconds.
    #[serde(default)]
    pub last_transition_time: String,
    /// Generation that it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// The condition of this type.
#[must_use]
pub fn get<'a>(list: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    list.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of this type is there and true.
#[must_use]
pub fn is_true(list: &[Condition], type_: &str) -> bool {
    get(list, type_).is_some_and(|condition| condition.status == ConditionStatus::True)
}

/// Writes conditions of one object in one pass: stamps generation and time, keeps the order
/// Stalled, Reconciling, Ready, then the rest as they came.
///
/// Conditions that others own are kept as they are.
#[derive(Debug)]
pub struct Conditions<'a> {
    list: &'a mut Vec<Condition>,
    generation: i64,
    now: Timestamp,
}

impl<'a> Conditions<'a> {
    /// Writes into `list` for an object of this generation.
    pub fn new(list: &'a mut Vec<Condition>, generation: i64, now: Timestamp) -> Self {
        Self {
            list,
            generation,
            now,
        }
    }

    /// Sets a condition; its time moves only when status, reason or message differ.
    pub fn set(&mut self, type_: &str, status: ConditionStatus, reason: &str, message: &str) -> &mut Self {
        let mut new = Condition {
            type_: type_.to_owned(),
            status,
            reason: reason.to_owned(),
            message: cut(message),
            last_transition_time: rfc3339(self.now),
            observed_generation: Some(self.generation),
        };
        match self.list.iter_mut().find(|old| old.type_ == type_) {
            Some(old) => {
                if (old.status, &old.reason, &old.message) == (new.status, &new.reason, &new.message) {
                    new.last_transition_time.clone_from(&old.last_transition_time);
                }
                *old = new;
            }
            None => self.list.push(new),
        }
        self.list.sort_by_key(|condition| rank(&condition.type_));
        self
    }

    /// Sets a condition to true.
    pub fn mark_true(&mut self, type_: &str, reason: &str, message: &str) -> &mut Self {
        self.set(type_, ConditionStatus::True, reason, message)
    }

    /// Sets a condition to false.
    pub fn mark_false(&mut self, type_: &str, reason: &str, message: &str) -> &mut Self {
        self.set(type_, ConditionStatus::False, reason, message)
    }

    /// Sets a condition to unknown.
    pub fn mark_unknown(&mut self, type_: &str, reason: &str, message: &str) -> &mut Self {
        self.set(type_, ConditionStatus::Unknown, reason, message)
    }

    /// There is work; so the object is not stalled.
    pub fn mark_reconciling(&mut self, reason: &str, message: &str) -> &mut Self {
        self.remove(STALLED).mark_true(RECONCILING, reason, message)
    }

    /// Nothing will change by itself; so there is no work.
    pub fn mark_stalled(&mut self, reason: &str, message: &str) -> &mut Self {
        self.remove(RECONCILING).mark_true(STALLED, reason, message)
    }

    /// Removes a condition: how an abnormal-true one says that all is well.
    pub fn remove(&mut self, type_: &str) -> &mut Self {
        self.list.retain(|condition| condition.type_ != type_);
        self
    }

    /// The conditions as they are now.
    #[must_use]
    pub fn list(&self) -> &[Condition] {
        self.list
    }
}

/// A time as Kubernetes' API types write it: UTC, whole seconds.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    format!("{time:.0}")
}

fn rank(type_: &str) -> u8 {
    match type_ {
        STALLED => 0,
        RECONCILING => 1,
        READY => 2,
        _ => 3,
    }
}

/// At most [`MAX_MESSAGE`] characters; what is cut ends in `...`.
fn cut(message: &str) -> String {
    if message.chars().nth(MAX_MESSAGE).is_none() {
        return message.to_owned();
    }
    message
        .chars()
        .take(MAX_MESSAGE - 3)
        .chain("...".chars())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn types(list: &[Condition]) -> Vec<&str> {
        list.iter().map(|condition| condition.type_.as_str()).collect()
    }

    #[test]
    fn stalled_reconciling_and_ready_come_first_in_this_order() {
        let mut list = Vec::new();
        let mut conditions = Conditions::new(&mut list, 1, at(0));
        for type_ in ["Zed", HEALTHY, READY, RECONCILING, STALLED] {
            conditions.mark_true(type_, "R", "m");
        }
        assert_eq!(types(&list), [STALLED, RECONCILING, READY, "Zed", HEALTHY]);
    }

    #[test]
    fn the_time_moves_with_status_reason_or_message_and_the_generation_always() {
        let mut list = Vec::new();
        Conditions::new(&mut list, 1, at(10)).mark_true(READY, "A", "one");
        let steps = [
            (ConditionStatus::True, "A", "one", false),
            (ConditionStatus::True, "A", "two", true),
            (ConditionStatus::True, "B", "two", true),
            (ConditionStatus::Unknown, "B", "two", true),
        ];
        for (n, (status, reason, message, moves)) in (2i64..).zip(steps) {
            let before = list[0].last_transition_time.clone();
            Conditions::new(&mut list, n, at(n * 100)).set(READY, status, reason, message);
            assert_eq!(list[0].last_transition_time != before, moves, "{n}");
            assert_eq!(list[0].observed_generation, Some(n));
        }
    }

    #[test]
    fn an_abnormal_condition_is_present_only_while_it_is_true() {
        let mut list = Vec::new();
        let mut conditions = Conditions::new(&mut list, 1, at(0));
        conditions
            .mark_reconciling("Progressing", "x")
            .mark_stalled("AccessDenied", "y");
        assert_eq!(types(conditions.list()), [STALLED]);
        conditions.mark_reconciling("Progressing", "x");
        assert_eq!(types(conditions.list()), [RECONCILING]);
        conditions.remove(RECONCILING);
        assert!(list.is_empty());
    }

    #[test]
    fn a_message_is_cut_by_characters_and_says_so() {
        let mut list = Vec::new();
        Conditions::new(&mut list, 1, at(0)).mark_false(READY, "R", &"ü".repeat(MAX_MESSAGE + 1));
        assert_eq!(list[0].message.chars().count(), MAX_MESSAGE);
        assert!(list[0].message.ends_with("ü..."));
        Conditions::new(&mut list, 1, at(0)).mark_false(READY, "R", &"ü".repeat(MAX_MESSAGE));
        assert!(list[0].message.ends_with('ü'));
    }

    #[test]
    fn a_time_is_written_in_whole_seconds() {
        let time: Timestamp = "2026-01-02T03:04:05.987Z".parse().expect("a time");
        assert_eq!(rfc3339(time), "2026-01-02T03:04:05Z");
    }

    #[test]
    fn conditions_of_others_are_kept() {
        let mut list = vec![Condition {
            type_: "Foreign".into(),
            status: ConditionStatus::Unknown,
            reason: "Theirs".into(),
            message: String::new(),
            last_transition_time: "2020-01-01T00:00:00Z".into(),
            observed_generation: None,
        }];
        let theirs = list[0].clone();
        Conditions::new(&mut list, 2, at(9)).mark_true(READY, "R", "m");
        assert_eq!(list[1], theirs);
    }
}
