use tenure_core::Secret;
use tenure_net::Guard;
use tenure_oci::child::{self, Job};
use tenure_oci::cloud::{Identity, Workload};
use tenure_oci::{
    Credential, Layer, Limits, Missing, OciError, Operation, Reference, Remote, Repository, Resolved,
};
use tenure_proto::source::{self, FailureKind, OciSpec, credential, oci_spec};

use super::{Answer, Budget, Fetched, Found, Opened, Room, invalid, outbound, short};
use crate::failure::Failure;
use crate::service::local;

/// A reference of a registry's repository, and one layer of what is there.
#[derive(Clone, Debug)]
pub(crate) struct Oci {
    remote: Remote,
    /// Whose token is changed for what opens the registry.
    workload: Option<Workload>,
    reference: Reference,
    layer: Layer,
    ignore: Option<String>,
}

impl Oci {
    pub(super) fn read(
        spec: OciSpec,
        credential: source::Credential,
        guard: &Guard,
    ) -> Result<Self, Failure> {
        let wanted = match &spec.r#ref {
            Some(oci_spec::Ref::Tag(text) | oci_spec::Ref::Semver(text) | oci_spec::Ref::Digest(text)) => {
                text
            }
            None => "",
        };
        short(
            &[&spec.url, wanted, &spec.semver_filter, &spec.layer_media_type],
            &spec.ignore,
        )?;
        let mut credential = credential;
        let workload = match credential.kind.take() {
            Some(credential::Kind::Workload(workload)) => Some(self::workload(workload)?),
            kind => {
                credential.kind = kind;
                None
            }
        };
        if workload.is_some() && spec.insecure {
            return Err(invalid(
                "a cloud's login is not shown to a registry that is insecure",
            ));
        }
        let mut remote = remote(repository(&spec.url)?, credential, guard)?;
        remote.insecure = spec.insecure;
        Ok(Self {
            remote,
            workload,
            reference: reference(&spec)?,
            layer: Layer {
                media_type: Some(spec.layer_media_type).filter(|kind| !kind.is_empty()),
                operation: match spec.copy {
                    true => Operation::Copy,
                    false => Operation::Extract,
                },
            },
            ignore: spec.has_ignore.then_some(spec.ignore),
        })
    }

    pub(super) fn name(&self) -> String {
        self.remote.repository.url()
    }

    pub(super) fn trust(&self) -> Vec<&[u8]> {
        let insecure = self.remote.insecure.then_some(&b"insecure"[..]);
        super::trust(&self.remote.outbound)
            .into_iter()
            .chain(insecure)
            .collect()
    }

    pub(super) fn reference(&self) -> String {
        format!("{:?}", self.reference)
    }

    pub(super) fn shape(&self) -> Vec<&str> {
        let operation = match self.layer.operation {
            Operation::Extract => "extract",
            Operation::Copy => "copy",
        };
        let layer = [operation, self.layer.media_type.as_deref().unwrap_or_default()];
        super::ignore(self.ignore.as_deref())
            .into_iter()
            .chain(layer)
            .collect()
    }

    pub(super) fn secrets(&self) -> Vec<&str> {
        let secret = match &self.remote.credential {
            Credential::None => None,
            Credential::Basic { password, .. } => password.expose_str(),
            Credential::Identity { token } | Credential::Bearer { token } => token.expose_str(),
        };
        let token = self
            .workload
            .as_ref()
            .and_then(|workload| workload.token.expose_str());
        let proxy = super::proxy_password(&self.remote.outbound);
        secret.into_iter().chain(token).chain(proxy).collect()
    }

    pub(super) fn log_in(&self) -> Option<Job> {
        Some(Job::LogIn {
            repository: self.remote.repository.clone(),
            workload: self.workload.clone()?,
            outbound: self.remote.outbound.clone(),
        })
    }

    pub(super) fn open_with(&mut self, credential: Credential) {
        self.remote.credential = credential;
    }

    pub(super) fn resolve(&self, budget: Budget) -> Job {
        Job::Resolve {
            remote: self.remote.clone(),
            reference: self.reference.clone(),
            limits: limits(budget),
        }
    }

    pub(super) fn signatures(&self, content: &str, budget: Budget) -> Result<Job, Failure> {
        let digest = content
            .parse()
            .map_err(|error| local("read a manifest's digest", error))?;
        Ok(Job::Signatures {
            remote: self.remote.clone(),
            digest,
            limits: limits(budget),
        })
    }

    pub(super) fn fetch(&self, found: &Found, room: Room, budget: Budget) -> Result<Job, Failure> {
        let digest = found
            .content
            .parse()
            .map_err(|error| local("read a manifest's digest", error))?;
        Ok(Job::Fetch {
            remote: self.remote.clone(),
            resolved: Resolved {
                revision: found.revision.clone(),
                digest,
                tag: found.pointer.clone(),
            },
            out: room.out,
            layer: self.layer.clone(),
            ignore: self.ignore.clone(),
            limits: limits(budget),
        })
    }
}

/// What a child answers to a job; `fetches` says to which.
pub(super) fn answer(answer: child::Answer, fetches: bool) -> Answer {
    match answer {
        child::Answer::Resolved(resolved) => Answer::Found(Found {
            revision: resolved.revision,
            content: resolved.digest.to_string(),
            pointer: resolved.tag,
            through: None,
            advertised: true,
            validators: None,
        }),
        child::Answer::Fetched(fetched) => Answer::Fetched(Fetched {
            digest: fetched.digest,
            size: fetched.size,
            subject: String::new(),
            media_type: Some(fetched.media_type),
            annotations: fetched.annotations,
            dropped_links: fetched.dropped_symlinks,
            objects: Vec::new(),
            downloaded: fetched.downloaded_bytes,
        }),
        child::Answer::LoggedIn(lease) => Answer::Opened(Opened::Login(lease.credential), lease.good_for),
        child::Answer::Signatures(found) => Answer::Signed(found.into_iter().map(signature).collect()),
        child::Answer::Failed(error) => Answer::Failed(failure(&error, fetches)),
    }
}

fn signature(of: tenure_oci::Signature) -> source::Signature {
    source::Signature {
        media_type: of.media_type,
        annotations: of.annotations.into_iter().collect(),
        payload: of.payload,
    }
}

pub(super) fn repository(url: &str) -> Result<Repository, Failure> {
    Repository::from_url(url).map_err(|error| invalid(&error.to_string()))
}

fn reference(spec: &OciSpec) -> Result<Reference, Failure> {
    Ok(match &spec.r#ref {
        None => Reference::default(),
        Some(oci_spec::Ref::Tag(tag)) => Reference::Tag(tag.clone()),
        Some(oci_spec::Ref::Semver(range)) => Reference::Semver {
            range: range.clone(),
            filter: Some(spec.semver_filter.clone()).filter(|filter| !filter.is_empty()),
            underscore_is_plus: spec.underscore_is_plus,
        },
        Some(oci_spec::Ref::Digest(digest)) => Reference::Digest(
            digest
                .parse()
                .map_err(|error| invalid(&format!("can't use the digest: {error}")))?,
        ),
    })
}

fn remote(repository: Repository, from: source::Credential, guard: &Guard) -> Result<Remote, Failure> {
    let outbound = outbound(&from, guard)?;
    let credential = match from.kind {
        None => Credential::None,
        Some(credential::Kind::Basic(basic)) => Credential::Basic {
            username: basic.username,
            password: Secret::from(basic.password),
        },
        Some(credential::Kind::Bearer(token)) => Credential::Bearer {
            token: Secret::from(token),
        },
        Some(credential::Kind::IdentityToken(token)) => Credential::Identity {
            token: Secret::from(token),
        },
        Some(_) => {
            return Err(invalid("a registry takes no ssh key and no keys of a bucket"));
        }
    };
    let mut remote = Remote::new(repository, credential);
    remote.outbound = outbound;
    Ok(remote)
}

fn workload(from: source::Workload) -> Result<Workload, Failure> {
    use source::workload::Identity as From;
    let identity = match from.identity {
        None => return Err(invalid("a workload without an identity can't log in")),
        Some(From::Aws(aws)) => Identity::Aws { role: aws.role },
        Some(From::Google(google)) => Identity::Google {
            provider: google.provider,
            service_account: Some(google.service_account).filter(|account| !account.is_empty()),
        },
        Some(From::Azure(azure)) => Identity::Azure {
            tenant_id: azure.tenant_id,
            client_id: azure.client_id,
        },
    };
    Ok(Workload {
        identity,
        token: Secret::new(from.token),
    })
}

fn limits(budget: Budget) -> Limits {
    let usual = Limits::default();
    Limits {
        artifact_bytes: budget.bytes,
        layer_bytes: usual.layer_bytes.max(budget.bytes),
        timeout: budget.timeout,
        ..usual
    }
}

/// What the child says of the registry, in the protocol's words.
fn failure(error: &OciError, fetches: bool) -> Failure {
    let kind = match error {
        OciError::AuthenticationFailed { .. } => FailureKind::AuthenticationFailed,
        OciError::NotFound {
            what: Missing::Layer(_),
            ..
        } => FailureKind::LayerUnusable,
        OciError::Malformed { .. } if fetches => FailureKind::LayerUnusable,
        OciError::NotFound { .. } => FailureKind::NotFound,
        OciError::InvalidReference { .. } => FailureKind::InvalidReference,
        OciError::RateLimited { .. }
        | OciError::Unavailable { .. }
        | OciError::Forbidden { .. }
        | OciError::Timeout { .. } => FailureKind::UpstreamUnavailable,
        OciError::TooLarge { .. } => FailureKind::TooLarge,
        OciError::DigestMismatch { .. } | OciError::Malformed { .. } => FailureKind::Malformed,
        OciError::Local { .. } => return local("pull an artifact", error),
    };
    let mut failure = Failure::new(kind, error.to_string());
    failure.found = fetches;
    if let OciError::RateLimited { retry_after, .. } = error {
        failure.retry_after = *retry_after;
        failure.limited = true;
    }
    // Registries hide what they refuse to show: to them, too, the credential is no longer good.
    failure.refused = matches!(
        error,
        OciError::AuthenticationFailed { .. }
            | OciError::NotFound {
                what: Missing::Repository,
                ..
            }
    );
    failure
}
