use tenure_api::{OciRepository, OciVerification, reasons};
use tenure_core::Digest;
use tenure_oci::{Layer, Operation, Reference, Repository};

use crate::Home;
use crate::source::plan::{Observed, Plan, Refusal, Resolve, allowed};
use crate::source::verify::supported;

/// In layers of this kind, a tag's `_` stands for the `+` of a version.
pub(crate) const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// The Docker Hub's registry, and what people call it.
const HUB: (&str, &str) = ("index.docker.io", "docker.io");

/// Which layer of which artifact, and what opens it.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) repository: Repository,
    pub(crate) reference: Reference,
    pub(crate) layer: Layer,
    pub(crate) insecure: bool,
    /// `spec.secretRef`, or the Tenant's Secret for this URL.
    pub(crate) secret: Option<String>,
    /// `spec.serviceAccountName`: its pull Secrets count too.
    pub(crate) account: Option<String>,
    /// `spec.provider`: the cloud that is asked for a login when no Secret has one.
    pub(crate) provider: Option<String>,
    /// `spec.certSecretRef`
    pub(crate) certificates: Option<String>,
    /// `spec.proxySecretRef`
    pub(crate) proxy: Option<String>,
    pub(crate) verify: Option<OciVerification>,
}

/// Decides; total and without effects.
pub(crate) fn plan(observed: &Observed<'_>) -> Plan<Question> {
    let repository = match super::typed(observed.object) {
        Ok(repository) => repository,
        Err(error) => return Refusal::unreadable(&error).into(),
    };
    if repository.metadata.deletion_timestamp.is_some() {
        let remote = Repository::from_url(&repository.spec.url).ok();
        return Plan::Release {
            remote: remote.map(|remote| remote.url()),
        };
    }
    if repository.spec.suspend || observed.home.suspended {
        return Plan::Rest;
    }
    resolve(&repository, observed.home).into()
}

fn resolve(object: &OciRepository, home: &Home) -> Result<Resolve<Question>, Refusal> {
    let spec = &object.spec;
    let repository = Repository::from_url(&spec.url).map_err(Refusal::url)?;
    let spellings = spellings(&repository);
    allowed(home, repository.url(), &spellings)?;
    spec.verify.as_ref().map_or(Ok(()), supported)?;
    let named = spec.secret_ref.as_ref().map(|secret| secret.name.as_str());
    let question = Question {
        reference: reference(object)?,
        layer: layer(object),
        insecure: spec.insecure,
        secret: named
            .or_else(|| home.sources.secret_for(&spellings))
            .map(str::to_owned),
        account: spec.service_account_name.clone().filter(|name| !name.is_empty()),
        provider: cloud(spec.provider.as_deref()),
        certificates: spec.cert_secret_ref.as_ref().map(|secret| secret.name.clone()),
        proxy: spec.proxy_secret_ref.as_ref().map(|secret| secret.name.clone()),
        verify: spec.verify.clone(),
        repository,
    };
    Resolve::new(question, spec.ignore.as_ref(), spec.interval(), spec.timeout())
}

/// The ways in which a Tenant may write a prefix of the repository. What counts is what is asked, so that no
/// spelling of the object leads elsewhere than the prefix says.
pub(crate) fn spellings(repository: &Repository) -> Vec<String> {
    let registry = repository.registry();
    let hosts = [registry].into_iter().chain((registry == HUB.0).then_some(HUB.1));
    let url = |host: &str| format!("oci://{host}/{}", repository.path());
    let mut all = Vec::new();
    for host in hosts {
        let address_ends = host.rfind(']').unwrap_or(0);
        let has_port = host.get(address_ends..).is_some_and(|rest| rest.contains(':'));
        all.push(url(host));
        if !has_port {
            all.push(url(&format!("{host}:443")));
        }
    }
    all
}

/// Digest before semver before tag; `latest` when nothing is said.
fn reference(object: &OciRepository) -> Result<Reference, Refusal> {
    let Some(reference) = &object.spec.reference else {
        return Ok(Reference::default());
    };
    let set = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    if let Some(digest) = set(&reference.digest) {
        let digest: Digest = digest.parse().map_err(|error| Refusal {
            reason: reasons::URL_INVALID,
            message: format!("spec.ref.digest can't be used: {error}"),
            limit: None,
        })?;
        return Ok(Reference::Digest(digest));
    }
    let media_type = object.spec.layer_selector.as_ref();
    let media_type = media_type.and_then(|selector| selector.media_type.as_deref());
    Ok(match (set(&reference.semver), set(&reference.tag)) {
        (Some(range), _) => Reference::Semver {
            range,
            filter: set(&reference.semver_filter),
            underscore_is_plus: media_type == Some(CHART),
        },
        (None, Some(tag)) => Reference::Tag(tag),
        (None, None) => Reference::default(),
    })
}

fn layer(object: &OciRepository) -> Layer {
    let Some(selector) = &object.spec.layer_selector else {
        return Layer::default();
    };
    Layer {
        media_type: selector.media_type.clone().filter(|kind| !kind.is_empty()),
        operation: match selector.operation.as_deref() {
            Some("copy") => Operation::Copy,
            _ => Operation::Extract,
        },
    }
}

/// What `spec.provider` names, if it is a cloud.
pub(crate) fn cloud(provider: Option<&str>) -> Option<String> {
    let provider = provider.filter(|provider| !matches!(*provider, "" | "generic"));
    provider.map(str::to_owned)
}
