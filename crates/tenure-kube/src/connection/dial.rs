use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tenure_core::Secret;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Body;
use crate::cluster::Cluster;
use crate::error::KubeError;

const CONNECT: Duration = Duration::from_secs(10);
/// With [`PING_ANSWER`], how long a dead peer can go unnoticed while a request is open.
/// Together well below the time after which a supervisor gives its Lease up.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_ANSWER: Duration = Duration::from_secs(8);
/// Answers are small; a large window only costs memory in a worker.
const WINDOW: u32 = 256 * 1024;

/// Where hosts are. Whoever lets others name a host decides here which addresses may be spoken to.
pub trait Resolve: Send + Sync {
    /// The addresses of `host` that may be connected to; or why there is none.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Vec<SocketAddr>, String>>;
}

/// How a connection is opened, where that is not the usual way.
#[derive(Default)]
pub(crate) struct Way<'a> {
    /// The name in the server's certificate, if it is not that of the URL.
    pub(crate) server_name: Option<&'a str>,
    pub(crate) identity: Option<ClientIdentity>,
    /// Who looks the host up; otherwise any address will do.
    pub(crate) resolve: Option<Arc<dyn Resolve>>,
}

/// A certificate that says who dials.
pub(crate) struct ClientIdentity {
    pub(crate) certificate_pem: Vec<u8>,
    pub(crate) key_pem: Secret,
}

/// Where to dial and whom to trust there.
pub(crate) struct Endpoint {
    host: String,
    port: u16,
    authority: String,
    server_name: ServerName<'static>,
    tls: TlsConnector,
    resolve: Option<Arc<dyn Resolve>>,
}

impl Endpoint {
    pub(crate) fn new(cluster: &Cluster, way: Way<'_>) -> Result<Self, KubeError> {
        let refuse = |message: String| KubeError::setup("connection to the API server", message);
        let url: http::Uri = cluster
            .url
            .parse()
            .map_err(|e| refuse(format!("url {:?}: {e}", cluster.url)))?;
        if url.scheme_str() != Some("https") || !matches!(url.path(), "" | "/") {
            return Err(refuse(format!(
                "url {:?} is not of the form https://host:port",
                cluster.url
            )));
        }
        let host = url.host().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host)
            .to_owned();
        let server_name = ServerName::try_from(way.server_name.map_or_else(|| host.clone(), str::to_owned))
            .map_err(|e| refuse(format!("host of url {:?}: {e}", cluster.url)))?;
        Ok(Self {
            port: url.port_u16().unwrap_or(443),
            authority: url.authority().map(ToString::to_string).unwrap_or_default(),
            host,
            server_name,
            tls: TlsConnector::from(Arc::new(
                tls(&cluster.ca_pem, way.identity.as_ref()).map_err(refuse)?,
            )),
            resolve: way.resolve,
        })
    }

    pub(crate) fn server(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Opens a connection; its driver ends with the last sender or when the peer goes.
    pub(crate) async fn dial(&self) -> Result<SendRequest<Body>, String> {
        tokio::time::timeout(CONNECT, self.connect())
            .await
            .map_err(|_| {
                format!(
                    "connecting to {} took longer than {}s",
                    self.authority,
                    CONNECT.as_secs()
                )
            })?
            .map_err(|e| format!("connecting to {}: {e}", self.authority))
    }

    async fn connect(&self) -> Result<SendRequest<Body>, String> {
        let (host, port) = (self.host.as_str(), self.port);
        let tcp = match &self.resolve {
            None => TcpStream::connect((host, port)).await,
            Some(resolve) => TcpStream::connect(&resolve.resolve(host, port).await?[..]).await,
        };
        let tcp = tcp.map_err(|e| e.to_string())?;
        tcp.set_nodelay(true).map_err(|e| e.to_string())?;
        let tls = self
            .tls
            .connect(self.server_name.clone(), tcp)
            .await
            .map_err(|e| e.to_string())?;
        if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err("the server does not speak HTTP/2".to_owned());
        }
        let (sender, driver) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_ANSWER)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(4 * WINDOW)
            .handshake(TokioIo::new(tls))
            .await
            .map_err(|e| super::describe(&e))?;
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(
                    error = super::describe(&error),
                    "connection to the API server ended"
                );
            }
        });
        Ok(sender)
    }
}

fn tls(ca_pem: &[u8], identity: Option<&ClientIdentity>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        let certificate = certificate.map_err(|e| format!("CA: {e}"))?;
        roots.add(certificate).map_err(|e| format!("CA: {e}"))?;
    }
    if roots.is_empty() {
        return Err("the CA holds no certificate".to_owned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some(own) => {
            let chain = CertificateDer::pem_slice_iter(&own.certificate_pem).collect::<Result<Vec<_>, _>>();
            let chain = chain.map_err(|_| "the client certificate is not PEM")?;
            let key = PrivateKeyDer::from_pem_slice(own.key_pem.expose());
            let key = key.map_err(|_| "the client key is not a private key in PEM")?;
            let config = config.with_client_auth_cert(chain, key);
            config.map_err(|_| "the client certificate and its key do not belong together")?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_with_a_ca_is_opened() {
        for (url, why) in [
            ("http://localhost:1", "https://host:port"),
            ("https://localhost:1/proxy", "https://host:port"),
            ("localhost", "https://host:port"),
            ("https://localhost:1", "no certificate"),
        ] {
            let cluster = Cluster {
                url: url.to_owned(),
                ca_pem: Vec::new(),
            };
            let error = Endpoint::new(&cluster, Way::default())
                .err()
                .map(|e| e.to_string())
                .unwrap_or_default();
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
