//! One piece of work at a time per key, whose result all who asked meanwhile share.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::Pin;

use futures::FutureExt as _;
use futures::future::{Shared, WeakShared};
use parking_lot::Mutex;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work in flight, by key. When everybody who waits for a piece of work has gone, it is dropped.
pub(crate) struct Once<K, T: Clone> {
    flights: Mutex<HashMap<K, WeakShared<Work<T>>>>,
}

/// Who did the work whose result this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The caller's own work was done.
    Led,
    /// Somebody else's result, by that one's means.
    Joined,
}

impl<K: Eq + Hash + Clone, T: Clone> Default for Once<K, T> {
    fn default() -> Self {
        Self {
            flights: Mutex::new(HashMap::new()),
        }
    }
}

impl<K: Eq + Hash + Clone, T: Clone> Once<K, T> {
    /// The result of the work in flight for `key`, else of `work`.
    pub(crate) async fn run<F>(&self, key: &K, work: F) -> (Role, T)
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (role, flight) = self.join(key, work);
        let result = flight.await;
        if role == Role::Led {
            self.land(key);
        }
        (role, result)
    }

    fn join<F>(&self, key: &K, work: F) -> (Role, Shared<Work<T>>)
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut flights = self.flights.lock();
        if let Some(flight) = flights.get(key).and_then(WeakShared::upgrade)
            && flight.peek().is_none()
        {
            return (Role::Joined, flight);
        }
        let flight = (Box::pin(work) as Work<T>).shared();
        flights.retain(|_, other| other.upgrade().is_some());
        if let Some(weak) = flight.downgrade() {
            flights.insert(key.clone(), weak);
        }
        (Role::Led, flight)
    }

    fn land(&self, key: &K) {
        let mut flights = self.flights.lock();
        let done =
            |flight: &WeakShared<Work<T>>| flight.upgrade().is_none_or(|flight| flight.peek().is_some());
        if flights.get(key).is_some_and(done) {
            flights.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::{Notify, oneshot};

    #[tokio::test]
    async fn a_hundred_callers_share_one_piece_of_work() {
        let once = Arc::new(Once::<u8, usize>::default());
        let (runs, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let mut callers = Vec::new();
        for _ in 0..100 {
            let (once, runs, go) = (once.clone(), runs.clone(), go.clone());
            let mut call = Box::pin(async move {
                let work = async move {
                    go.notified().await;
                    runs.fetch_add(1, Ordering::SeqCst) + 7
                };
                once.run(&1, work).await
            });
            assert!(futures::poll!(&mut call).is_pending());
            callers.push(call);
        }
        go.notify_waiters();
        go.notify_one();
        let results = futures::future::join_all(callers).await;
        assert!(results.iter().all(|(_, result)| *result == 7));
        assert_eq!(results.iter().filter(|(role, _)| *role == Role::Led).count(), 1);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn the_work_goes_on_while_anybody_waits_and_ends_with_the_last() {
        struct Guard(Option<oneshot::Sender<()>>);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.0.take().map(|sender| sender.send(()));
            }
        }
        let once = Once::<u8, ()>::default();
        let (sender, mut dropped) = oneshot::channel();
        let guard = Guard(Some(sender));
        let mut first = Box::pin(once.run(&1, async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        }));
        let mut second = Box::pin(once.run(&1, async {}));
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert!(futures::poll!(&mut second).is_pending());
        assert!(dropped.try_recv().is_err());
        drop(second);
        assert_eq!(dropped.await, Ok(()));
        assert_eq!(once.run(&1, async {}).await, (Role::Led, ()));
    }

    #[tokio::test]
    async fn a_later_caller_gets_work_of_its_own() {
        let once = Once::<u8, u8>::default();
        assert_eq!(once.run(&1, async { 1 }).await, (Role::Led, 1));
        assert_eq!(once.run(&1, async { 2 }).await, (Role::Led, 2));
    }
}
