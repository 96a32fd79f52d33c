//! TLS connections, with a certificate that can change while the service runs.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::ServeError;

/// A client that has not finished its handshake by then, and said its first words, is dropped.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Bytes with which an HTTP/2 connection begins (RFC 9113, section 3.4).
const PREFACE: usize = 24;

/// Certificate chain and key as they are in the files.
type Pem = (Vec<u8>, Vec<u8>);

/// The serving certificate; [`refresh`](Self::refresh) takes a changed file into use.
#[derive(Debug)]
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    read: Mutex<Pem>,
    current: ArcSwap<CertifiedKey>,
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// [`ServeError::Certificate`]: what is wrong with them.
    pub fn open(cert: PathBuf, key: PathBuf) -> Result<Self, ServeError> {
        let (pem, current) = Self::load(&cert, &key).map_err(|reason| ServeError::Certificate {
            cert: cert.clone(),
            key: key.clone(),
            reason,
        })?;
        Ok(Self {
            cert,
            key,
            read: Mutex::new(pem),
            current: ArcSwap::from_pointee(current),
        })
    }

    /// Takes changed files into use; bad ones leave the old certificate in force.
    pub fn refresh(&self) {
        match Self::load(&self.cert, &self.key) {
            Ok((pem, current)) => {
                let mut read = self.read.lock();
                if *read != pem {
                    *read = pem;
                    self.current.store(Arc::new(current));
                    tracing::info!(cert = %self.cert.display(), "took the new serving certificate into use");
                }
            }
            Err(reason) => {
                tracing::warn!(cert = %self.cert.display(), reason, "can't use the serving certificate; the old one stays");
            }
        }
    }

    fn load(cert: &PathBuf, key: &PathBuf) -> Result<(Pem, CertifiedKey), String> {
        let certs = fs::read(cert).map_err(|error| error.to_string())?;
        let keys = fs::read(key).map_err(|error| error.to_string())?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&certs)
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        let private =
            PrivateKeyDer::from_pem_slice(&keys).map_err(|_| "the key file has no private key".to_owned())?;
        let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider())
            .map_err(|error| error.to_string())?;
        Ok(((certs, keys), certified))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// Accepts and shakes hands, at most `limit` connections at a time, until `cancel`.
///
/// # Errors
/// [`ServeError::Tls`] when this machine knows no TLS.
pub fn accept(
    listener: TcpListener,
    certificate: Arc<Certificate>,
    limit: usize,
    cancel: CancellationToken,
) -> Result<ReceiverStream<io::Result<Connection>>, ServeError> {
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ServeError::Tls)?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (ready, incoming) = mpsc::channel(16);
    let slots = Arc::new(Semaphore::new(limit));
    tokio::spawn(async move {
        let serve = async {
            while let Ok(slot) = slots.clone().acquire_owned().await {
                match listener.accept().await {
                    Ok((tcp, _)) => drop(tokio::spawn(handshake(
                        tcp,
                        acceptor.clone(),
                        slot,
                        ready.clone(),
                    ))),
                    Err(error) => {
                        // Out of file descriptors, most likely: others must end first.
                        tracing::warn!(%error, "can't accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        };
        cancel.run_until_cancelled(serve).await;
    });
    Ok(ReceiverStream::new(incoming))
}

async fn handshake(
    tcp: TcpStream,
    acceptor: TlsAcceptor,
    slot: OwnedSemaphorePermit,
    ready: mpsc::Sender<io::Result<Connection>>,
) {
    tcp.set_nodelay(true).ok();
    let begun = async {
        let mut stream = acceptor.accept(tcp).await?;
        let mut preface = [0; PREFACE];
        stream.read_exact(&mut preface).await?;
        Ok::<_, io::Error>((stream, preface))
    };
    match tokio::time::timeout(HANDSHAKE, begun).await {
        Ok(Ok((stream, preface))) => {
            let connection = Connection {
                stream,
                preface,
                taken: 0,
                _slot: slot,
            };
            drop(ready.send(Ok(connection)).await);
        }
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

/// One client's connection, and the slot it takes up.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    /// What was read of it, to be read again.
    preface: [u8; PREFACE],
    /// So much of that has been.
    taken: usize,
    _slot: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = self.preface.get(self.taken..).unwrap_or_default();
        if !rest.is_empty() {
            let now = rest.len().min(buf.remaining());
            buf.put_slice(rest.get(..now).unwrap_or_default());
            self.taken += now;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
