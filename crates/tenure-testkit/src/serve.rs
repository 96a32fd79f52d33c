//! TLS servers around a router of the test's own: remotes that are slow, lie or lead astray. And a bare client.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::net::local;
use crate::pki::{Authority, Identity, install_crypto};

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Site {
    port: u16,
    ca: String,
    _stop: DropGuard,
}

impl Site {
    /// Starts one that answers as `router` does, with a certificate authority of its own.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(router: Router) -> anyhow::Result<Self> {
        Self::named(router, &[]).await
    }

    /// The same, whose certificate is good for these names too: for a proxy that leads there.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn named(router: Router, names: &[&str]) -> anyhow::Result<Self> {
        Self::certified(router, names, &Authority::new("rig-site")?).await
    }

    /// The same, certified by an authority that others trust already.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn certified(router: Router, names: &[&str], authority: &Authority) -> anyhow::Result<Self> {
        install_crypto();
        let tls = acceptor(&authority.server("site", names)?)?;
        let socket = TcpListener::bind(local(0)).await?;
        let port = socket.local_addr()?.port();
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(serve(socket, tls, router)));
        Ok(Self {
            port,
            ca: authority.certificate().to_owned(),
            _stop: stop.drop_guard(),
        })
    }

    /// The same without TLS.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn plain(router: Router) -> anyhow::Result<Self> {
        let socket = TcpListener::bind(local(0)).await?;
        let port = socket.local_addr()?.port();
        let stop = CancellationToken::new();
        let served = async move { axum::serve(socket, router).await };
        tokio::spawn(stop.clone().run_until_cancelled_owned(served));
        Ok(Self {
            port,
            ca: String::new(),
            _stop: stop.drop_guard(),
        })
    }

    /// Without TLS, a repository of charts whose one chart, `endless`, has no end.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn endless_chart() -> anyhow::Result<Self> {
        const INDEX: &str = "apiVersion: v1\nentries:\n  endless:\n  - {apiVersion: v2, name: endless, version: 1.0.0, urls: [endless-1.0.0.tgz]}\n";
        let body = || async {
            let zeros = axum::body::Bytes::from_static(&[0; 16 << 10]);
            axum::body::Body::from_stream(futures::stream::repeat(Ok::<_, std::convert::Infallible>(zeros)))
        };
        let router = Router::new()
            .route("/index.yaml", get(|| async { INDEX }))
            .route("/endless-1.0.0.tgz", get(body));
        Self::plain(router).await
    }

    /// Host and port.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority that signed its certificate, PEM.
    #[must_use]
    pub fn ca(&self) -> &str {
        &self.ca
    }
}

/// A connection to `address` that has shaken hands for HTTP/2 with whoever is certified as `name` by `ca_pem`, and has said
/// nothing yet.
///
/// # Errors
/// When nobody answers, or another.
pub async fn dial(address: &str, name: &str, ca_pem: &str) -> anyhow::Result<TlsStream<TcpStream>> {
    install_crypto();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes())?)?;
    let mut config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned())?;
    Ok(TlsConnector::from(Arc::new(config)).connect(name, stream).await?)
}

/// Speaks HTTP/2 and 1.1 with that certificate.
pub(crate) fn acceptor(identity: &Identity) -> anyhow::Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until it is dropped.
pub(crate) async fn serve(socket: TcpListener, tls: TlsAcceptor, router: Router) {
    while let Ok((stream, _)) = socket.accept().await {
        let (tls, router) = (tls.clone(), router.clone());
        tokio::spawn(async move {
            // A client that does not like the certificate goes away here.
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            let service = TowerToHyperService::new(router);
            let builder = Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
