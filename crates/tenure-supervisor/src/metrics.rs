use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tenure_core::Name;

use crate::object_metrics::ObjectMetrics;

/// What the supervisor counts. No labels but by object, if that is wanted: their number has no bound.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) homes: Gauge,
    pub(crate) members: Gauge,
    pub(crate) awake: Gauge,
    pub(crate) watches: Gauge,
    pub(crate) seen: Gauge,
    pub(crate) slots: Gauge,
    pub(crate) spawns: Counter,
    pub(crate) restarts: Counter,
    pub(crate) passes: Counter,
    pub(crate) tokens: Counter,
    /// By object, if that is wanted.
    pub(crate) objects: ObjectMetrics,
    oldest_due: Gauge<f64, AtomicU64>,
    /// When the oldest thing of each home that could be worked on became due.
    due: Mutex<std::collections::HashMap<Name, Timestamp>>,
}

impl Metrics {
    /// With what is counted by object, or without.
    pub(crate) fn new(by_object: bool) -> Self {
        let mut all = Registry::default();
        let objects = ObjectMetrics::new(&mut all, by_object);
        let registry = all.sub_registry_with_prefix("tenure_supervisor");
        let (homes, awake, watches) = (Gauge::default(), Gauge::default(), Gauge::default());
        let (slots, seen, members) = (Gauge::default(), Gauge::default(), Gauge::default());
        let (spawns, restarts, tokens) = (Counter::default(), Counter::default(), Counter::default());
        let passes = Counter::default();
        let oldest_due = Gauge::<f64, AtomicU64>::default();
        registry.register("homes", "Homes that this supervisor has", homes.clone());
        registry.register(
            "members",
            "Supervisors that share the homes, with this one",
            members.clone(),
        );
        registry.register("homes_seen", "Homes whose objects are all known", seen.clone());
        registry.register("workers_awake", "Workers that run now", awake.clone());
        registry.register(
            "awake_slots",
            "Workers that may begin before others have to wait",
            slots.clone(),
        );
        registry.register("watches", "Metadata watches that are open", watches.clone());
        registry.register("worker_spawns", "Workers started", spawns.clone());
        registry.register("worker_restarts", "Workers that ended badly", restarts.clone());
        registry.register(
            "passes",
            "Passes over an object that workers have ended",
            passes.clone(),
        );
        registry.register("tokens_minted", "Tokens of workers minted", tokens.clone());
        registry.register(
            "oldest_due_age_seconds",
            "Age of the oldest due object",
            oldest_due.clone(),
        );
        Self {
            registry: all,
            objects,
            homes,
            members,
            awake,
            watches,
            seen,
            slots,
            spawns,
            restarts,
            passes,
            tokens,
            oldest_due,
            due: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Notes since when a home has work that nobody has begun; `None` when it has none.
    pub(crate) fn due_since(&self, home: &Name, since: Option<Timestamp>) {
        let mut due = self.due.lock();
        match since {
            Some(since) => {
                due.entry(home.clone()).or_insert(since);
            }
            None => {
                due.remove(home);
            }
        }
    }

    /// Seconds for which the oldest due object has waited.
    pub(crate) fn oldest_due_age(&self, now: Timestamp) -> f64 {
        let oldest = self.due.lock().values().min().copied();
        oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0))
    }

    pub(crate) fn text(&self) -> String {
        self.oldest_due.set(self.oldest_due_age(Timestamp::now()));
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}
