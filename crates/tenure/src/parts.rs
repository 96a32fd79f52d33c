//! The four parts of the system, as subcommands: flags in, one library function each.

use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tenure_api::rights::SUPERVISOR_ACCOUNT;
use tenure_api::{SYSTEM_NAMESPACE, WORKERS_NAMESPACE};
use tenure_core::{Account, GoDuration, Name};
use tenure_net::{Cidr, Guard};
use tenure_sandbox::Profile;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::log;

/// The name in the supervisor's certificate.
const LIFELINE_NAME: &str = "tenure-supervisor";

/// The Service of the installed cache.
const ARTIFACTS_HOST: &str = "http://tenure-cache.tenure-system.svc.cluster.local.";

/// Flags of `tenure supervisor`.
#[derive(clap::Args)]
pub(crate) struct SupervisorArgs {
    /// The API server
    #[arg(long, default_value = "https://kubernetes.default.svc")]
    api_url: String,
    /// Its CA certificates, PEM
    #[arg(long, default_value = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")]
    api_ca: PathBuf,
    /// The supervisor's own token; read again when it is renewed
    #[arg(long, default_value = "/var/run/secrets/kubernetes.io/serviceaccount/token")]
    token_file: PathBuf,
    /// Where the Tenants are
    #[arg(long, default_value = SYSTEM_NAMESPACE)]
    system_namespace: Name,
    /// Its name among the supervisors there, one for each; by default the machine's, which in a pod is the pod's
    #[arg(long)]
    identity: Option<Name>,
    /// Where the workers' ServiceAccounts are
    #[arg(long, default_value = WORKERS_NAMESPACE)]
    workers_namespace: Name,
    /// The source cache, https://host:port; without it no source is fetched. Given more than once, or of a host with
    /// several addresses, it names replicas
    #[arg(long, requires = "cache_ca")]
    cache_url: Vec<String>,
    /// The cache's CA certificates, PEM
    #[arg(long)]
    cache_ca: Option<PathBuf>,
    /// The supervisor's token for the cache, audience tenure-cache-control; without it sources are looked at by workers
    /// only
    #[arg(long, requires = "cache_url")]
    cache_token_file: Option<PathBuf>,
    /// The name in the cache's certificate
    #[arg(long, default_value = "tenure-cache")]
    cache_server_name: String,
    /// Divided among the workers; emptied at start
    #[arg(long, default_value = "/scratch")]
    scratch: PathBuf,
    /// Also keep the issuer's keys in this file, for a cache that mounts no ConfigMap
    #[arg(long)]
    issuer_keys_file: Option<PathBuf>,
    /// Where to serve /healthz, /readyz and /metrics
    #[arg(long, default_value = "0.0.0.0:8081")]
    admin: SocketAddr,
    /// Block of addresses where workers may reach key services although they are refused without it; may be repeated
    #[arg(long = "allow-addresses")]
    allow_addresses: Vec<Cidr>,
    /// Block of addresses where workers reach no such service, such as the cluster's; may be repeated
    #[arg(long = "refuse-addresses")]
    refuse_addresses: Vec<Cidr>,
    /// A worker stays awake while something is due within this time
    #[arg(long, default_value = "2s")]
    linger: GoDuration,
    /// The Tenant that is the platform's own: when many wait, it goes first, and a place is kept for it
    #[arg(long)]
    platform_tenant: Option<Name>,
    /// How homes' objects are watched: `namespaced`, by each home's worker's right; `cluster`, by one watch for each kind and the
    /// ClusterRole tenure:watch; `auto`, the latter while the supervisor has that
    #[arg(long, default_value = "namespaced")]
    watch: WatchMode,
    /// Let Tenants have `isolation: task`: workers in this process, which nothing walls off from its token
    #[arg(long)]
    allow_tasks: bool,
    #[command(flatten)]
    pods: PodArgs,
    /// Metrics name objects; `false` where there are too many of them, or where too many can read them
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    object_metrics: bool,
}

/// Flags of `tenure supervisor` about workers in pods.
#[derive(clap::Args)]
struct PodArgs {
    /// Let Tenants have `isolation: pod`: workers in pods of this image, which has this program as its entry point
    #[arg(long, requires_all = ["lifeline_address", "lifeline_ca"])]
    pods_image: Option<String>,
    /// Where workers in pods dial this supervisor, host:port
    #[arg(long, value_parser = bracketed_address)]
    lifeline_address: Option<String>,
    /// Where to serve them
    #[arg(long, default_value = "0.0.0.0:8443")]
    lifeline_listen: SocketAddr,
    /// Certificate of that, PEM; read again when it changes
    #[arg(long, default_value = "/etc/tenure/lifeline/tls.crt")]
    lifeline_tls_cert: PathBuf,
    /// Its key, PEM
    #[arg(long, default_value = "/etc/tenure/lifeline/tls.key")]
    lifeline_tls_key: PathBuf,
    /// Its authorities, PEM, which the pods are given
    #[arg(long)]
    lifeline_ca: Option<PathBuf>,
    /// The name in that certificate
    #[arg(long, default_value = LIFELINE_NAME)]
    lifeline_server_name: String,
}

impl PodArgs {
    fn config(self) -> Option<tenure_supervisor::Pods> {
        let (Some(image), Some(address), Some(ca_file)) =
            (self.pods_image, self.lifeline_address, self.lifeline_ca)
        else {
            return None;
        };
        Some(tenure_supervisor::Pods {
            image,
            listen: self.lifeline_listen,
            url: format!("https://{address}"),
            cert_file: self.lifeline_tls_cert,
            key_file: self.lifeline_tls_key,
            ca_file,
            server_name: self.lifeline_server_name,
        })
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum WatchMode {
    Namespaced,
    Cluster,
    Auto,
}

/// Flags of `tenure cache`.
#[derive(clap::Args)]
pub(crate) struct CacheArgs {
    /// Where workers connect to
    #[arg(long, default_value = "0.0.0.0:9443")]
    listen: SocketAddr,
    /// Where to serve /healthz, /readyz and /metrics
    #[arg(long, default_value = "0.0.0.0:8081")]
    admin: SocketAddr,
    /// Serving certificate, PEM; read again when it changes
    #[arg(long, default_value = "/tls/tls.crt")]
    tls_cert: PathBuf,
    /// Its key, PEM
    #[arg(long, default_value = "/tls/tls.key")]
    tls_key: PathBuf,
    /// The issuer's keys, JWKS; read again when they change
    #[arg(long, default_value = "/issuer/jwks.json")]
    issuer_keys: PathBuf,
    /// The issuer that tokens must name; any that the keys sign for without it
    #[arg(long)]
    issuer: Option<String>,
    /// The namespace that callers' ServiceAccounts must be of
    #[arg(long, default_value = WORKERS_NAMESPACE)]
    workers_namespace: Name,
    /// The namespace of the supervisor's ServiceAccount, which may hear what moves
    #[arg(long, default_value = SYSTEM_NAMESPACE)]
    system_namespace: Name,
    /// How long credentials are kept to ask with while workers sleep, at most; 0s keeps none
    #[arg(long, default_value = "10m")]
    longest_lease: GoDuration,
    /// Objects and artifacts; may be lost at any time
    #[arg(long, default_value = "/data")]
    data: PathBuf,
    /// Serve artifacts in clear here, to whoever has a link to one; without it no link is given
    #[arg(long)]
    artifacts: Option<SocketAddr>,
    /// How consumers reach that endpoint, http://host or http://host:port
    #[arg(long, default_value_t = ARTIFACTS_HOST.to_owned(), value_parser = plain_host, requires = "artifacts")]
    artifacts_host: String,
    /// How many jobs a second one host is asked to serve; more at once after a pause
    #[arg(long, default_value_t = 20)]
    host_rate: u32,
    /// Bytes that are downloaded for one home within an hour, at most, whatever its Tenant allows; 0 for no limit
    #[arg(long, default_value_t = 0)]
    fetch_per_hour: u64,
    /// Bytes of all artifacts together; the objects of remotes may have as much again
    #[arg(long, default_value_t = 20 << 30)]
    store_bytes: u64,
    /// Artifacts and objects that nobody has used for longer are removed
    #[arg(long, default_value = "168h")]
    store_age: GoDuration,
    /// How long a grant opens an artifact
    #[arg(long, default_value = "10m")]
    grant_ttl: GoDuration,
    /// Block of addresses where sources may be although they are refused without it; may be repeated
    #[arg(long = "allow-addresses")]
    allow_addresses: Vec<Cidr>,
    /// Block of addresses where no source may be, such as the cluster's; may be repeated
    #[arg(long = "refuse-addresses")]
    refuse_addresses: Vec<Cidr>,
    /// Authorities that vouch for the services of clouds, besides the public ones, PEM: for a proxy that looks into TLS.
    /// Where homes log in at clouds, what a tenant's Secret names is not trusted
    #[arg(long)]
    cloud_authorities: Option<PathBuf>,
}

/// Flags of `tenure worker`; given by the supervisor.
#[derive(clap::Args)]
pub(crate) struct WorkerArgs {
    /// The inherited end of the lifeline, as the sandbox numbers it
    #[arg(long, default_value_t = tenure_sandbox::LIFELINE_FD)]
    lifeline_fd: i32,
    /// The only directory that can be written
    #[arg(long)]
    scratch: PathBuf,
    /// For log lines
    #[arg(long)]
    home: Option<String>,
    /// Bytes of memory
    #[arg(long)]
    memory: Option<u64>,
    /// TCP port that may be connected to; all of them when none is given
    #[arg(long = "port")]
    ports: Vec<u16>,
    /// The supervisor of a worker in a pod, https://host:port, in place of an inherited lifeline
    #[arg(long, requires_all = ["lifeline_token_file", "lifeline_ca"])]
    lifeline_url: Option<String>,
    /// The name in the supervisor's certificate
    #[arg(long, default_value = LIFELINE_NAME)]
    lifeline_server_name: String,
    /// The token that is bound to the pod, audience tenure-lifeline
    #[arg(long)]
    lifeline_token_file: Option<PathBuf>,
    /// The authorities of the supervisor's certificate, PEM
    #[arg(long, env = "TENURE_LIFELINE_CA", hide_env = true)]
    lifeline_ca: Option<String>,
}

/// Flags of `tenure fetcher`; given by the cache.
#[derive(clap::Args)]
pub(crate) struct FetcherArgs {
    /// The inherited socket, as the sandbox numbers it
    #[arg(long, default_value_t = tenure_sandbox::LIFELINE_FD)]
    job_fd: i32,
    /// Directory that can be written
    #[arg(long = "dir")]
    dirs: Vec<PathBuf>,
    /// Bytes of memory
    #[arg(long)]
    memory: Option<u64>,
}

#[cfg(test)]
impl SupervisorArgs {
    /// What workers in pods are made from.
    pub(crate) fn pods(self) -> Option<tenure_supervisor::Pods> {
        self.pods.config()
    }

    /// Files and directories that a pod must mount.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        [&self.api_ca, &self.token_file, &self.scratch]
            .into_iter()
            .chain(&self.cache_ca)
            .chain(&self.cache_token_file)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
impl CacheArgs {
    /// Files and directories that a pod must mount.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        [&self.tls_cert, &self.tls_key, &self.issuer_keys, &self.data]
            .into_iter()
            .cloned()
            .collect()
    }
}

pub(crate) fn supervisor(args: SupervisorArgs) -> anyhow::Result<()> {
    log::init(None);
    crypto()?;
    let SupervisorArgs {
        cache_url,
        cache_ca,
        cache_server_name,
        cache_token_file,
        ..
    } = args;
    let cache = cache_ca
        .filter(|_| !cache_url.is_empty())
        .map(|ca_file| tenure_supervisor::CacheEndpoint {
            urls: cache_url,
            ca_file,
            server_name: cache_server_name,
            token_file: cache_token_file,
        });
    let config = tenure_supervisor::Config {
        api_url: args.api_url,
        api_ca_file: args.api_ca,
        token_file: args.token_file,
        system_namespace: args.system_namespace,
        identity: match args.identity {
            Some(identity) => identity,
            None => tenure_supervisor::host_name()?,
        },
        workers_namespace: args.workers_namespace,
        cache,
        scratch: args.scratch,
        issuer_keys_file: args.issuer_keys_file,
        admin: args.admin,
        allowed_addresses: args.allow_addresses,
        refused_addresses: args.refuse_addresses,
        linger: args.linger.as_duration(),
        object_metrics: args.object_metrics,
        platform_tenant: args.platform_tenant.map(|name| name.to_string()),
        watching: match args.watch {
            WatchMode::Namespaced => tenure_supervisor::Watching::Namespaced,
            WatchMode::Cluster => tenure_supervisor::Watching::Cluster,
            WatchMode::Auto => tenure_supervisor::Watching::Auto,
        },
        worker: tenure_sandbox::Program::Own,
        tasks: args.allow_tasks.then(|| tenure_supervisor::Tasks::new(task)),
        pods: args.pods.config(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let cancel = ended_by_signal()?;
        Ok(tenure_supervisor::run(config, cancel).await?)
    })
}

pub(crate) fn cache(args: CacheArgs) -> anyhow::Result<()> {
    log::init(None);
    crypto()?;
    let cloud_authorities = match &args.cloud_authorities {
        Some(path) => std::fs::read(path).with_context(|| format!("read {}", path.display()))?,
        None => Vec::new(),
    };
    let config = tenure_cache::Config {
        listen: args.listen,
        admin_listen: args.admin,
        artifacts: args.artifacts.map(|listen| tenure_cache::Artifacts {
            listen,
            host: args.artifacts_host,
        }),
        tls_cert: args.tls_cert,
        tls_key: args.tls_key,
        issuer_keys: args.issuer_keys,
        issuer: args.issuer,
        workers_namespace: args.workers_namespace,
        supervisor: Account {
            namespace: args.system_namespace,
            name: Name::new(SUPERVISOR_ACCOUNT)?,
        },
        data_dir: args.data,
        grant_ttl: args.grant_ttl.as_duration(),
        fetcher_program: None,
        limits: tenure_cache::Limits {
            host_rate: args.host_rate,
            home_hour: args.fetch_per_hour,
            store_bytes: args.store_bytes,
            store_age: args.store_age.as_duration(),
            longest_lease: args.longest_lease.as_duration(),
            addresses: Guard::new(args.allow_addresses, args.refuse_addresses),
            cloud_authorities,
            ..tenure_cache::Limits::default()
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let cancel = ended_by_signal()?;
        Ok(tenure_cache::run(config, cancel).await?)
    })
}

pub(crate) fn worker(args: WorkerArgs) -> anyhow::Result<()> {
    let WorkerArgs {
        lifeline_fd: _,
        scratch,
        home,
        memory,
        ports,
        lifeline_url,
        lifeline_server_name,
        lifeline_token_file,
        lifeline_ca,
    } = args;
    // its file is out of reach in the sandbox, and is needed once
    let token = lifeline_token_file.map(read_token).transpose()?;
    let mut report = tenure_sandbox::enter(&Profile::worker(&scratch, memory, &ports))?;
    log::init(home);
    crypto()?;
    let lifeline = report
        .take_lifeline()
        .context("the worker was given no lifeline; it is started by the supervisor")?;
    let way = match (lifeline_url, token, lifeline_ca) {
        (Some(url), Some(token), Some(ca)) => tenure_worker::Way::Remote(tenure_worker::Remote {
            url,
            ca_pem: ca.into_bytes(),
            server_name: lifeline_server_name,
            token,
        }),
        _ => tenure_worker::Way::Socket(UnixStream::from(lifeline)),
    };
    let options = tenure_worker::Options {
        way,
        scratch,
        sandbox: report.granted,
        missing: report.missing,
        over: Box::new(|| std::process::exit(OVER)),
    };
    of_one_home()?.block_on(async {
        let cancel = ended_by_signal()?;
        Ok(tenure_worker::run(options, cancel).await?)
    })
}

fn read_token(path: PathBuf) -> anyhow::Result<tenure_core::Secret> {
    let token = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(tenure_core::Secret::new(token.trim_ascii().to_vec()))
}

/// How a worker ends whose time is over, `EX_TEMPFAIL` of sysexits.
const OVER: i32 = 75;

/// A worker in a thread of the supervisor.
fn task(task: tenure_supervisor::Task) -> Result<(), String> {
    let options = tenure_worker::Options {
        way: tenure_worker::Way::Socket(task.socket),
        scratch: task.scratch,
        sandbox: Vec::new(),
        missing: vec!["everything: it is no process".to_owned()],
        over: Box::new({
            let cancel = task.cancel.clone();
            move || cancel.cancel()
        }),
    };
    let runtime = of_one_home().map_err(|error| error.to_string())?;
    let worker = tenure_worker::run(options, task.cancel);
    let span = tracing::info_span!("worker", home = %task.home);
    runtime
        .block_on(worker.instrument(span))
        .map_err(|error| error.to_string())
}

/// What a worker runs on.
fn of_one_home() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(1))
        .build()
}

pub(crate) fn fetcher(args: FetcherArgs) -> anyhow::Result<ExitCode> {
    let FetcherArgs {
        job_fd: _,
        dirs,
        memory,
    } = args;
    crypto()?;
    Ok(tenure_cache::fetcher_main(dirs, memory))
}

/// `http://host` or `http://host:port`, and nothing behind it.
fn plain_host(text: &str) -> Result<String, String> {
    let refuse = || "expected http://host or http://host:port".to_owned();
    let authority = bracketed(text.strip_prefix("http://").ok_or_else(refuse)?);
    let authority: http::uri::Authority = authority.parse().map_err(|_| refuse())?;
    match authority.as_str().contains('@') {
        true => Err(refuse()),
        false => Ok(format!("http://{authority}")),
    }
}

/// `host:port`, as it stands in a URL.
fn bracketed_address(text: &str) -> Result<String, String> {
    let authority: http::uri::Authority = bracketed(text)
        .parse()
        .map_err(|_| "expected host:port".to_owned())?;
    match authority.port_u16() {
        Some(_) if !authority.as_str().contains('@') => Ok(authority.to_string()),
        _ => Err("expected host:port".to_owned()),
    }
}

/// A Pod's address comes without the brackets that one of IPv6 needs before a port.
fn bracketed(authority: &str) -> String {
    match authority.rsplit_once(':') {
        Some((host, port)) if host.parse::<std::net::Ipv6Addr>().is_ok() => format!("[{host}]:{port}"),
        _ => authority.to_owned(),
    }
}

/// One provider for every TLS connection and signature of the process.
fn crypto() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("the cryptography provider was installed twice"))
}

/// A token that ends with SIGTERM or SIGINT.
fn ended_by_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let cancel = CancellationToken::new();
    let ended = cancel.clone();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        ended.cancel();
    });
    Ok(cancel)
}

#[cfg(test)]
mod tests {
    use super::plain_host;

    #[test]
    fn a_host_in_clear_may_be_a_pods_address_of_either_family() {
        for (given, expected) in [
            ("http://10.0.0.7:9090", Some("http://10.0.0.7:9090")),
            ("http://fd00::7:9090", Some("http://[fd00::7]:9090")),
            ("http://[fd00::7]:9090", Some("http://[fd00::7]:9090")),
            ("http://artifacts.example", Some("http://artifacts.example")),
            ("https://artifacts.example", None),
            ("http://user@artifacts.example", None),
        ] {
            assert_eq!(plain_host(given).ok().as_deref(), expected, "{given}");
        }
    }
}
