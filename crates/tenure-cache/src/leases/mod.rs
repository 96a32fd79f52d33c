//! Poll leases: while a home's worker sleeps, the cache asks the remote in its place and says what moved.
//!
//! A lease has the credential that the worker brought, and ends with its time. Leases with the same question, which
//! is remote, reference and credential, are asked about together, as often as the most impatient of them wants.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tenure_core::Name;
use tenure_proto::source::Moved;
use tokio::sync::{Notify, mpsc};

use crate::proof::Fingerprint;
use crate::request::Ask;

/// Leases of one home.
const PER_HOME: usize = 512;
/// The longest name of what is leased.
const SUBJECT: usize = 320;
/// However many hints come, a remote is not asked the same more often for them.
const BETWEEN_HINTS: Duration = Duration::from_secs(1);
/// Words to the supervisor that may wait to be sent.
const WORDS: usize = 1024;

/// What leases have in common that are asked about together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) realm: String,
    pub(crate) reference: String,
    pub(crate) fingerprint: Fingerprint,
}

/// Whose lease it is, and what it calls what is leased.
type Holder = (Name, String);

/// How leases are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// No lease is longer; none is given if this is zero.
    pub(crate) longest: Duration,
    /// No remote is asked the same more often, whoever wants it.
    pub(crate) shortest: Duration,
}

/// All leases, in memory only.
pub(crate) struct Leases {
    rules: Rules,
    table: Mutex<Table>,
    changed: Notify,
}

#[derive(Default)]
struct Table {
    groups: HashMap<Question, Group>,
    holders: BTreeMap<Holder, Question>,
    listeners: Vec<mpsc::Sender<Moved>>,
    closed: bool,
}

struct Group {
    ask: Arc<Ask>,
    rows: BTreeMap<Holder, Row>,
    next: Instant,
    /// When it was last begun, if ever.
    last: Option<Instant>,
    polling: bool,
    /// A hint came while it was being asked, perhaps too late for the answer.
    hinted: bool,
    failures: u32,
}

struct Row {
    every: Duration,
    until: Instant,
    /// What the worker has seen.
    known: String,
    /// What was said to have come since.
    told: Option<String>,
}

/// A question that is to be asked now, and for whom.
pub(crate) struct Due {
    pub(crate) question: Question,
    pub(crate) ask: Arc<Ask>,
    pub(crate) homes: Vec<Name>,
}

impl Leases {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            table: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Gives a lease on `subject`, whose worker has seen `known`, in place of an earlier one. Says for how long: twice
    /// the interval, within the rules; `None` if it would be over before the remote is asked once.
    pub(crate) fn take(
        &self,
        (home, subject): (&Name, &str),
        every: Duration,
        (question, ask): (Question, &Arc<Ask>),
        known: String,
    ) -> Option<Duration> {
        let time = every.saturating_mul(2).min(self.rules.longest);
        // with what has ended nobody is asked
        let time = ask.good_for.map_or(time, |good| time.min(good));
        let every = every.max(self.rules.shortest);
        let holder = (home.clone(), subject.to_owned());
        let mut table = self.table.lock();
        table.remove(&holder);
        let own = table.holders.range((home.clone(), String::new())..);
        let full = own.take_while(|((of, _), _)| of == home).count() >= PER_HOME;
        if full || time <= every || subject.is_empty() || subject.len() > SUBJECT {
            return None;
        }
        let now = Instant::now();
        // it was asked for this lease just now
        let next = now + jittered(every);
        let group = table.groups.entry(question.clone()).or_insert_with(|| Group {
            ask: ask.clone(),
            rows: BTreeMap::new(),
            next,
            last: None,
            polling: false,
            hinted: false,
            failures: 0,
        });
        group.ask = ask.clone();
        group.next = group.next.min(next);
        group.failures = 0;
        let row = Row {
            every,
            until: now + time,
            known,
            told: None,
        };
        group.rows.insert(holder.clone(), row);
        table.holders.insert(holder, question);
        drop(table);
        self.changed.notify_one();
        Some(time)
    }

    /// Ends one lease: what its worker brings now opens nothing.
    pub(crate) fn end(&self, home: &Name, subject: &str) {
        self.table.lock().remove(&(home.clone(), subject.to_owned()));
        self.changed.notify_one();
    }

    /// Ends the leases of `home` on a remote.
    pub(crate) fn release(&self, home: &Name, remote: &str) {
        let mut table = self.table.lock();
        let of = |(holder, question): (&Holder, &Question)| {
            let group = table.groups.get(question)?;
            (holder.0 == *home && group.ask.name == remote).then(|| holder.clone())
        };
        let ended: Vec<Holder> = table.holders.iter().filter_map(of).collect();
        for holder in ended {
            table.remove(&holder);
        }
        drop(table);
        self.changed.notify_one();
    }

    /// Whoever has a lease on the remote wants to know now.
    pub(crate) fn hint(&self, remote: &str) {
        let now = Instant::now();
        let mut table = self.table.lock();
        for group in table.groups.values_mut().filter(|group| group.ask.name == remote) {
            group.hinted |= group.polling;
            group.next = group.next.min(group.soonest(now));
        }
        drop(table);
        self.changed.notify_one();
    }

    /// Takes what is to be asked now; leases that have ended are forgotten.
    pub(crate) fn due(&self, now: Instant) -> Vec<Due> {
        let mut table = self.table.lock();
        table.expire(now);
        let mut due = Vec::new();
        for (question, group) in &mut table.groups {
            if group.polling || group.next > now {
                continue;
            }
            group.polling = true;
            group.last = Some(now);
            let mut homes: Vec<Name> = group.rows.keys().map(|(home, _)| home.clone()).collect();
            homes.dedup();
            due.push(Due {
                question: question.clone(),
                ask: group.ask.clone(),
                homes,
            });
        }
        due
    }

    /// When to look again, at the latest.
    pub(crate) fn next(&self) -> Option<Instant> {
        let table = self.table.lock();
        let times = table.groups.values().flat_map(|group| {
            let next = (!group.polling).then_some(group.next);
            next.into_iter().chain(group.rows.values().map(|row| row.until))
        });
        times.min()
    }

    /// Resolves when leases have changed since the last call of [`Leases::next`].
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The remote has said where the reference is.
    pub(crate) fn found(&self, question: &Question, revision: &str) {
        self.answered(question, |group| {
            group.failures = 0;
            let behind = group.rows.iter_mut().filter(|(_, row)| row.known != revision);
            let untold = behind.filter(|(_, row)| row.told.as_deref() != Some(revision));
            untold
                .map(|(holder, row)| {
                    row.told = Some(revision.to_owned());
                    moved(holder, revision)
                })
                .collect()
        });
    }

    /// The remote can't be asked now, and may have said for how long.
    pub(crate) fn failed(&self, question: &Question, wait: Option<Duration>) {
        self.answered(question, |group| {
            group.failures = (group.failures + 1).min(5);
            let longer = group.every().saturating_mul(1 << group.failures);
            group.next = Instant::now() + longer.max(wait.unwrap_or_default());
            Vec::new()
        });
    }

    /// The remote does not let the credential in any more: the leases end, and whoever holds one is told to look.
    pub(crate) fn refused(&self, question: &Question) {
        let mut table = self.table.lock();
        let Some(group) = table.groups.remove(question) else {
            return;
        };
        for holder in group.rows.keys() {
            table.holders.remove(holder);
            table.say(moved(holder, ""));
        }
    }

    fn answered(&self, question: &Question, note: impl FnOnce(&mut Group) -> Vec<Moved>) {
        let mut table = self.table.lock();
        let Some(group) = table.groups.get_mut(question) else {
            return;
        };
        let now = Instant::now();
        group.polling = false;
        group.next = match std::mem::take(&mut group.hinted) {
            true => group.soonest(now),
            false => now.max(group.last.unwrap_or(now) + jittered(group.every())),
        };
        for word in note(group) {
            table.say(word);
        }
        drop(table);
        self.changed.notify_one();
    }

    /// One more who wants to hear what moves. What was said and not seen is said again to it, so that nothing is lost
    /// between two listeners.
    pub(crate) fn listen(&self) -> mpsc::Receiver<Moved> {
        let (listener, words) = mpsc::channel(WORDS);
        let mut table = self.table.lock();
        if table.closed {
            return words;
        }
        let rows = table.groups.values().flat_map(|group| &group.rows);
        let open: Vec<Moved> = rows
            .filter_map(|(holder, row)| Some(moved(holder, row.told.as_deref()?)))
            .collect();
        if open.into_iter().all(|word| listener.try_send(word).is_ok()) {
            table.listeners.retain(|before| !before.is_closed());
            table.listeners.push(listener);
        }
        words
    }

    /// The service ends: nobody hears anything any more.
    pub(crate) fn close(&self) {
        let mut table = self.table.lock();
        table.closed = true;
        table.listeners.clear();
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.table.lock().holders.len()
    }
}

impl Group {
    /// When a hint may have it asked again.
    fn soonest(&self, now: Instant) -> Instant {
        self.last.map_or(now, |last| now.max(last + BETWEEN_HINTS))
    }

    fn every(&self) -> Duration {
        self.rows.values().map(|row| row.every).min().unwrap_or_default()
    }
}

impl Table {
    fn remove(&mut self, holder: &Holder) {
        let Some(question) = self.holders.remove(holder) else {
            return;
        };
        if let Some(group) = self.groups.get_mut(&question) {
            group.rows.remove(holder);
            if group.rows.is_empty() {
                self.groups.remove(&question);
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        let rows = self.groups.values().flat_map(|group| &group.rows);
        let ended = rows.filter(|(_, row)| row.until <= now);
        let ended: Vec<Holder> = ended.map(|(holder, _)| holder.clone()).collect();
        for holder in ended {
            self.remove(&holder);
        }
    }

    /// A listener that does not keep up is dropped: it comes back, and hears what it has missed.
    fn say(&mut self, word: Moved) {
        self.listeners
            .retain(|listener| listener.try_send(word.clone()).is_ok());
    }
}

fn moved((home, subject): &Holder, revision: &str) -> Moved {
    Moved {
        home: home.to_string(),
        subject: subject.clone(),
        revision: revision.to_owned(),
    }
}

/// Up to 5 % more, so that what was begun together does not stay together.
fn jittered(every: Duration) -> Duration {
    every.mul_f64(1.0 + rand::random::<f64>() / 20.0)
}

#[cfg(test)]
mod tests;
