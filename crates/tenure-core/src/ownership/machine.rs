use std::collections::{BTreeMap, BTreeSet};

use super::{Buckets, Member, Moment, Record, Step, Times, Write, Written};

/// A later moment than any.
const NEVER: Moment = Moment::MAX;

/// What one member of a cell knows of the others, and what follows.
#[derive(Clone, Debug)]
pub struct Ownership {
    times: Times,
    identity: String,
    /// The beginning of all our incarnations.
    process: String,
    term: u64,
    own: Own,
    /// When the last renewal that was answered was sent, while this incarnation is not over.
    held: Option<Moment>,
    /// Whether the joining list was read.
    joined: bool,
    /// Who was there before us and has not seen us yet.
    owed: BTreeSet<Member>,
    others: BTreeMap<String, Other>,
    /// The version of each Lease that was heard last, and when: so it was written before.
    heard: BTreeMap<String, (String, Moment)>,
    /// What the server has been told that we have seen.
    said: BTreeSet<Member>,
    /// What may run: all that was handed out since it was last settled.
    running: Buckets,
    handed: Buckets,
    hand: u64,
    write_at: Moment,
    look_at: Moment,
    /// Whether something was heard that asks for a look, since the last one began.
    news: bool,
    leaving: bool,
    left: bool,
    superseded: bool,
    /// Whether this process has tried to write its Lease.
    wrote: bool,
}

/// Our own Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Own {
    Unknown,
    Absent,
    At(String),
}

#[derive(Clone, Debug)]
struct Other {
    record: Record,
    /// Since when it is known to have this version.
    since: Moment,
    dead: bool,
    /// It was told to delete it.
    deleted: bool,
    /// What it weighs more for than we.
    beats: Buckets,
}

impl Other {
    fn live(&self) -> Option<&Member> {
        self.record.holder.as_ref().filter(|_| !self.dead)
    }
}

impl Ownership {
    /// A member that has not joined. `process` must be new for every process: it makes incarnations unique.
    #[must_use]
    pub fn new(identity: impl Into<String>, process: impl Into<String>, times: Times) -> Self {
        Self {
            times,
            identity: identity.into(),
            process: process.into(),
            term: 0,
            own: Own::Unknown,
            held: None,
            joined: false,
            owed: BTreeSet::new(),
            others: BTreeMap::new(),
            heard: BTreeMap::new(),
            said: BTreeSet::new(),
            running: Buckets::NONE,
            handed: Buckets::NONE,
            hand: 0,
            write_at: Moment::ZERO,
            look_at: Moment::ZERO,
            news: false,
            leaving: false,
            left: false,
            superseded: false,
            wrote: false,
        }
    }

    /// What is ours now, and its number for [`settled`](Self::settled), which grows when it changes. Whoever is given
    /// it may run it from then on, until it is given something else.
    pub fn ours(&mut self, now: Moment) -> (u64, Buckets) {
        self.tick(now);
        let ours = self.deserved();
        if ours != self.handed {
            self.handed = ours;
            self.hand += 1;
        }
        self.running = self.running.and(&ours);
        (self.hand, self.handed)
    }

    /// Nothing runs any more but what was handed out under this number.
    pub fn settled(&mut self, hand: u64) {
        if hand == self.hand {
            self.running = self.handed;
        }
    }

    /// When everything is to be stopped if nothing is renewed until then.
    #[must_use]
    pub fn give_up_at(&self) -> Option<Moment> {
        self.held.map(|sent| sent + self.times.give_up)
    }

    /// Until when what is ours may run at most.
    #[must_use]
    pub fn over_at(&self) -> Option<Moment> {
        self.held.map(|sent| sent + self.times.over)
    }

    /// How many live members are known, ourselves included if we are one.
    #[must_use]
    pub fn members(&self) -> usize {
        self.others
            .values()
            .filter(|other| other.live().is_some())
            .count()
            + usize::from(self.joined)
    }

    /// Who must see us before anything is ours.
    pub fn owed(&self) -> impl Iterator<Item = &Member> {
        self.owed.iter()
    }

    /// From now on nothing is ours; when nothing runs, the Lease is left.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// Whether [`leave`](Self::leave) was called.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// What is to be done now.
    pub fn next(&mut self, now: Moment) -> Step {
        self.tick(now);
        if self.superseded {
            return Step::Superseded;
        }
        let nothing_to_leave = self.own == Own::Absent || !self.wrote;
        if self.left || (self.leaving && self.running.is_empty() && nothing_to_leave) {
            return Step::Left;
        }
        let give_up_at = self.give_up_at().unwrap_or(NEVER);
        let renew = self.held.is_some() && self.write_at <= now;
        let join = self.held.is_some() && !self.joined;
        let look = self.look_at <= now && !renew;
        match self.own {
            Own::Unknown if self.look_at > now => return Step::Wait(self.look_at.min(give_up_at)),
            Own::Unknown => return self.look(),
            _ if look => return self.look(),
            _ if join && !renew => return Step::Wait(self.look_at.min(self.write_at).min(give_up_at)),
            _ => {}
        }
        if let Some(write) = self.write(now) {
            self.wrote = true;
            return Step::Write(write);
        }
        if let Some(other) = self
            .others
            .values_mut()
            .find(|other| other.dead && !other.deleted)
        {
            other.deleted = true;
            return Step::Delete {
                identity: other.record.identity.clone(),
                version: other.record.version.clone(),
            };
        }
        let write_at = if self.held.is_some() { self.write_at } else { NEVER };
        Step::Wait(self.look_at.min(write_at).min(give_up_at))
    }

    fn look(&mut self) -> Step {
        self.news = false;
        Step::Look
    }

    /// What a list that was sent at `sent` showed.
    pub fn looked(&mut self, sent: Moment, now: Moment, records: impl IntoIterator<Item = Record>) {
        self.tick(now);
        let mut listed = BTreeSet::new();
        let mut own = Own::Absent;
        for record in records {
            if record.identity == self.identity {
                self.recognise(&record);
                own = Own::At(record.version);
            } else {
                listed.insert(record.identity.clone());
                self.observe(sent, now, record);
            }
        }
        if own == Own::Absent && self.held.is_some() {
            // Whoever joins now does not see us.
            self.lose();
        }
        self.own = own;
        let lease = self.times.lease;
        self.others.retain(|identity, other| {
            listed.contains(identity) || (other.live().is_some() && sent < other.since + lease)
        });
        self.heard.retain(|identity, _| listed.contains(identity));
        if self.held.is_some_and(|held| held <= sent) && !self.joined {
            self.joined = true;
            self.owed = self.live().cloned().collect();
        }
        let me = self.me();
        let waits = |other: &Other| {
            let member = other.live().filter(|_| !other.record.seen.contains(&me));
            member.cloned()
        };
        let waits: BTreeSet<_> = self.others.values().filter_map(waits).collect();
        self.owed.retain(|member| waits.contains(member));
        self.look_at = now + self.times.renew;
        if !self.owed.is_empty() {
            self.look_at = now + self.times.retry;
        }
        for other in self.others.values().filter(|other| !other.dead) {
            self.look_at = self.look_at.min((other.since + lease).max(now));
        }
        if self.news {
            self.look_at = now;
        }
    }

    /// A list was not answered.
    pub fn look_failed(&mut self, now: Moment) {
        self.tick(now);
        self.look_at = now + self.times.retry;
    }

    /// What came of a write that was sent at `sent`.
    pub fn wrote(&mut self, write: &Write, sent: Moment, now: Moment, outcome: Written) {
        self.tick(now);
        let joining = self.held.is_none();
        let ours = write.holder == Some(self.me());
        match outcome {
            Written::Done(version) => {
                self.own = Own::At(version);
                match &write.holder {
                    None => self.left = true,
                    Some(_) if ours => {
                        self.held = Some(sent);
                        self.said.clone_from(&write.seen);
                        self.write_at = sent + self.times.renew;
                        if joining {
                            self.look_at = now;
                        }
                    }
                    // That incarnation was over while its write was under way.
                    Some(_) => {}
                }
            }
            Written::Unknown => {
                self.own = Own::Unknown;
                self.look_at = now + self.times.retry;
                if joining && ours {
                    // Others may see this incarnation, and see it die, while it does not count for us.
                    self.term += 1;
                }
            }
        }
        self.tick(now);
    }

    /// A watch showed this Lease, at whatever time it was like that. Only what a list shows counts; this makes
    /// [`next`](Self::next) look at once when it may matter, and tells since when at least a Lease is unchanged.
    pub fn heard(&mut self, now: Moment, record: &Record) {
        if record.identity == self.identity {
            return;
        }
        self.heard
            .entry(record.identity.clone())
            .and_modify(|heard| {
                if heard.0 != record.version {
                    *heard = (record.version.clone(), now);
                }
            })
            .or_insert_with(|| (record.version.clone(), now));
        let news = match self.others.get(&record.identity) {
            None => record.holder.is_some(),
            Some(other) => {
                let answers = self.owed.iter().any(|member| Some(member) == other.live())
                    && record.seen.contains(&self.me());
                other.record.holder != record.holder || other.dead || answers
            }
        };
        if news {
            self.news = true;
            self.look_at = self.look_at.min(now);
        }
    }

    /// The clock comes before everything else.
    fn tick(&mut self, now: Moment) {
        if self.give_up_at().is_some_and(|at| at <= now) {
            self.lose();
        }
    }

    /// This incarnation is over.
    fn lose(&mut self) {
        self.held = None;
        self.joined = false;
        self.owed.clear();
        self.said.clear();
        self.own = Own::Unknown;
        self.look_at = Moment::ZERO;
        self.term += 1;
    }

    fn me(&self) -> Member {
        Member {
            identity: self.identity.clone(),
            incarnation: format!("{}-{}", self.process, self.term),
        }
    }

    fn live(&self) -> impl Iterator<Item = &Member> {
        self.others.values().filter_map(Other::live)
    }

    fn deserved(&self) -> Buckets {
        if !self.joined || !self.owed.is_empty() || self.leaving || self.superseded {
            return Buckets::NONE;
        }
        let live = self.others.values().filter(|other| other.live().is_some());
        live.fold(Buckets::ALL, |left, other| left.without(&other.beats))
    }

    /// A holder under our own identity is what this process was, or the one before it in its place. Once we have
    /// joined it can only be one beside us.
    fn recognise(&mut self, record: &Record) {
        let Some(holder) = &record.holder else { return };
        let ours = holder
            .incarnation
            .rsplit_once('-')
            .is_some_and(|(process, _)| process == self.process);
        if !ours && self.held.is_some() {
            self.superseded = true;
        }
    }

    fn observe(&mut self, sent: Moment, now: Moment, record: Record) {
        if let Some(other) = self.others.get_mut(&record.identity)
            && other.record.version == record.version
        {
            other.dead |= sent >= other.since + self.times.lease;
            other.deleted = false;
            return;
        }
        let beats = match self.others.get(&record.identity) {
            Some(other) => other.beats,
            None => Buckets::preferring(&record.identity, &self.identity),
        };
        let heard = self.heard.get(&record.identity);
        let heard = heard.filter(|(version, _)| *version == record.version);
        let other = Other {
            since: heard.map_or(now, |(_, at)| *at),
            dead: false,
            deleted: false,
            beats,
            record,
        };
        self.others.insert(other.record.identity.clone(), other);
    }

    /// Whom we make way for: nothing runs that they weigh more for.
    fn seen(&self) -> BTreeSet<Member> {
        let way = |other: &&Other| !other.beats.meets(&self.running);
        let others = self.others.values().filter(way);
        others.filter_map(Other::live).cloned().collect()
    }

    fn write(&mut self, now: Moment) -> Option<Write> {
        let version = match &self.own {
            Own::Unknown => return None,
            Own::Absent => None,
            Own::At(version) => Some(version.clone()),
        };
        let idle = self.running.is_empty();
        let (holder, seen) = if self.leaving && idle {
            (None, BTreeSet::new())
        } else if self.held.is_none() {
            // What the incarnation before this one ran must be gone.
            if !idle || self.leaving {
                return None;
            }
            (Some(self.me()), self.seen())
        } else {
            let seen = self.seen();
            if now < self.write_at && seen.is_subset(&self.said) {
                return None;
            }
            (Some(self.me()), seen)
        };
        Some(Write {
            version,
            holder,
            seen,
        })
    }
}
