//! The supervisor's end of a lifeline: a service for exactly one connection and one call.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;

use parking_lot::Mutex;
use tenure_proto::lifeline::lifeline_server::{Lifeline, LifelineServer};
use tenure_proto::lifeline::{Down, Up, down, up};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Messages that may wait to be sent down.
const DOWN_BUFFER: usize = 64;
/// A memo may be large.
pub(crate) const LARGEST_MESSAGE: usize = 16 << 20;

pub(crate) type Sent = Result<Down, Status>;

/// Both directions to one worker. Dropping it closes the lifeline, which ends the worker.
#[derive(Debug)]
pub(crate) struct Link {
    down: Option<mpsc::Sender<Sent>>,
    state: LinkState,
}

#[derive(Debug)]
enum LinkState {
    Waiting(oneshot::Receiver<Streaming<Up>>),
    Attached(Box<Streaming<Up>>),
    Ended,
}

impl Link {
    /// Serves `ours` in a task of its own until the worker or the link is gone.
    pub(crate) fn serve(ours: StdStream) -> io::Result<Self> {
        ours.set_nonblocking(true)?;
        let stream = UnixStream::from_std(ours)?;
        let (link, slot) = Self::waiting();
        let service =
            LifelineServer::new(Once(Mutex::new(Some(slot)))).max_decoding_message_size(LARGEST_MESSAGE);
        let incoming = tokio_stream::once(Ok::<_, io::Error>(stream));
        tokio::spawn(async move {
            let server = tonic::transport::Server::builder().add_service(service);
            if let Err(error) = server.serve_with_incoming(incoming).await {
                tracing::debug!(%error, "lifeline ended");
            }
        });
        Ok(link)
    }

    /// A link to whoever is given the slot.
    pub(crate) fn waiting() -> (Self, Slot) {
        let (down, outgoing) = mpsc::channel(DOWN_BUFFER);
        let (attach, attached) = oneshot::channel();
        let link = Self {
            down: Some(down),
            state: LinkState::Waiting(attached),
        };
        (link, (attach, outgoing))
    }

    /// How many messages can be sent now.
    pub(crate) fn room(&self) -> usize {
        self.down.as_ref().map_or(0, mpsc::Sender::capacity)
    }

    /// Sends without waiting, so that supervisor and worker never wait for each other. Says whether
    /// it could.
    pub(crate) fn send(&self, message: down::Message) -> bool {
        let message = Ok(Down {
            message: Some(message),
        });
        self.down
            .as_ref()
            .is_some_and(|down| down.try_send(message).is_ok())
    }

    /// Ends the lifeline: the worker sees it and leaves.
    pub(crate) fn close(&mut self) {
        self.down = None;
    }

    /// The next message; `None` when the worker is gone.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<up::Message> {
        loop {
            match &mut self.state {
                LinkState::Waiting(attached) => {
                    self.state = match attached.await {
                        Ok(stream) => LinkState::Attached(Box::new(stream)),
                        Err(_) => LinkState::Ended,
                    };
                }
                LinkState::Attached(stream) => match stream.message().await {
                    Ok(Some(Up {
                        message: Some(message),
                    })) => return Some(message),
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => self.state = LinkState::Ended,
                },
                LinkState::Ended => return None,
            }
        }
    }
}

/// The other end of a [`Link`] that nobody has attached to yet.
pub(crate) type Slot = (oneshot::Sender<Streaming<Up>>, mpsc::Receiver<Sent>);

struct Once(Mutex<Option<Slot>>);

#[tonic::async_trait]
impl Lifeline for Once {
    type AttachStream = ReceiverStream<Sent>;

    async fn attach(&self, request: Request<Streaming<Up>>) -> Result<Response<Self::AttachStream>, Status> {
        let slot = self.0.lock().take();
        let Some((attach, outgoing)) = slot else {
            return Err(Status::failed_precondition("this lifeline is attached already"));
        };
        attach
            .send(request.into_inner())
            .map_err(|_| Status::cancelled("no worker is wanted any more"))?;
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }
}

/// A new lifeline: our end, and the one that the worker inherits.
pub(crate) fn pair() -> io::Result<(StdStream, OwnedFd)> {
    let (ours, theirs) = StdStream::pair()?;
    Ok((ours, theirs.into()))
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::TokioIo;
    use tenure_proto::lifeline::lifeline_client::LifelineClient;
    use tenure_proto::lifeline::{Drain, Ready};
    use tonic::transport::{Channel, Endpoint};

    use super::*;

    async fn client(theirs: OwnedFd) -> LifelineClient<Channel> {
        let stream = StdStream::from(theirs);
        stream.set_nonblocking(true).expect("set");
        let mut stream = Some(UnixStream::from_std(stream).expect("a stream"));
        let connector = tower::service_fn(move |_| {
            let stream = stream
                .take()
                .map(TokioIo::new)
                .ok_or_else(|| io::Error::other("used up"));
            async move { stream }
        });
        let endpoint = Endpoint::from_static("http://lifeline");
        LifelineClient::new(
            endpoint
                .connect_with_connector(connector)
                .await
                .expect("connected"),
        )
    }

    fn ready() -> Up {
        Up {
            message: Some(up::Message::Ready(Ready {
                pid: 7,
                ..Ready::default()
            })),
        }
    }

    #[tokio::test]
    async fn messages_go_both_ways_until_the_supervisor_closes() {
        let (ours, theirs) = pair().expect("a pair");
        let mut link = Link::serve(ours).expect("served");
        let mut client = client(theirs).await;
        let (up, outgoing) = mpsc::channel(4);
        up.send(ready()).await.expect("there is room");
        let mut down = client
            .attach(ReceiverStream::new(outgoing))
            .await
            .expect("attached")
            .into_inner();
        assert!(matches!(link.next().await, Some(up::Message::Ready(ready)) if ready.pid == 7));
        assert!(link.send(down::Message::Drain(Drain::default())));
        assert!(matches!(
            down.message().await,
            Ok(Some(Down {
                message: Some(down::Message::Drain(_))
            }))
        ));
        let second = client
            .attach(tokio_stream::once(ready()))
            .await
            .expect_err("once only");
        assert_eq!(second.code(), tonic::Code::FailedPrecondition);
        link.close();
        assert!(matches!(down.message().await, Ok(None)));
        drop((up, client, down));
        assert!(link.next().await.is_none());
    }

    #[tokio::test]
    async fn a_worker_that_dies_before_it_attaches_is_noticed() {
        let (ours, theirs) = pair().expect("a pair");
        let mut link = Link::serve(ours).expect("served");
        drop(theirs);
        assert!(link.next().await.is_none());
    }
}
