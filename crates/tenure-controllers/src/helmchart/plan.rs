use tenure_api::HelmChartSpec;

use crate::source::plan::{Observed, Plan, Refusal, Resolve};

/// Which chart, made how.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) spec: HelmChartSpec,
    pub(crate) generation: i64,
}

/// Decides; total and without effects.
pub(crate) fn plan(observed: &Observed<'_>) -> Plan<Question> {
    let chart = match super::typed(observed.object) {
        Ok(chart) => chart,
        Err(error) => return Refusal::unreadable(&error).into(),
    };
    if chart.metadata.deletion_timestamp.is_some() {
        // what its repository was asked for, others may ask for too
        return Plan::Release { remote: None };
    }
    if chart.spec.suspend || observed.home.suspended {
        return Plan::Rest;
    }
    let (interval, generation) = (chart.spec.interval(), chart.generation());
    let question = Question {
        spec: chart.spec,
        generation,
    };
    Resolve::new(question, None, interval, Ok(None)).into()
}

impl Question {
    /// The build metadata of the version: of the source's revision, if that is to make a new artifact, and of this
    /// generation, if it says which values there are.
    pub(crate) fn build_metadata(&self, source: Option<&str>) -> Option<String> {
        let by_revision = self.spec.reconcile_strategy.as_deref() == Some("Revision");
        let revision = source.filter(|_| by_revision).map(|revision| {
            let hash = revision.rsplit('@').next().unwrap_or(revision);
            let hex = hash.split_once(':').map_or(hash, |(_, hex)| hex);
            hex.chars().take(12).collect::<String>()
        });
        let values = !self.spec.all_values_files().is_empty();
        let generation = values.then(|| self.generation.to_string());
        match (revision, generation) {
            (Some(revision), Some(generation)) => Some(format!("{revision}.{generation}")),
            (one, other) => one.or(other),
        }
    }
}
