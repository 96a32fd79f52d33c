//! The worker's end of the lifeline.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tenure_core::Secret;
use tenure_proto::lifeline::lifeline_client::LifelineClient;
use tenure_proto::lifeline::{Down, Up, up};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Streaming};
use tower::service_fn;

use crate::WorkerError;
use crate::source_client::chain;

/// Messages that may wait to be sent up.
const UP_BUFFER: usize = 64;

/// A supervisor that can't be reached is dialled so often before the worker gives up, with a pause after each.
const DIALS: u32 = 20;
const BETWEEN_DIALS: Duration = Duration::from_millis(500);
const DIAL: Duration = Duration::from_secs(5);

/// How a worker reaches its supervisor.
pub enum Way {
    /// The inherited end of a socket pair.
    Socket(UnixStream),
    /// Over the network, from a pod.
    Remote(Remote),
}

/// The supervisor of a worker in a pod.
pub struct Remote {
    /// `https://host:port`
    pub url: String,
    /// The authorities of its certificate, PEM.
    pub ca_pem: Vec<u8>,
    /// The name in its certificate.
    pub server_name: String,
    /// Bound to the pod: says who dials.
    pub token: Secret,
}

/// Both directions of the attached lifeline.
pub(crate) struct Lifeline {
    up: mpsc::Sender<Up>,
    down: Streaming<Down>,
}

impl Lifeline {
    /// Attaches, once, with `first` already on its way: the supervisor may wait for it before it answers.
    pub(crate) async fn attach(way: Way, first: up::Message) -> Result<Self, WorkerError> {
        let (channel, token) = match way {
            Way::Socket(socket) => (inherited(socket).await?, None),
            Way::Remote(remote) => (dialled(&remote).await?, Some(remote.token)),
        };
        let (up, outgoing) = mpsc::channel(UP_BUFFER);
        up.send(Up { message: Some(first) })
            .await
            .map_err(|_| WorkerError::Closed)?;
        let mut request = Request::new(ReceiverStream::new(outgoing));
        if let Some(token) = token {
            let text = token.expose_str().unwrap_or_default();
            let value = MetadataValue::try_from(format!("Bearer {text}"));
            let mut value = value.map_err(|_| WorkerError::Attach("the token is none".to_owned()))?;
            value.set_sensitive(true);
            request.metadata_mut().insert("authorization", value);
        }
        let down = LifelineClient::new(channel)
            .max_decoding_message_size(16 << 20)
            .attach(request)
            .await
            .map_err(|status| WorkerError::Attach(status.message().to_owned()))?
            .into_inner();
        Ok(Self { up, down })
    }

    /// Sends one message; an error means that the supervisor is gone.
    pub(crate) async fn send(&self, message: up::Message) -> Result<(), WorkerError> {
        self.up
            .send(Up {
                message: Some(message),
            })
            .await
            .map_err(|_| WorkerError::Closed)
    }

    /// The next message; `None` when the supervisor has closed the lifeline.
    pub(crate) async fn next(&mut self) -> Option<Down> {
        match self.down.message().await {
            Ok(message) => message,
            Err(status) => {
                tracing::debug!(code = ?status.code(), "lifeline ended");
                None
            }
        }
    }
}

async fn inherited(socket: UnixStream) -> Result<Channel, WorkerError> {
    socket.set_nonblocking(true).map_err(WorkerError::Socket)?;
    let socket = tokio::net::UnixStream::from_std(socket).map_err(WorkerError::Socket)?;
    let once = Arc::new(Mutex::new(Some(socket)));
    let connector = service_fn(move |_| {
        let socket = once.lock().ok().and_then(|mut socket| socket.take());
        async move {
            socket
                .map(TokioIo::new)
                .ok_or_else(|| io::Error::other("the lifeline is used up"))
        }
    });
    Endpoint::from_static("http://lifeline")
        .connect_with_connector(connector)
        .await
        .map_err(|error| WorkerError::Attach(error.to_string()))
}

/// One connection. A supervisor that is gone without a word is noticed by its silence.
async fn dialled(remote: &Remote) -> Result<Channel, WorkerError> {
    let failed = |error: tonic::transport::Error| WorkerError::Attach(chain(&error));
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&remote.ca_pem))
        .domain_name(&remote.server_name);
    let endpoint = Endpoint::from_shared(remote.url.clone())
        .and_then(|endpoint| endpoint.tls_config(tls))
        .map_err(failed)?
        .connect_timeout(DIAL)
        .http2_keep_alive_interval(Duration::from_secs(5))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true);
    let mut dials = 1;
    loop {
        // one that stands still takes the connection and says nothing
        let why = match tokio::time::timeout(DIAL, endpoint.connect()).await {
            Ok(Ok(channel)) => return Ok(channel),
            Ok(Err(error)) => failed(error),
            Err(_) => WorkerError::Attach(format!("{} does not answer", remote.url)),
        };
        if dials >= DIALS {
            return Err(why);
        }
        dials += 1;
        tokio::time::sleep(BETWEEN_DIALS).await;
    }
}
