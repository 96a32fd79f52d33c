//! A chart of a Helm repository: asked for with what opens the repository.

use std::time::Duration;

use tenure_api::{HelmRepositorySpec, OciVerification, reasons};
use tenure_core::Revision;
use tenure_oci::{Layer, Operation, Reference};

use crate::helmrepository::{HelmRemote, ImageRemote};
use crate::ocirepository::plan::CHART;
use crate::source::{At, Failure, authentication, verify};
use crate::{Effects, HelmRequest, OciRequest, Resolved, SourceFailure, SourceRequest, Trouble, Wanted};

/// Used when the repository has no timeout.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A version of a chart that a repository has.
pub(super) struct Found {
    pub(super) version: String,
    pub(super) resolved: Resolved,
    /// The question that found it.
    request: SourceRequest,
    /// Of an image: which.
    manifest: Option<Revision>,
}

impl Found {
    /// Whether it is signed as it should be; one of a repository that is no registry never is, as in Flux. False where
    /// a policy lets it pass unverified.
    pub(super) async fn verify(&self, wish: &OciVerification, effects: &Effects) -> Result<bool, Failure> {
        let error = match &self.manifest {
            None => "not implemented for charts that are not in a registry".to_owned(),
            Some(manifest) => {
                let image = Resolved {
                    revision: manifest.clone(),
                    ..self.resolved.clone()
                };
                match verify::verify(wish, &self.request, &image, effects).await {
                    Ok(vouched) => return Ok(vouched),
                    Err(failure) if failure.cache_down => return Err(failure),
                    Err(failure) => failure.message,
                }
            }
        };
        Err(Failure {
            at: At::VerifyForBuild,
            ..Failure::fetching(
                reasons::CHART_VERIFICATION_ERROR,
                format!("chart verification error: {error}"),
            )
        })
    }
}

/// How old an answer may be, and what the cache is to look after while the worker sleeps.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    pub(super) max_age: Duration,
    pub(super) lease: Option<(String, Duration)>,
}

/// Asks the repository for the chart.
pub(super) async fn find(
    spec: &HelmRepositorySpec,
    (chart, version): (&str, &str),
    looks: Looks,
    effects: &Effects,
) -> Result<Found, Failure> {
    let timeout = spec.timeout().map_err(|error| {
        let message = format!("the repository's spec.timeout can't be read: {error}");
        Failure::fetching(reasons::FAILED, message).stalled()
    })?;
    let wanted = match spec.is_oci() {
        true => image(spec, chart, version, effects).await?,
        false => entry(spec, chart, version, effects).await?,
    };
    let request = SourceRequest {
        wanted,
        ignore: None,
        timeout: timeout.map_or(TIMEOUT, |timeout| timeout.as_duration()),
        max_artifact_bytes: effects.home.max_artifact_bytes,
        signatures: false,
        max_age: looks.max_age,
        link_for: None,
        lease: looks.lease,
    };
    let mut resolved = effects.resolve(&request).await.map_err(failed)?;
    let version = match (&request.wanted, resolved.revision.pointer()) {
        (Wanted::Oci(_), Some(tag)) => tag.replace('_', "+"),
        _ => resolved.revision.to_string(),
    };
    let image = matches!(request.wanted, Wanted::Oci(_));
    let manifest = image.then(|| resolved.revision.clone());
    // what the registry says of the image is not the chart's
    resolved.metadata.clear();
    resolved.revision = Revision::opaque(&version).map_err(|error| {
        Failure::fetching(reasons::CHART_PULL_ERROR, format!("chart pull error: {error}"))
    })?;
    Ok(Found {
        version,
        resolved,
        request,
        manifest,
    })
}

async fn entry(
    spec: &HelmRepositorySpec,
    chart: &str,
    version: &str,
    effects: &Effects,
) -> Result<Wanted, Failure> {
    let remote = HelmRemote::of(spec, &effects.home)?;
    let (login, tls) = remote.credential(effects).await?;
    Ok(Wanted::Helm(HelmRequest {
        url: remote.url,
        chart: Some((chart.to_owned(), version.to_owned())),
        login,
        pass_credentials: remote.pass_credentials,
        tls,
    }))
}

async fn image(
    spec: &HelmRepositorySpec,
    chart: &str,
    version: &str,
    effects: &Effects,
) -> Result<Wanted, Failure> {
    let remote = ImageRemote::of(spec, chart, &effects.home)?;
    let (credential, tls) = remote.credential(effects).await?;
    Ok(Wanted::Oci(OciRequest {
        repository: remote.repository,
        reference: reference(version),
        layer: Layer {
            media_type: Some(CHART.to_owned()),
            operation: Operation::Copy,
        },
        insecure: remote.insecure,
        credential,
        tls,
        proxy: None,
    }))
}

/// A whole version is a tag, as registries have it; all else is a range.
pub(super) fn reference(version: &str) -> Reference {
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = numbers.strip_prefix('v').unwrap_or(numbers).split('.').collect();
    let whole = parts.len() == 3
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    match whole && !version.contains(char::is_whitespace) {
        true => Reference::Tag(version.replace('+', "_")),
        false => Reference::Semver {
            range: version.to_owned(),
            filter: None,
            underscore_is_plus: true,
        },
    }
}

/// Why there is no chart, in Flux's words.
fn failed(failure: SourceFailure) -> Failure {
    let (trouble, found) = (failure.trouble, failure.found);
    let failure = Failure::from(failure);
    let said = &failure.message;
    let wanted = "failed to get chart version for remote reference";
    match trouble {
        Trouble::Ours => failure,
        Trouble::Refused => {
            authentication(format!("failed to authenticate with the Helm repository: {said}"))
        }
        Trouble::NoSuchChart | Trouble::Invalid => Failure {
            reason: reasons::INVALID_CHART_REFERENCE,
            message: format!("invalid chart reference: {wanted}: {said}"),
            ..failure
        }
        .stalled(),
        _ if found => Failure {
            reason: reasons::CHART_PULL_ERROR,
            message: format!("chart pull error: failed to download chart for remote reference: {said}"),
            ..failure
        },
        _ => Failure {
            reason: reasons::CHART_PULL_ERROR,
            message: format!("chart pull error: {wanted}: {said}"),
            ..failure
        },
    }
}
