//! A Resolve as the cache works with it: parsed, within limits, its secrets in types that don't print.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tenure_core::{Digest, Name};
use tenure_proto::source::{self, ResolveRequest, azure_application, credential, resolve_request};

use crate::Limits;
use crate::failure::Failure;
use crate::leases::Question;
use crate::proof::{Fingerprint, Proofs};
use crate::source::{Budget, Source};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_ARTIFACT: u64 = 64 << 20;

/// One question about one remote.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) source: Source,
    /// What callers' spellings of the remote have in common; may be shown.
    pub(crate) name: String,
    /// Name and trust, as one word: the directory of the remote's objects, and part of the memo's keys.
    pub(crate) realm: String,
    pub(crate) fingerprint: Fingerprint,
    /// What stands for the key of an App or for a workload, if that is the credential: it is changed for another one.
    pub(crate) login: Option<Fingerprint>,
    /// For how long what the caller has brought is good, where it says so: nobody asks with it after that.
    pub(crate) good_for: Option<Duration>,
    pub(crate) known_revision: String,
    /// Signatures are wanted too.
    pub(crate) signatures: bool,
    pub(crate) max_age: Duration,
    /// How long a link is to open the artifact, if one is wanted.
    pub(crate) link_for: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: u64,
    /// What the home may have downloaded within an hour; 0 for no limit.
    pub(crate) bytes_per_hour: u64,
    /// What the caller wants to be asked about while he sleeps, and how often.
    pub(crate) lease: Option<(String, Duration)>,
    /// Whether the caller wants to check signatures himself.
    pub(crate) objects: bool,
}

impl Ask {
    /// Reads a request of `home`.
    pub(crate) fn read(
        home: &Name,
        request: ResolveRequest,
        limits: &Limits,
        proofs: &Proofs,
    ) -> Result<Self, Failure> {
        let credential = request.credential.unwrap_or_default();
        let asked = url(request.spec.as_ref());
        let fingerprint = fingerprint(proofs, home, asked, &credential);
        let login = login_fingerprint(proofs, home, asked, &credential);
        let good_for = good_for(&credential);
        let objects = matches!(&request.spec, Some(resolve_request::Spec::Git(git)) if git.objects);
        let source = Source::read(request.spec, credential, limits)?;
        let name = source.name();
        Ok(Self {
            realm: realm(&name, &source.trust()),
            name,
            lease: request
                .lease
                .map(|lease| (lease.subject, duration(lease.every).unwrap_or_default())),
            objects,
            source,
            fingerprint,
            login,
            good_for,
            known_revision: request.known_revision,
            signatures: request.signatures,
            max_age: duration(request.max_age).unwrap_or_default(),
            link_for: duration(request.link_for),
            timeout: duration(request.timeout)
                .filter(|timeout| !timeout.is_zero())
                .unwrap_or(DEFAULT_TIMEOUT)
                .min(limits.longest_resolve),
            max_bytes: match request.max_artifact_bytes {
                0 => DEFAULT_ARTIFACT,
                bytes => bytes,
            }
            .min(limits.artifact_bytes),
            bytes_per_hour: match (request.fetch_bytes_per_hour, limits.home_hour) {
                (0, limit) | (limit, 0) => limit,
                (asked, limit) => asked.min(limit),
            },
        })
    }

    /// Tells the question from every other to the same remote.
    pub(crate) fn reference(&self) -> String {
        format!("{} {}", self.realm, self.source.reference())
    }

    /// What this question has in common with others that have the same answer.
    pub(crate) fn question(&self) -> Question {
        Question {
            realm: self.realm.clone(),
            reference: self.source.reference(),
            fingerprint: self.fingerprint,
        }
    }

    /// What a job for this caller may take.
    pub(crate) const fn budget(&self) -> Budget {
        Budget {
            bytes: self.max_bytes,
            timeout: self.timeout,
        }
    }
}

fn url(spec: Option<&resolve_request::Spec>) -> &str {
    match spec {
        Some(resolve_request::Spec::Git(git)) => &git.url,
        Some(resolve_request::Spec::Oci(oci)) => &oci.url,
        Some(resolve_request::Spec::Helm(helm)) => &helm.url,
        Some(resolve_request::Spec::Bucket(bucket)) => &bucket.endpoint,
        Some(resolve_request::Spec::File(file)) => &file.url,
        None => "",
    }
}

fn realm(name: &str, trust: &[&[u8]]) -> String {
    let mut text = name.as_bytes().to_vec();
    for part in trust {
        text.push(0);
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    Digest::of(&text).hex()
}

/// What the token of a workload says of its end. It is not verified: whoever says more than is true is refused later.
fn good_for(credential: &source::Credential) -> Option<Duration> {
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: u64,
    }
    let Some(credential::Kind::Workload(workload)) = &credential.kind else {
        return None;
    };
    let claims = workload.token.split(|byte| *byte == b'.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(claims.exp).saturating_sub(now))
}

/// The same for all repositories that one login opens: with an App's token, or at one registry.
fn login_fingerprint(
    proofs: &Proofs,
    home: &Name,
    url: &str,
    credential: &source::Credential,
) -> Option<Fingerprint> {
    let proxy = credential.proxy.as_ref().map(|proxy| proxy.address.as_bytes());
    let proxy = proxy.unwrap_or_default();
    match &credential.kind {
        Some(credential::Kind::GithubApp(app)) => Some(proofs.fingerprint(&[
            b"login of an App",
            app.id.as_bytes(),
            &app.installation_id.to_be_bytes(),
            app.installation_owner.as_bytes(),
            &app.private_key,
            app.api_url.as_bytes(),
            &credential.ca_pem,
            proxy,
        ])),
        // a bucket's fetcher changes it itself
        Some(credential::Kind::Workload(workload)) if url.starts_with("oci://") => {
            let host = url.split('/').nth(2).unwrap_or_default();
            let [kind, a, b, c, d] = workload_parts(home, workload);
            let place = [b"login of a workload", host.as_bytes()];
            let who = [kind, a, b, c, d, &credential.ca_pem, proxy];
            Some(proofs.fingerprint(&[&place[..], &who[..]].concat()))
        }
        _ => None,
    }
}

/// What tells a workload from others. Its token is another one every few minutes, and nobody has verified it: what
/// stands for it is the home, which the caller has proved to be. Nobody else can be taken for it.
fn workload_parts<'a>(home: &'a Name, workload: &'a source::Workload) -> [&'a [u8]; 5] {
    use source::workload::{Aws, Azure, Google, Identity};
    let (cloud, a, b) = match &workload.identity {
        None => ("", "", ""),
        Some(Identity::Aws(Aws { role })) => ("aws", role.as_str(), ""),
        Some(Identity::Google(Google {
            provider,
            service_account,
        })) => ("gcp", provider.as_str(), service_account.as_str()),
        Some(Identity::Azure(Azure { tenant_id, client_id })) => {
            ("azure", tenant_id.as_str(), client_id.as_str())
        }
    };
    [
        b"workload",
        home.as_str().as_bytes(),
        cloud.as_bytes(),
        a.as_bytes(),
        b.as_bytes(),
    ]
}

fn fingerprint(proofs: &Proofs, home: &Name, url: &str, credential: &source::Credential) -> Fingerprint {
    let installation = match &credential.kind {
        Some(credential::Kind::GithubApp(app)) => {
            format!("{} {}", app.installation_id, app.installation_owner)
        }
        _ => String::new(),
    };
    let kind: [&[u8]; 5] = match &credential.kind {
        None => [b"none", b"", b"", b"", b""],
        Some(credential::Kind::Workload(workload)) => workload_parts(home, workload),
        Some(credential::Kind::Basic(basic)) => [
            b"basic",
            basic.username.as_bytes(),
            basic.password.as_bytes(),
            b"",
            b"",
        ],
        Some(credential::Kind::Bearer(token)) => [b"bearer", token.as_bytes(), b"", b"", b""],
        Some(credential::Kind::IdentityToken(token)) => [b"identity", token.as_bytes(), b"", b"", b""],
        Some(credential::Kind::Keys(keys)) => [
            b"keys",
            keys.access_key.as_bytes(),
            keys.secret_key.as_bytes(),
            keys.session_token.as_bytes(),
            b"",
        ],
        Some(credential::Kind::GithubApp(app)) => [
            b"app",
            app.id.as_bytes(),
            installation.as_bytes(),
            &app.private_key,
            app.api_url.as_bytes(),
        ],
        Some(credential::Kind::GoogleAccount(account)) => [
            b"google",
            account.email.as_bytes(),
            account.key_id.as_bytes(),
            &account.key,
            account.token_uri.as_bytes(),
        ],
        Some(credential::Kind::AzureKey(key)) => {
            [b"azure key", key.account.as_bytes(), key.key.as_bytes(), b"", b""]
        }
        Some(credential::Kind::AzureSas(query)) => [b"azure sas", query.as_bytes(), b"", b"", b""],
        Some(credential::Kind::AzureApplication(application)) => [
            b"azure application",
            application.tenant_id.as_bytes(),
            application.client_id.as_bytes(),
            application.authority.as_bytes(),
            match &application.proof {
                None => b"",
                Some(azure_application::Proof::Secret(secret)) => secret.as_bytes(),
                Some(azure_application::Proof::Certificate(certificate)) => &certificate.pem,
            },
        ],
        // the service too: another one may give other keys
        Some(credential::Kind::Ldap(ldap)) => [
            b"ldap",
            ldap.endpoint.as_bytes(),
            ldap.username.as_bytes(),
            ldap.password.as_bytes(),
            &ldap.client_key_pem,
        ],
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
    let proxy = credential.proxy.as_ref();
    let [address, user, password] = proxy.map_or(["", "", ""], |proxy| {
        [&proxy.address, &proxy.username, &proxy.password].map(String::as_str)
    });
    let [address, user, password] = [address, user, password].map(str::as_bytes);
    proofs.fingerprint(&[
        url.as_bytes(),
        kind,
        a,
        b,
        c,
        d,
        ca,
        cert,
        key,
        address,
        user,
        password,
    ])
}

fn duration(from: Option<impl TryInto<Duration>>) -> Option<Duration> {
    from.and_then(|duration| duration.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_proto::source::{FailureKind, GitSpec, OciSpec};

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
        read_as("apps", request)
    }

    fn read_as(home: &str, request: ResolveRequest) -> Result<Ask, Failure> {
        let home = Name::new(home).expect("a name");
        // the same key for all
        static PROOFS: std::sync::LazyLock<Proofs> =
            std::sync::LazyLock::new(|| Proofs::new(Duration::from_secs(60)));
        Ask::read(&home, request, &Limits::default(), &PROOFS)
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
        assert_eq!(ask.source.secrets(), ["CANARY", "CANARY"]);
    }

    #[test]
    fn a_workload_is_known_by_its_home_and_not_by_its_token() {
        let ask = |home: &str, role: &str, token: &str, path: &str| {
            let identity = source::workload::Identity::Aws(source::workload::Aws { role: role.into() });
            let workload = source::Workload {
                token: token.into(),
                identity: Some(identity),
            };
            let spec = OciSpec {
                url: format!("oci://1.dkr.ecr.eu-west-1.amazonaws.com/{path}"),
                ..OciSpec::default()
            };
            let request = ResolveRequest {
                spec: Some(resolve_request::Spec::Oci(spec)),
                credential: Some(source::Credential {
                    kind: Some(credential::Kind::Workload(workload)),
                    ..source::Credential::default()
                }),
                ..ResolveRequest::default()
            };
            read_as(home, request).expect("valid")
        };
        let one = ask("apps", "arn:a", "CANARY", "app");
        assert!(!format!("{one:?}").contains("CANARY"));
        assert_eq!(one.source.secrets(), ["CANARY"]);
        let renewed = ask("apps", "arn:a", "another", "app");
        assert_eq!((one.fingerprint, one.login), (renewed.fingerprint, renewed.login));
        let beside = ask("apps", "arn:a", "another", "other");
        assert_eq!(one.login, beside.login, "of one registry");
        assert_ne!(one.fingerprint, beside.fingerprint);
        for other in [
            ask("web", "arn:a", "CANARY", "app"),
            ask("apps", "arn:b", "CANARY", "app"),
        ] {
            assert_ne!(one.fingerprint, other.fingerprint);
            assert_ne!(one.login, other.login);
        }
    }

    fn image(url: &str, change: impl FnOnce(&mut OciSpec)) -> Result<Ask, Failure> {
        let mut spec = OciSpec {
            url: url.into(),
            ..OciSpec::default()
        };
        change(&mut spec);
        read(ResolveRequest {
            spec: Some(resolve_request::Spec::Oci(spec)),
            ..ResolveRequest::default()
        })
    }

    #[test]
    fn registries_are_told_apart_by_name_authority_and_whether_anybody_may_be_them() {
        let one = image("oci://ghcr.io/org/app", |_| {}).expect("valid");
        let spelled = image("oci://GHCR.io/org/app/", |_| {}).expect("valid");
        let insecure = image("oci://ghcr.io/org/app", |spec| spec.insecure = true).expect("valid");
        assert_eq!(one.realm, spelled.realm);
        assert_ne!(one.realm, insecure.realm);
        let copied = image("oci://ghcr.io/org/app", |spec| spec.copy = true).expect("valid");
        assert_ne!(one.source.shape(), copied.source.shape());
    }

    #[test]
    fn an_image_that_can_never_be_pulled_is_refused_without_repeating_the_url() {
        for url in [
            "oci://bob:CANARY@ghcr.io/app",
            "https://CANARY/app",
            "oci://ghcr.io/app:CANARY@x",
        ] {
            let failure = image(url, |_| {}).expect_err(url);
            assert_eq!(failure.kind, FailureKind::InvalidReference);
        }
        let digest = |spec: &mut OciSpec| spec.r#ref = Some(source::oci_spec::Ref::Digest("md5:1".into()));
        assert!(image("oci://ghcr.io/app", digest).is_err());
        let long = |spec: &mut OciSpec| spec.semver_filter = "x".repeat(5000);
        assert!(image("oci://ghcr.io/app", long).is_err());
    }
}
