//! How many workers may be at work at once.
//!
//! A burst, as after a start, is taken in turns: more workers than that would not be faster and would all be
//! in memory. Nobody is kept waiting by somebody else's trouble: a worker that says that it waits for something, or
//! gets nothing done for some seconds, counts no more; nor by somebody else's many objects, for longer than a minute.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

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
    places: Arc<Semaphore>,
    count: usize,
}

/// A place that one home has, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
    began: Instant,
    until: Instant,
}

/// What one home has of it.
#[derive(Default)]
pub(crate) enum Turn {
    /// It does not ask.
    #[default]
    Unasked,
    /// It waits for its turn.
    Asked(Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>),
    /// It is its turn.
    Come(Slot),
}

impl Slots {
    /// As many as this machine can do with.
    pub(crate) fn of_this_machine() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self::new((cores * EACH_CORE).clamp(LEAST, MOST))
    }

    fn new(count: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(count)),
            count,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    fn slot(permit: Option<OwnedSemaphorePermit>) -> Slot {
        let began = Instant::now();
        Slot {
            _permit: permit,
            began,
            until: began + COUNTS_FOR,
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
        self.until = (Instant::now() + COUNTS_FOR).min(self.began + LONGEST);
    }
}

impl Turn {
    /// The place, if it is this home's turn; otherwise it waits for it from now on, first come first served.
    pub(crate) fn take(&mut self, slots: &Slots) -> Option<Slot> {
        match std::mem::take(self) {
            Self::Come(slot) => return Some(slot),
            Self::Asked(waiting) => *self = Self::Asked(waiting),
            Self::Unasked => match slots.places.clone().try_acquire_owned() {
                Ok(permit) => return Some(Slots::slot(Some(permit))),
                Err(_) => {
                    let places = slots.places.clone();
                    *self = Self::Asked(Box::pin(async move { places.acquire_owned().await.ok() }));
                }
            },
        }
        None
    }

    /// Whether it waits.
    pub(crate) fn is_asked(&self) -> bool {
        matches!(self, Self::Asked(_))
    }

    /// Ends when the turn has come; never while nobody asks. Cancel safe.
    pub(crate) async fn come(&mut self) {
        let Self::Asked(waiting) = self else {
            return std::future::pending().await;
        };
        let permit = waiting.await;
        *self = Self::Come(Slots::slot(permit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_first_has_the_next_turn() {
        let slots = Slots::new(1);
        let (mut a, mut b, mut c) = (Turn::default(), Turn::default(), Turn::default());
        let first = a.take(&slots).expect("it is free");
        assert!(b.take(&slots).is_none() && c.take(&slots).is_none());
        assert!(b.is_asked() && c.is_asked());
        let order = async {
            b.come().await;
            let second = b.take(&slots).expect("its turn has come");
            assert!(second.until() > Instant::now());
            drop(second);
            c.come().await;
        };
        drop(first);
        order.await;
        assert!(c.take(&slots).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_counts_while_it_gets_things_done_and_no_longer_than_a_minute() {
        let began = Instant::now();
        let mut slot = Slots::slot(None);
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
        let slots = Slots::new(1);
        let (mut a, mut b, mut c) = (Turn::default(), Turn::default(), Turn::default());
        let first = a.take(&slots).expect("it is free");
        assert!(b.take(&slots).is_none() && c.take(&slots).is_none());
        b = Turn::Unasked;
        drop(first);
        c.come().await;
        assert!(c.take(&slots).is_some() && !b.is_asked());
    }
}
