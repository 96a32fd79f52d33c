use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

type Labels = Vec<(&'static str, &'static str)>;

/// What the cache counts. Labels come from closed lists: no home, no remote, no revision.
pub(crate) struct Metrics {
    registry: Registry,
    resolves: Family<Labels, Counter>,
    fetches: Family<Labels, Counter>,
    links: Family<Labels, Counter>,
    refusals: Family<Labels, Counter>,
    jobs: Family<Labels, Counter>,
    job_seconds: Family<Labels, Histogram>,
    sent: Counter,
    downloads: Counter,
    downloaded: Counter,
    polls: Family<Labels, Counter>,
    /// Poll leases that are held.
    pub(crate) leases: Gauge,
    /// Fetchers that run now.
    pub(crate) fetchers: Gauge,
    /// Bytes of all archives, as last measured.
    pub(crate) stored: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tenure_cache");
        let resolves = Family::<Labels, Counter>::default();
        let fetches = Family::<Labels, Counter>::default();
        let links = Family::<Labels, Counter>::default();
        let refusals = Family::<Labels, Counter>::default();
        let jobs = Family::<Labels, Counter>::default();
        let job_seconds = Family::<Labels, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.01, 2.0, 15))
        });
        let (sent, downloads, downloaded) = (Counter::default(), Counter::default(), Counter::default());
        let polls = Family::<Labels, Counter>::default();
        let (fetchers, stored, leases) = (Gauge::default(), Gauge::default(), Gauge::default());
        registry.register("resolves", "Resolve calls, by result", resolves.clone());
        registry.register("fetches", "Fetch calls, by result", fetches.clone());
        registry.register("links", "Artifacts asked for by link, by result", links.clone());
        registry.register(
            "refused_tokens",
            "Calls without an acceptable token, by reason",
            refusals.clone(),
        );
        registry.register(
            "fetcher_jobs",
            "Jobs given to fetchers, by what they were and how they ended",
            jobs.clone(),
        );
        registry.register_with_unit(
            "fetcher_job",
            "Time a fetcher took",
            Unit::Seconds,
            job_seconds.clone(),
        );
        registry.register_with_unit("sent", "Artifact data sent", Unit::Bytes, sent.clone());
        registry.register(
            "downloads",
            "Packs and layers that were downloaded",
            downloads.clone(),
        );
        registry.register_with_unit(
            "downloaded",
            "Size of the packs and layers",
            Unit::Bytes,
            downloaded.clone(),
        );
        registry.register(
            "polls",
            "Questions asked while workers sleep, by what came of them",
            polls.clone(),
        );
        registry.register("leases", "Poll leases that are held", leases.clone());
        registry.register("fetchers", "Fetchers that run now", fetchers.clone());
        registry.register_with_unit("stored", "Size of all archives", Unit::Bytes, stored.clone());
        Self {
            registry,
            resolves,
            fetches,
            links,
            refusals,
            jobs,
            job_seconds,
            sent,
            downloads,
            downloaded,
            polls,
            leases,
            fetchers,
            stored,
        }
    }
}

impl Metrics {
    /// Counts a Resolve.
    pub(crate) fn resolve(&self, result: &'static str) {
        self.resolves.get_or_create(&vec![("result", result)]).inc();
    }

    /// Counts a Fetch.
    pub(crate) fn fetch(&self, result: &'static str) {
        self.fetches.get_or_create(&vec![("result", result)]).inc();
    }

    /// Counts a request to the artifact endpoint.
    pub(crate) fn linked(&self, result: &'static str) {
        self.links.get_or_create(&vec![("result", result)]).inc();
    }

    /// Counts a call whose token was refused.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&vec![("reason", reason)]).inc();
    }

    /// Counts a fetcher's job.
    pub(crate) fn job(&self, job: &'static str, result: &'static str, took: Duration) {
        self.jobs
            .get_or_create(&vec![("job", job), ("result", result)])
            .inc();
        self.job_seconds
            .get_or_create(&vec![("job", job)])
            .observe(took.as_secs_f64());
    }

    /// Counts a pack or a layer, unless none was needed.
    pub(crate) fn downloaded(&self, bytes: u64) {
        if bytes > 0 {
            self.downloads.inc();
            self.downloaded.inc_by(bytes);
        }
    }

    /// Counts a question that was asked while workers sleep.
    pub(crate) fn poll(&self, result: &'static str) {
        self.polls.get_or_create(&vec![("result", result)]).inc();
    }

    /// Counts data sent.
    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.inc_by(bytes as u64);
    }

    /// Everything, in the OpenMetrics text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            tracing::error!(%error, "can't write the metrics");
        }
        text
    }
}
