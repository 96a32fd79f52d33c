//! Until when a worker may run, by its own clock: a supervisor that stands still can't end it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustix::time::{ClockId, clock_gettime};

/// Watches the time on a thread of its own, which no work keeps from looking.
#[derive(Clone)]
pub(crate) struct Deadline(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// By the machine's monotonic clock.
    until: Option<Duration>,
    ended: bool,
}

/// The machine's monotonic clock, which all its processes share.
pub(crate) fn monotonic() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanoseconds) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}

impl Deadline {
    /// Calls `over`, once, when the time is over. There is none until the first was said.
    pub(crate) fn watch(over: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let watched = shared.clone();
        std::thread::Builder::new()
            .name("deadline".to_owned())
            .spawn(move || {
                if watched.wait() {
                    over();
                }
            })?;
        Ok(Self(shared))
    }

    /// It may run until then, by the machine's monotonic clock.
    pub(crate) fn set(&self, until: Duration) {
        self.0.state.lock().until = Some(until);
        self.0.changed.notify_one();
    }

    /// The worker ends by itself.
    pub(crate) fn end(&self) {
        self.0.state.lock().ended = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    /// Whether the time is over, and the worker has not ended before.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return false;
            }
            match state.until.map(|until| until.checked_sub(monotonic())) {
                None => self.changed.wait(&mut state),
                Some(Some(left)) if !left.is_zero() => {
                    self.changed.wait_for(&mut state, left);
                }
                Some(_) => return true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SOON: Duration = Duration::from_millis(20);
    const LATER: Duration = Duration::from_secs(3600);

    #[test]
    fn what_is_over_is_said_once_the_time_is() {
        let (over, heard) = mpsc::channel();
        let deadline = Deadline::watch(move || over.send(monotonic()).expect("heard")).expect("a thread");
        deadline.set(monotonic() + LATER);
        let until = monotonic() + SOON;
        deadline.set(until);
        assert!(heard.recv().expect("it is said") >= until);
    }

    #[test]
    fn a_worker_that_has_ended_hears_nothing() {
        let (over, heard) = mpsc::channel::<()>();
        let deadline = Deadline::watch(move || over.send(()).expect("heard")).expect("a thread");
        deadline.set(monotonic() + LATER);
        deadline.end();
        // the thread is gone, and its end of the channel with it
        assert!(heard.recv().is_err());
    }
}
