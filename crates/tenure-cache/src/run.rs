use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tenure_proto::source::movements_server::MovementsServer;
use tenure_proto::source::sources_server::SourcesServer;
use tenure_serve::{Certificate, IssuerKeys};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server as Grpc;

use crate::admin;
use crate::answers::Answers;
use crate::auth::Authenticator;
use crate::disk::Disk;
use crate::download;
use crate::fetcher::Fetchers;
use crate::grant::Grants;
use crate::hosts::Hosts;
use crate::inventory::Inventory;
use crate::leases::{Leases, Rules};
use crate::links::Links;
use crate::metrics::Metrics;
use crate::negative::Refusals;
use crate::once::Once;
use crate::poll;
use crate::proof::Proofs;
use crate::service::{Cache, Homes, Listening, Service};
use crate::tokens::Tokens;
use crate::{CacheError, Config};

/// How often changed key and certificate files are looked for.
const REFRESH: Duration = Duration::from_secs(5);

/// Calls that are still open when the service ends get this long.
const DRAIN: Duration = Duration::from_secs(20);

/// The largest request: URL, rules, key and known hosts.
const MAX_REQUEST: usize = 1 << 20;

/// A cache whose sockets are open.
pub struct Server {
    config: Config,
    cache: Arc<Cache>,
    certificate: Arc<Certificate>,
    grpc: TcpListener,
    admin: TcpListener,
    artifacts: Option<TcpListener>,
}

/// Runs a cache until `cancel`.
///
/// # Errors
/// [`CacheError`] when it can't start, or ends by itself.
pub async fn run(config: Config, cancel: CancellationToken) -> Result<(), CacheError> {
    Server::bind(config).await?.serve(cancel).await
}

impl Server {
    /// Opens the data directory, reads certificate and keys, and binds both sockets.
    ///
    /// # Errors
    /// [`CacheError`]: what can't be used.
    pub async fn bind(config: Config) -> Result<Self, CacheError> {
        let certificate = Arc::new(Certificate::open(
            config.tls_cert.clone(),
            config.tls_key.clone(),
        )?);
        let disk = Disk::open(&config.data_dir).map_err(|source| CacheError::DataDir {
            path: config.data_dir.clone(),
            source,
        })?;
        let metrics = Arc::new(Metrics::default());
        let limits = config.limits.clone();
        let keys = IssuerKeys::open(config.issuer_keys.clone());
        let cache = Arc::new(Cache {
            auth: Authenticator::new(
                keys,
                config.issuer.clone(),
                config.workers_namespace.clone(),
                config.supervisor.clone(),
            ),
            grants: Grants::new(config.grant_ttl),
            proofs: Proofs::new(limits.longest_proof),
            tokens: Tokens::default(),
            disk,
            fetchers: Fetchers::new(config.fetcher_program.clone(), &limits, metrics.clone())?,
            exports: Once::default(),
            questions: Once::default(),
            answers: Answers::default(),
            inventory: Inventory::default(),
            refusals: Refusals::default(),
            leases: Leases::new(Rules {
                longest: limits.longest_lease,
                shortest: limits.shortest_poll,
            }),
            hosts: Hosts::new(limits.host_rate),
            links: Links::default(),
            host: config.artifacts.as_ref().map(|artifacts| artifacts.host.clone()),
            homes: Homes::new(limits.calls_per_home, limits.fetchers_per_home),
            metrics,
            limits,
        });
        let grpc = listen("gRPC", config.listen).await?;
        let admin = listen("the admin endpoint", config.admin_listen).await?;
        let artifacts = match &config.artifacts {
            Some(artifacts) => Some(listen("the artifact endpoint", artifacts.listen).await?),
            None => None,
        };
        Ok(Self {
            config,
            cache,
            certificate,
            grpc,
            admin,
            artifacts,
        })
    }

    /// Where the gRPC service listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.grpc.local_addr()
    }

    /// Where the admin endpoint listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Where the artifact endpoint listens, if there is one.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn artifacts_address(&self) -> std::io::Result<Option<SocketAddr>> {
        self.artifacts.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Serves until `cancel`, then lets open calls end.
    ///
    /// # Errors
    /// [`CacheError::Ended`] when one of the two services ends by itself.
    pub async fn serve(self, cancel: CancellationToken) -> Result<(), CacheError> {
        let cancel = cancel.child_token();
        // Dropping the future ends everything that was started here.
        let _end = cancel.clone().drop_guard();
        let connections = tenure_serve::accept(
            self.grpc,
            self.certificate.clone(),
            self.config.limits.connections,
            cancel.clone(),
        )?;
        let service = SourcesServer::new(Service(self.cache.clone())).max_decoding_message_size(MAX_REQUEST);
        let grpc = Grpc::builder()
            .max_concurrent_streams(256)
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .http2_keepalive_timeout(Some(Duration::from_secs(20)))
            .http2_max_header_list_size(32 << 10)
            .http2_max_pending_accept_reset_streams(Some(32))
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(2 << 20)
            .max_connection_age(Duration::from_secs(3600))
            .add_service(service)
            .add_service(MovementsServer::new(Listening(self.cache.clone())))
            .serve_with_incoming_shutdown(connections, cancel.clone().cancelled_owned());
        let drained = async {
            cancel.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        let grpc = async {
            tokio::select! {
                ended = grpc => ended.map_err(|error| CacheError::Ended { what: "gRPC service", reason: error.to_string() }),
                () = drained => Ok(()),
            }
        };
        let admin = admin::serve(self.admin, self.cache.clone(), cancel.clone());
        let artifacts = async {
            match self.artifacts {
                Some(listener) => download::serve(listener, self.cache.clone(), cancel.clone()).await,
                None => Ok(()),
            }
        };
        let upkeep = upkeep(&self.cache, &self.certificate, &cancel);
        let polls = poll::keep(&self.cache, &cancel);
        tokio::try_join!(grpc, admin, artifacts, upkeep, polls)?;
        self.cache.fetchers.ended().await;
        Ok(())
    }
}

async fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, CacheError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| CacheError::Listen {
            what,
            address,
            source,
        })
}

/// Takes changed files into use, and tidies up.
async fn upkeep(
    cache: &Arc<Cache>,
    certificate: &Arc<Certificate>,
    cancel: &CancellationToken,
) -> Result<(), CacheError> {
    let (mut refresh, mut sweep) = (
        tokio::time::interval(REFRESH),
        tokio::time::interval(cache.limits.sweep.max(Duration::from_millis(1))),
    );
    loop {
        tokio::select! {
            () = cancel.cancelled() => return Ok(()),
            _ = refresh.tick() => {
                let (cache, certificate) = (cache.clone(), certificate.clone());
                let files = move || {
                    cache.auth.keys().refresh();
                    certificate.refresh();
                };
                tokio::task::spawn_blocking(files).await.ok();
            }
            _ = sweep.tick() => cache.sweep().await,
        }
    }
}
