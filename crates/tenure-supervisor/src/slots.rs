//! How many workers may be at work at once.
//!
//! A burst, as after a start, is taken in turns: more workers than that would not be faster and would all be
//! in memory. Whose turn it is, the [`Schedule`] says. Nobody is kept waiting by somebody else's trouble: a worker that says that
//! it waits for something, or gets nothing done for some seconds, counts no more; nor by somebody else's many objects, for
//! longer than a minute.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tenure_core::Name;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::schedule::{Candidate, Schedule};

/// For each core of the machine.
const EACH_CORE: usize = 4;
const LEAST: usize = 8;
const MOST: usize = 64;
/// So long a worker counts that gets nothing done.
const COUNTS_FOR: Duration = Duration::from_secs(10);
/// No worker counts for longer.
const LONGEST: Duration = Duration::from_secs(60);

/// The places of all homes.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    count: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    free: usize,
    schedule: Schedule,
    waiting: HashMap<u64, oneshot::Sender<Slot>>,
    tickets: u64,
}

/// Who wants a place.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) tenant: String,
    pub(crate) home: Name,
    /// Somebody waits for it.
    pub(crate) requested: bool,
}

/// A place that one home has, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    of: Slots,
    tenant: String,
    home: Name,
    began: Instant,
    /// When its worker last got something done.
    done: Option<Instant>,
    until: Instant,
}

/// What one home has of it.
#[derive(Default)]
pub(crate) enum Turn {
    /// It does not ask.
    #[default]
    Unasked,
    /// It waits for its turn.
    Asked(Asking),
    /// It is its turn.
    Come(Slot),
}

/// A home in the queue; it leaves that when it is dropped.
pub(crate) struct Asking {
    of: Slots,
    tenant: String,
    ticket: u64,
    granted: oneshot::Receiver<Slot>,
}

impl Slots {
    /// As many as this machine can do with; the tenant, if any, is the platform's own.
    pub(crate) fn of_this_machine(platform: Option<String>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self::new((cores * EACH_CORE).clamp(LEAST, MOST), platform)
    }

    fn new(count: usize, platform: Option<String>) -> Self {
        Self {
            count,
            state: Arc::new(Mutex::new(State {
                free: count,
                schedule: Schedule::new(platform),
                waiting: HashMap::new(),
                tickets: 0,
            })),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The home is no more.
    pub(crate) fn forget(&self, home: &Name) {
        self.state.lock().schedule.forget(home);
    }

    fn ask(&self, who: Who) -> Asking {
        let (grant, granted) = oneshot::channel();
        let mut state = self.state.lock();
        let ticket = state.tickets;
        state.tickets += 1;
        state.waiting.insert(ticket, grant);
        state.schedule.ask(Candidate {
            tenant: who.tenant.clone(),
            home: who.home,
            requested: who.requested,
            ticket,
        });
        drop(state);
        self.give();
        Asking {
            of: self.clone(),
            tenant: who.tenant,
            ticket,
            granted,
        }
    }

    /// Gives away the places that are free.
    fn give(&self) {
        let mut given = Vec::new();
        let mut state = self.state.lock();
        while let Some(next) = {
            let free = state.free;
            state.schedule.next(free, self.count)
        } {
            state.free -= 1;
            let began = Instant::now();
            let slot = Slot {
                of: self.clone(),
                tenant: next.tenant,
                home: next.home,
                began,
                done: None,
                until: began + COUNTS_FOR,
            };
            given.push((state.waiting.remove(&next.ticket), slot));
        }
        drop(state);
        // whoever has gone meanwhile drops its place, which is given away again
        for (grant, slot) in given {
            if let Some(grant) = grant {
                grant.send(slot).ok();
            }
        }
    }
}

impl Slot {
    /// When it is to be dropped though its worker still runs.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Its worker has got something done.
    pub(crate) fn progress(&mut self) {
        let now = Instant::now();
        self.done = Some(now);
        self.until = (now + COUNTS_FOR).min(self.began + LONGEST);
    }
}

/// What its home is charged with is the time until it had got everything done.
impl Drop for Slot {
    fn drop(&mut self) {
        let took = self.done.unwrap_or_else(Instant::now).duration_since(self.began);
        let mut state = self.of.state.lock();
        state.free += 1;
        state.schedule.left(&self.tenant, &self.home, took);
        drop(state);
        self.of.give();
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut state = self.of.state.lock();
        state.waiting.remove(&self.ticket);
        state.schedule.withdraw(&self.tenant, self.ticket);
    }
}

impl Turn {
    /// The place, if it is this home's turn; otherwise it waits for it from now on.
    pub(crate) fn take(&mut self, slots: &Slots, who: impl FnOnce() -> Who) -> Option<Slot> {
        if matches!(self, Self::Unasked) {
            *self = Self::Asked(slots.ask(who()));
        }
        if let Self::Asked(asking) = self
            && let Ok(slot) = asking.granted.try_recv()
        {
            *self = Self::Come(slot);
        }
        match std::mem::take(self) {
            Self::Come(slot) => Some(slot),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Whether it waits.
    pub(crate) fn is_asked(&self) -> bool {
        matches!(self, Self::Asked(_))
    }

    /// Ends when the turn has come; never while nobody asks. Cancel safe.
    pub(crate) async fn come(&mut self) {
        let Self::Asked(asking) = self else {
            return std::future::pending().await;
        };
        match (&mut asking.granted).await {
            Ok(slot) => *self = Self::Come(slot),
            Err(_) => *self = Self::Unasked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(home: &str) -> impl Fn() -> Who {
        let home = Name::new(home).expect("valid");
        move || Who {
            tenant: home.to_string(),
            home: home.clone(),
            requested: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_first_has_the_next_turn() {
        let slots = Slots::new(1, None);
        let (mut a, mut b, mut c) = (Turn::default(), Turn::default(), Turn::default());
        let first = a.take(&slots, who("a")).expect("it is free");
        assert!(b.take(&slots, who("b")).is_none() && c.take(&slots, who("c")).is_none());
        assert!(b.is_asked() && c.is_asked());
        drop(first);
        b.come().await;
        let second = b.take(&slots, who("b")).expect("its turn has come");
        assert!(second.until() > Instant::now());
        assert!(c.take(&slots, who("c")).is_none());
        drop(second);
        c.come().await;
        assert!(c.take(&slots, who("c")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_counts_while_it_gets_things_done_and_no_longer_than_a_minute() {
        let slots = Slots::new(1, None);
        let began = Instant::now();
        let mut slot = Turn::default().take(&slots, who("a")).expect("it is free");
        assert_eq!(slot.until(), began + COUNTS_FOR);
        tokio::time::advance(COUNTS_FOR / 2).await;
        slot.progress();
        assert_eq!(slot.until(), began + COUNTS_FOR / 2 + COUNTS_FOR);
        tokio::time::advance(LONGEST).await;
        slot.progress();
        assert_eq!(slot.until(), began + LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_no_more_is_passed_over() {
        let slots = Slots::new(1, None);
        let (mut a, mut b, mut c) = (Turn::default(), Turn::default(), Turn::default());
        let first = a.take(&slots, who("a")).expect("it is free");
        assert!(b.take(&slots, who("b")).is_none() && c.take(&slots, who("c")).is_none());
        b = Turn::Unasked;
        drop(first);
        c.come().await;
        assert!(c.take(&slots, who("c")).is_some() && !b.is_asked());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_was_given_to_somebody_who_has_gone_is_given_to_the_next() {
        let slots = Slots::new(1, None);
        let (mut a, mut b, mut c) = (Turn::default(), Turn::default(), Turn::default());
        let first = a.take(&slots, who("a")).expect("it is free");
        assert!(b.take(&slots, who("b")).is_none() && c.take(&slots, who("c")).is_none());
        drop(first);
        // granted, and never looked at
        drop(b);
        c.come().await;
        assert!(c.take(&slots, who("c")).is_some());
    }
}
