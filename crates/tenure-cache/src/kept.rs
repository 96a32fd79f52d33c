//! A bounded number of things that are remembered for some time.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Remembered at once; one more pushes out the oldest.
const MOST: usize = 4096;

/// What is known of each `K`, and since when.
pub(crate) struct Kept<K, V> {
    all: Mutex<HashMap<K, (V, Instant)>>,
    counts: Duration,
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    /// Nothing is known for longer than `counts`.
    pub(crate) fn new(counts: Duration) -> Self {
        Self {
            all: Mutex::default(),
            counts,
        }
    }

    /// What is known, unless it is older than the caller accepts.
    pub(crate) fn get(&self, key: &K, max_age: Duration) -> Option<V> {
        let all = self.all.lock();
        let (value, at) = all.get(key)?;
        (at.elapsed() < max_age.min(self.counts)).then(|| value.clone())
    }

    /// Remembers what is known since `at`.
    pub(crate) fn put(&self, key: K, value: V, at: Instant) {
        let mut all = self.all.lock();
        if all.len() >= MOST && !all.contains_key(&key) {
            let oldest = all.values().map(|(_, at)| *at).min();
            all.retain(|_, (_, at)| Some(*at) != oldest);
        }
        all.insert(key, (value, at));
    }

    pub(crate) fn forget(&self, key: &K) {
        self.all.lock().remove(key);
    }

    /// Forgets what does not count any more.
    pub(crate) fn sweep(&self) {
        self.all.lock().retain(|_, (_, at)| at.elapsed() < self.counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_old_is_not_known_and_one_too_many_pushes_out_the_oldest() {
        let kept = Kept::new(Duration::from_secs(3600));
        let now = Instant::now();
        for (key, age) in (0..MOST).map(|key| (key, Duration::from_millis(key as u64))) {
            kept.put(
                key,
                key,
                now.checked_sub(age).expect("the machine runs for longer"),
            );
        }
        let hour = Duration::from_secs(3600);
        let oldest = MOST - 1;
        assert_eq!(kept.get(&oldest, hour), Some(oldest));
        assert_eq!(kept.get(&oldest, Duration::from_millis(1)), None);
        kept.put(0, 0, now);
        assert_eq!(kept.get(&oldest, hour), Some(oldest), "there was room");
        kept.put(MOST, MOST, now);
        assert_eq!(kept.get(&oldest, hour), None);
        kept.forget(&0);
        assert_eq!((kept.get(&0, hour), kept.get(&1, hour)), (None, Some(1)));
        let ended = Kept::new(Duration::ZERO);
        ended.put(1, 1, now);
        ended.sweep();
        assert!(ended.all.lock().is_empty());
    }
}
