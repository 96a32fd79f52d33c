//! Which passes wait for what is not this machine's work: an answer of a remote, or objects that become healthy. A worker
//! whose passes all wait leaves its turn to others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The waits of all passes of a worker.
#[derive(Debug, Default)]
pub struct Waits(Mutex<Begun>);

#[derive(Debug, Default)]
struct Begun {
    next: u64,
    at: BTreeMap<u64, Instant>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    of: &'a Waits,
    number: u64,
}

impl Waits {
    /// A pass waits from now on.
    pub(crate) fn begin(&self) -> Wait<'_> {
        let mut begun = self.0.lock();
        let number = begun.next;
        begun.next += 1;
        begun.at.insert(number, Instant::now());
        Wait { of: self, number }
    }

    /// How many have waited for at least so long. No pass waits for two things at once.
    #[must_use]
    pub fn longer_than(&self, time: Duration) -> usize {
        let begun = self.0.lock();
        let long = |at: &&Instant| at.elapsed() >= time;
        begun.at.values().filter(long).count()
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.of.0.lock().at.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_counts_from_its_time_on_and_until_it_ends() {
        let waits = Waits::default();
        let (first, second) = (waits.begin(), waits.begin());
        assert_eq!(waits.longer_than(Duration::ZERO), 2);
        assert_eq!(waits.longer_than(Duration::from_secs(3600)), 0);
        drop(first);
        assert_eq!(waits.longer_than(Duration::ZERO), 1);
        drop(second);
        assert_eq!(waits.longer_than(Duration::ZERO), 0);
    }
}
