//! How long passes take, by object, under the name that Flux's dashboards know; and what drifted and was left so.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets_range};
use prometheus_client::registry::{Registry, Unit};
use tenure_core::Name;

/// As in Flux: seconds of the first and the last bucket, and how many there are.
const BUCKETS: (f64, f64, u16) = (0.01, 1800.0, 10);

/// `gotk_reconcile_duration_seconds`, of which there are as many as there are objects, and `tenure_drifted_objects`, of
/// those that have any.
#[derive(Clone, Debug)]
pub(crate) struct ObjectMetrics(Option<Kept>);

#[derive(Clone, Debug)]
struct Kept {
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    drifted: Family<Labels, Gauge>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    kind: String,
    name: String,
    namespace: String,
}

impl ObjectMetrics {
    /// None are kept unless they are wanted.
    pub(crate) fn new(registry: &mut Registry, wanted: bool) -> Self {
        Self(wanted.then(|| {
            let durations = Family::<_, _, fn() -> Histogram>::new_with_constructor(histogram);
            registry.register_with_unit(
                "gotk_reconcile_duration",
                "How long passes over an object took",
                Unit::Seconds,
                durations.clone(),
            );
            let drifted = Family::default();
            registry.register(
                "tenure_drifted_objects",
                "Objects that are not as they were applied, and were left so on request",
                drifted.clone(),
            );
            Kept { durations, drifted }
        }))
    }

    /// A pass over an object of `home` has ended.
    pub(crate) fn passed(&self, home: &Name, kind: &str, name: &str, took: Duration, drifted: u64) {
        let Some(kept) = &self.0 else { return };
        let labels = labels(home, kind, name);
        kept.durations.get_or_create(&labels).observe(took.as_secs_f64());
        if drifted > 0 {
            let count = i64::try_from(drifted).unwrap_or(i64::MAX);
            kept.drifted.get_or_create(&labels).set(count);
        } else {
            kept.drifted.remove(&labels);
        }
    }

    /// The object is gone.
    pub(crate) fn forget(&self, home: &Name, kind: &str, name: &str) {
        if let Some(kept) = &self.0 {
            let labels = labels(home, kind, name);
            kept.durations.remove(&labels);
            kept.drifted.remove(&labels);
        }
    }
}

fn histogram() -> Histogram {
    let (first, last, count) = BUCKETS;
    Histogram::new(exponential_buckets_range(first, last, count))
}

fn labels(home: &Name, kind: &str, name: &str) -> Labels {
    Labels {
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: home.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).expect("a String takes everything");
        text
    }

    #[test]
    fn an_object_is_counted_while_it_is_there_and_only_if_that_is_wanted() {
        let home = Name::new("apps").expect("valid");
        let mut registry = Registry::default();
        let metrics = ObjectMetrics::new(&mut registry, true);
        metrics.passed(&home, "Kustomization", "app", Duration::from_millis(1500), 2);
        let line =
            r#"gotk_reconcile_duration_seconds_count{kind="Kustomization",name="app",namespace="apps"} 1"#;
        assert!(text(&registry).contains(line), "{}", text(&registry));
        let drifted = r#"tenure_drifted_objects{kind="Kustomization",name="app",namespace="apps"} 2"#;
        assert!(text(&registry).contains(drifted), "{}", text(&registry));
        metrics.passed(&home, "Kustomization", "app", Duration::ZERO, 0);
        assert!(
            !text(&registry).contains("tenure_drifted_objects{"),
            "{}",
            text(&registry)
        );
        metrics.forget(&home, "Kustomization", "app");
        assert!(!text(&registry).contains("app"), "{}", text(&registry));
        let mut registry = Registry::default();
        ObjectMetrics::new(&mut registry, false).passed(&home, "Kustomization", "app", Duration::ZERO, 1);
        assert!(!text(&registry).contains("gotk_"), "{}", text(&registry));
    }
}
