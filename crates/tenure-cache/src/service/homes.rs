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

/// What a home has had downloaded, less what an hour's passing has forgiven.
#[derive(Debug)]
struct Spent {
    bytes: f64,
    at: Instant,
}

const HOUR: Duration = Duration::from_secs(3600);
/// Whoever has used up his budget waits until this share of it is free again: not for every drop.
const FREE: f64 = 0.1;

impl Spent {
    /// How long to wait, if `limit` bytes an hour are used up.
    fn wait(&mut self, limit: u64, now: Instant) -> Option<Duration> {
        #[expect(clippy::cast_precision_loss, reason = "a budget is no matter of bytes")]
        let limit = limit as f64;
        let rate = limit / HOUR.as_secs_f64();
        self.bytes = (self.bytes - now.saturating_duration_since(self.at).as_secs_f64() * rate).max(0.0);
        self.at = now;
        let over = self.bytes - limit;
        (over >= 0.0).then(|| Duration::from_secs_f64((over + FREE * limit) / rate))
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

    /// Whether the home may have something downloaded, with a budget of so many bytes an hour; 0 for no limit.
    ///
    /// # Errors
    /// How long it has to wait.
    pub(crate) fn afford(&self, home: &Name, limit: u64) -> Result<(), Duration> {
        let wait = match limit {
            0 => None,
            limit => self.home(home).spent.lock().wait(limit, Instant::now()),
        };
        wait.map_or(Ok(()), Err)
    }

    /// So much was downloaded for it.
    pub(crate) fn charge(&self, home: &Name, bytes: u64) {
        let home = self.home(home);
        let mut spent = home.spent.lock();
        #[expect(clippy::cast_precision_loss, reason = "a budget is no matter of bytes")]
        let bytes = bytes as f64;
        spent.bytes += bytes;
    }

    /// Forgets homes that do nothing.
    pub(crate) fn sweep(&self) {
        let idle = |home: &Home| {
            // a budget that was looked at an hour ago is whole again
            let spent = home.spent.lock();
            let owes = spent.bytes > 0.0 && spent.at.elapsed() < HOUR;
            !owes
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
        };
        assert_eq!(spent.wait(1000, start), None);
        spent.bytes += 1500.0;
        let wait = spent.wait(1000, start).expect("used up");
        assert_eq!(wait.as_secs(), 2160, "until a tenth of it is free");
        assert!(spent.wait(1000, start + wait / 2).is_some());
        assert_eq!(spent.wait(1000, start + wait), None);
        assert_eq!(spent.wait(1 << 40, start + wait), None, "a larger budget");
    }

    #[test]
    fn a_home_pays_for_itself_alone_and_is_not_forgotten_while_it_owes() {
        let homes = Homes::new(1, 1);
        let name = |name: &str| Name::new(name).expect("valid");
        homes.charge(&name("one"), 1000);
        homes.sweep();
        assert!(homes.afford(&name("one"), 10).is_err());
        assert_eq!(homes.afford(&name("one"), 0), Ok(()), "no limit");
        assert_eq!(homes.afford(&name("other"), 10), Ok(()));
        homes.sweep();
        assert_eq!(homes.homes.len(), 1);
    }
}
