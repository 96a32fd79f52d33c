use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use tenure_core::{Backoff, ObjectKey};

/// Shortest wait after a failed source (Flux's `--min-retry-delay`).
const MIN_RETRY: Duration = Duration::from_millis(750);
/// Longest wait after a failed source (Flux's `--max-retry-delay`).
const MAX_RETRY: Duration = Duration::from_mins(15);

/// When an object with this interval is due again: now plus the interval, ±5 % so that objects made
/// together drift apart.
#[must_use]
pub fn next_due(now: Timestamp, interval: Duration) -> Timestamp {
    let factor = rand::rng().random_range(0.95..=1.05);
    after(now, interval.mul_f64(factor))
}

/// `now + wait`, at the end of time if there is no such moment.
pub(crate) fn after(now: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait)
        .ok()
        .and_then(|wait| now.checked_add(wait).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Failures in a row, per object. Travels in the memo, so that a worker that slept between two
/// failures does not start again at the shortest wait.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FailureCounts(HashMap<String, u32>);

impl FailureCounts {
    /// Counts a failure of `key` and says how long to wait before the next attempt.
    pub fn failed(&mut self, key: &ObjectKey) -> Duration {
        let count = self.0.entry(key.to_string()).or_default();
        let mut backoff = Backoff::new(MIN_RETRY, MAX_RETRY);
        for _ in 0..*count {
            backoff.next_delay();
        }
        *count = count.saturating_add(1).min(64);
        backoff.next_delay()
    }

    /// Forgets the failures of `key`.
    pub fn succeeded(&mut self, key: &ObjectKey) {
        self.0.remove(&key.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_core::Name;

    #[test]
    fn jitter_stays_within_five_percent() {
        let now = Timestamp::UNIX_EPOCH;
        for _ in 0..200 {
            let wait = next_due(now, Duration::from_secs(100)).as_millisecond();
            assert!((95_000..=105_000).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn failures_of_one_object_do_not_slow_another() {
        let key = |name: &str| ObjectKey {
            kind: "GitRepository".into(),
            name: Name::new(name).expect("valid"),
        };
        let mut counts = FailureCounts::default();
        assert_eq!(counts.failed(&key("a")), Duration::from_millis(750));
        assert_eq!(counts.failed(&key("a")), Duration::from_millis(1500));
        assert_eq!(counts.failed(&key("b")), Duration::from_millis(750));
        counts.succeeded(&key("a"));
        assert_eq!(counts.failed(&key("a")), Duration::from_millis(750));
    }

    #[test]
    fn an_endless_interval_is_the_end_of_time() {
        assert_eq!(after(Timestamp::now(), Duration::MAX), Timestamp::MAX);
    }
}
