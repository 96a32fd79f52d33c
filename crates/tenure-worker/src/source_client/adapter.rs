//! Questions and answers of the controllers, in the protocol's words.

use tenure_controllers::{
    BucketOpener, BucketRequest, FileRequest, GitCredentialKind, GitObject, GitReference, GitRequest,
    HelmRequest, Link, OciCredential, OciRequest, ProxySecret, Resolved, SourceFailure, SourceRequest,
    TlsSecrets, Trouble, Wanted,
};
use tenure_core::{Classify as _, Revision, Secret};
use tenure_oci::{Operation, Reference};
use tenure_proto::source::{
    Basic, BucketSpec, Credential, FailureKind, FileSpec, GitSpec, GithubApp, HelmSpec, Keys, OciSpec,
    PollLease, Proxy, ResolveRequest, ResolveResponse, Signature, Ssh, bucket_spec::Service, credential,
    git_spec, oci_spec, resolve_request,
};

use super::SourceError;
use super::openers::{azure, google, ldap, registry_login, workload};

/// How old a proof may be for the signatures of what it is of.
const JUST_NOW: std::time::Duration = std::time::Duration::from_secs(30);

/// Why the cache gave nothing of this kind.
pub(super) fn failure(wanted: &Wanted, error: SourceError) -> SourceFailure {
    match wanted {
        // the other kinds choose a reason by what kind of trouble it is
        Wanted::Git(_) | Wanted::Helm(_) | Wanted::Bucket(_) | Wanted::File(_) => SourceFailure::from(error),
        Wanted::Oci(_) => SourceFailure {
            reason: error.reason_for_oci(),
            ..SourceFailure::from(error)
        },
    }
}

impl From<SourceError> for SourceFailure {
    fn from(error: SourceError) -> Self {
        let message = match error.hint() {
            Some(hint) => format!("{error}: {hint}"),
            None => error.to_string(),
        };
        Self {
            reason: error.reason(),
            message,
            retry: error.retry(),
            cache_down: error.cache_down(),
            found: error.found(),
            trouble: trouble(&error),
        }
    }
}

const fn trouble(error: &SourceError) -> Trouble {
    let SourceError::Remote { kind, .. } = error else {
        return Trouble::Ours;
    };
    match kind {
        FailureKind::AuthenticationFailed | FailureKind::HostKeyMismatch => Trouble::Refused,
        FailureKind::NotFound => Trouble::Missing,
        FailureKind::NoSuchChart => Trouble::NoSuchChart,
        FailureKind::InvalidReference => Trouble::Invalid,
        FailureKind::Malformed | FailureKind::LayerUnusable => Trouble::Malformed,
        FailureKind::TooLarge => Trouble::TooLarge,
        FailureKind::OverBudget => Trouble::OverBudget,
        _ => Trouble::Unavailable,
    }
}

pub(super) fn message(request: &SourceRequest) -> ResolveRequest {
    let (spec, credential) = match &request.wanted {
        Wanted::Git(git) => git_message(git, request.ignore.as_ref()),
        Wanted::Oci(oci) => oci_message(oci, request.ignore.as_ref()),
        Wanted::Helm(helm) => helm_message(helm),
        Wanted::Bucket(bucket) => bucket_message(bucket, request.ignore.as_ref()),
        Wanted::File(file) => file_message(file),
    };
    ResolveRequest {
        spec: Some(spec),
        credential: Some(credential),
        timeout: request.timeout.try_into().ok(),
        max_artifact_bytes: request.max_artifact_bytes,
        signatures: request.signatures,
        // signatures are asked for right after what they are of
        max_age: match request.signatures {
            true => JUST_NOW.try_into().ok(),
            false => request.max_age.try_into().ok(),
        },
        lease: lease(request),
        link_for: request.link_for.and_then(|time| time.try_into().ok()),
        ..ResolveRequest::default()
    }
}

fn lease(request: &SourceRequest) -> Option<PollLease> {
    let (subject, every) = request.lease.clone()?;
    Some(PollLease {
        subject,
        every: every.try_into().ok(),
    })
}

fn git_message(git: &GitRequest, ignore: Option<&String>) -> (resolve_request::Spec, Credential) {
    let (reference, commit_branch) = match &git.reference {
        GitReference::Branch(name) => (git_spec::Ref::Branch(name.clone()), String::new()),
        GitReference::Tag(name) => (git_spec::Ref::Tag(name.clone()), String::new()),
        GitReference::Semver(range) => (git_spec::Ref::Semver(range.clone()), String::new()),
        GitReference::Name(name) => (git_spec::Ref::Name(name.clone()), String::new()),
        GitReference::Commit { commit, branch } => (
            git_spec::Ref::Commit(commit.clone()),
            branch.clone().unwrap_or_default(),
        ),
    };
    let spec = GitSpec {
        url: text(&git.url.expose()),
        r#ref: Some(reference),
        commit_branch,
        ignore: ignore.cloned().unwrap_or_default(),
        has_ignore: ignore.is_some(),
        sparse: git.sparse.clone(),
        objects: git.objects,
        submodules: git.submodules.is_some(),
        submodule_prefixes: git.submodules.clone().unwrap_or_default(),
    };
    (resolve_request::Spec::Git(spec), credential(git))
}

fn oci_message(oci: &OciRequest, ignore: Option<&String>) -> (resolve_request::Spec, Credential) {
    let mut spec = OciSpec {
        url: oci.repository.url(),
        layer_media_type: oci.layer.media_type.clone().unwrap_or_default(),
        copy: oci.layer.operation == Operation::Copy,
        ignore: ignore.cloned().unwrap_or_default(),
        has_ignore: ignore.is_some(),
        insecure: oci.insecure,
        ..OciSpec::default()
    };
    spec.r#ref = Some(match &oci.reference {
        Reference::Tag(tag) => oci_spec::Ref::Tag(tag.clone()),
        Reference::Digest(digest) => oci_spec::Ref::Digest(digest.to_string()),
        Reference::Semver {
            range,
            filter,
            underscore_is_plus,
        } => {
            spec.semver_filter = filter.clone().unwrap_or_default();
            spec.underscore_is_plus = *underscore_is_plus;
            oci_spec::Ref::Semver(range.clone())
        }
    });
    let kind = match &oci.credential {
        OciCredential::Login(login) => registry_login(login),
        OciCredential::Workload(of) => Some(credential::Kind::Workload(workload(of))),
    };
    let credential = through(&oci.tls, oci.proxy.as_ref(), kind);
    (resolve_request::Spec::Oci(spec), credential)
}

fn helm_message(helm: &HelmRequest) -> (resolve_request::Spec, Credential) {
    let (chart, version) = helm.chart.clone().unwrap_or_default();
    let spec = HelmSpec {
        url: text(&helm.url.expose()),
        chart,
        version,
        pass_credentials: helm.pass_credentials,
    };
    let kind = helm.login.as_ref().map(|(username, password)| {
        credential::Kind::Basic(Basic {
            username: username.clone(),
            password: text(password),
        })
    });
    (resolve_request::Spec::Helm(spec), through(&helm.tls, None, kind))
}

fn bucket_message(bucket: &BucketRequest, ignore: Option<&String>) -> (resolve_request::Spec, Credential) {
    let (service, kind) = match &bucket.opener {
        BucketOpener::Anonymous => (Service::S3, None),
        BucketOpener::Keys(access, secret) => {
            let keys = Keys {
                access_key: access.clone(),
                secret_key: text(secret),
                session_token: String::new(),
            };
            (Service::S3, Some(credential::Kind::Keys(keys)))
        }
        BucketOpener::Ldap(of) => (Service::S3, Some(credential::Kind::Ldap(ldap(of)))),
        BucketOpener::Google(of) => (Service::Google, google(of)),
        BucketOpener::Azure(of) => (Service::Azure, azure(of)),
        BucketOpener::Workload(of) => {
            let service = match of.identity {
                tenure_oci::cloud::Identity::Aws { .. } => Service::S3,
                tenure_oci::cloud::Identity::Google { .. } => Service::Google,
                tenure_oci::cloud::Identity::Azure { .. } => Service::Azure,
            };
            (service, Some(credential::Kind::Workload(workload(of))))
        }
    };
    let spec = BucketSpec {
        endpoint: text(&bucket.endpoint.expose()),
        bucket: bucket.name.clone(),
        region: bucket.region.clone(),
        prefix: bucket.prefix.clone(),
        ignore: ignore.cloned().unwrap_or_default(),
        has_ignore: ignore.is_some(),
        service: service.into(),
    };
    let credential = through(&bucket.tls, bucket.proxy.as_ref(), kind);
    (resolve_request::Spec::Bucket(spec), credential)
}

fn file_message(file: &FileRequest) -> (resolve_request::Spec, Credential) {
    let spec = FileSpec {
        url: text(&file.url.expose()),
        digest: file.digest.to_string(),
        revision: file.revision.to_string(),
    };
    (resolve_request::Spec::File(spec), Credential::default())
}

fn through(tls: &TlsSecrets, proxy: Option<&ProxySecret>, kind: Option<credential::Kind>) -> Credential {
    Credential {
        proxy: proxy.map(self::proxy),
        ..with_tls(kind, tls.ca_pem.as_ref(), tls.client.as_ref())
    }
}

fn proxy(of: &ProxySecret) -> Proxy {
    let login = of.login.as_ref();
    Proxy {
        address: of.address.clone(),
        username: login.map(|(user, _)| user.clone()).unwrap_or_default(),
        password: login.map(|(_, password)| text(password)).unwrap_or_default(),
    }
}

fn credential(git: &GitRequest) -> Credential {
    let from = &git.credential;
    let kind = match &from.kind {
        GitCredentialKind::None => None,
        GitCredentialKind::Basic { username, password } => Some(credential::Kind::Basic(Basic {
            username: username.clone(),
            password: text(password),
        })),
        GitCredentialKind::Bearer(token) => Some(credential::Kind::Bearer(text(token))),
        GitCredentialKind::App {
            id,
            installation,
            owner,
            key,
            api,
        } => Some(credential::Kind::GithubApp(GithubApp {
            id: id.clone(),
            installation_id: installation.unwrap_or_default(),
            installation_owner: owner.clone(),
            private_key: bytes(key),
            api_url: api.clone(),
        })),
        GitCredentialKind::Ssh {
            identity,
            passphrase,
            known_hosts,
            username,
        } => Some(credential::Kind::Ssh(Ssh {
            identity: bytes(identity),
            passphrase: passphrase.as_ref().map(text).unwrap_or_default(),
            known_hosts: bytes(known_hosts),
            username: username.clone(),
        })),
    };
    Credential {
        proxy: git.proxy.as_ref().map(proxy),
        ..with_tls(kind, from.ca_pem.as_ref(), from.client.as_ref())
    }
}

pub(super) fn with_tls(
    kind: Option<credential::Kind>,
    ca_pem: Option<&Secret>,
    client: Option<&(Secret, Secret)>,
) -> Credential {
    Credential {
        kind,
        ca_pem: ca_pem.map(bytes).unwrap_or_default(),
        client_cert_pem: client.map(|(cert, _)| bytes(cert)).unwrap_or_default(),
        client_key_pem: client.map(|(_, key)| bytes(key)).unwrap_or_default(),
        proxy: None,
    }
}

fn bytes(secret: &Secret) -> Vec<u8> {
    secret.expose().to_vec()
}

pub(super) fn text(secret: &Secret) -> String {
    secret.expose_str().unwrap_or_default().to_owned()
}

fn signature(of: Signature) -> tenure_oci::Signature {
    tenure_oci::Signature {
        media_type: of.media_type,
        annotations: of.annotations.into_iter().collect(),
        payload: of.payload,
    }
}

pub(super) fn resolved(response: ResolveResponse) -> Result<Resolved, SourceError> {
    let strange = |what: &str| SourceError::Unreachable(format!("its answer has no {what}"));
    let artifact = response.artifact.ok_or_else(|| strange("artifact"))?;
    let mut metadata: Vec<_> = artifact.metadata.into_iter().collect();
    metadata.sort();
    Ok(Resolved {
        revision: Revision::opaque(&response.revision).map_err(|_| strange("revision"))?,
        digest: artifact.digest.parse().map_err(|_| strange("digest"))?,
        size: artifact.size,
        subject: response.commit_message,
        metadata,
        objects: response
            .objects
            .into_iter()
            .map(|object| GitObject {
                id: object.id,
                is_tag: object.is_tag,
                data: object.data,
            })
            .collect(),
        grant: Secret::new(response.grant),
        leased_for: response.leased_for.and_then(|time| time.try_into().ok()),
        signatures: response.signatures.into_iter().map(signature).collect(),
        link: response.link.map(|link| Link {
            host: link.host,
            name: link.name,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tenure_controllers::GitCredential;
    use tenure_core::SourceUrl;

    #[test]
    fn a_password_in_the_url_reaches_the_cache_and_nobody_else() {
        let url: SourceUrl = "https://bob:hunter2@host/app.git".parse().expect("valid");
        assert_eq!(text(&url.expose()), "https://bob:hunter2@host:443/app.git");
        let ssh: SourceUrl = "ssh://git@host/app.git".parse().expect("valid");
        assert_eq!(text(&ssh.expose()), "ssh://git@host:22/app.git");
        let request = SourceRequest {
            wanted: Wanted::Git(GitRequest {
                url,
                reference: GitReference::Commit {
                    commit: "a".repeat(40),
                    branch: Some("main".into()),
                },
                credential: GitCredential::default(),
                proxy: None,
                sparse: vec!["a".into()],
                objects: true,
                submodules: None,
            }),
            ignore: Some(String::new()),
            timeout: Duration::from_secs(60),
            max_artifact_bytes: 1,
            signatures: false,
            max_age: Duration::ZERO,
            link_for: None,
            lease: None,
        };
        let message = message(&request);
        assert!(!format!("{message:?}").contains("hunter2"));
        let Some(resolve_request::Spec::Git(spec)) = message.spec else {
            panic!("a Git spec")
        };
        assert!(spec.has_ignore && spec.commit_branch == "main");
    }

    #[test]
    fn an_image_is_asked_for_with_the_one_login_that_fits() {
        let request = SourceRequest {
            wanted: Wanted::Oci(OciRequest {
                repository: tenure_oci::Repository::from_url("oci://ghcr.io/org/app").expect("valid"),
                reference: Reference::Semver {
                    range: "1.x".into(),
                    filter: Some("^v".into()),
                    underscore_is_plus: true,
                },
                layer: tenure_oci::Layer::default(),
                insecure: true,
                credential: OciCredential::Login(tenure_oci::Credential::Identity {
                    token: Secret::from("CANARY".to_owned()),
                }),
                tls: TlsSecrets::default(),
                proxy: Some(ProxySecret {
                    address: "http://proxy:3128".into(),
                    login: Some(("bob".into(), Secret::from("CANARY".to_owned()))),
                }),
            }),
            ignore: None,
            timeout: Duration::from_secs(60),
            max_artifact_bytes: 1,
            signatures: false,
            max_age: Duration::ZERO,
            link_for: None,
            lease: None,
        };
        let message = message(&request);
        assert!(!format!("{message:?}").contains("CANARY"));
        let proxy = message.credential.as_ref().and_then(|one| one.proxy.clone());
        assert_eq!(proxy.expect("set").password, "CANARY");
        let kind = message.credential.and_then(|credential| credential.kind);
        assert!(matches!(kind, Some(credential::Kind::IdentityToken(token)) if token == "CANARY"));
        let Some(resolve_request::Spec::Oci(spec)) = message.spec else {
            panic!("an OCI spec")
        };
        assert!(matches!(&spec.r#ref, Some(oci_spec::Ref::Semver(range)) if range == "1.x"));
        assert!(spec.insecure && spec.underscore_is_plus && !spec.has_ignore && !spec.copy);
        assert_eq!(spec.semver_filter, "^v");
    }

    #[test]
    fn charts_buckets_and_files_are_asked_for_with_what_opens_them_and_nothing_else() {
        let canary = || Secret::from("CANARY".to_owned());
        let request = |wanted| SourceRequest {
            wanted,
            ignore: Some("*.md".into()),
            timeout: Duration::from_secs(60),
            max_artifact_bytes: 1,
            signatures: false,
            max_age: Duration::ZERO,
            link_for: None,
            lease: None,
        };
        let helm = message(&request(Wanted::Helm(HelmRequest {
            url: "https://charts.example.com/stable".parse().expect("valid"),
            chart: Some(("app".into(), "1.x".into())),
            login: Some(("bob".into(), canary())),
            pass_credentials: true,
            tls: TlsSecrets::default(),
        })));
        let bucket = message(&request(Wanted::Bucket(BucketRequest {
            endpoint: "https://minio.example.com".parse().expect("valid"),
            name: "team".into(),
            region: String::new(),
            prefix: "a/".into(),
            opener: BucketOpener::Keys("id".into(), canary()),
            tls: TlsSecrets::default(),
            proxy: None,
        })));
        let file = message(&request(Wanted::File(FileRequest {
            url: "http://watcher/a.tar.gz".parse().expect("valid"),
            digest: tenure_core::Digest::of(b"a"),
            revision: Revision::opaque("1.0.0").expect("valid"),
        })));
        for message in [&helm, &bucket, &file] {
            assert!(!format!("{message:?}").contains("CANARY"));
        }
        let kind = |message: &ResolveRequest| message.credential.clone().and_then(|one| one.kind);
        assert!(matches!(kind(&helm), Some(credential::Kind::Basic(basic)) if basic.password == "CANARY"));
        assert!(matches!(kind(&bucket), Some(credential::Kind::Keys(keys)) if keys.secret_key == "CANARY"));
        assert!(kind(&file).is_none());
        let Some(resolve_request::Spec::Helm(spec)) = helm.spec else {
            panic!("a Helm spec")
        };
        assert_eq!((spec.chart.as_str(), spec.version.as_str()), ("app", "1.x"));
        let Some(resolve_request::Spec::Bucket(spec)) = bucket.spec else {
            panic!("a bucket's spec")
        };
        assert!(spec.has_ignore && spec.ignore == "*.md" && spec.prefix == "a/");
    }
}
