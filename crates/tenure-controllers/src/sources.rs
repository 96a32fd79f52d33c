//! What a controller asks of the source cache, as a trait: the wire is the worker's business.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tenure_api::Limit;
use tenure_core::{Classify, Digest, Retry, Revision, Secret, SourceUrl};
use tenure_http::bucket::{Azure, Google};
use tenure_net::Outbound;
use tenure_oci::cloud::Workload;

use crate::artifacts::DROPPED_LINK;

/// The source cache as a controller sees it.
#[async_trait]
pub trait Sources: Send + Sync {
    /// Asks the remote, with this credential, what the reference means now.
    ///
    /// # Errors
    /// When the cache cannot be reached, or says why the remote gave nothing.
    async fn resolve(&self, request: &SourceRequest) -> Result<Resolved, SourceFailure>;

    /// Writes the artifact's bytes to `to` and checks them against its digest.
    ///
    /// # Errors
    /// When the cache cannot be reached, refuses the grant, or sends other bytes.
    async fn fetch(&self, resolved: &Resolved, to: PathBuf) -> Result<(), SourceFailure>;

    /// Forgets credential and grants for a remote, which is named without a password; best effort, for a source
    /// that was deleted.
    async fn release(&self, remote: &str);
}

/// One question to the cache.
#[derive(Debug, Clone)]
pub struct SourceRequest {
    /// What is asked for, and what opens it.
    pub wanted: Wanted,
    /// `spec.ignore`, if set.
    pub ignore: Option<String>,
    /// Covers connecting, listing and fetching.
    pub timeout: Duration,
    /// Largest archive accepted, in bytes.
    pub max_artifact_bytes: u64,
    /// The signatures are wanted too; of what is in a registry only.
    pub signatures: bool,
    /// How old what the remote has said to the same credential may be.
    pub max_age: Duration,
    /// How long a link to the artifact is to open it for others than workers, where the platform serves such.
    pub link_for: Option<Duration>,
    /// What the cache may ask again while the worker sleeps, by the object's `<kind>/<name>`, and how often.
    pub lease: Option<(String, Duration)>,
}

/// What is asked for, by kind of source.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// A commit of a repository.
    Git(GitRequest),
    /// A layer of an artifact in a registry.
    Oci(OciRequest),
    /// A Helm repository's index, or one of its charts.
    Helm(HelmRequest),
    /// The files of a bucket.
    Bucket(BucketRequest),
    /// What somebody else has made.
    File(FileRequest),
}

/// A Helm repository's index, or one of its charts, and what opens the repository.
#[derive(Debug, Clone)]
pub struct HelmRequest {
    /// The repository.
    pub url: SourceUrl,
    /// Name, and version or range; the index itself if there is none.
    pub chart: Option<(String, String)>,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// They may be shown to hosts that the index names.
    pub pass_credentials: bool,
    /// Whom to trust and what to show.
    pub tls: TlsSecrets,
}

/// The files of a bucket, and what opens it.
#[derive(Debug, Clone)]
pub struct BucketRequest {
    /// The store.
    pub endpoint: SourceUrl,
    /// The bucket.
    pub name: String,
    /// The store's region; may be empty.
    pub region: String,
    /// Only keys that start so.
    pub prefix: String,
    /// Which service it is, and who asks.
    pub opener: BucketOpener,
    /// Whom to trust and what to show.
    pub tls: TlsSecrets,
    /// What to go through.
    pub proxy: Option<ProxySecret>,
}

/// Who asks for a bucket's files, and so what it speaks.
#[derive(Debug, Clone)]
pub enum BucketOpener {
    /// Nobody, at what speaks S3.
    Anonymous,
    /// Access key and secret key, of what speaks S3.
    Keys(String, Secret),
    /// Who is given keys of what speaks S3.
    Ldap(LdapRequest),
    /// Google Cloud Storage.
    Google(Google),
    /// Azure Blob Storage.
    Azure(Azure),
    /// The store of the cloud that knows the workload.
    Workload(Workload),
}

/// A service that gives a directory's user keys of an object store.
#[derive(Debug, Clone)]
pub struct LdapRequest {
    /// The service.
    pub endpoint: SourceUrl,
    /// In the directory.
    pub username: String,
    /// In the directory.
    pub password: Secret,
    /// Whom to trust and what to show.
    pub tls: TlsSecrets,
}

/// What somebody else has made, by its digest.
#[derive(Debug, Clone)]
pub struct FileRequest {
    /// Where it is.
    pub url: SourceUrl,
    /// Of its bytes.
    pub digest: Digest,
    /// As its maker calls it.
    pub revision: Revision,
}

/// From a Secret with a proxy's address.
#[derive(Debug, Clone)]
pub struct ProxySecret {
    /// `http`, `https` or `socks5`, without user and password.
    pub address: String,
    /// Both, or neither.
    pub login: Option<(String, Secret)>,
}

/// A layer, and what opens its registry.
#[derive(Debug, Clone)]
pub struct OciRequest {
    /// The repository.
    pub repository: tenure_oci::Repository,
    /// What to look up in it.
    pub reference: tenure_oci::Reference,
    /// Which layer, and what to do with it.
    pub layer: tenure_oci::Layer,
    /// Plain http is good enough.
    pub insecure: bool,
    /// What logs in.
    pub credential: OciCredential,
    /// Whom to trust and what to show.
    pub tls: TlsSecrets,
    /// What to go through.
    pub proxy: Option<ProxySecret>,
}

/// What logs in at a registry.
#[derive(Debug, Clone)]
pub enum OciCredential {
    /// The registry takes it.
    Login(tenure_oci::Credential),
    /// A cloud gives one for it.
    Workload(Workload),
}

/// Gives tokens with which the worker is known to clouds.
#[async_trait]
pub trait Identities: Send + Sync {
    /// A token of the worker's own ServiceAccount with this audience.
    ///
    /// # Errors
    /// Why there is none, as a sentence.
    async fn token(&self, audience: &str) -> Result<Secret, String>;
}

/// The way to services that keep keys.
pub trait KeyServices: Send + Sync {
    /// What sends requests to them. `ca_pem` has authorities to trust besides the public ones.
    ///
    /// # Errors
    /// When that is not PEM with certificates.
    fn open(&self, ca_pem: Option<&[u8]>) -> Result<Arc<dyn tenure_sops::services::Http>, String>;

    /// The way to the clouds' own services: public authorities are trusted, and no proxy is used.
    fn clouds(&self) -> Outbound;
}

/// From a Secret with certificates.
#[derive(Debug, Clone, Default)]
pub struct TlsSecrets {
    /// Roots to trust.
    pub ca_pem: Option<Secret>,
    /// Client certificate and key.
    pub client: Option<(Secret, Secret)>,
}

/// A commit, and what opens its repository.
#[derive(Debug, Clone)]
pub struct GitRequest {
    /// The repository.
    pub url: SourceUrl,
    /// What to look up in it.
    pub reference: GitReference,
    /// What opens it.
    pub credential: GitCredential,
    /// What to go through; not used for ssh.
    pub proxy: Option<ProxySecret>,
    /// Directories to keep; empty keeps all.
    pub sparse: Vec<String>,
    /// Hand over commit and tag, to check their signatures.
    pub objects: bool,
    /// Whether submodules are part of it, and then the prefixes of the URLs where they may be; any if empty.
    pub submodules: Option<Vec<String>>,
}

/// `spec.ref` after precedence: commit, name, semver, tag, branch; `master` when empty.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the fields of spec.ref")]
pub enum GitReference {
    Branch(String),
    Tag(String),
    Semver(String),
    Name(String),
    Commit { commit: String, branch: Option<String> },
}

/// What opens a repository; from a Secret of the home.
#[derive(Debug, Clone, Default)]
pub struct GitCredential {
    /// User and password, token, or key.
    pub kind: GitCredentialKind,
    /// Roots to trust for https, beside the usual ones.
    pub ca_pem: Option<Secret>,
    /// Client certificate and key for https.
    pub client: Option<(Secret, Secret)>,
}

/// The kinds of credential that a Git Secret can hold.
#[derive(Debug, Clone, Default)]
pub enum GitCredentialKind {
    /// Anonymous.
    #[default]
    None,
    /// `username` and `password`.
    Basic {
        /// `username`
        username: String,
        /// `password`
        password: Secret,
    },
    /// `bearerToken`.
    Bearer(Secret),
    /// The key of a GitHub App.
    App {
        /// `githubAppID`
        id: String,
        /// `githubAppInstallationID`, or
        installation: Option<u64>,
        /// `githubAppInstallationOwner`
        owner: String,
        /// `githubAppPrivateKey`
        key: Secret,
        /// `githubAppBaseURL`; GitHub's own if empty.
        api: String,
    },
    /// `identity`, `known_hosts`, and `password` as the key's passphrase.
    Ssh {
        /// Private key, PEM.
        identity: Secret,
        /// Passphrase of the key.
        passphrase: Option<Secret>,
        /// Lines as in OpenSSH's file.
        known_hosts: Secret,
        /// Used when the URL names no user.
        username: String,
    },
}

/// The cache's answer.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// `main@sha1:…`, `v1@sha256:…`
    pub revision: Revision,
    /// Of the archive.
    pub digest: Digest,
    /// Of the archive, in bytes.
    pub size: u64,
    /// First line of a commit's message; how many files a bucket has.
    pub subject: String,
    /// What its maker says of it, and what the archive does not hold but the repository does: dropped links.
    pub metadata: Vec<(String, String)>,
    /// The commit and the tag that led to it, if they were asked for.
    pub objects: Vec<GitObject>,
    /// Opens the artifact to this home for a while.
    pub grant: Secret,
    /// For so long the cache says when it moves, so nobody else has to look.
    pub leased_for: Option<Duration>,
    /// What lies beside it and may be a signature, if that was asked for.
    pub signatures: Vec<tenure_oci::Signature>,
    /// What opens the artifact over plain HTTP, if the platform serves such and this is one of the cache.
    pub link: Option<Link>,
}

/// Where the cache serves an artifact to whoever has the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// `http://host`
    pub host: String,
    /// For the query of a URL.
    pub name: String,
}

/// A commit or an annotated tag as the repository has it; not yet checked against its id.
#[derive(Debug, Clone)]
pub struct GitObject {
    /// Its hex digits.
    pub id: String,
    /// It is a tag, not a commit.
    pub is_tag: bool,
    /// Its bytes.
    pub data: Vec<u8>,
}

impl Resolved {
    /// What its maker says of it.
    pub(crate) fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.metadata.iter();
        all.filter(|(key, _)| !key.starts_with(DROPPED_LINK))
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Why the cache gave nothing, in the words of a condition.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SourceFailure {
    /// Flux's condition reason.
    pub reason: &'static str,
    /// For a person: what was attempted, on which remote, and what would cure it.
    pub message: String,
    /// When to ask again.
    pub retry: Retry,
    /// The cache itself is out of reach: what is here already stays authoritative.
    pub cache_down: bool,
    /// The reference was found; getting its content failed.
    pub found: bool,
    /// What kind of trouble it is, for who has words of their own for it.
    pub trouble: Trouble,
}

/// What kind of trouble a remote makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is none of the remote's.
    Ours,
    /// The remote refuses the credential, or wants one.
    Refused,
    /// It is not there.
    Missing,
    /// The repository is there, and no such chart in it.
    NoSuchChart,
    /// It can never work as it is asked for.
    Invalid,
    /// What came is not what it should be.
    Malformed,
    /// There is too much of it.
    TooLarge,
    /// The home has had as much as it may within an hour.
    OverBudget,
    /// Out of reach, or something else.
    Unavailable,
}

impl Trouble {
    pub(crate) const fn limit(self) -> Option<Limit> {
        match self {
            Self::TooLarge => Some(Limit::ArtifactSize),
            Self::OverBudget => Some(Limit::FetchBudget),
            _ => None,
        }
    }
}

impl Classify for SourceFailure {
    fn reason(&self) -> &'static str {
        self.reason
    }

    fn retry(&self) -> Retry {
        self.retry
    }
}
