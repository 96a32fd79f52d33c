//! Where the objects of a home stand: who may be told next, who has been, and how many there are of each.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use tenure_api::Limit;
use tenure_proto::lifeline::Outcome;

use super::Counts;
use super::entry::{Entry, Key, Place};
use crate::pace::Rate;

/// Kept in step with the objects by [`enter`](Self::enter) and [`leave`](Self::leave) around each change.
#[derive(Debug)]
pub(super) struct Lanes {
    /// Of a single object.
    each: Rate,
    fresh: Lane,
    repeats: Lane,
    suspects: BTreeSet<(i64, Key)>,
    parting: BTreeSet<Key>,
    gone: BTreeSet<Key>,
    told: BTreeSet<(NonZeroU64, Key)>,
    quarantined: BTreeSet<Key>,
    #[expect(clippy::box_collection, reason = "of thousands of homes few have any")]
    over: Option<Box<BTreeMap<Key, Limit>>>,
    /// Of those told, how many workers died over.
    suspects_told: usize,
    blamed: usize,
    requested: usize,
    counts: Counts,
}

impl Lanes {
    pub(super) fn new(each: Rate) -> Self {
        Self {
            each,
            fresh: Lane::default(),
            repeats: Lane::default(),
            suspects: BTreeSet::new(),
            parting: BTreeSet::new(),
            gone: BTreeSet::new(),
            told: BTreeSet::new(),
            quarantined: BTreeSet::new(),
            over: None,
            suspects_told: 0,
            blamed: 0,
            requested: 0,
            counts: Counts::default(),
        }
    }

    /// The pace of a single object.
    pub(super) const fn each(&self) -> Rate {
        self.each
    }

    pub(super) fn enter(&mut self, key: &Key, entry: &Entry) {
        match entry.place(self.each) {
            Some(Place::Fresh(at, asked)) => self.fresh.insert(asked, at, key),
            Some(Place::Repeat(at, asked)) => self.repeats.insert(asked, at, key),
            Some(Place::Suspect(at)) => self.suspects.insert((at, key.clone())),
            Some(Place::Parting) => self.parting.insert(key.clone()),
            None => false,
        };
        if let Some(told) = entry.told {
            self.told.insert((told, key.clone()));
        }
        if entry.gone {
            self.gone.insert(key.clone());
        } else {
            if entry.is_quarantined() {
                self.quarantined.insert(key.clone());
            }
            if let Some(limit) = entry.limit {
                self.over.get_or_insert_default().insert(key.clone(), limit);
            }
        }
        self.count(entry, 1);
    }

    pub(super) fn leave(&mut self, key: &Key, entry: &Entry) {
        match entry.place(self.each) {
            Some(Place::Fresh(at, asked)) => self.fresh.remove(asked, at, key),
            Some(Place::Repeat(at, asked)) => self.repeats.remove(asked, at, key),
            Some(Place::Suspect(at)) => take(&mut self.suspects, &(at, key.clone())),
            Some(Place::Parting) => take(&mut self.parting, key),
            None => {}
        }
        if let Some(told) = entry.told {
            take(&mut self.told, &(told, key.clone()));
        }
        if entry.gone {
            take(&mut self.gone, key);
        } else {
            if entry.is_quarantined() {
                take(&mut self.quarantined, key);
            }
            if entry.limit.is_some()
                && let Some(over) = &mut self.over
            {
                over.remove(key);
                self.over.take_if(|over| over.is_empty());
            }
        }
        self.count(entry, -1);
    }

    fn count(&mut self, entry: &Entry, by: i64) {
        let add = |count: &mut usize, is: bool| {
            if is {
                *count = count.saturating_add_signed(isize::try_from(by).unwrap_or_default());
            }
        };
        add(
            &mut self.suspects_told,
            entry.told.is_some() && entry.is_suspect() && !entry.is_quarantined(),
        );
        add(&mut self.blamed, entry.crashes > 0);
        add(&mut self.requested, entry.requested && entry.pending.is_some());
        if entry.gone {
            return;
        }
        let counts = &mut self.counts;
        counts.objects += by;
        counts.ready += by * i64::from(entry.outcome == Outcome::Ready);
        counts.suspended += by * i64::from(entry.outcome == Outcome::Suspended);
        counts.quarantined += by * i64::from(entry.is_quarantined());
    }

    /// From when on the first of those that have changed may be told.
    pub(super) fn fresh(&self) -> Option<i64> {
        self.fresh.first()
    }

    pub(super) fn repeat(&self) -> Option<i64> {
        self.repeats.first()
    }

    pub(super) fn suspect(&self) -> Option<i64> {
        self.suspects.first().map(|(at, _)| *at)
    }

    pub(super) fn next_fresh(&self, asked: bool, now: i64) -> Option<Key> {
        self.fresh.next(asked, now)
    }

    pub(super) fn next_repeat(&self, asked: bool, now: i64) -> Option<Key> {
        self.repeats.next(asked, now)
    }

    pub(super) fn next_suspect(&self, now: i64) -> Option<Key> {
        due(&self.suspects, now)
    }

    pub(super) fn next_parting(&self) -> Option<Key> {
        self.parting.first().cloned()
    }

    pub(super) fn next_gone(&self) -> Option<Key> {
        self.gone.first().cloned()
    }

    /// The first that was told with a number up to this.
    pub(super) fn next_told(&self, up_to: u64) -> Option<Key> {
        let (told, key) = self.told.first()?;
        (told.get() <= up_to).then(|| key.clone())
    }

    pub(super) fn is_told(&self) -> bool {
        !self.told.is_empty()
    }

    pub(super) fn suspect_is_told(&self) -> bool {
        self.suspects_told > 0
    }

    pub(super) fn is_requested(&self) -> bool {
        self.requested > 0
    }

    pub(super) fn has_blame(&self) -> bool {
        self.blamed > 0
    }

    pub(super) fn quarantined(&self) -> impl Iterator<Item = &Key> {
        self.quarantined.iter()
    }

    /// Those that go over a limit.
    pub(super) fn over(&self) -> Option<&BTreeMap<Key, Limit>> {
        self.over.as_deref()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }
}

/// By time; those that somebody asks for apart from the others.
#[derive(Debug, Default)]
struct Lane {
    #[expect(clippy::box_collection, reason = "of thousands of homes few have any")]
    asked: Option<Box<BTreeSet<(i64, Key)>>>,
    unasked: BTreeSet<(i64, Key)>,
}

impl Lane {
    fn insert(&mut self, asked: bool, at: i64, key: &Key) -> bool {
        let lane = match asked {
            true => self.asked.get_or_insert_default(),
            false => &mut self.unasked,
        };
        lane.insert((at, key.clone()))
    }

    fn remove(&mut self, asked: bool, at: i64, key: &Key) {
        let one = (at, key.clone());
        match &mut self.asked {
            Some(lane) if asked => {
                lane.remove(&one);
                self.asked.take_if(|lane| lane.is_empty());
            }
            _ => take(&mut self.unasked, &one),
        }
    }

    fn first(&self) -> Option<i64> {
        let asked = self.asked.as_ref().and_then(|lane| lane.first());
        let both = [asked, self.unasked.first()].into_iter().flatten();
        both.map(|(at, _)| *at).min()
    }

    fn next(&self, asked: bool, now: i64) -> Option<Key> {
        match asked {
            true => due(self.asked.as_ref()?, now),
            false => due(&self.unasked, now),
        }
    }
}

/// An emptied set keeps memory for eleven more, in each of thousands of homes.
fn take<T: Ord>(lane: &mut BTreeSet<T>, one: &T) {
    lane.remove(one);
    if lane.is_empty() {
        *lane = BTreeSet::new();
    }
}

fn due(lane: &BTreeSet<(i64, Key)>, now: i64) -> Option<Key> {
    let (at, key) = lane.first()?;
    (*at <= now).then(|| key.clone())
}
