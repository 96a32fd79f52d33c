//! When a home may have a worker.

use std::time::Duration;

use tenure_core::Backoff;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
const HEALTHY: Duration = Duration::from_secs(600);

/// Where a home's worker is. Suspension is not a state: it only keeps one from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Dormant,
    Starting,
    Awake,
    /// Told to end; what is under way is finished.
    Draining,
    /// The last one ended badly; none is started before then.
    Backoff(Instant),
}

/// Counts bad ends.
#[derive(Debug)]
pub(crate) struct WorkerState {
    pub(crate) state: State,
    backoff: Backoff,
    started: Option<Instant>,
}

impl Default for WorkerState {
    fn default() -> Self {
        Self {
            state: State::Dormant,
            backoff: Backoff::new(FIRST, LONGEST),
            started: None,
        }
    }
}

impl WorkerState {
    pub(crate) fn may_start(&self, now: Instant) -> bool {
        match self.state {
            State::Dormant => true,
            State::Backoff(until) => until <= now,
            State::Starting | State::Awake | State::Draining => false,
        }
    }

    /// When to look again, if a worker is wanted and none may start yet.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        match self.state {
            State::Backoff(until) => Some(until),
            _ => None,
        }
    }

    pub(crate) fn starting(&mut self, now: Instant) {
        self.state = State::Starting;
        self.started = Some(now);
    }

    pub(crate) fn ready(&mut self) {
        if self.state == State::Starting {
            self.state = State::Awake;
        }
    }

    pub(crate) fn draining(&mut self) {
        if matches!(self.state, State::Starting | State::Awake) {
            self.state = State::Draining;
        }
    }

    /// It has ended, as it should (`well`) or not. A good end after a row of bad ones does not forgive
    /// them: only a long healthy life does.
    pub(crate) fn ended(&mut self, well: bool, now: Instant) {
        let lived = self
            .started
            .take()
            .map_or(Duration::ZERO, |started| now.saturating_duration_since(started));
        if lived >= HEALTHY {
            self.backoff.reset();
        }
        self.state = if well {
            State::Dormant
        } else {
            State::Backoff(now + self.backoff.next_delay())
        };
    }

    /// All objects that it was blamed for are well: the row of bad ends is over.
    pub(crate) fn forgive(&mut self) {
        self.backoff.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bad_ends_are_followed_by_longer_and_longer_waits() {
        let mut worker = WorkerState::default();
        let mut waits = Vec::new();
        for _ in 0..10 {
            let now = Instant::now();
            worker.starting(now);
            worker.ready();
            assert!(!worker.may_start(now), "there is one");
            worker.ended(false, now);
            let until = worker.not_before().expect("a wait");
            assert!(!worker.may_start(now) && worker.may_start(until));
            waits.push((until - now).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_healthy_life_resets_the_wait() {
        let mut worker = WorkerState::default();
        let now = Instant::now();
        for _ in 0..5 {
            worker.starting(now);
            worker.ended(false, now);
        }
        worker.starting(now);
        let later = now + HEALTHY;
        worker.ended(false, later);
        assert_eq!(worker.not_before(), Some(later + FIRST));
    }
}
