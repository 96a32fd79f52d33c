//! OCIRepository: asks the cache what a tag means now, keeps the layer as an artifact, says so.
//!
//! `plan` decides from the object and the Tenant alone; the rest of a pass is that of every source.

pub(crate) mod credential;
pub(crate) mod plan;

use std::sync::Arc;

use serde_json::Value;
use tenure_api::{OciRepository, reasons};
use tenure_core::Revision;
use tenure_kube::{FluxKind, OCIREPOSITORY};
use tenure_oci::{Reference, Repository};

use crate::source::plan::{Observed, Plan, Resolve};
use crate::source::{Failure, Kind, Obtained, ask_verified};
use crate::{Effects, Resolved, SourceFailure, Wanted};

/// Where an artifact says what it was made from.
const SOURCE: &str = "org.opencontainers.image.source";
/// Where it says from which revision of that.
const REVISION: &str = "org.opencontainers.image.revision";

/// The kind OCIRepository.
pub(crate) struct OciSource;

impl Kind for OciSource {
    type Question = plan::Question;

    const FLUX: FluxKind = OCIREPOSITORY;
    const HAS_URL: bool = true;

    fn plan(observed: &Observed<'_>) -> Plan<Self::Question> {
        plan::plan(observed)
    }

    async fn wanted(question: &Self::Question, effects: &Effects) -> Result<Wanted, Failure> {
        credential::wanted(question, effects).await
    }

    async fn obtain(
        resolve: &Resolve<Self::Question>,
        object: &Value,
        effects: &Arc<Effects>,
    ) -> Result<Obtained, Failure> {
        let wish = resolve.question.verify.as_ref();
        ask_verified::<Self>(resolve, wish, object, effects).await
    }

    fn failed(question: &Self::Question, failure: SourceFailure) -> Failure {
        let found = failure.found;
        let failure = Failure::from(failure);
        if failure.reason != reasons::OCI_ARTIFACT_PULL_FAILED {
            return failure;
        }
        let (url, said) = (question.repository.url(), &failure.message);
        match &question.reference {
            _ if found => Failure {
                message: format!("failed to pull artifact from '{url}': {said}"),
                ..failure
            },
            Reference::Semver { .. } => Failure {
                reason: reasons::READ_OPERATION_FAILED,
                message: format!("failed to determine the artifact tag for '{url}': {said}"),
                ..failure
            },
            _ => Failure {
                message: format!("failed to determine artifact digest: {said}"),
                ..failure
            },
        }
    }

    fn ready(revision: &Revision) -> String {
        format!("stored artifact for digest '{revision}'")
    }

    fn news(object: &Value, resolved: &Resolved) -> String {
        let url = object.pointer("/spec/url").and_then(Value::as_str);
        let said = |name: &str| {
            let mut all = resolved.annotations();
            all.find(|(key, value)| *key == name && !value.is_empty())
                .map(|(_, value)| value)
        };
        let stored = format!(
            "stored artifact with revision '{}' from '{}'",
            resolved.revision,
            url.unwrap_or_default()
        );
        match said(SOURCE).zip(said(REVISION)) {
            Some((source, revision)) => {
                format!("{stored}, origin source '{source}', origin revision '{revision}'")
            }
            None => stored,
        }
    }

    fn unmoved(revision: &Revision) -> (&'static str, String) {
        let message = format!("artifact up-to-date with remote revision: '{revision}'");
        (reasons::ARTIFACT_UP_TO_DATE, message)
    }

    fn file(revision: &Revision) -> String {
        let revision = revision.to_string();
        revision.rsplit('@').next().unwrap_or_default().to_owned()
    }

    fn observed(spec: &Value) -> Vec<(&'static str, Option<Value>)> {
        vec![
            ("observedIgnore", spec.get("ignore").cloned()),
            ("observedLayerSelector", spec.get("layerSelector").cloned()),
        ]
    }

    fn remote(url: &str) -> Option<String> {
        Some(Repository::from_url(url).ok()?.url())
    }
}

/// The typed object; an object that does not decode is that object's own error.
pub(crate) fn typed(object: &Value) -> Result<OciRepository, serde_json::Error> {
    serde::Deserialize::deserialize(object)
}

#[cfg(test)]
mod tests;
