use std::sync::Arc;

use dashmap::DashMap;
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

    /// Forgets homes that do nothing.
    pub(crate) fn sweep(&self) {
        let idle = |home: &Home| {
            home.calls.available_permits() == self.calls && home.fetchers.available_permits() == self.fetchers
        };
        self.homes
            .retain(|_, home| Arc::strong_count(home) > 1 || !idle(home));
    }

    fn home(&self, home: &Name) -> Arc<Home> {
        let new = || {
            Arc::new(Home {
                calls: Arc::new(Semaphore::new(self.calls)),
                fetchers: Arc::new(Semaphore::new(self.fetchers)),
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
}
