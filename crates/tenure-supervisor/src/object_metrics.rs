//! How long passes take, by object, under the name that Flux's dashboards know.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets_range};
use prometheus_client::registry::{Registry, Unit};
use tenure_core::Name;

/// As in Flux: seconds of the first and the last bucket, and how many there are.
const BUCKETS: (f64, f64, u16) = (0.01, 1800.0, 10);

/// `gotk_reconcile_duration_seconds`. There are as many of them as there are objects.
#[derive(Clone, Debug)]
pub(crate) struct ObjectMetrics(Option<Durations>);

type Durations = Family<Labels, Histogram, fn() -> Histogram>;

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
            let durations: Durations = Family::new_with_constructor(histogram);
            registry.register_with_unit(
                "gotk_reconcile_duration",
                "How long passes over an object took",
                Unit::Seconds,
                durations.clone(),
            );
            durations
        }))
    }

    /// A pass over an object of `home` has ended.
    pub(crate) fn passed(&self, home: &Name, kind: &str, name: &str, took: Duration) {
        if let Some(durations) = &self.0 {
            durations
                .get_or_create(&labels(home, kind, name))
                .observe(took.as_secs_f64());
        }
    }

    /// The object is gone.
    pub(crate) fn forget(&self, home: &Name, kind: &str, name: &str) {
        if let Some(durations) = &self.0 {
            durations.remove(&labels(home, kind, name));
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
        metrics.passed(&home, "Kustomization", "app", Duration::from_millis(1500));
        let line =
            r#"gotk_reconcile_duration_seconds_count{kind="Kustomization",name="app",namespace="apps"} 1"#;
        assert!(text(&registry).contains(line), "{}", text(&registry));
        metrics.forget(&home, "Kustomization", "app");
        assert!(!text(&registry).contains("app"), "{}", text(&registry));
        let mut registry = Registry::default();
        ObjectMetrics::new(&mut registry, false).passed(&home, "Kustomization", "app", Duration::ZERO);
        assert!(!text(&registry).contains("gotk_"), "{}", text(&registry));
    }
}
