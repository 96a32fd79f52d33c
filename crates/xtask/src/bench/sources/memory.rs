//! The private memory of cache and fetchers together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::bench::process::{self, Part};

/// Fetchers live for less than a second.
const SAMPLE: Duration = Duration::from_millis(20);

/// Bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    /// What nobody else maps.
    pub(super) private: f64,
    /// The part of it that is not a copy of a file.
    pub(super) dirty: f64,
}

/// What both hold now.
pub(super) fn now() -> Held {
    let parts = process::ours().into_iter();
    let ours = parts.filter(|process| matches!(process.part, Part::Cache | Part::Fetcher));
    ours.filter_map(|process| process::memory(process.pid))
        .fold(Held::default(), |sum, memory| Held {
            private: sum.private + memory.private,
            dirty: sum.dirty + memory.dirty,
        })
}

/// Looks until it is stopped.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Held>,
}

impl Watch {
    pub(super) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut peak = Held::default();
            while !ended.load(Ordering::Relaxed) {
                let now = now();
                peak.private = peak.private.max(now.private);
                peak.dirty = peak.dirty.max(now.dirty);
                std::thread::sleep(SAMPLE);
            }
            peak
        });
        Self { stop, thread }
    }

    /// The most of each that was seen.
    pub(super) fn stop(self) -> Held {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}
