use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use parking_lot::Mutex;
use tenure_core::Name;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much of the cache each home uses now.
pub(crate) struct Homes {
    calls: usize,
    fetchers: usize,
    homes: DashMap<Name, Arc<Home>>,
}

struct Home {
    calls: Arc<Semaphore>,
    fetchers: Arc<Semaphore>,
    spent: Mutex<Spent>,
}

/// What a home has had downloaded, less what time has forgiven.
#[derive(Debug)]
struct Spent {
    bytes: f64,
    at: Instant,
    /// Bytes a second that are forgiven, by the budget that was asked with last; 0 without one.
    rate: f64,
}

/// What a download costs its home once this is dropped: what it is known to have taken or, if it was broken off, what it may
/// have.
pub(crate) struct Owed<'h> {
    homes: &'h Homes,
    home: Name,
    began: Instant,
    most: u64,
    known: Option<u64>,
}

const HOUR: Duration = Duration::from_secs(3600);
/// Whoever has used up his budget waits until this share of it is free again: not for every drop.
const FREE: f64 = 0.1;
/// Nobody waits for longer, however much he owes.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Bytes a second that a download is taken for of which nothing else is known.
const FAST: u64 = 16 << 20;

#[expect(clippy::cast_precision_loss, reason = "a budget is no matter of single bytes")]
const fn bytes(number: u64) -> f64 {
    number as f64
}

impl Spent {
    fn forgive(&mut self, now: Instant) {
        self.bytes = (self.bytes - now.saturating_duration_since(self.at).as_secs_f64() * self.rate).max(0.0);
        self.at = now;
    }

    /// How long to wait, if `limit` bytes an hour are used up.
    fn wait(&mut self, limit: u64, now: Instant) -> Option<Duration> {
        self.forgive(now);
        let limit = bytes(limit);
        self.rate = limit / HOUR.as_secs_f64();
        let over = self.bytes - limit;
        let wait = || Duration::try_from_secs_f64((over + FREE * limit) / self.rate).unwrap_or(LONGEST);
        (over >= 0.0).then(|| wait().min(LONGEST))
    }

    /// Without a budget nothing is counted.
    fn charge(&mut self, number: u64, now: Instant) {
        self.forgive(now);
        if self.rate > 0.0 {
            self.bytes += bytes(number);
        }
    }

    fn owes(&mut self, now: Instant) -> bool {
        self.forgive(now);
        self.rate > 0.0 && self.bytes > 0.0
    }
}

impl Owed<'_> {
    /// It took so many bytes, or nothing.
    pub(crate) fn settle(mut self, known: u64) {
        self.known = Some(known.min(self.most.saturating_mul(2)));
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let may_have = || {
            let seconds = now.saturating_duration_since(self.began).as_secs();
            FAST.saturating_mul(seconds).min(self.most)
        };
        let bytes = self.known.unwrap_or_else(may_have);
        self.homes.home(&self.home).spent.lock().charge(bytes, now);
    }
}

impl Homes {
    /// At most so many calls, waiting ones included, and fetchers per home.
    pub(crate) fn new(calls: usize, fetchers: usize) -> Self {
        Self {
            calls,
            fetchers,
            homes: DashMap::new(),
        }
    }

    /// A place for one call of `home`; `None` when all are taken.
    pub(crate) fn enter(&self, home: &Name) -> Option<OwnedSemaphorePermit> {
        self.home(home).calls.clone().try_acquire_owned().ok()
    }

    /// A place for one fetcher of `home`, in turn.
    pub(crate) async fn fetcher(&self, home: &Name) -> Option<OwnedSemaphorePermit> {
        let fetchers = self.home(home).fetchers.clone();
        fetchers.acquire_owned().await.ok()
    }

    /// Begins a download of `most` bytes for a home with a budget of `limit` bytes an hour; 0 for no limit.
    ///
    /// # Errors
    /// How long it has to wait.
    pub(crate) fn afford(&self, home: &Name, limit: u64, most: u64) -> Result<Owed<'_>, Duration> {
        let began = Instant::now();
        let its = self.home(home);
        let mut spent = its.spent.lock();
        let wait = match limit {
            0 => {
                spent.rate = 0.0;
                None
            }
            limit => spent.wait(limit, began),
        };
        match wait {
            Some(wait) => Err(wait),
            None => Ok(Owed {
                homes: self,
                home: home.clone(),
                began,
                most,
                known: None,
            }),
        }
    }

    /// Forgets homes that do nothing.
    pub(crate) fn sweep(&self) {
        let idle = |home: &Home| {
            !home.spent.lock().owes(Instant::now())
                && home.calls.available_permits() == self.calls
                && home.fetchers.available_permits() == self.fetchers
        };
        self.homes
            .retain(|_, home| Arc::strong_count(home) > 1 || !idle(home));
    }

    fn home(&self, home: &Name) -> Arc<Home> {
        let new = || {
            Arc::new(Home {
                calls: Arc::new(Semaphore::new(self.calls)),
                fetchers: Arc::new(Semaphore::new(self.fetchers)),
                spent: Mutex::new(Spent {
                    bytes: 0.0,
                    at: Instant::now(),
                    rate: 0.0,
                }),
            })
        };
        self.homes.entry(home.clone()).or_insert_with(new).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_busy_home_takes_nothing_from_another() {
        let homes = Homes::new(2, 1);
        let (alice, bob) = (
            Name::new("alice").expect("valid"),
            Name::new("bob").expect("valid"),
        );
        let held = (homes.enter(&alice), homes.enter(&alice));
        assert!(held.0.is_some() && held.1.is_some());
        assert!(homes.enter(&alice).is_none());
        assert!(homes.enter(&bob).is_some());
        let one = homes.fetcher(&alice).await;
        assert!(futures::poll!(Box::pin(homes.fetcher(&alice))).is_pending());
        assert!(homes.fetcher(&bob).await.is_some());
        homes.sweep();
        assert!(homes.enter(&alice).is_none(), "a home at work is not forgotten");
        drop((held, one));
        homes.sweep();
        assert!(homes.homes.is_empty());
    }

    #[test]
    fn a_budget_is_used_up_and_comes_back_with_time() {
        let start = Instant::now();
        let mut spent = Spent {
            bytes: 0.0,
            at: start,
            rate: 0.0,
        };
        spent.charge(1 << 40, start);
        assert_eq!(
            spent.wait(1000, start),
            None,
            "what was before the budget is not counted"
        );
        spent.charge(1500, start);
        let wait = spent.wait(1000, start).expect("used up");
        assert_eq!(wait.as_secs(), 2160, "until a tenth of it is free");
        assert!(spent.wait(1000, start + wait / 2).is_some());
        assert_eq!(spent.wait(1000, start + wait), None);
        spent.charge(u64::MAX, start + wait);
        assert_eq!(spent.wait(1, start + wait), Some(LONGEST));
        assert!(spent.owes(start + wait + 2 * HOUR), "more than an hour's worth");
    }

    #[test]
    fn a_home_pays_for_itself_alone_and_is_not_forgotten_while_it_owes() {
        let homes = Homes::new(1, 1);
        let name = |name: &str| Name::new(name).expect("valid");
        let (one, other) = (name("one"), name("other"));
        homes
            .afford(&one, 10, 1000)
            .expect("nothing is owed")
            .settle(1000);
        homes.sweep();
        assert!(homes.afford(&one, 10, 1000).is_err());
        homes.afford(&other, 10, 1000).expect("another").settle(0);
        homes.sweep();
        assert_eq!(homes.homes.len(), 1);
    }

    #[test]
    fn a_download_that_is_broken_off_costs_by_its_time_and_the_largest_at_most() {
        let homes = Homes::new(1, 1);
        let one = Name::new("one").expect("valid");
        let broken_off = |seconds| {
            let mut owed = homes.afford(&one, 1 << 30, 64 << 20).expect("affordable");
            owed.began = Instant::now()
                .checked_sub(Duration::from_secs(seconds))
                .expect("long ago");
            drop(owed);
            homes.home(&one).spent.lock().bytes
        };
        assert!(broken_off(0) < 1.0);
        assert!((broken_off(2) - bytes(32 << 20)).abs() < bytes(1 << 20));
        let before = broken_off(0);
        assert!((broken_off(600) - before - bytes(64 << 20)).abs() < bytes(1 << 20));
    }
}
