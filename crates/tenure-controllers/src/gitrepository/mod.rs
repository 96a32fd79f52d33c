//! GitRepository: asks the cache what a reference means now, keeps the artifact, says so.
//!
//! `plan` decides from the object and the Tenant alone; the rest of a pass is that of every source.

mod credential;
mod include;
mod plan;
mod verify;

use std::sync::Arc;

use serde_json::{Value, json};
use tenure_api::{GitRepository, reasons};
use tenure_core::{Revision, SourceUrl};
use tenure_kube::{FluxKind, GITREPOSITORY};

use crate::source::plan::{Observed, Plan, Resolve};
use crate::source::{Failure, Kind, Notes, Obtained, ask};
use crate::{Effects, Resolved, SourceFailure, Wanted};

/// The kind GitRepository.
pub(crate) struct GitSource;

impl Kind for GitSource {
    type Question = plan::Question;

    const FLUX: FluxKind = GITREPOSITORY;
    const HAS_URL: bool = false;

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
        let question = &resolve.question;
        let included = include::available(&question.include, effects)?;
        let resolved = ask::<Self>(resolve, effects).await?;
        let verified = match &question.verify {
            Some(verify) => Some(verify::verify(verify, &question.reference, &resolved, effects).await?),
            None => None,
        };
        let mode = question.verify.as_ref().map(|verify| json!(verify.mode));
        let mut notes = Notes {
            verified,
            observed: vec![("sourceVerificationMode", mode)],
            ..Notes::default()
        };
        notes
            .observed
            .extend(include::observed(&question.include, &included));
        let resolved = include::compose(resolve, resolved, included, object, effects).await?;
        Ok(Obtained { resolved, notes })
    }

    fn failed(_: &Self::Question, failure: SourceFailure) -> Failure {
        let failure = Failure::from(failure);
        match failure.reason {
            reasons::GIT_OPERATION_FAILED | reasons::EMPTY_GIT_REPOSITORY => Failure {
                message: format!("failed to checkout and determine revision: {}", failure.message),
                ..failure
            },
            _ => failure,
        }
    }

    fn ready(revision: &Revision) -> String {
        format!("stored artifact for revision '{revision}'")
    }

    fn news(_: &Value, resolved: &Resolved) -> String {
        let mut subject: String = resolved.subject.chars().take(50).collect();
        if subject.len() < resolved.subject.len() {
            subject.push_str("...");
        }
        format!("stored artifact for commit '{subject}'")
    }

    fn unmoved(revision: &Revision) -> (&'static str, String) {
        let message = format!("no changes since last reconciliation: observed revision '{revision}'");
        (reasons::GIT_OPERATION_SUCCEEDED, message)
    }

    fn file(revision: &Revision) -> String {
        revision.hex().to_owned()
    }

    fn observed(spec: &Value) -> Vec<(&'static str, Option<Value>)> {
        let sparse = spec.get("sparseCheckout").and_then(Value::as_array);
        vec![
            ("observedIgnore", spec.get("ignore").cloned()),
            (
                "observedRecurseSubmodules",
                spec.get("recurseSubmodules")
                    .filter(|on| on.as_bool() == Some(true))
                    .cloned(),
            ),
            (
                "observedSparseCheckout",
                sparse.filter(|list| !list.is_empty()).map(|list| json!(list)),
            ),
        ]
    }

    fn remote(url: &str) -> Option<String> {
        Some(url.parse::<SourceUrl>().ok()?.remote_key())
    }
}

/// The typed object; an object that does not decode is that object's own error.
pub(crate) fn typed(object: &Value) -> Result<GitRepository, serde_json::Error> {
    serde::Deserialize::deserialize(object)
}
