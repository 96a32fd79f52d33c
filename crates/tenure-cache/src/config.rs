use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tenure_core::{Account, Name};
use tenure_net::Guard;

/// How a cache is run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the gRPC service listens, with TLS.
    pub listen: SocketAddr,
    /// Where `/readyz`, `/healthz` and `/metrics` listen, in clear; nothing there is secret.
    pub admin_listen: SocketAddr,
    /// Where artifacts are served in clear to whoever has a link to one; `None`: nowhere, and there are no links.
    pub artifacts: Option<Artifacts>,
    /// Certificate chain of the service, PEM; read again when it changes.
    pub tls_cert: PathBuf,
    /// Its private key, PEM.
    pub tls_key: PathBuf,
    /// The issuer's public keys, a JWKS file; read again when it changes.
    pub issuer_keys: PathBuf,
    /// The `iss` that tokens must have; `None` leaves it to the signature.
    pub issuer: Option<String>,
    /// The namespace of the workers' ServiceAccounts, `tenure-workers`.
    pub workers_namespace: Name,
    /// Who may hear what moves.
    pub supervisor: Account,
    /// Everything the cache keeps on disk. Losing it costs fetching again.
    pub data_dir: PathBuf,
    /// How long a grant opens its artifact.
    pub grant_ttl: Duration,
    /// The program that is run as a fetcher, with arguments `fetcher --job-fd 3 …`; `None`: this one.
    pub fetcher_program: Option<PathBuf>,
    /// What one caller, and all together, may use.
    pub limits: Limits,
}

/// The endpoint for consumers that are not workers.
#[derive(Clone, Debug)]
pub struct Artifacts {
    /// Where it listens, in clear.
    pub listen: SocketAddr,
    /// How its consumers reach it, `http://host` or `http://host:port`.
    pub host: String,
}

/// What callers may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Calls of one home at once, waiting ones included.
    pub calls_per_home: usize,
    /// Fetchers at once.
    pub fetchers: usize,
    /// Fetchers of one home at once.
    pub fetchers_per_home: usize,
    /// What is downloaded for one home within an hour, in bytes, whatever the caller accepts; 0 for no limit.
    pub home_hour: u64,
    /// Memory of one fetcher, in bytes.
    pub fetcher_memory: u64,
    /// Largest archive, whatever the caller accepts, in bytes.
    pub artifact_bytes: u64,
    /// All archives together, in bytes, and the same again for the objects of remotes; the least recently used go
    /// first, and none that a grant opens.
    pub store_bytes: u64,
    /// What nobody has used for longer goes too.
    pub store_age: Duration,
    /// How often memory and disk are tidied.
    pub sweep: Duration,
    /// Longest time that one Resolve may take, whatever the caller accepts.
    pub longest_resolve: Duration,
    /// Oldest proof that is used, whatever the caller accepts.
    pub longest_proof: Duration,
    /// Jobs a second that one host is asked to serve, at least one; five times as many at once after a pause.
    pub host_rate: u32,
    /// Longest poll lease; none is given if this is zero.
    pub longest_lease: Duration,
    /// Nothing that is leased is asked more often.
    pub shortest_poll: Duration,
    /// Where the remotes of callers may be.
    pub addresses: Guard,
    /// Authorities that vouch for clouds, besides the public ones, in PEM: those of a proxy that looks into TLS.
    pub cloud_authorities: Vec<u8>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            calls_per_home: 64,
            fetchers: 16,
            fetchers_per_home: 4,
            home_hour: 0,
            fetcher_memory: 512 << 20,
            artifact_bytes: 256 << 20,
            store_bytes: 20 << 30,
            store_age: Duration::from_secs(7 * 24 * 3600),
            sweep: Duration::from_secs(60),
            longest_resolve: Duration::from_secs(600),
            longest_proof: Duration::from_secs(300),
            host_rate: 20,
            longest_lease: Duration::from_secs(600),
            shortest_poll: Duration::from_secs(5),
            addresses: Guard::default(),
            cloud_authorities: Vec::new(),
        }
    }
}

/// Why a cache could not be started, or ended.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The data directory cannot be used.
    #[error("can't use the data directory {path:?}: {source}; it must exist and be writable")]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Nothing can be made that fetchers are copies of.
    #[error(transparent)]
    Stage(#[from] tenure_sandbox::SpawnError),
    /// A listening socket cannot be opened.
    #[error("can't listen on {address} for {what}: {source}")]
    Listen {
        /// The service or the admin endpoint.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The certificate cannot be used, or TLS not be set up.
    #[error(transparent)]
    Serve(#[from] tenure_serve::ServeError),
    /// The service ended by itself.
    #[error("the {what} ended: {reason}")]
    Ended {
        /// The service or the admin endpoint.
        what: &'static str,
        /// Why.
        reason: String,
    },
}
