//! HelmRepository: asks the cache for the index, keeps it as JSON, says so. One whose charts are in a registry is
//! nobody's to reconcile: its charts are.
//!
//! `plan` decides from the object and the Tenant alone; the rest of a pass is that of every source.

mod plan;
mod remote;

use serde_json::Value;
use tenure_api::{HelmRepository, reasons};
use tenure_core::{Revision, SourceUrl};
use tenure_kube::{FluxKind, HELMREPOSITORY};

use crate::source::plan::{Observed, Plan};
use crate::source::{Failure, Kind};
use crate::{Effects, HelmRequest, Resolved, SourceFailure, Trouble, Wanted};

pub(crate) use remote::{HelmRemote, ImageRemote};

/// The kind HelmRepository.
pub(crate) struct HelmSource;

impl Kind for HelmSource {
    type Question = HelmRemote;

    const FLUX: FluxKind = HELMREPOSITORY;
    const HAS_URL: bool = true;
    const EXTENSION: &str = ".yaml";
    const LATEST: &str = "index.yaml";

    fn plan(observed: &Observed<'_>) -> Plan<Self::Question> {
        plan::plan(observed)
    }

    async fn wanted(remote: &Self::Question, effects: &Effects) -> Result<Wanted, Failure> {
        let (login, tls) = remote.credential(effects).await?;
        Ok(Wanted::Helm(HelmRequest {
            url: remote.url.clone(),
            chart: None,
            login,
            pass_credentials: remote.pass_credentials,
            tls,
        }))
    }

    fn failed(_: &Self::Question, failure: SourceFailure) -> Failure {
        let trouble = failure.trouble;
        let failure = Failure::from(failure);
        let said = &failure.message;
        match trouble {
            Trouble::Ours => failure,
            Trouble::Invalid => Failure {
                reason: reasons::URL_INVALID,
                message: format!("invalid Helm repository URL: {said}"),
                ..failure
            },
            Trouble::Malformed => Failure {
                reason: reasons::INDEXATION_FAILED,
                message: format!("failed to load Helm repository from index YAML: {said}"),
                ..failure
            },
            _ => Failure {
                reason: reasons::FAILED,
                message: format!("failed to fetch Helm repository index: {said}"),
                ..failure
            },
        }
    }

    fn ready(revision: &Revision) -> String {
        format!("stored artifact: revision '{revision}'")
    }

    fn news(object: &Value, resolved: &Resolved) -> String {
        let url = object.pointer("/spec/url").and_then(Value::as_str);
        let url = url.and_then(|url| url.parse::<SourceUrl>().ok());
        let url = url.map(|url| url.to_string()).unwrap_or_default();
        let size = human_size(resolved.size);
        format!("stored fetched index of size {size} from '{url}'")
    }

    fn unmoved(revision: &Revision) -> (&'static str, String) {
        let message = format!("artifact up-to-date with remote revision: '{revision}'");
        (reasons::ARTIFACT_UP_TO_DATE, message)
    }

    fn file(revision: &Revision) -> String {
        format!("index-{}", revision.hex())
    }

    fn observed(_: &Value) -> Vec<(&'static str, Option<Value>)> {
        Vec::new()
    }

    fn remote(url: &str) -> Option<String> {
        Some(url.parse::<SourceUrl>().ok()?.remote_key())
    }
}

/// The typed object; an object that does not decode is that object's own error.
pub(crate) fn typed(object: &Value) -> Result<HelmRepository, serde_json::Error> {
    serde::Deserialize::deserialize(object)
}

/// As Flux writes sizes: four digits, in thousands.
fn human_size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    #[expect(clippy::cast_precision_loss, reason = "four digits of it are shown")]
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    let decimals = match size {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{size:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{}", units.get(unit).unwrap_or(&"B"))
}

#[cfg(test)]
mod tests;
