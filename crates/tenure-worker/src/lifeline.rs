//! The worker's end of the lifeline.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use hyper_util::rt::TokioIo;
use tenure_proto::lifeline::lifeline_client::LifelineClient;
use tenure_proto::lifeline::{Down, Up, up};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;
use tower::service_fn;

use crate::WorkerError;

/// Messages that may wait to be sent up.
const UP_BUFFER: usize = 64;

/// Both directions of the attached lifeline.
pub(crate) struct Lifeline {
    up: mpsc::Sender<Up>,
    down: Streaming<Down>,
}

impl Lifeline {
    /// Attaches over the inherited socket, once, with `first` already on its way: the supervisor may
    /// wait for it before it answers.
    pub(crate) async fn attach(socket: UnixStream, first: up::Message) -> Result<Self, WorkerError> {
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
        let channel = Endpoint::from_static("http://lifeline")
            .connect_with_connector(connector)
            .await
            .map_err(|error| WorkerError::Attach(error.to_string()))?;
        let (up, outgoing) = mpsc::channel(UP_BUFFER);
        up.send(Up { message: Some(first) })
            .await
            .map_err(|_| WorkerError::Closed)?;
        let down = LifelineClient::new(channel)
            .max_decoding_message_size(16 << 20)
            .attach(ReceiverStream::new(outgoing))
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
