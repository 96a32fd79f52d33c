//! How much of the machine a home's workers have used of late, and what weight the next seconds have.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::pace::{Rate, Used};
use crate::runtime::Process;

/// A home may use a tenth of a core for ever, and five seconds of one at once. Whoever uses more gets what others leave.
const SHARE: Rate = Rate {
    every: 10,
    burst: 50_000,
};
/// As nice(2) counts: about a thirtieth of what others get where all want the processor.
const NICE: i32 = 15;
/// Between two looks at what was used.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Burden {
    used: Used,
    /// What is counted of the worker that runs.
    seen: Duration,
    looked: Option<Instant>,
    back: bool,
}

impl Burden {
    /// A worker has been started.
    pub(super) fn begins(&mut self, worker: &dyn Process) {
        self.seen = Duration::ZERO;
        self.looked = None;
        self.back = false;
        self.weigh(worker);
    }

    /// Looks what the worker has used meanwhile, if it is time to.
    pub(super) fn look(&mut self, worker: &dyn Process) {
        let now = Instant::now();
        if self.looked.is_some_and(|looked| now < looked + LOOK) {
            return;
        }
        self.looked = Some(now);
        self.ends(worker);
        self.weigh(worker);
    }

    /// The worker is about to end: what it has used is its successor's past.
    pub(super) fn ends(&mut self, worker: &dyn Process) {
        if let Some(cpu) = worker.cpu() {
            let more = cpu.saturating_sub(std::mem::replace(&mut self.seen, cpu));
            let millis = i64::try_from(more.as_millis()).unwrap_or(i64::MAX);
            self.used.add(now(), millis.saturating_mul(SHARE.every));
        }
    }

    fn weigh(&mut self, worker: &dyn Process) {
        if !self.back && self.used.open_at(SHARE) > now() {
            worker.stand_back(NICE);
            self.back = true;
        }
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::future::BoxFuture;

    use super::*;

    #[derive(Default)]
    struct Fake {
        cpu: Cell<Duration>,
        nice: Cell<i32>,
    }

    impl Process for Fake {
        fn ended(&mut self) -> BoxFuture<'_, (bool, String)> {
            Box::pin(std::future::pending())
        }

        fn cpu(&self) -> Option<Duration> {
            Some(self.cpu.get())
        }

        fn stand_back(&self, nice: i32) {
            self.nice.set(nice);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_uses_much_stands_back_and_so_do_his_next_workers() {
        let mut burden = Burden::default();
        let worker = Fake::default();
        burden.begins(&worker);
        worker.cpu.set(Duration::from_secs(4));
        burden.look(&worker);
        assert_eq!(worker.nice.get(), 0, "a burst is fine");
        worker.cpu.set(Duration::from_secs(6));
        burden.look(&worker);
        assert_eq!(worker.nice.get(), 0, "not looked at again so soon");
        tokio::time::advance(LOOK).await;
        burden.look(&worker);
        assert_eq!(worker.nice.get(), NICE);
        burden.ends(&worker);
        let next = Fake::default();
        burden.begins(&next);
        assert_eq!(next.nice.get(), NICE);
    }
}
