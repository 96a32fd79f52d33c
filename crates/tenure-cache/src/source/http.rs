use tenure_core::{Digest, Revision, Secret, SourceUrl};
use tenure_http::bucket::{
    AUTHORITY, Account, Application, Azure, Bucket, Federated, Google, Ldap, Proof, S3, Service, Web,
};
use tenure_http::child::{self, Job, Task};
use tenure_http::{ChartVersion, Credential, HttpError, Limits, Missing, Remote, Validators};
use tenure_net::Outbound;
use tenure_net::aws::Keys;
use tenure_proto::source::workload::Identity;
use tenure_proto::source::{
    self, BucketSpec, FailureKind, FileSpec, HelmSpec, azure_application, bucket_spec, credential,
};

use super::{Answer, Budget, Fetched, Found, Room, invalid, outbound, short};
use crate::failure::Failure;
use crate::service::local;

/// Files behind HTTP: a Helm repository's index, one of its charts, a bucket, what somebody else has made.
#[derive(Clone, Debug)]
pub(crate) enum Http {
    Index(Remote),
    Chart {
        remote: Remote,
        name: String,
        wanted: String,
    },
    Bucket {
        bucket: Box<Bucket>,
        ignore: Option<String>,
    },
    File {
        remote: Remote,
        digest: Digest,
        revision: Revision,
    },
}

impl Http {
    pub(super) fn helm(
        spec: HelmSpec,
        credential: source::Credential,
        guard: &tenure_net::Guard,
    ) -> Result<Self, Failure> {
        short(&[&spec.url, &spec.chart, &spec.version], "")?;
        let outbound = outbound(&credential, guard)?;
        let mut remote = Remote::new(url(&spec.url)?, basic(credential.kind)?);
        remote.pass_credentials = spec.pass_credentials;
        remote.outbound = outbound;
        Ok(match spec.chart.is_empty() {
            true => Self::Index(remote),
            false => Self::Chart {
                remote,
                name: spec.chart,
                wanted: spec.version,
            },
        })
    }

    pub(super) fn bucket(
        spec: BucketSpec,
        credential: source::Credential,
        guard: &tenure_net::Guard,
    ) -> Result<Self, Failure> {
        short(
            &[&spec.endpoint, &spec.bucket, &spec.region, &spec.prefix],
            &spec.ignore,
        )?;
        let outbound = outbound(&credential, guard)?;
        if let Some(credential::Kind::Workload(workload)) = &credential.kind {
            of_its_cloud(&url(&spec.endpoint)?, workload.identity.as_ref())?;
        }
        let service = match spec.service() {
            bucket_spec::Service::S3 => Service::S3 {
                opener: s3(credential, &spec.region, guard)?,
                region: spec.region,
            },
            bucket_spec::Service::Google => Service::Google(google(credential.kind)?),
            bucket_spec::Service::Azure => Service::Azure(azure(credential.kind)?),
        };
        let bucket = Bucket {
            endpoint: url(&spec.endpoint)?,
            name: spec.bucket,
            prefix: spec.prefix,
            service,
            outbound,
        };
        Ok(Self::Bucket {
            bucket: Box::new(bucket),
            ignore: spec.has_ignore.then_some(spec.ignore),
        })
    }

    pub(super) fn file(
        spec: FileSpec,
        credential: &source::Credential,
        guard: &tenure_net::Guard,
    ) -> Result<Self, Failure> {
        short(&[&spec.url, &spec.revision], "")?;
        if credential.kind.is_some() {
            return Err(invalid("the file of an artifact is read without a credential"));
        }
        let unusable = |error: &dyn std::fmt::Display| invalid(&format!("can't use the artifact: {error}"));
        let mut remote = Remote::new(url(&spec.url)?, Credential::None);
        remote.outbound = outbound(credential, guard)?;
        Ok(Self::File {
            remote,
            digest: spec.digest.parse().map_err(|error| unusable(&error))?,
            revision: Revision::opaque(&spec.revision).map_err(|error| unusable(&error))?,
        })
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Index(_) => "HelmRepository",
            Self::Chart { .. } => "HelmChart",
            Self::Bucket { .. } => "Bucket",
            Self::File { .. } => "ExternalArtifact",
        }
    }

    fn outbound(&self) -> &Outbound {
        match self {
            Self::Index(remote) | Self::Chart { remote, .. } | Self::File { remote, .. } => &remote.outbound,
            Self::Bucket { bucket, .. } => &bucket.outbound,
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Index(remote) | Self::Chart { remote, .. } | Self::File { remote, .. } => {
                remote.url.remote_key()
            }
            Self::Bucket { bucket, .. } => format!("{}/{}", bucket.endpoint.remote_key(), bucket.name),
        }
    }

    pub(super) fn trust(&self) -> Vec<&[u8]> {
        super::trust(self.outbound())
    }

    pub(super) fn reference(&self) -> String {
        match self {
            Self::Index(_) => "index".to_owned(),
            Self::Chart { name, wanted, .. } => format!("chart {name:?} {wanted:?}"),
            Self::Bucket { bucket, ignore } => {
                let (service, region) = (service(bucket), bucket.service.region());
                format!("{service} {region:?} {:?} {ignore:?}", bucket.prefix)
            }
            Self::File { digest, revision, .. } => format!("file {digest} {revision}"),
        }
    }

    pub(super) fn shape(&self) -> Vec<&str> {
        match self {
            Self::Index(_) => vec!["index"],
            Self::Chart { .. } => vec!["chart"],
            Self::File { .. } => vec!["file"],
            Self::Bucket { bucket, ignore } => {
                let rules = super::ignore(ignore.as_deref());
                [service(bucket), bucket.service.region(), &bucket.prefix]
                    .into_iter()
                    .chain(rules)
                    .collect()
            }
        }
    }

    pub(super) fn secrets(&self) -> Vec<&str> {
        let mut secrets = match self {
            Self::Index(remote) | Self::Chart { remote, .. } | Self::File { remote, .. } => {
                let password = match &remote.credential {
                    Credential::None => None,
                    Credential::Basic { password, .. } => password.expose_str(),
                };
                vec![password, remote.url.expose_password()]
            }
            Self::Bucket { bucket, .. } => bucket.service.secrets().into_iter().map(Some).collect(),
        };
        secrets.push(super::proxy_password(self.outbound()));
        secrets.into_iter().flatten().collect()
    }

    pub(super) fn resolve(&self, budget: Budget, known: Option<&Found>) -> Job {
        let known = known.and_then(|found| Some((found.validators.clone()?, found)));
        let task = match self {
            Self::Index(remote) => {
                let known =
                    known.and_then(|(validators, found)| Some((validators, found.content.parse().ok()?)));
                Task::Index(remote.clone(), known)
            }
            Self::Chart { remote, name, wanted } => {
                let version = |found: &Found| serde_json::from_str(&found.content).ok();
                let known = known.and_then(|(validators, found)| Some((validators, version(found)?)));
                Task::Chart(remote.clone(), name.clone(), wanted.clone(), known)
            }
            Self::Bucket { bucket, ignore } => Task::Bucket((**bucket).clone(), ignore.clone()),
            Self::File { remote, .. } => Task::File(remote.clone()),
        };
        Job {
            task,
            limits: limits(budget),
        }
    }

    pub(super) fn fetch(&self, found: &Found, room: Room, budget: Budget) -> Result<Job, Failure> {
        let out = room.out;
        let digest = || {
            let digest = found.content.parse::<Digest>();
            digest.map_err(|error| local("read a digest", error))
        };
        let task = match self {
            Self::Index(remote) => Task::KeepIndex(remote.clone(), digest()?, out),
            Self::Chart { remote, .. } => {
                let version = serde_json::from_str(&found.content);
                let version = version.map_err(|error| local("read where a chart is", error))?;
                Task::KeepChart(remote.clone(), version, out)
            }
            Self::Bucket { bucket, ignore } => {
                Task::KeepBucket((**bucket).clone(), ignore.clone(), digest()?, out)
            }
            Self::File { remote, digest, .. } => Task::KeepFile(remote.clone(), *digest, out),
        };
        Ok(Job {
            task,
            limits: limits(budget),
        })
    }

    /// What a child answers to a question about this.
    pub(super) fn found(&self, answer: child::Answer) -> Answer {
        match (self, answer) {
            (_, child::Answer::Failed(error)) => Answer::Failed(failure(&error, false)),
            (Self::Index(_), child::Answer::Index(digest, validators)) => {
                known(Revision::digest(digest), digest.to_string(), validators)
            }
            (Self::Bucket { .. }, child::Answer::At(digest)) => {
                known(Revision::digest(digest), digest.to_string(), None)
            }
            (Self::File { digest, revision, .. }, child::Answer::There) => {
                known(revision.clone(), digest.to_string(), None)
            }
            (Self::Chart { .. }, child::Answer::Chart(version, validators)) => chart(&version, validators),
            _ => Answer::Other,
        }
    }
}

/// What a child answers that was to write something.
pub(super) fn fetched(answer: child::Answer) -> Answer {
    match answer {
        child::Answer::Failed(error) => Answer::Failed(failure(&error, true)),
        child::Answer::Kept(kept, files) => Answer::Fetched(Fetched {
            digest: kept.digest,
            size: kept.size,
            subject: files.map(|files| files.to_string()).unwrap_or_default(),
            media_type: None,
            annotations: std::collections::BTreeMap::new(),
            dropped_links: Vec::new(),
            objects: Vec::new(),
            downloaded: kept.size,
        }),
        _ => Answer::Other,
    }
}

fn chart(version: &ChartVersion, validators: Option<Validators>) -> Answer {
    let said = Revision::opaque(&version.version).ok();
    match (said, serde_json::to_string(version)) {
        // what names no digest may be another archive next time: only a download shows what it is
        (Some(revision), Ok(content)) => Answer::Found(Found {
            advertised: version.sha256().is_some(),
            ..at(revision, content, validators)
        }),
        _ => Answer::Failed(Failure::new(
            FailureKind::Malformed,
            "a chart's version in the index can't be used",
        )),
    }
}

fn known(revision: Revision, content: String, validators: Option<Validators>) -> Answer {
    Answer::Found(at(revision, content, validators))
}

fn at(revision: Revision, content: String, validators: Option<Validators>) -> Found {
    Found {
        revision,
        content,
        pointer: None,
        through: None,
        advertised: true,
        validators,
    }
}

/// What tells a bucket from others of that name at the same place.
const fn service(bucket: &Bucket) -> &'static str {
    match bucket.service {
        Service::S3 { .. } => "bucket",
        Service::Google(_) => "google bucket",
        Service::Azure(_) => "azure container",
    }
}

/// What a cloud gives for a workload's token is shown to that cloud only. Of AWS's, a request shows no secret.
fn of_its_cloud(endpoint: &SourceUrl, identity: Option<&Identity>) -> Result<(), Failure> {
    const AZURE: [&str; 3] = [
        ".blob.core.windows.net",
        ".blob.core.chinacloudapi.cn",
        ".blob.core.usgovcloudapi.net",
    ];
    let host = endpoint.host();
    let good = match identity {
        Some(Identity::Google(_)) => host == "storage.googleapis.com",
        Some(Identity::Azure(_)) => AZURE.iter().any(|domain| host.ends_with(domain)),
        Some(Identity::Aws(_)) => return Ok(()),
        None => false,
    };
    match good && endpoint.scheme() == "https" {
        true => Ok(()),
        false => Err(invalid(
            "the endpoint is none of that cloud's: name a Secret that opens it",
        )),
    }
}

fn s3(credential: source::Credential, region: &str, guard: &tenure_net::Guard) -> Result<S3, Failure> {
    Ok(match &credential.kind {
        None => S3::Anonymous,
        Some(credential::Kind::Ldap(from)) => S3::Ldap(Box::new(ldap(from, &credential, guard)?)),
        Some(credential::Kind::Keys(keys)) => S3::Keys(Keys {
            access_key: keys.access_key.clone(),
            secret_key: Secret::from(keys.secret_key.clone()),
            session_token: Some(Secret::from(keys.session_token.clone())).filter(|token| !token.is_empty()),
        }),
        Some(credential::Kind::Workload(workload)) => {
            let Some(Identity::Aws(aws)) = &workload.identity else {
                return Err(invalid("a bucket of AWS takes a role"));
            };
            S3::Web(Box::new(Web {
                endpoint: url(&sts(region)?)?,
                role: aws.role.clone(),
                token: Secret::new(workload.token.clone()),
                outbound: outbound(&credential, guard)?,
            }))
        }
        Some(_) => return Err(invalid("a bucket takes an access key and a secret key")),
    })
}

/// AWS's token service of a region.
fn sts(region: &str) -> Result<String, Failure> {
    let region = if region.is_empty() { "us-east-1" } else { region };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !region.bytes().all(plain) {
        return Err(invalid("that is no region of AWS"));
    }
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    Ok(format!("https://sts.{region}.{domain}/"))
}

fn google(kind: Option<credential::Kind>) -> Result<Google, Failure> {
    Ok(match kind {
        None => Google::Anonymous,
        Some(credential::Kind::Bearer(token)) => Google::Token(Secret::from(token)),
        Some(credential::Kind::GoogleAccount(account)) => Google::Account(Account {
            email: account.email,
            key_id: Some(account.key_id).filter(|id| !id.is_empty()),
            key: Secret::new(account.key),
            token_uri: account.token_uri,
        }),
        Some(credential::Kind::Workload(workload)) => match workload.identity {
            Some(Identity::Google(google)) => Google::Federated(Federated {
                audience: format!("//iam.googleapis.com/{}", google.provider),
                service_account: Some(google.service_account).filter(|account| !account.is_empty()),
                token: Secret::new(workload.token),
            }),
            _ => return Err(invalid("a bucket of Google Cloud takes a principal of a pool")),
        },
        Some(_) => return Err(invalid("a bucket of Google Cloud takes a service account")),
    })
}

fn azure(kind: Option<credential::Kind>) -> Result<Azure, Failure> {
    Ok(match kind {
        None => Azure::Anonymous,
        Some(credential::Kind::Bearer(token)) => Azure::Token(Secret::from(token)),
        Some(credential::Kind::AzureSas(query)) => Azure::Sas(Secret::from(query)),
        Some(credential::Kind::AzureKey(key)) => Azure::AccountKey {
            account: key.account,
            key: Secret::from(key.key),
        },
        Some(credential::Kind::AzureApplication(application)) => Azure::Application(Application {
            tenant_id: application.tenant_id,
            client_id: application.client_id,
            authority: application.authority,
            proof: match application.proof {
                Some(azure_application::Proof::Secret(secret)) => Proof::Secret(Secret::from(secret)),
                Some(azure_application::Proof::Certificate(certificate)) => Proof::Certificate {
                    pem: Secret::new(certificate.pem),
                    send_chain: certificate.send_chain,
                },
                None => return Err(invalid("an application of Azure needs a secret or a certificate")),
            },
        }),
        Some(credential::Kind::Workload(workload)) => match workload.identity {
            Some(Identity::Azure(azure)) => Azure::Application(Application {
                tenant_id: azure.tenant_id,
                client_id: azure.client_id,
                authority: AUTHORITY.to_owned(),
                proof: Proof::Assertion(Secret::new(workload.token)),
            }),
            _ => return Err(invalid("a container of Azure takes an application")),
        },
        Some(_) => {
            return Err(invalid(
                "a container of Azure takes a key, a signature or an application",
            ));
        }
    })
}

/// Who gives keys; by way of the same proxy, with a trust of its own.
fn ldap(
    from: &source::Ldap,
    credential: &source::Credential,
    guard: &tenure_net::Guard,
) -> Result<Ldap, Failure> {
    short(&[&from.endpoint], "")?;
    let own = source::Credential {
        kind: None,
        ca_pem: from.ca_pem.clone(),
        client_cert_pem: from.client_cert_pem.clone(),
        client_key_pem: from.client_key_pem.clone(),
        proxy: credential.proxy.clone(),
    };
    Ok(Ldap {
        endpoint: url(&from.endpoint)?,
        username: from.username.clone(),
        password: Secret::from(from.password.clone()),
        outbound: outbound(&own, guard)?,
    })
}

fn url(text: &str) -> Result<SourceUrl, Failure> {
    let url: SourceUrl = text.parse().map_err(|error| invalid(&format!("{error}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(invalid("the URL is not http or https")),
    }
}

fn basic(kind: Option<credential::Kind>) -> Result<Credential, Failure> {
    match kind {
        None => Ok(Credential::None),
        Some(credential::Kind::Basic(basic)) => Ok(Credential::Basic {
            username: basic.username,
            password: Secret::from(basic.password),
        }),
        Some(_) => Err(invalid("a Helm repository takes user and password")),
    }
}

fn limits(budget: Budget) -> Limits {
    let usual = Limits::default();
    Limits {
        chart_bytes: usual.chart_bytes.min(budget.bytes),
        artifact_bytes: budget.bytes,
        timeout: budget.timeout,
        ..usual
    }
}

/// What the child says of the server, in the protocol's words.
fn failure(error: &HttpError, fetches: bool) -> Failure {
    let kind = match error {
        HttpError::AuthenticationFailed { .. } => FailureKind::AuthenticationFailed,
        HttpError::NotFound {
            what: Missing::Chart(_) | Missing::Version(..),
            ..
        } => FailureKind::NoSuchChart,
        HttpError::NotFound { .. } => FailureKind::NotFound,
        HttpError::InvalidReference { .. } => FailureKind::InvalidReference,
        HttpError::RateLimited { .. }
        | HttpError::Unavailable { .. }
        | HttpError::Forbidden { .. }
        | HttpError::Timeout { .. } => FailureKind::UpstreamUnavailable,
        HttpError::TooLarge { .. } => FailureKind::TooLarge,
        HttpError::DigestMismatch { .. } | HttpError::Malformed { .. } => FailureKind::Malformed,
        HttpError::Local { .. } => return local("download a file", error),
    };
    let mut failure = Failure::new(kind, error.to_string());
    failure.found = fetches;
    if let HttpError::RateLimited { retry_after, .. } = error {
        failure.retry_after = *retry_after;
        failure.limited = true;
    }
    // A server may hide what it refuses to show: to it, too, the credential is no longer good.
    failure.refused = matches!(
        error,
        HttpError::AuthenticationFailed { .. }
            | HttpError::NotFound {
                what: Missing::File(_),
                ..
            }
    );
    failure
}
