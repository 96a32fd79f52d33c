//! The objects of one home and what is due: synchronous, fed by hand in the tests.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tenure_kube::{FluxKind, Meta};
use tenure_proto::lifeline::{Cause, Changed, Done, ObjectKey, Outcome, Woken};

/// After so many workers that died over an object it is left alone until it changes.
const QUARANTINE: u32 = 5;
/// From so many on it is given to a worker alone, so that nobody else is blamed.
const SUSPECT: u32 = 2;
/// However the worker errs, an object is not due again sooner than this.
const SOONEST: SignedDuration = SignedDuration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: &'static str,
    name: Box<str>,
}

#[derive(Debug)]
struct Entry {
    group: &'static str,
    generation: i64,
    uid: Box<str>,
    /// Where it was when it was last heard of.
    resource_version: Box<str>,
    asked: Option<String>,
    deleting: bool,
    gone: bool,
    pending: Option<Cause>,
    /// What is pending is what somebody has asked for with an annotation.
    requested: bool,
    due: Option<Timestamp>,
    /// Highest sequence number told to the worker that runs, if no answer has come.
    told: Option<u64>,
    /// It was told again before the first answer, which therefore is not the last.
    again: bool,
    crashes: u32,
    outcome: Outcome,
}

/// The objects of one home.
#[derive(Debug, Default)]
pub(crate) struct Index {
    objects: BTreeMap<Key, Entry>,
    sequence: u64,
    memo: Vec<u8>,
}

/// How many objects there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) objects: i64,
    pub(crate) ready: i64,
    pub(crate) suspended: i64,
    pub(crate) quarantined: i64,
}

impl Index {
    /// These are all the objects of a kind.
    pub(crate) fn reset(&mut self, kind: FluxKind, all: Vec<Meta>) {
        let stale: Vec<_> = self
            .objects
            .keys()
            .filter(|key| key.kind == kind.kind && !all.iter().any(|meta| meta.name == key.name))
            .map(|key| key.name.clone())
            .collect();
        for name in stale {
            self.delete(kind, &name);
        }
        for meta in all {
            self.apply(kind, meta);
        }
    }

    /// An object is new or changed; a change of its status alone wakes nobody.
    pub(crate) fn apply(&mut self, kind: FluxKind, meta: Meta) {
        let key = Key {
            kind: kind.kind,
            name: meta.name,
        };
        let old = self.objects.get(&key);
        let same = old.is_some_and(|old| {
            !old.gone
                && (old.generation, &old.uid, &old.asked, old.deleting)
                    == (meta.generation, &meta.uid, &meta.asked, meta.deleting)
        });
        if same {
            if let Some(entry) = self.objects.get_mut(&key) {
                entry.resource_version = meta.resource_version;
            }
            return;
        }
        let old = old.filter(|old| old.uid == meta.uid);
        let asked = meta.asked.clone();
        let entry = Entry {
            group: kind.group,
            generation: meta.generation,
            uid: meta.uid,
            resource_version: meta.resource_version,
            asked: meta.asked,
            deleting: meta.deleting,
            gone: false,
            pending: Some(Cause::Changed),
            requested: old.is_some_and(|old| old.requested || old.asked != asked),
            due: old.and_then(|old| old.due),
            told: old.and_then(|old| old.told),
            again: old.is_some_and(|old| old.again),
            crashes: 0,
            outcome: old.map_or(Outcome::Unspecified, |old| old.outcome),
        };
        self.objects.insert(key, entry);
    }

    /// A source, `<kind>/<name>`, has moved upstream, says whoever looks while the worker sleeps.
    pub(crate) fn moved(&mut self, subject: &str) {
        let Some((kind, name)) = subject.split_once('/') else {
            return;
        };
        let same = |key: &Key| key.kind == kind && *key.name == *name;
        let entry = self.objects.iter_mut().find(|(key, _)| same(key));
        if let Some((_, entry)) = entry.filter(|(_, entry)| !entry.gone) {
            entry.pending = entry.pending.or(Some(Cause::Due));
        }
    }

    /// An object is gone. Nobody is woken for it, but a worker that runs is told.
    pub(crate) fn delete(&mut self, kind: FluxKind, name: &str) {
        let key = Key {
            kind: kind.kind,
            name: name.into(),
        };
        if let Some(entry) = self.objects.get_mut(&key) {
            entry.gone = true;
            entry.pending = Some(Cause::Changed);
        }
    }

    /// Whether there is work worth a worker.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.objects
            .values()
            .any(|entry| !entry.gone && entry.is_due(now))
    }

    /// Whether somebody waits for something of it.
    pub(crate) fn is_requested(&self) -> bool {
        self.objects
            .values()
            .any(|entry| entry.requested && entry.pending.is_some())
    }

    /// When something that could be told will be due; the past if something is.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let when = |entry: &Entry| {
            if entry.pending.is_some() {
                Some(Timestamp::UNIX_EPOCH)
            } else {
                entry.due
            }
        };
        let told = |suspects: bool| {
            self.objects
                .values()
                .any(|e| e.told.is_some() && (!suspects || e.is_suspect()))
        };
        if told(true) {
            return None;
        }
        let busy = told(false);
        let open = |entry: &&Entry| {
            let hidden = entry.gone || entry.is_quarantined() || entry.told.is_some();
            !(hidden || busy && entry.is_suspect())
        };
        self.objects.values().filter(open).filter_map(when).min()
    }

    /// Takes at most `limit` due objects to tell the worker.
    pub(crate) fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<Changed> {
        let mut alone = self
            .objects
            .values()
            .any(|entry| entry.told.is_some() && entry.is_suspect());
        let mut others = self.objects.values().any(|entry| entry.told.is_some());
        let mut taken = Vec::new();
        if alone {
            return taken;
        }
        for suspects in [false, true] {
            for (key, entry) in &mut self.objects {
                let ready = entry.is_due(now) && entry.is_suspect() == suspects;
                if !ready || taken.len() >= limit || alone || (suspects && others) {
                    continue;
                }
                alone = suspects;
                others = true;
                self.sequence += 1;
                let cause = entry.pending.take().unwrap_or(Cause::Due);
                entry.requested = false;
                entry.due = None;
                entry.again = entry.told.is_some();
                entry.told = Some(self.sequence);
                taken.push(Changed {
                    object: Some(key.of(entry.group)),
                    sequence: self.sequence,
                    cause: cause.into(),
                    resource_version: if entry.gone {
                        String::new()
                    } else {
                        entry.resource_version.to_string()
                    },
                });
            }
        }
        taken
    }

    /// Whether an object is one of this home.
    pub(crate) fn knows(&self, object: &ObjectKey) -> bool {
        self.known(object).is_some()
    }

    /// A pass has ended.
    pub(crate) fn done(&mut self, done: &Done, now: Timestamp) {
        let key = done.object.as_ref().and_then(|object| self.known(object));
        let Some(entry) = key.as_ref().and_then(|key| self.objects.get_mut(key)) else {
            return;
        };
        // an answer to what was told before, maybe of another object of that name, says nothing of what came since
        let late = |told| done.up_to_sequence != 0 && told > done.up_to_sequence;
        if !entry.told.is_some_and(late) && !std::mem::take(&mut entry.again) {
            entry.told = None;
        }
        entry.crashes = 0;
        entry.outcome = done.outcome();
        entry.due = done
            .next_due
            .as_ref()
            .and_then(|due| Timestamp::new(due.seconds, due.nanos).ok())
            .map(|due| due.max(now.saturating_add(SOONEST).unwrap_or(now)));
        if let Some(key) = key.filter(|_| done.outcome() == Outcome::Gone)
            && self.objects.get(&key).is_some_and(|entry| entry.gone)
        {
            self.objects.remove(&key);
        }
    }

    /// The worker takes up an object by itself: it counts as told.
    pub(crate) fn woken(&mut self, woken: &Woken) {
        let key = woken.object.as_ref().and_then(|object| self.known(object));
        if let Some(entry) = key.and_then(|key| self.objects.get_mut(&key)) {
            entry.again = entry.told.is_some();
            entry.told = Some(self.sequence);
        }
    }

    /// The rules for the home have changed: what was forbidden may be allowed now, and the reverse.
    pub(crate) fn rules_changed(&mut self) {
        for entry in self.objects.values_mut() {
            entry.pending = entry.pending.or(Some(Cause::Changed));
            entry.crashes = 0;
        }
    }

    /// What objects refer to has changed; to what, only the worker can read.
    pub(crate) fn referent_changed(&mut self) {
        for entry in self.objects.values_mut().filter(|entry| !entry.gone) {
            entry.pending = entry.pending.or(Some(Cause::Due));
        }
    }

    fn known(&self, object: &ObjectKey) -> Option<Key> {
        let same = |key: &&Key| *key.kind == *object.kind && *key.name == *object.name;
        self.objects.keys().find(same).cloned()
    }

    /// The worker has nothing left of what it was told up to `sequence`. Says whether that is all.
    pub(crate) fn idle(&mut self, sequence: u64, memo: Vec<u8>) -> bool {
        let all = self.drained(sequence, memo);
        for entry in self.objects.values_mut() {
            if entry.told.is_some_and(|told| told <= sequence) {
                entry.told = None;
                entry.again = false;
            }
        }
        all
    }

    /// A worker that was told to end has nothing running. What it did not begin is still open.
    pub(crate) fn drained(&mut self, sequence: u64, memo: Vec<u8>) -> bool {
        self.memo = memo;
        sequence == self.sequence
    }

    /// The worker has ended. What it left open is told to the next; if it died, it is also blamed.
    pub(crate) fn worker_ended(&mut self, died: bool) {
        self.sequence = 0;
        self.objects.retain(|_, entry| !entry.gone);
        for (key, entry) in &mut self.objects {
            entry.again = false;
            if entry.told.take().is_none() {
                continue;
            }
            entry.pending = entry.pending.or(Some(Cause::Retry));
            if died {
                entry.crashes += 1;
                if entry.is_quarantined() {
                    tracing::error!(kind = key.kind, name = %key.name, "object left alone until it changes: workers die over it");
                }
            }
        }
    }

    /// What the last worker left behind.
    pub(crate) fn memo(&self) -> Vec<u8> {
        self.memo.clone()
    }

    /// The last sequence number told.
    #[cfg(test)]
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether workers died over some object that has not been seen well since.
    pub(crate) fn has_blame(&self) -> bool {
        self.objects.values().any(|entry| entry.crashes > 0)
    }

    /// Objects that are left alone, as `Kustomization/app`.
    pub(crate) fn quarantined(&self) -> Vec<String> {
        let left = self
            .objects
            .iter()
            .filter(|(_, entry)| !entry.gone && entry.is_quarantined());
        left.map(|(key, _)| format!("{}/{}", key.kind, key.name))
            .collect()
    }

    /// Whether there is any object of a kind.
    pub(crate) fn has_kind(&self, kind: &str) -> bool {
        self.objects.keys().any(|key| key.kind == kind)
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.objects.values().filter(|entry| !entry.gone) {
            counts.objects += 1;
            counts.ready += i64::from(entry.outcome == Outcome::Ready);
            counts.suspended += i64::from(entry.outcome == Outcome::Suspended);
            counts.quarantined += i64::from(entry.is_quarantined());
        }
        counts
    }
}

impl Key {
    fn of(&self, group: &str) -> ObjectKey {
        ObjectKey {
            group: group.to_owned(),
            kind: self.kind.to_owned(),
            name: self.name.to_string(),
        }
    }
}

impl Entry {
    fn is_due(&self, now: Timestamp) -> bool {
        let due = self.pending.is_some() || (self.told.is_none() && self.due.is_some_and(|due| due <= now));
        due && !self.is_quarantined()
    }

    const fn is_suspect(&self) -> bool {
        self.crashes >= SUSPECT
    }

    const fn is_quarantined(&self) -> bool {
        self.crashes >= QUARANTINE
    }
}

#[cfg(test)]
mod tests;
