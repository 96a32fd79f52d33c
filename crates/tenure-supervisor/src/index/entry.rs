//! One object of a home, and where it stands in the queue.

use std::num::{NonZeroI64, NonZeroU64};
use std::sync::Arc;

use tenure_api::Limit;
use tenure_kube::{FluxKind, Meta};
use tenure_proto::lifeline::{Cause, ObjectKey, Outcome};

use crate::home::KINDS;
use crate::pace::{Rate, Used};

/// After so many workers that died over an object it is left alone until it changes.
pub(super) const QUARANTINE: u8 = 5;
/// From so many on it is given to a worker alone, so that nobody else is blamed.
pub(super) const SUSPECT: u8 = 2;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Its place among [`KINDS`].
    kind: u8,
    name: Arc<str>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) generation: i64,
    uid: u128,
    /// Where it was when it was last heard of, which is a number wherever the API server keeps its objects in etcd; 0 if it
    /// is none.
    pub(super) resource_version: u64,
    asked: Option<Box<str>>,
    deleting: bool,
    pub(super) gone: bool,
    pub(super) pending: Option<Cause>,
    /// What is pending is what somebody has asked for with an annotation.
    pub(super) requested: bool,
    /// What is pending is no change of the object itself.
    pub(super) repeat: bool,
    /// Milliseconds since the epoch.
    pub(super) due: Option<NonZeroI64>,
    /// Highest sequence number told to the worker that runs, if no answer has come.
    pub(super) told: Option<NonZeroU64>,
    /// It was told again before the first answer, which therefore is not the last.
    pub(super) again: bool,
    pub(super) crashes: u8,
    /// That it is left alone has been said on it.
    said: bool,
    pub(super) outcome: Outcome,
    /// What the Tenant did not allow it.
    pub(super) limit: Option<Limit>,
    used: Used,
}

/// Who may be told next, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Something has changed; whether somebody asks for it.
    Fresh(i64, bool),
    /// Nothing has: its time has come, or somebody asks for it.
    Repeat(i64, bool),
    /// Workers died over it: nobody else is told meanwhile.
    Suspect(i64),
    /// It is gone, which only a worker that runs is told.
    Parting,
}

impl Key {
    pub(super) fn new(kind: FluxKind, name: &str) -> Self {
        Self {
            kind: place_of(kind.kind).unwrap_or(u8::MAX),
            name: name.into(),
        }
    }

    /// The key of a kind that is watched.
    pub(super) fn named(kind: &str, name: &str) -> Option<Self> {
        Some(Self {
            kind: place_of(kind)?,
            name: name.into(),
        })
    }

    /// Comes before all of its kind.
    pub(super) fn first_of(kind: FluxKind) -> Self {
        Self::new(kind, "")
    }

    pub(super) fn is_of(&self, kind: FluxKind) -> bool {
        self.kind() == kind.kind
    }

    pub(super) fn kind(&self) -> &'static str {
        self.flux().map_or("", |kind| kind.kind)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn on_the_wire(&self) -> ObjectKey {
        ObjectKey {
            group: self.flux().map_or("", |kind| kind.group).to_owned(),
            kind: self.kind().to_owned(),
            name: self.name.to_string(),
        }
    }

    fn flux(&self) -> Option<&'static FluxKind> {
        KINDS.get(usize::from(self.kind))
    }
}

fn place_of(kind: &str) -> Option<u8> {
    let place = KINDS.iter().position(|known| known.kind == kind)?;
    u8::try_from(place).ok()
}

impl Entry {
    /// An object as it is now, after what was known of it; nothing when only its status has changed.
    pub(super) fn new(meta: Meta, old: Option<&Self>) -> Option<Self> {
        let (uid, asked) = (compact(&meta.uid), meta.asked.map(String::into_boxed_str));
        let same = old.is_some_and(|old| {
            !old.gone
                && (old.generation, old.uid, &old.asked, old.deleting)
                    == (meta.generation, uid, &asked, meta.deleting)
        });
        if same {
            return None;
        }
        let old = old.filter(|old| old.uid == uid);
        let alike = |old: &Self| (old.generation, old.deleting) == (meta.generation, meta.deleting);
        Some(Self {
            generation: meta.generation,
            uid,
            repeat: old.is_some_and(|old| alike(old) && (old.pending.is_none() || old.repeat)),
            resource_version: number(&meta.resource_version),
            deleting: meta.deleting,
            gone: false,
            pending: Some(Cause::Changed),
            requested: old.is_some_and(|old| old.requested || old.asked != asked),
            asked,
            due: old.and_then(|old| old.due),
            told: old.and_then(|old| old.told),
            again: old.is_some_and(|old| old.again),
            crashes: 0,
            said: false,
            limit: old.and_then(|old| old.limit),
            outcome: old.map_or(Outcome::Unspecified, |old| old.outcome),
            used: old.map_or_else(Used::default, |old| old.used),
        })
    }

    /// With the pace of a single object.
    pub(super) fn place(&self, each: Rate) -> Option<Place> {
        if self.gone {
            return self.pending.map(|_| Place::Parting);
        }
        let when = match self.pending {
            Some(_) => 0,
            None => self.due.filter(|_| self.told.is_none())?.get(),
        };
        let when = when.max(self.used.open_at(each)).max(0);
        let asked = self.requested && self.pending.is_some();
        if self.is_quarantined() {
            (!self.said).then_some(Place::Fresh(when, asked))
        } else if self.is_suspect() {
            Some(Place::Suspect(when))
        } else if self.pending.is_some() && !self.repeat {
            Some(Place::Fresh(when, asked))
        } else {
            Some(Place::Repeat(when, asked))
        }
    }

    /// Something that it depends on may have changed, which is as good as a change of its own, unless it has failed: there may be
    /// thousands that do.
    pub(super) fn doubt(&mut self, cause: Cause) {
        if self.pending.is_none() {
            self.pending = Some(cause);
            self.repeat = matches!(self.outcome, Outcome::Failed | Outcome::Stalled);
        }
    }

    /// A worker is told; says why. The object has been begun too often when it can't be told once more at once.
    pub(super) fn tell(&mut self, sequence: NonZeroU64, now: i64, each: Rate) -> (Cause, bool) {
        let mut cause = self.pending.take().unwrap_or(Cause::Due);
        if std::mem::take(&mut self.requested) {
            cause = Cause::Requested;
        }
        if self.is_quarantined() {
            self.said = true;
            cause = Cause::LeftAlone;
        }
        self.repeat = false;
        self.due = None;
        self.again = self.told.is_some();
        self.told = Some(sequence);
        self.used.add(now, each.every);
        (cause, self.used.open_at(each) > now)
    }

    /// Workers that died over it count no more.
    pub(super) fn forgive(&mut self) {
        self.crashes = 0;
        self.said = false;
    }

    /// That it is left alone is to be said again.
    pub(super) fn unsay(&mut self) {
        self.said = false;
    }

    /// Empty if that is not known: then the worker reads the object anew.
    pub(super) fn version(&self) -> String {
        match self.resource_version {
            0 => String::new(),
            _ if self.gone => String::new(),
            version => version.to_string(),
        }
    }

    pub(super) const fn is_suspect(&self) -> bool {
        self.crashes >= SUSPECT
    }

    pub(super) const fn is_quarantined(&self) -> bool {
        self.crashes >= QUARANTINE
    }
}

/// A resource version, if it is written as a number is.
pub(super) fn number(resource_version: &str) -> u64 {
    let number: u64 = resource_version.parse().unwrap_or_default();
    if number.to_string() == resource_version {
        number
    } else {
        0
    }
}

/// A uid in sixteen bytes; of one that is no UUID, a hash.
fn compact(uid: &str) -> u128 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let digits: String = uid.chars().filter(|c| *c != '-').collect();
    u128::from_str_radix(&digits, 16).unwrap_or_else(|_| {
        let mut hasher = DefaultHasher::new();
        uid.hash(&mut hasher);
        u128::from(hasher.finish())
    })
}
