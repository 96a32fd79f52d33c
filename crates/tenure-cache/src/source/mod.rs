//! The kinds of source behind one face: what a request asks for, which jobs answer it, and what the answers mean.
//! Everything else in this crate knows no kind.

mod git;
mod http;
mod oci;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tenure_core::{Digest, Revision, Secret};
use tenure_http::Validators;
use tenure_net::{ClientCertificate, Guard, Outbound, Proxy, Tls};
use tenure_proto::source::{Credential, FailureKind, Signature, credential, resolve_request::Spec};
use tokio::net::UnixStream;

use crate::Limits;
use crate::child;
use crate::failure::Failure;

use git::Git;
use http::Http;
use oci::Oci;

/// Longest URL, reference and path; longest ignore rules.
const MAX_TEXT: usize = 4096;
const MAX_IGNORE: usize = 64 << 10;

/// What to look for, where, and with what.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Git(Git),
    Oci(Oci),
    Http(Http),
}

/// Where a reference is, as the remote has said to one credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) revision: Revision,
    /// Names the content: a commit's hex digits, a manifest's digest.
    pub(crate) content: String,
    /// The branch or tag in the revision.
    pub(crate) pointer: Option<String>,
    /// What leads to the content and is handed over with it: an annotated tag's hex digits.
    pub(crate) through: Option<String>,
    /// Whether the remote itself named the content. If not, only a download proves that it may be read.
    pub(crate) advertised: bool,
    /// What the remote calls the state that says so, if it need not send it again.
    pub(crate) validators: Option<Validators>,
}

/// What a fetcher says of the archive that it has written.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// First line of a commit's message.
    pub(crate) subject: String,
    /// What it is, unless an archive like all others.
    pub(crate) media_type: Option<String>,
    /// What its maker says of it.
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) dropped_links: Vec<(String, String)>,
    /// What its signatures stand in.
    pub(crate) objects: Vec<tenure_git::RawObject>,
    /// Bytes that came from the remote.
    pub(crate) downloaded: u64,
}

/// A job for one fetcher, in the protocol of its kind.
#[derive(Debug)]
pub(crate) enum Job {
    Git(tenure_git::child::Job),
    Oci(tenure_oci::child::Job),
    /// A question about this.
    Look(Box<(tenure_http::child::Job, Http)>),
    /// Something to write.
    Keep(Box<tenure_http::child::Job>),
}

/// What a fetcher answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Found(Found),
    Fetched(Fetched),
    Signed(Vec<Signature>),
    Opened(Opened, Duration),
    Failed(Failure),
    /// To a question that nobody asked.
    Other,
}

/// What opens a remote for a while in place of what the caller has brought.
#[derive(Clone, Debug)]
pub(crate) enum Opened {
    /// For the key of an App.
    Token(Secret),
    /// For the token of a workload.
    Login(tenure_oci::Credential),
}

/// Where a fetcher may write, and how much it may take.
#[derive(Debug)]
pub(crate) struct Room {
    /// The remote's objects, if its kind keeps any.
    pub(crate) objects: Option<PathBuf>,
    /// The archive.
    pub(crate) out: PathBuf,
}

/// What one job may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) bytes: u64,
    pub(crate) timeout: Duration,
}

impl Found {
    /// Names all that an archive comes with: the content, and what leads to it.
    pub(crate) fn whole(&self) -> String {
        match &self.through {
            Some(through) => format!("{} {through}", self.content),
            None => self.content.clone(),
        }
    }
}

impl Source {
    /// Reads what a request asks for.
    pub(crate) fn read(spec: Option<Spec>, credential: Credential, limits: &Limits) -> Result<Self, Failure> {
        let credential = guarded(credential, limits);
        match spec {
            Some(Spec::Git(spec)) => Git::read(spec, credential, &limits.addresses).map(Self::Git),
            Some(Spec::Oci(spec)) => Oci::read(spec, credential, &limits.addresses).map(Self::Oci),
            Some(Spec::Helm(spec)) => Http::helm(spec, credential, &limits.addresses).map(Self::Http),
            Some(Spec::Bucket(spec)) => Http::bucket(spec, credential, &limits.addresses).map(Self::Http),
            Some(Spec::File(spec)) => Http::file(spec, &credential, &limits.addresses).map(Self::Http),
            None => Err(invalid("the request names no source that this cache knows")),
        }
    }

    /// The kind of object that such a source is for.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Git(_) => "GitRepository",
            Self::Oci(_) => "OCIRepository",
            Self::Http(http) => http.kind(),
        }
    }

    /// What callers' spellings of the remote have in common; may be shown.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Git(git) => git.name(),
            Self::Oci(oci) => oci.name(),
            Self::Http(http) => http.name(),
        }
    }

    /// Callers of one name who would be deceived by different servers share nothing: whoever could pretend to be
    /// the remote to one of them can't to the others.
    pub(crate) fn trust(&self) -> Vec<&[u8]> {
        match self {
            Self::Git(git) => git.trust(),
            Self::Oci(oci) => oci.trust(),
            Self::Http(http) => http.trust(),
        }
    }

    /// The reference, as text that tells it from every other.
    pub(crate) fn reference(&self) -> String {
        match self {
            Self::Git(git) => git.reference(),
            Self::Oci(oci) => oci.reference(),
            Self::Http(http) => http.reference(),
        }
    }

    /// What decides on the archive's bytes, besides the content.
    pub(crate) fn shape(&self) -> Vec<&str> {
        match self {
            Self::Git(git) => git.shape(),
            Self::Oci(oci) => oci.shape(),
            Self::Http(http) => http.shape(),
        }
    }

    /// Whether the archive has more in it than what the remote has shown to be open to the caller: it is kept for this
    /// home and this credential alone.
    pub(crate) const fn is_private(&self) -> bool {
        match self {
            Self::Git(git) => git.is_private(),
            Self::Oci(_) | Self::Http(_) => false,
        }
    }

    /// What must not occur in a message to the caller.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Git(git) => git.secrets(),
            Self::Oci(oci) => oci.secrets(),
            Self::Http(http) => http.secrets(),
        }
    }

    /// Whether what was downloaded for one revision saves downloading for the next.
    pub(crate) const fn keeps_objects(&self) -> bool {
        matches!(self, Self::Git(_))
    }

    /// The job that changes an App's key, or a workload's token, for what opens the remote.
    pub(crate) fn log_in(&self, budget: Budget) -> Result<Job, Failure> {
        let job = match self {
            Self::Git(git) => git.log_in(budget).map(Job::Git),
            Self::Oci(oci) => oci.log_in().map(Job::Oci),
            Self::Http(_) => None,
        };
        job.ok_or_else(|| invalid("only Git hosts have Apps, and only registries those of clouds"))
    }

    /// The same, opened with what was given for it.
    pub(crate) fn open_with(&mut self, opened: Opened) {
        match (self, opened) {
            (Self::Git(git), Opened::Token(token)) => git.open_with(token),
            (Self::Oci(oci), Opened::Login(credential)) => oci.open_with(credential),
            _ => {}
        }
    }

    /// The job that asks the remote where the reference is; `known` is where it was when the same was asked before.
    pub(crate) fn resolve(&self, budget: Budget, known: Option<&Found>) -> Job {
        match self {
            Self::Git(git) => Job::Git(git.resolve(budget)),
            Self::Oci(oci) => Job::Oci(oci.resolve(budget)),
            Self::Http(http) => Job::Look(Box::new((http.resolve(budget, known), http.clone()))),
        }
    }

    /// The job that collects the signatures of content; only what is in a registry has any.
    pub(crate) fn signatures(&self, content: &str, budget: Budget) -> Result<Job, Failure> {
        match self {
            Self::Oci(oci) => oci.signatures(content, budget).map(Job::Oci),
            Self::Git(_) | Self::Http(_) => Err(invalid("only what is in a registry has signatures there")),
        }
    }

    /// The job that downloads what was found, and packs it.
    pub(crate) fn fetch(&self, found: &Found, room: Room, budget: Budget) -> Result<Job, Failure> {
        match self {
            Self::Git(git) => git.fetch(found, room, budget).map(Job::Git),
            Self::Oci(oci) => oci.fetch(found, room, budget).map(Job::Oci),
            Self::Http(http) => http.fetch(found, room, budget).map(Box::new).map(Job::Keep),
        }
    }
}

impl Job {
    /// Gives the job to a fetcher and waits for its answer.
    pub(crate) async fn give(&self, to: &mut UnixStream) -> std::io::Result<Answer> {
        match self {
            Self::Git(job) => {
                child::announce(to, child::GIT).await?;
                tenure_git::child::send_job(to, job).await?;
                Ok(git::answer(tenure_git::child::read_answer(to).await?))
            }
            Self::Oci(job) => {
                let fetches = matches!(job, tenure_oci::child::Job::Fetch { .. });
                Ok(oci::answer(
                    child::ask(to, child::OCI, &job.frame()?).await?,
                    fetches,
                ))
            }
            Self::Look(asked) => {
                let (job, about) = &**asked;
                Ok(about.found(child::ask(to, child::HTTP, &job.frame()?).await?))
            }
            Self::Keep(job) => Ok(http::fetched(child::ask(to, child::HTTP, &job.frame()?).await?)),
        }
    }
}

/// The name of the remote at `url`, as [`Source::name`] gives it.
pub(crate) fn name_of(url: &str) -> Result<String, Failure> {
    if url.starts_with("oci://") {
        return oci::repository(url).map(|repository| repository.url());
    }
    git::url(url).map(|url| url.remote_key())
}

/// A workload's token, and what a cloud gives for it, are shown to nobody but the cloud: whoever may write a source does not
/// say whom to take for it.
fn guarded(credential: Credential, limits: &Limits) -> Credential {
    match credential.kind {
        Some(credential::Kind::Workload(_)) => Credential {
            ca_pem: limits.cloud_authorities.clone(),
            client_cert_pem: Vec::new(),
            client_key_pem: Vec::new(),
            ..credential
        },
        _ => credential,
    }
}

fn invalid(message: &str) -> Failure {
    Failure::new(FailureKind::InvalidReference, message)
}

fn short(texts: &[&str], ignore: &str) -> Result<(), Failure> {
    if texts.iter().any(|text| text.len() > MAX_TEXT) {
        return Err(invalid(&format!(
            "the URL, the reference or a path is longer than {MAX_TEXT} bytes"
        )));
    }
    if ignore.len() > MAX_IGNORE {
        return Err(invalid(&format!(
            "the ignore rules are longer than {MAX_IGNORE} bytes"
        )));
    }
    Ok(())
}

/// Ignore rules that are set and empty are others than none.
fn ignore(rules: Option<&str>) -> [&str; 2] {
    [
        if rules.is_some() { "ignore" } else { "default" },
        rules.unwrap_or_default(),
    ]
}

/// How to reach a server that TLS protects.
fn outbound(from: &Credential, guard: &Guard) -> Result<Outbound, Failure> {
    let certificate = (!from.client_cert_pem.is_empty()).then(|| ClientCertificate {
        certificate_pem: from.client_cert_pem.clone(),
        key_pem: Secret::new(from.client_key_pem.clone()),
    });
    let proxy = from.proxy.as_ref().map(|proxy| {
        short(&[&proxy.address], "")?;
        let named = !proxy.username.is_empty() || !proxy.password.is_empty();
        let login = || (proxy.username.clone(), Secret::from(proxy.password.clone()));
        Ok(Proxy {
            address: proxy.address.clone(),
            login: named.then(login),
        })
    });
    Ok(Outbound {
        guard: guard.clone(),
        tls: Tls {
            ca_pem: Some(from.ca_pem.clone()).filter(|pem| !pem.is_empty()),
            client_certificate: certificate,
            ..Tls::default()
        },
        proxy: proxy.transpose()?,
    })
}

/// Who could pretend to be the remote: the authorities that are trusted, and the proxy where nothing protects.
fn trust(outbound: &Outbound) -> Vec<&[u8]> {
    let authority = outbound.tls.ca_pem.as_deref();
    let proxy = outbound.proxy.as_ref().map(|proxy| proxy.address.as_bytes());
    let nobody = &b""[..];
    match (authority, proxy) {
        (authority, Some(proxy)) => vec![authority.unwrap_or(nobody), proxy],
        (authority, None) => authority.into_iter().collect(),
    }
}

fn proxy_password(outbound: &Outbound) -> Option<&str> {
    let (_, password) = outbound.proxy.as_ref()?.login.as_ref()?;
    password.expose_str()
}
