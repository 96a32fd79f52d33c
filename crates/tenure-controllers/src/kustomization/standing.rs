//! Whether there is anything to apply: what was built is what was applied, and is still there.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tenure_api as condition;
use tenure_apply::inventory::Entry;
use tenure_apply::kstatus::Verdict;
use tenure_core::{Digest, ObjectKey};

use super::applying::owner;
use super::before::Before;
use super::plan::Apply;
use super::target::Target;
use crate::Effects;
use crate::written::{WrittenFor, WrittenSet};

/// What is known of what was applied before.
pub(super) enum Standing {
    /// It has to be applied, or looked at as a whole.
    Unknown,
    /// Nobody had to look: it is not due, and the new revision changes nothing of it. Due at this time.
    Unasked(Timestamp),
    /// It was looked at, and is as it was written.
    Same {
        /// What is waited for is healthy too.
        healthy: bool,
    },
}

/// What this was written for.
pub(super) fn written_for(plan: &Apply, built: Digest) -> WrittenFor {
    WrittenFor {
        generation: plan.kustomization.metadata.generation.unwrap_or(0),
        account: plan.account.clone(),
        built,
    }
}

/// Looks as cheaply as is sure. Whoever asks for a reconcile gets a whole one.
pub(super) async fn standing(
    target: &Target,
    plan: &Apply,
    built: Digest,
    (old, new): (&[Entry], &[Entry]),
    key: &ObjectKey,
    before: &Before,
    effects: &Arc<Effects>,
) -> Standing {
    if !before.stands(plan) || !same(old, new) {
        return Standing::Unknown;
    }
    let Some(set) = effects.written.lock().get(key, &written_for(plan, built)) else {
        return Standing::Unknown;
    };
    let due = set.due(plan.interval);
    let moved = before.applied.as_deref() != Some(plan.revision.to_string().as_str());
    let complete = set.prints.len() == new.len();
    if moved && complete && due > Timestamp::now() {
        return Standing::Unasked(due);
    }
    looked_at(target, plan, &set, new, key, effects).await
}

async fn looked_at(
    target: &Target,
    plan: &Apply,
    set: &WrittenSet,
    new: &[Entry],
    key: &ObjectKey,
    effects: &Arc<Effects>,
) -> Standing {
    let whole = plan.kustomization.spec.wait;
    let Ok(discovery) = target.discovery(effects).await else {
        return Standing::Unknown;
    };
    let owner = owner(key, effects);
    let found = tenure_apply::as_written(&target.client, &discovery, new, &set.prints, &owner, whole).await;
    match found {
        Ok(Some(objects)) => {
            effects.written.lock().looked_at(key, Timestamp::now());
            let now = Timestamp::now();
            let current = |object: &Value| plan.health.judge(object, now).verdict == Verdict::Current;
            Standing::Same {
                healthy: whole && objects.iter().all(current),
            }
        }
        Ok(None) => Standing::Unknown,
        Err(error) => {
            // the whole pass says what is wrong
            tracing::debug!(object = %key, %error, "failed to look for drift");
            Standing::Unknown
        }
    }
}

fn same(old: &[Entry], new: &[Entry]) -> bool {
    let sorted = |entries: &[Entry]| {
        let mut entries = entries.to_vec();
        entries.sort();
        entries
    };
    sorted(old) == sorted(new)
}

impl Before {
    /// Whether the object is Ready for its present generation, and nobody waits for an answer.
    fn stands(&self, plan: &Apply) -> bool {
        self.answered && self.is(condition::READY) && self.observed == plan.kustomization.metadata.generation
    }
}
