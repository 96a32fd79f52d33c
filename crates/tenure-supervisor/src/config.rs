use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tenure_core::Name;
use tenure_kube::KubeError;
use tenure_net::Cidr;
use tenure_sandbox::{Program, ScratchError, SpawnError};

use crate::everywhere::Watching;
use crate::task::Tasks;

/// What a supervisor needs to know; everything else is a Tenant.
#[derive(Clone, Debug)]
pub struct Config {
    /// The API server, `https://host:port`.
    pub api_url: String,
    /// File with its CA certificates as PEM.
    pub api_ca_file: PathBuf,
    /// File with the supervisor's token; read again every minute.
    pub token_file: PathBuf,
    /// Namespace of the Tenants.
    pub system_namespace: Name,
    /// Our name among the supervisors of that namespace. No two may have it at a time.
    pub identity: Name,
    /// Namespace of the workers' ServiceAccounts.
    pub workers_namespace: Name,
    /// The source cache, if there is one.
    pub cache: Option<CacheEndpoint>,
    /// Directory whose content is removed at start and then divided among the homes.
    pub scratch: PathBuf,
    /// Where to write the issuer's keys, besides the ConfigMap, for a cache that mounts none.
    pub issuer_keys_file: Option<PathBuf>,
    /// Where to serve `/healthz`, `/readyz` and `/metrics`.
    pub admin: SocketAddr,
    /// Where servers that tenants name, such as key services, may be although workers refuse it otherwise.
    pub allowed_addresses: Vec<Cidr>,
    /// Where no such server may be.
    pub refused_addresses: Vec<Cidr>,
    /// A worker stays while something is due within this time.
    pub linger: Duration,
    /// Whether metrics name objects.
    pub object_metrics: bool,
    /// The Tenant that is the platform's own: it goes before all others.
    pub platform_tenant: Option<String>,
    /// How homes' objects are watched.
    pub watching: Watching,
    /// What a worker is started from.
    pub worker: Program,
    /// Workers of the isolation level `task`; without it there are none.
    pub tasks: Option<Tasks>,
    /// Workers of the isolation level `pod`; without it there are none.
    pub pods: Option<Pods>,
}

/// What workers in pods are made from, and how they reach this supervisor.
#[derive(Clone, Debug)]
pub struct Pods {
    /// The image, whose entry point is this program.
    pub image: String,
    /// Where to serve them.
    pub listen: SocketAddr,
    /// How they reach that, `https://host:port`. It must lead to this supervisor and no other.
    pub url: String,
    /// The serving certificate, PEM; read again when it changes.
    pub cert_file: PathBuf,
    /// Its key, PEM.
    pub key_file: PathBuf,
    /// Its authorities, PEM; read for each pod.
    pub ca_file: PathBuf,
    /// The name in that certificate.
    pub server_name: String,
}

/// How workers reach the source cache.
#[derive(Clone, Debug)]
pub struct CacheEndpoint {
    /// `https://host:port`; there is a replica at each address that a host has.
    pub urls: Vec<String>,
    /// File with its CA certificates as PEM.
    pub ca_file: PathBuf,
    /// The name in its certificate.
    pub server_name: String,
    /// File with the supervisor's token of audience `tenure-cache-control`, read whenever it connects. Without it
    /// nobody hears what moves, and workers look for themselves.
    pub token_file: Option<PathBuf>,
}

impl Config {
    /// What holds in a pod with the usual mounts.
    ///
    /// # Errors
    /// When the names of the two namespaces or that of the pod can't be used.
    pub fn in_cluster(scratch: PathBuf, admin: SocketAddr) -> Result<Self, SupervisorError> {
        let account = PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount");
        Ok(Self {
            api_url: "https://kubernetes.default.svc".to_owned(),
            api_ca_file: account.join("ca.crt"),
            token_file: account.join("token"),
            system_namespace: Name::new(tenure_api::SYSTEM_NAMESPACE)?,
            identity: host_name()?,
            workers_namespace: Name::new(tenure_api::WORKERS_NAMESPACE)?,
            cache: None,
            scratch,
            issuer_keys_file: None,
            admin,
            allowed_addresses: Vec::new(),
            refused_addresses: Vec::new(),
            linger: Duration::from_secs(2),
            object_metrics: true,
            platform_tenant: None,
            watching: Watching::Namespaced,
            worker: Program::Own,
            tasks: None,
            pods: None,
        })
    }
}

/// The name of this machine, which in a pod is the pod's.
///
/// # Errors
/// When there is none, or none that an object can have.
pub fn host_name() -> Result<Name, SupervisorError> {
    let path = std::path::Path::new("/proc/sys/kernel/hostname");
    let name = std::fs::read_to_string(path).map_err(|source| SupervisorError::File {
        what: "the name of this machine",
        path: path.to_owned(),
        source,
    })?;
    Ok(Name::new(name.trim().to_lowercase().replace('_', "-"))?)
}

/// Why a supervisor can't run. What is wrong with one Tenant is that Tenant's status instead.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// A file that the configuration names can't be read.
    #[error("failed to read {what} from {}", path.display())]
    File {
        /// What was expected there.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// The API server can't be used at all.
    #[error("failed to set up the connection to the API server")]
    Kube(#[from] KubeError),
    /// The scratch space can't be used.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// Nothing can be made that workers are copies of.
    #[error(transparent)]
    Stage(#[from] SpawnError),
    /// The lifelines of workers in pods can't be served.
    #[error(transparent)]
    Serve(#[from] tenure_serve::ServeError),
    /// The address for them can't be listened on.
    #[error("failed to listen on {address} for workers in pods")]
    Lifeline {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
    /// A name that can't be used.
    #[error("a name can't be used; give the supervisor one with --identity if it is that of this machine")]
    Name(#[from] tenure_core::NameError),
    /// Another process has taken our Lease.
    #[error("another supervisor runs as '{identity}': each needs an --identity of its own")]
    Superseded {
        /// Under which name.
        identity: Name,
    },
    /// The admin address can't be listened on.
    #[error("failed to listen on {address} for probes and metrics")]
    Admin {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}
