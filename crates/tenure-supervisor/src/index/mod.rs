//! The objects of one home and what is due: synchronous, fed by hand in the tests.
//!
//! What a home's task asks for at each turn of its loop (whether something is due, when, what the counts are) is kept up to
//! date by each change of an object, so that a home with thousands of objects costs as little to ask as one with three.
//!
//! What has changed is told at once. What has not, and is begun all the same, because its time has come or somebody asks for
//! it, is held to a pace: a single object to its own, and the objects of a home together to the Tenant's
//! `spec.limits.retriesPerMinute`, of which an object that is Ready uses a tenth. So thousands of objects that can't
//! succeed wait for each other and not the neighbours for them.

mod entry;
mod lanes;

use std::collections::{BTreeMap, HashSet};
use std::num::{NonZeroI64, NonZeroU64};

use jiff::{SignedDuration, Timestamp};
use tenure_api::{Limit, reasons};
use tenure_kube::{FluxKind, Meta};
use tenure_proto::lifeline::{Cause, Changed, Done, ObjectKey, Outcome, Woken};

use crate::pace::{Rate, Used};

use entry::{Entry, Key, QUARANTINE};
use lanes::Lanes;

/// However the worker errs, an object is not due again sooner than this.
const SOONEST: SignedDuration = SignedDuration::from_secs(1);
/// Repeats of objects that fail, in a minute, if the Tenant does not say.
pub(crate) const RETRIES_PER_MINUTE: u32 = 300;
/// So many of them at once, after a time without any.
const BURST: i64 = 50;
/// An object that is Ready uses so small a part of the pace.
const READY_PART: i64 = 10;
/// So long after something was held back the home counts as one that is.
const HELD_FOR: SignedDuration = SignedDuration::from_secs(60);
/// Of those that go over a limit so many are named.
const OVER_NAMED: usize = 5;

/// The objects of one home.
#[derive(Debug)]
pub(crate) struct Index {
    objects: BTreeMap<Key, Entry>,
    lanes: Lanes,
    rate: Rate,
    used: Used,
    /// When something was last held back.
    held: Option<Timestamp>,
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

impl Default for Index {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            lanes: Lanes::new(each(rate(RETRIES_PER_MINUTE))),
            rate: rate(RETRIES_PER_MINUTE),
            used: Used::default(),
            held: None,
            sequence: 0,
            memo: Vec::new(),
        }
    }
}

fn rate(retries_per_minute: u32) -> Rate {
    let every = (60_000 / i64::from(retries_per_minute.max(1))).max(1);
    Rate {
        every,
        burst: every * BURST,
    }
}

/// The pace of a single object: once a second, after the first twenty times, where 300 are allowed in a minute. Whoever changes
/// it or asks for it more often waits for himself.
const fn each(of_all: Rate) -> Rate {
    let every = of_all.every * 5;
    Rate {
        every,
        burst: every * 20,
    }
}

fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

impl Index {
    /// At most so many objects that fail are tried again in a minute.
    pub(crate) fn pace(&mut self, retries_per_minute: u32) {
        let rate = rate(retries_per_minute);
        if rate != self.rate {
            self.rate = rate;
            self.used = Used::default();
            self.lanes = Lanes::new(each(rate));
            for (key, entry) in &self.objects {
                self.lanes.enter(key, entry);
            }
        }
    }

    /// These are all the objects of a kind.
    pub(crate) fn reset(&mut self, kind: FluxKind, all: Vec<Meta>) {
        let names: HashSet<&str> = all.iter().map(|meta| &*meta.name).collect();
        let stale: Vec<Key> = self
            .of_kind(kind)
            .filter(|key| !names.contains(key.name()))
            .cloned()
            .collect();
        for key in stale {
            self.part(&key);
        }
        for meta in all {
            self.apply(kind, meta);
        }
    }

    /// An object is new or changed; a change of its status alone wakes nobody.
    pub(crate) fn apply(&mut self, kind: FluxKind, meta: Meta) {
        let key = Key::new(kind, &meta.name);
        let old = self.objects.get_mut(&key);
        let resource_version = entry::number(&meta.resource_version);
        match (Entry::new(meta, old.as_deref()), old) {
            (None, Some(old)) => old.resource_version = resource_version,
            (None, None) => {}
            (Some(entry), old) => {
                if let Some(old) = old {
                    self.lanes.leave(&key, old);
                }
                self.lanes.enter(&key, &entry);
                self.objects.insert(key, entry);
            }
        }
    }

    /// A source, `<kind>/<name>`, has moved upstream, says whoever looks while the worker sleeps.
    pub(crate) fn moved(&mut self, subject: &str) {
        let key = subject
            .split_once('/')
            .and_then(|(kind, name)| Key::named(kind, name));
        if let Some(key) = key {
            self.change(&key, |entry| {
                if !entry.gone {
                    entry.pending = entry.pending.or(Some(Cause::Due));
                    entry.repeat = false;
                }
            });
        }
    }

    /// An object is gone. Nobody is woken for it, but a worker that runs is told.
    pub(crate) fn delete(&mut self, kind: FluxKind, name: &str) {
        self.part(&Key::new(kind, name));
    }

    fn part(&mut self, key: &Key) {
        self.change(key, |entry| {
            entry.gone = true;
            entry.pending = Some(Cause::Changed);
        });
    }

    /// Whether there is work worth a worker.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let due = |at: Option<i64>| at.is_some_and(|at| at <= millis(now));
        due(self.lanes.fresh()) || due(self.lanes.suspect()) || due(self.repeat())
    }

    /// When the first of those that have not changed may be told.
    fn repeat(&self) -> Option<i64> {
        let first = self.lanes.repeat()?;
        Some(first.max(self.used.open_at(self.rate)))
    }

    /// Whether somebody waits for something of it.
    pub(crate) fn is_requested(&self) -> bool {
        self.lanes.is_requested()
    }

    /// When something that could be told will be due; the past if something is.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        if self.lanes.suspect_is_told() {
            return None;
        }
        let suspect = self.lanes.suspect().filter(|_| !self.lanes.is_told());
        let next = [self.lanes.fresh(), self.repeat(), suspect]
            .into_iter()
            .flatten()
            .min()?;
        Some(Timestamp::from_millisecond(next).unwrap_or(Timestamp::MAX))
    }

    /// Whether objects were held back in the last minute, because too many are begun though nothing has changed.
    pub(crate) fn is_held(&self, now: Timestamp) -> bool {
        self.held_until().is_some_and(|until| now < until)
    }

    /// Until when it counts as held back.
    pub(crate) fn held_until(&self) -> Option<Timestamp> {
        self.held.and_then(|held| held.checked_add(HELD_FOR).ok())
    }

    /// Takes at most `limit` due objects to tell the worker.
    pub(crate) fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<Changed> {
        let mut taken = Vec::new();
        if self.lanes.suspect_is_told() {
            return taken;
        }
        let at = millis(now);
        for asked in [true, false] {
            while taken.len() < limit
                && let Some(key) = self.lanes.next_fresh(asked, at)
            {
                taken.extend(self.tell(&key, now));
            }
            while taken.len() < limit
                && let Some(key) = self.lanes.next_repeat(asked, at)
            {
                if self.used.open_at(self.rate) > at {
                    self.held = Some(now);
                    break;
                }
                self.used.add(at, self.rate.every / self.part_of(&key));
                taken.extend(self.tell(&key, now));
            }
        }
        while taken.len() < limit
            && let Some(key) = self.lanes.next_parting()
        {
            taken.extend(self.tell(&key, now));
        }
        if taken.is_empty()
            && limit > 0
            && !self.lanes.is_told()
            && let Some(key) = self.lanes.next_suspect(at)
        {
            taken.extend(self.tell(&key, now));
        }
        taken
    }

    fn part_of(&self, key: &Key) -> i64 {
        let ready = |entry: &Entry| entry.outcome == Outcome::Ready;
        match self.objects.get(key).is_some_and(ready) {
            true => READY_PART,
            false => 1,
        }
    }

    fn tell(&mut self, key: &Key, now: Timestamp) -> Option<Changed> {
        self.sequence += 1;
        let (sequence, each) = (self.last_told(), self.lanes.each());
        let (changed, too_often) = self.change(key, |entry| {
            let (cause, too_often) = entry.tell(sequence, millis(now), each);
            let changed = Changed {
                object: Some(key.on_the_wire()),
                sequence: sequence.get(),
                cause: cause.into(),
                resource_version: entry.version(),
            };
            (changed, too_often)
        })?;
        if too_often {
            self.held = Some(now);
        }
        Some(changed)
    }

    /// Whether an object is one of this home.
    pub(crate) fn knows(&self, object: &ObjectKey) -> bool {
        self.known(object).is_some()
    }

    /// A pass has ended.
    pub(crate) fn done(&mut self, done: &Done, now: Timestamp) {
        let Some(key) = done.object.as_ref().and_then(|object| self.known(object)) else {
            return;
        };
        let gone = self.change(&key, |entry| {
            // an answer to what was told before, maybe of another object of that name, says nothing of what came since
            let late = |told: NonZeroU64| done.up_to_sequence != 0 && told.get() > done.up_to_sequence;
            if !entry.told.is_some_and(late) && !std::mem::take(&mut entry.again) {
                entry.told = None;
            }
            match done.reason == reasons::QUARANTINED {
                true if done.next_due.is_some() => entry.unsay(),
                true => {}
                false => entry.forgive(),
            }
            entry.limit = Limit::named(&done.limit);
            entry.outcome = done.outcome();
            entry.due = done
                .next_due
                .as_ref()
                .and_then(|due| Timestamp::new(due.seconds, due.nanos).ok())
                .map(|due| millis(due.max(now.saturating_add(SOONEST).unwrap_or(now))))
                .and_then(NonZeroI64::new);
            entry.gone && entry.outcome == Outcome::Gone
        });
        if gone == Some(true) {
            self.remove(&key);
        }
    }

    /// The worker takes up an object by itself: it counts as told.
    pub(crate) fn woken(&mut self, woken: &Woken) {
        let sequence = self.last_told();
        if let Some(key) = woken.object.as_ref().and_then(|object| self.known(object)) {
            self.change(&key, |entry| {
                entry.again = entry.told.is_some();
                entry.told = Some(sequence);
            });
        }
    }

    /// The rules for the home have changed: what was forbidden may be allowed now, and the reverse.
    pub(crate) fn rules_changed(&mut self) {
        self.change_all(|entry| {
            entry.doubt(Cause::Changed);
            entry.forgive();
        });
    }

    /// What objects refer to has changed; to what, only the worker can read.
    pub(crate) fn referent_changed(&mut self) {
        self.change_all(|entry| {
            if !entry.gone {
                entry.doubt(Cause::Due);
            }
        });
    }

    fn last_told(&self) -> NonZeroU64 {
        NonZeroU64::new(self.sequence).unwrap_or(NonZeroU64::MIN)
    }

    fn known(&self, object: &ObjectKey) -> Option<Key> {
        let key = Key::named(&object.kind, &object.name)?;
        self.objects.contains_key(&key).then_some(key)
    }

    fn of_kind(&self, kind: FluxKind) -> impl Iterator<Item = &Key> {
        let from = self.objects.range(Key::first_of(kind)..);
        from.map(|(key, _)| key).take_while(move |key| key.is_of(kind))
    }

    /// Changes an object and where it stands.
    fn change<T>(&mut self, key: &Key, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let entry = self.objects.get_mut(key)?;
        self.lanes.leave(key, entry);
        let changed = change(entry);
        self.lanes.enter(key, entry);
        Some(changed)
    }

    fn change_all(&mut self, mut change: impl FnMut(&mut Entry)) {
        for (key, entry) in &mut self.objects {
            self.lanes.leave(key, entry);
            change(entry);
            self.lanes.enter(key, entry);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.objects.remove(key) {
            self.lanes.leave(key, &entry);
        }
    }

    /// The worker has nothing left of what it was told up to `sequence`. Says whether that is all.
    pub(crate) fn idle(&mut self, sequence: u64, memo: Vec<u8>) -> bool {
        let all = self.drained(sequence, memo);
        while let Some(key) = self.lanes.next_told(sequence) {
            self.change(&key, |entry| {
                entry.told = None;
                entry.again = false;
            });
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
        while let Some(key) = self.lanes.next_gone() {
            self.remove(&key);
        }
        while let Some(key) = self.lanes.next_told(u64::MAX) {
            self.change(&key, |entry| {
                let again = std::mem::take(&mut entry.again);
                entry.told = None;
                entry.pending = entry.pending.or(Some(Cause::Retry));
                if !died {
                    // what it was to say was not begun, maybe
                    entry.unsay();
                }
                if died && again && entry.is_quarantined() {
                    // what it waits for has changed since, and that has not been tried
                    entry.crashes = QUARANTINE - 1;
                } else if died {
                    entry.crashes = entry.crashes.saturating_add(1);
                    if entry.crashes == QUARANTINE {
                        let (kind, name) = (key.kind(), key.name());
                        tracing::error!(
                            kind,
                            name,
                            "object left alone until it changes: workers die over it"
                        );
                    }
                }
            });
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
        self.lanes.has_blame()
    }

    /// Objects that are left alone, as `Kustomization/app`.
    pub(crate) fn quarantined(&self) -> Vec<String> {
        let left = self.lanes.quarantined();
        left.map(|key| format!("{}/{}", key.kind(), key.name())).collect()
    }

    /// Objects that go over a limit, as `Kustomization/app: spec.limits.objects`: some of them, and how many more there are.
    pub(crate) fn over_limits(&self) -> Vec<String> {
        let Some(over) = self.lanes.over() else {
            return Vec::new();
        };
        let named = over.iter().take(OVER_NAMED);
        let mut all: Vec<_> = named
            .map(|(key, limit)| format!("{}/{}: {}", key.kind(), key.name(), limit.field()))
            .collect();
        if let Some(more) = over.len().checked_sub(OVER_NAMED).filter(|more| *more > 0) {
            all.push(format!("{more} more"));
        }
        all
    }

    /// Whether there is any object of a kind.
    pub(crate) fn has_kind(&self, kind: FluxKind) -> bool {
        self.of_kind(kind).next().is_some()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lanes.counts()
    }
}

#[cfg(test)]
mod tests;
