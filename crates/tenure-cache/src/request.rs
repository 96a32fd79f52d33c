//! A Resolve as the cache works with it: parsed, within limits, its secrets in types that don't print.

use std::time::Duration;

use tenure_core::{Digest, Secret, SourceUrl};
use tenure_git::{ClientCertificate, Credential, Filter, Reference, Remote};
use tenure_proto::source::{
    self, FailureKind, GitSpec, ResolveRequest, credential, git_spec, resolve_request,
};

use crate::Limits;
use crate::failure::Failure;
use crate::proof::{Fingerprint, Proofs};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_ARTIFACT: u64 = 64 << 20;

/// Longest URL, reference and path; longest ignore rules; most sparse paths.
const MAX_TEXT: usize = 4096;
const MAX_IGNORE: usize = 64 << 10;
const MAX_SPARSE: usize = 256;

/// One question about one remote.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) remote: Remote,
    /// What callers' spellings of the remote have in common; may be shown.
    pub(crate) name: String,
    /// Directory of the remote's objects. Callers that trust other authorities have another one: who
    /// could pretend to be the remote to one of them can't to the others.
    pub(crate) realm: String,
    pub(crate) reference: Reference,
    pub(crate) filter: Filter,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) known_revision: String,
    pub(crate) max_age: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: u64,
}

impl Ask {
    /// Reads a request.
    pub(crate) fn read(request: ResolveRequest, limits: &Limits, proofs: &Proofs) -> Result<Self, Failure> {
        let invalid = |message: &str| Failure::new(FailureKind::InvalidReference, message);
        let Some(resolve_request::Spec::Git(spec)) = request.spec else {
            return Err(invalid("the request names no source that this cache knows"));
        };
        check_sizes(&spec).map_err(|message| invalid(&message))?;
        let url: SourceUrl = spec
            .url
            .parse()
            .map_err(|error| invalid(&format!("can't use the URL: {error}")))?;
        let credential = request.credential.unwrap_or_default();
        let fingerprint = fingerprint(proofs, &spec.url, &credential);
        let name = url.remote_key();
        let realm = realm(&name, &credential.ca_pem);
        Ok(Self {
            remote: remote(url, credential)?,
            name,
            realm,
            reference: reference(&spec),
            filter: Filter {
                ignore: spec.has_ignore.then_some(spec.ignore),
                sparse: spec.sparse,
            },
            fingerprint,
            known_revision: request.known_revision,
            max_age: duration(request.max_age).unwrap_or_default(),
            timeout: duration(request.timeout)
                .filter(|timeout| !timeout.is_zero())
                .unwrap_or(DEFAULT_TIMEOUT)
                .min(limits.longest_resolve),
            max_bytes: match request.max_artifact_bytes {
                0 => DEFAULT_ARTIFACT,
                bytes => bytes,
            }
            .min(limits.artifact_bytes),
        })
    }

    /// What must not occur in a message to the caller.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let mut secrets = match &self.remote.credential {
            // Hosts also take a token in the user's place.
            Credential::Basic { username, password } => {
                vec![
                    password.expose_str(),
                    Some(username.as_str()).filter(|name| name.len() >= 20),
                ]
            }
            Credential::Bearer { token } => vec![token.expose_str()],
            Credential::Ssh {
                passphrase, identity, ..
            } => {
                vec![
                    passphrase.as_ref().and_then(Secret::expose_str),
                    identity.expose_str(),
                ]
            }
            Credential::None => vec![],
        };
        let url = &self.remote.url;
        secrets.push(match url.expose_password() {
            None if url.scheme() != "ssh" => url.user(),
            password => password,
        });
        secrets.into_iter().flatten().collect()
    }
}

fn check_sizes(spec: &GitSpec) -> Result<(), String> {
    let long = |text: &String| text.len() > MAX_TEXT;
    let reference = match &spec.r#ref {
        Some(
            git_spec::Ref::Branch(text)
            | git_spec::Ref::Tag(text)
            | git_spec::Ref::Semver(text)
            | git_spec::Ref::Name(text)
            | git_spec::Ref::Commit(text),
        ) => long(text),
        None => false,
    };
    if long(&spec.url) || reference || long(&spec.commit_branch) || spec.sparse.iter().any(long) {
        return Err(format!(
            "the URL, the reference or a path is longer than {MAX_TEXT} bytes"
        ));
    }
    if spec.ignore.len() > MAX_IGNORE {
        return Err(format!("the ignore rules are longer than {MAX_IGNORE} bytes"));
    }
    if spec.sparse.len() > MAX_SPARSE {
        return Err(format!("more than {MAX_SPARSE} directories are asked for"));
    }
    Ok(())
}

fn reference(spec: &GitSpec) -> Reference {
    match &spec.r#ref {
        None => Reference::default(),
        Some(git_spec::Ref::Branch(name)) => Reference::Branch(name.clone()),
        Some(git_spec::Ref::Tag(name)) => Reference::Tag(name.clone()),
        Some(git_spec::Ref::Semver(range)) => Reference::Semver(range.clone()),
        Some(git_spec::Ref::Name(name)) => Reference::Name(name.clone()),
        Some(git_spec::Ref::Commit(id)) => Reference::Commit {
            id: id.clone(),
            branch: Some(spec.commit_branch.clone()).filter(|branch| !branch.is_empty()),
        },
    }
}

fn remote(url: SourceUrl, from: source::Credential) -> Result<Remote, Failure> {
    let credential = match from.kind {
        None => Credential::None,
        Some(credential::Kind::Basic(basic)) => Credential::Basic {
            username: basic.username,
            password: Secret::from(basic.password),
        },
        Some(credential::Kind::Bearer(token)) => Credential::Bearer {
            token: Secret::from(token),
        },
        Some(credential::Kind::Ssh(ssh)) => Credential::Ssh {
            identity: Secret::new(ssh.identity),
            passphrase: Some(ssh.passphrase)
                .filter(|text| !text.is_empty())
                .map(Secret::from),
            known_hosts: String::from_utf8(ssh.known_hosts)
                .map_err(|_| Failure::new(FailureKind::HostKeyMismatch, "known_hosts is not text"))?,
            username: Some(ssh.username).filter(|name| !name.is_empty()),
        },
    };
    let mut remote = Remote::new(url, credential);
    remote.ca_pem = Some(from.ca_pem).filter(|pem| !pem.is_empty());
    if !from.client_cert_pem.is_empty() {
        remote.client_certificate = Some(ClientCertificate {
            certificate_pem: from.client_cert_pem,
            key_pem: Secret::new(from.client_key_pem),
        });
    }
    Ok(remote)
}

fn realm(name: &str, ca_pem: &[u8]) -> String {
    let mut text = name.as_bytes().to_vec();
    if !ca_pem.is_empty() {
        text.push(0);
        text.extend_from_slice(ca_pem);
    }
    Digest::of(&text).hex()
}

fn fingerprint(proofs: &Proofs, url: &str, credential: &source::Credential) -> Fingerprint {
    let kind: [&[u8]; 5] = match &credential.kind {
        None => [b"none", b"", b"", b"", b""],
        Some(credential::Kind::Basic(basic)) => [
            b"basic",
            basic.username.as_bytes(),
            basic.password.as_bytes(),
            b"",
            b"",
        ],
        Some(credential::Kind::Bearer(token)) => [b"bearer", token.as_bytes(), b"", b"", b""],
        Some(credential::Kind::Ssh(ssh)) => [
            b"ssh",
            &ssh.identity,
            ssh.passphrase.as_bytes(),
            &ssh.known_hosts,
            ssh.username.as_bytes(),
        ],
    };
    let [kind, a, b, c, d] = kind;
    // The URL too: it may hold user and password.
    let (ca, cert, key) = (
        &credential.ca_pem,
        &credential.client_cert_pem,
        &credential.client_key_pem,
    );
    proofs.fingerprint(&[url.as_bytes(), kind, a, b, c, d, ca, cert, key])
}

fn duration(from: Option<impl TryInto<Duration>>) -> Option<Duration> {
    from.and_then(|duration| duration.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> ResolveRequest {
        let spec = GitSpec {
            url: url.into(),
            ..GitSpec::default()
        };
        ResolveRequest {
            spec: Some(resolve_request::Spec::Git(spec)),
            ..ResolveRequest::default()
        }
    }

    fn read(request: ResolveRequest) -> Result<Ask, Failure> {
        Ask::read(request, &Limits::default(), &Proofs::new(Duration::from_secs(60)))
    }

    #[test]
    fn what_can_never_work_is_said_so_without_repeating_the_url() {
        for url in [
            "",
            "file:///etc",
            "https://u:CANARY@h o/x",
            "ssh://-oProxyCommand=CANARY/a",
        ] {
            let failure = read(request(url)).expect_err(url);
            assert_eq!(failure.kind, FailureKind::InvalidReference);
            assert!(!failure.message.contains("CANARY"), "{failure:?}");
        }
        assert!(read(ResolveRequest::default()).is_err());
    }

    #[test]
    fn a_caller_cannot_ask_for_more_than_the_limits() {
        let mut greedy = request("https://h/x");
        greedy.max_artifact_bytes = u64::MAX;
        greedy.timeout = Duration::from_secs(1 << 30).try_into().ok();
        let ask = read(greedy).expect("valid");
        let limits = Limits::default();
        assert_eq!(
            (ask.max_bytes, ask.timeout),
            (limits.artifact_bytes, limits.longest_resolve)
        );
        let ask = read(request("https://h/x")).expect("valid");
        assert_eq!((ask.max_bytes, ask.timeout), (DEFAULT_ARTIFACT, DEFAULT_TIMEOUT));
    }

    #[test]
    fn callers_that_trust_other_authorities_share_no_objects() {
        let mut other = request("https://h/x");
        other.credential = Some(source::Credential {
            ca_pem: b"PEM".to_vec(),
            ..Default::default()
        });
        let (one, two) = (
            read(request("https://h/x")).expect("valid"),
            read(other).expect("valid"),
        );
        assert_ne!(one.realm, two.realm);
        let spelled = read(request("https://H:443/x/")).expect("valid");
        assert_eq!(one.realm, spelled.realm);
    }

    #[test]
    fn a_request_does_not_print_its_secrets() {
        let mut secret = request("https://bob:CANARY@h/x");
        let basic = source::Basic {
            username: "bob".into(),
            password: "CANARY".into(),
        };
        secret.credential = Some(source::Credential {
            kind: Some(credential::Kind::Basic(basic)),
            ..Default::default()
        });
        let ask = read(secret).expect("valid");
        assert!(!format!("{ask:?}").contains("CANARY"));
        assert_eq!(ask.secrets(), ["CANARY", "CANARY"]);
    }
}
