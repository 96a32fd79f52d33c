//! HelmChart: a chart of a Helm repository, or one that is packaged from another source's artifact, with other values
//! and with the charts it depends on where that is asked for.
//!
//! `plan` decides from the object alone; `origin` finds the source and what opens it; `build` makes the archive; the
//! rest of a pass is that of every source.

mod build;
mod dependencies;
mod origin;
mod plan;
mod remote;

use std::sync::Arc;

use serde_json::Value;
use tenure_api::{HelmChart, reasons};
use tenure_core::Revision;
use tenure_kube::{FluxKind, HELMCHART};

use crate::source::plan::{Observed, Plan, Resolve};
use crate::source::{Failure, Kind, Obtained};
use crate::{Effects, Resolved, SourceFailure, Wanted};

/// The kind HelmChart.
pub(crate) struct ChartSource;

impl Kind for ChartSource {
    type Question = plan::Question;

    const FLUX: FluxKind = HELMCHART;
    const HAS_URL: bool = true;
    const EXTENSION: &str = ".tgz";

    fn plan(observed: &Observed<'_>) -> Plan<Self::Question> {
        plan::plan(observed)
    }

    async fn wanted(_: &Self::Question, _: &Effects) -> Result<Wanted, Failure> {
        Err(Failure::fetching(
            reasons::FAILED,
            "a chart is asked for by its source".to_owned(),
        ))
    }

    async fn obtain(
        resolve: &Resolve<Self::Question>,
        object: &Value,
        effects: &Arc<Effects>,
    ) -> Result<Obtained, Failure> {
        build::build(resolve, object, effects).await
    }

    fn failed(_: &Self::Question, failure: SourceFailure) -> Failure {
        failure.into()
    }

    fn ready(revision: &Revision) -> String {
        format!("pulled chart with version '{revision}'")
    }

    fn news(_: &Value, resolved: &Resolved) -> String {
        Self::ready(&resolved.revision)
    }

    fn unmoved(revision: &Revision) -> (&'static str, String) {
        let message = format!("artifact up-to-date with remote revision: '{revision}'");
        (reasons::ARTIFACT_UP_TO_DATE, message)
    }

    fn file(revision: &Revision) -> String {
        revision.to_string()
    }

    fn observed(_: &Value) -> Vec<(&'static str, Option<Value>)> {
        Vec::new()
    }

    fn remote(_: &str) -> Option<String> {
        None
    }
}

/// The typed object; an object that does not decode is that object's own error.
pub(crate) fn typed(object: &Value) -> Result<HelmChart, serde_json::Error> {
    serde::Deserialize::deserialize(object)
}

#[cfg(test)]
mod tests;
