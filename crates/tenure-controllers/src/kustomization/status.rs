//! What a Kustomization's status says; pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tenure_api::{self as condition, ConditionStatus, Conditions, rfc3339};
use tenure_api::{HistorySnapshot, reasons};
use tenure_apply::inventory::Entry;
use tenure_core::{Digest, GoDuration, Revision};

use crate::merge::{conditions_of, put};

/// Most snapshots in `status.history`.
const HISTORY: usize = 5;

/// The facts about the object that its status repeats.
#[derive(Debug)]
pub(crate) struct About<'a> {
    pub(crate) generation: i64,
    pub(crate) requested_at: Option<&'a str>,
    /// `spec.suspend`
    pub(crate) suspended: bool,
    pub(crate) now: jiff::Timestamp,
}

/// How far a pass came.
#[derive(Debug)]
pub(crate) enum Ending<'a> {
    /// Only seen.
    Rested,
    /// Objects are about to be made that the inventory does not name yet.
    Applying {
        revision: &'a Revision,
        message: String,
        inventory: &'a [Entry],
    },
    /// Everything is applied, and not healthy yet.
    Checking { revision: &'a Revision, message: String },
    /// Everything is as the revision says.
    Applied {
        revision: &'a Revision,
        /// What the artifact was made from.
        origin: Option<&'a str>,
        inventory: &'a [Entry],
        history: Option<Snapshot<'a>>,
        healthy: Option<String>,
        /// What is not as applied, and was left so.
        drifted: Option<&'a str>,
    },
    /// Tried, and tried again later. `progress` is what was being done.
    Failed(Failed<'a>),
    /// Something else has to be there first.
    Waiting { reason: &'static str, message: &'a str },
    /// Not tried until something changes.
    Stalled { reason: &'static str, message: &'a str },
}

/// A failed pass.
#[derive(Debug)]
pub(crate) struct Failed<'a> {
    pub(crate) reason: &'static str,
    pub(crate) message: &'a str,
    pub(crate) progress: &'a str,
    /// Set once the build began.
    pub(crate) attempted: Option<&'a Revision>,
    /// The inventory, where the pass changed it.
    pub(crate) inventory: Option<&'a [Entry]>,
    /// Health checks ran and failed.
    pub(crate) unhealthy: bool,
    pub(crate) history: Option<Snapshot<'a>>,
}

/// One line of `status.history`.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot<'a> {
    pub(crate) digest: Digest,
    pub(crate) took: std::time::Duration,
    pub(crate) reason: &'static str,
    pub(crate) revision: &'a Revision,
    pub(crate) origin: Option<&'a str>,
}

/// The new status, from the old one.
pub(crate) fn status(old: &Value, about: &About<'_>, ending: &Ending<'_>) -> Value {
    let mut status = old.clone();
    if let Some(requested) = about.requested_at {
        status["lastHandledReconcileAt"] = json!(requested);
    }
    let mut list = conditions_of(old);
    let mut conditions = Conditions::new(&mut list, about.generation, about.now);
    match ending {
        Ending::Rested => {
            // as with Flux, the generation that suspends a good state is observed
            if about.suspended && condition::is_true(conditions.list(), condition::READY) {
                status["observedGeneration"] = json!(about.generation);
                return status;
            }
            if !about.suspended || !still_retrying(&mut conditions) {
                return status;
            }
        }
        Ending::Applying {
            revision,
            message,
            inventory,
        } => {
            conditions.mark_reconciling(reasons::PROGRESSING, message);
            conditions.mark_unknown(
                condition::READY,
                reasons::PROGRESSING,
                "Reconciliation in progress",
            );
            status["lastAttemptedRevision"] = json!(revision);
            set_inventory(&mut status, inventory);
        }
        Ending::Checking { revision, message } => {
            conditions
                .mark_reconciling(reasons::PROGRESSING, message)
                .mark_unknown(condition::HEALTHY, reasons::PROGRESSING, message)
                .mark_unknown(
                    condition::READY,
                    reasons::PROGRESSING,
                    "Reconciliation in progress",
                );
            status["lastAttemptedRevision"] = json!(revision);
        }
        Ending::Applied {
            revision,
            origin,
            inventory,
            history,
            healthy,
            drifted,
        } => {
            conditions
                .remove(condition::RECONCILING)
                .remove(condition::STALLED);
            let message = format!("Applied revision: {revision}");
            conditions.mark_true(condition::READY, reasons::RECONCILIATION_SUCCEEDED, &message);
            match healthy {
                Some(message) => conditions.mark_true(condition::HEALTHY, reasons::SUCCEEDED, message),
                None => conditions.remove(condition::HEALTHY),
            };
            match drifted {
                Some(message) => conditions.mark_true(condition::DRIFTED, reasons::DRIFT_DETECTED, message),
                None => conditions.remove(condition::DRIFTED),
            };
            status["observedGeneration"] = json!(about.generation);
            status["lastAppliedRevision"] = json!(revision);
            status["lastAttemptedRevision"] = json!(revision);
            let origin = origin.map(|origin| json!(origin));
            put(&mut status, "lastAppliedOriginRevision", origin);
            set_inventory(&mut status, inventory);
            if let Some(snapshot) = history {
                add_history(&mut status, snapshot, about);
            }
        }
        Ending::Failed(failed) => {
            conditions.mark_reconciling(reasons::PROGRESSING_WITH_RETRY, failed.progress);
            conditions.mark_false(condition::READY, failed.reason, failed.message);
            if failed.unhealthy {
                conditions.mark_false(condition::HEALTHY, failed.reason, bare(failed.message));
            }
            if let Some(revision) = failed.attempted {
                status["lastAttemptedRevision"] = json!(revision);
            }
            match failed.inventory {
                Some([]) => put(&mut status, "inventory", None),
                Some(inventory) => set_inventory(&mut status, inventory),
                None => {}
            }
            if let Some(snapshot) = &failed.history {
                add_history(&mut status, snapshot, about);
            }
        }
        Ending::Waiting { reason, message } => {
            conditions.mark_false(condition::READY, reason, message);
            still_retrying(&mut conditions);
        }
        Ending::Stalled { reason, message } => {
            // as with Flux: of what can't be waited for, only expressions claim to have been seen
            if *reason == reasons::INVALID_CEL_EXPRESSION {
                status["observedGeneration"] = json!(about.generation);
            }
            conditions.mark_stalled(reason, message);
            conditions.mark_false(condition::READY, reason, message);
        }
    }
    status["conditions"] = json!(list);
    status
}

/// What was tried last and failed still counts, for the generation that is not tried. Whether there is any.
fn still_retrying(conditions: &mut Conditions<'_>) -> bool {
    let get = |type_| condition::get(conditions.list(), type_);
    let has_failed = get(condition::READY).is_some_and(|ready| ready.status == ConditionStatus::False);
    let Some(trying) = get(condition::RECONCILING).filter(|_| has_failed) else {
        return false;
    };
    let message = trying.message.clone();
    conditions.mark_true(condition::RECONCILING, reasons::PROGRESSING_WITH_RETRY, &message);
    true
}

/// The Healthy condition says what, without how long it was waited for.
fn bare(message: &str) -> &str {
    let rest = message.strip_prefix("health check failed after ");
    rest.and_then(|rest| rest.split_once(": "))
        .map_or(message, |(_, what)| what)
}

fn set_inventory(status: &mut Value, entries: &[Entry]) {
    let list: Vec<_> = entries
        .iter()
        .map(|entry| json!({"id": entry.id, "v": entry.v}))
        .collect();
    put(status, "inventory", Some(json!({ "entries": list })));
}

/// Newest first; one line per (digest, outcome), which counts how often it came.
fn add_history(status: &mut Value, snapshot: &Snapshot<'_>, about: &About<'_>) {
    let old: Vec<HistorySnapshot> = status
        .get("history")
        .and_then(|list| serde::Deserialize::deserialize(list).ok())
        .unwrap_or_default();
    let now = rfc3339(about.now);
    let digest = snapshot.digest.to_string();
    let same =
        |line: &HistorySnapshot| line.digest == digest && line.last_reconciled_status == snapshot.reason;
    let known = old.iter().find(|line| same(line));
    let line = HistorySnapshot {
        digest: digest.clone(),
        first_reconciled: known.map_or_else(|| now.clone(), |line| line.first_reconciled.clone()),
        last_reconciled: now.clone(),
        last_reconciled_duration: milliseconds(snapshot.took).to_string(),
        last_reconciled_status: snapshot.reason.to_owned(),
        total_reconciliations: known.map_or(1, |line| line.total_reconciliations + 1),
        metadata: Some(metadata(snapshot)),
    };
    let rest = old.iter().filter(|line| !same(line)).cloned();
    let lines: Vec<_> = std::iter::once(line).chain(rest).take(HISTORY).collect();
    status["history"] = json!(lines);
}

fn metadata(snapshot: &Snapshot<'_>) -> BTreeMap<String, String> {
    let origin = snapshot
        .origin
        .map(|origin| ("originRevision", origin.to_owned()));
    [("revision", snapshot.revision.to_string())]
        .into_iter()
        .chain(origin)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn milliseconds(took: std::time::Duration) -> GoDuration {
    GoDuration::new(std::time::Duration::from_millis(
        u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(second: i64) -> About<'static> {
        About {
            generation: 3,
            requested_at: None,
            suspended: false,
            now: jiff::Timestamp::from_second(second).expect("in range"),
        }
    }

    fn revision(letter: char) -> Revision {
        Revision::git(Some("main"), &letter.to_string().repeat(40))
    }

    fn applied<'a>(revision: &'a Revision, history: Option<Snapshot<'a>>) -> Ending<'a> {
        Ending::Applied {
            revision,
            origin: None,
            inventory: &[],
            history,
            healthy: None,
            drifted: None,
        }
    }

    fn snapshot<'a>(revision: &'a Revision, content: &[u8]) -> Snapshot<'a> {
        let took = std::time::Duration::from_millis(1500);
        Snapshot {
            digest: Digest::of(content),
            took,
            reason: reasons::RECONCILIATION_SUCCEEDED,
            revision,
            origin: None,
        }
    }

    #[test]
    fn what_an_artifact_was_made_from_is_said_as_long_as_it_says_so() {
        let revision = revision('a');
        let line = Snapshot {
            origin: Some("main@sha1:1"),
            ..snapshot(&revision, b"1")
        };
        let ending = Ending::Applied {
            revision: &revision,
            origin: Some("main@sha1:1"),
            inventory: &[],
            history: Some(line),
            healthy: None,
            drifted: None,
        };
        let now = status(&json!({}), &about(1), &ending);
        assert_eq!(now["lastAppliedOriginRevision"], "main@sha1:1");
        assert_eq!(now["history"][0]["metadata"]["originRevision"], "main@sha1:1");
        let later = status(&now, &about(2), &applied(&revision, None));
        assert!(later.get("lastAppliedOriginRevision").is_none());
    }

    #[test]
    fn a_pass_that_changed_nothing_writes_nothing() {
        let revision = revision('a');
        let first = status(
            &json!({"observedGeneration": -1}),
            &about(1),
            &applied(&revision, None),
        );
        assert_eq!(status(&first, &about(50), &applied(&revision, None)), first);
        assert_eq!(
            first["conditions"][0]["message"],
            format!("Applied revision: {revision}")
        );
        assert_eq!(first["observedGeneration"], 3);
    }

    #[test]
    fn a_failure_keeps_what_was_applied_and_does_not_claim_the_generation() {
        let (old, new) = (revision('a'), revision('b'));
        let before = status(
            &json!({"observedGeneration": 2}),
            &About {
                generation: 2,
                ..about(1)
            },
            &applied(&old, None),
        );
        let after = status(&before, &about(2), &failed_build(&new));
        assert_eq!(after["observedGeneration"], 2);
        assert_eq!(after["lastAppliedRevision"], json!(old));
        assert_eq!(after["lastAttemptedRevision"], json!(new));
        assert_eq!(after["inventory"], before["inventory"]);
        assert_eq!(after["conditions"][0]["reason"], reasons::PROGRESSING_WITH_RETRY);
        assert_eq!(after["conditions"][1]["observedGeneration"], 3);
    }

    #[test]
    fn the_generation_that_suspends_a_good_state_is_observed() {
        let revision = revision('a');
        let old = status(&json!({}), &about(1), &applied(&revision, None));
        let next = |suspended| About {
            generation: 4,
            suspended,
            ..about(2)
        };
        let rested = status(&old, &next(true), &Ending::Rested);
        assert_eq!(rested["observedGeneration"], 4);
        assert_eq!(rested["conditions"], old["conditions"], "no condition is renewed");
        let of_the_tenant = status(&old, &next(false), &Ending::Rested);
        assert_eq!(of_the_tenant, old, "a suspended Tenant claims nothing");
        assert_eq!(status(&json!({}), &next(true), &Ending::Rested), json!({}));
    }

    #[test]
    fn whoever_waits_for_health_says_so_in_three_conditions() {
        let revision = revision('a');
        let message = "Running health checks".to_owned();
        let checking = Ending::Checking {
            revision: &revision,
            message,
        };
        let status = status(&json!({}), &about(1), &checking);
        let said = |type_: &str| {
            let list = status["conditions"].as_array().expect("a list");
            let found = list.iter().find(|one| one["type"] == type_).expect("there");
            (found["status"].clone(), found["message"].clone())
        };
        assert_eq!(
            said("Reconciling"),
            (json!("True"), json!("Running health checks"))
        );
        assert_eq!(
            said("Healthy"),
            (json!("Unknown"), json!("Running health checks"))
        );
        assert_eq!(said("Ready").0, "Unknown");
    }

    fn failed_build<'a>(revision: &'a Revision) -> Ending<'a> {
        Ending::Failed(Failed {
            reason: reasons::BUILD_FAILED,
            message: "a.yaml:3:1: no",
            progress: "Building manifests",
            attempted: Some(revision),
            inventory: None,
            unhealthy: false,
            history: None,
        })
    }

    fn next_generation(suspended: bool) -> About<'static> {
        About {
            generation: 4,
            suspended,
            ..about(2)
        }
    }

    #[test]
    fn whoever_waits_is_neither_at_work_nor_stalled_by_that() {
        let waiting = Ending::Waiting {
            reason: reasons::DEPENDENCY_NOT_READY,
            message: "dependency 'a/b' is not ready",
        };
        let types = |status: &Value| -> Vec<Value> {
            let list = status["conditions"].as_array().expect("a list");
            list.iter().map(|one| one["type"].clone()).collect()
        };
        assert_eq!(types(&status(&json!({}), &about(1), &waiting)), ["Ready"]);
        let stalled = Ending::Stalled {
            reason: reasons::ACCESS_DENIED,
            message: "no",
        };
        let stalled = status(&json!({}), &about(1), &stalled);
        let after = status(&stalled, &next_generation(false), &waiting);
        assert_eq!(types(&after), ["Stalled", "Ready"]);
        assert_eq!(after["conditions"][0], stalled["conditions"][0]);
        let failed = status(&json!({}), &about(1), &failed_build(&revision('a')));
        let after = status(&failed, &next_generation(false), &waiting);
        let mut trying = failed["conditions"][0].clone();
        trying["observedGeneration"] = json!(4);
        assert_eq!(types(&after), ["Reconciling", "Ready"]);
        assert_eq!(after["conditions"][0], trying);
    }

    #[test]
    fn the_generation_that_suspends_a_failure_is_that_of_its_next_try() {
        let failed = status(&json!({}), &about(1), &failed_build(&revision('a')));
        let rested = status(&failed, &next_generation(true), &Ending::Rested);
        assert_eq!(rested["conditions"][0]["observedGeneration"], 4);
        assert_eq!(rested["conditions"][1], failed["conditions"][1]);
        assert_eq!(rested["observedGeneration"], failed["observedGeneration"]);
        let of_the_tenant = status(&failed, &next_generation(false), &Ending::Rested);
        assert_eq!(of_the_tenant, failed);
    }

    #[test]
    fn history_counts_what_repeats_and_keeps_five() {
        let revision = revision('a');
        let mut now = json!({});
        for content in [b"1", b"2", b"3", b"4", b"5", b"6", b"5"] {
            now = status(
                &now,
                &about(9),
                &applied(&revision, Some(snapshot(&revision, content))),
            );
        }
        let history = now["history"].as_array().expect("a list");
        assert_eq!(history.len(), 5);
        assert_eq!(history[0]["digest"], Digest::of(b"5").to_string());
        assert_eq!(history[0]["totalReconciliations"], 2);
        assert_eq!(history[0]["lastReconciledDuration"], "1.5s");
        assert_eq!(history[0]["metadata"]["revision"], revision.to_string());
    }
}
