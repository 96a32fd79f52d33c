//! Where workers in pods attach their lifelines.
//!
//! A worker shows the token that its kubelet has mounted for it. The API server has bound that to one pod, and signed that it
//! did: so a lifeline is given to the very pod that was started for it, once, and to nobody else. What the claims name is held
//! against the pod that runs, so a token that outlives its pod opens nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tenure_api::LIFELINE_AUDIENCE;
use tenure_core::Name;
use tenure_kube::SupervisorClient;
use tenure_proto::lifeline::Up;
use tenure_proto::lifeline::lifeline_server::{Lifeline, LifelineServer};
use tenure_serve::{Certificate, Claims, KeySet, Refusal, bearer, now};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::config::{Pods, SupervisorError};
use crate::lifeline::{LARGEST_MESSAGE, Sent, Slot};

/// Connections at once.
const MOST: usize = 4096;
/// A connection without a lifeline is ended after this long.
const ATTACHED_WITHIN: Duration = Duration::from_secs(15);
/// A token that an unknown key has signed makes us ask for the keys, this often.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How often a changed certificate is looked for.
const REFRESH: Duration = Duration::from_secs(5);
/// A key that the issuer has given up is good for so long.
const REREAD: Duration = Duration::from_secs(300);
/// A pod may dial before we know that the API server has taken it.
const UID_WITHIN: Duration = Duration::from_secs(5);

/// Those who are waited for, by home.
#[derive(Clone)]
pub(super) struct Gate(Arc<Shared>);

struct Shared {
    client: SupervisorClient,
    namespace: Name,
    waiting: Mutex<BTreeMap<Name, Waiting>>,
    keys: Mutex<Arc<KeySet>>,
    asked: tokio::sync::Mutex<Option<Instant>>,
}

struct Waiting {
    uid: Option<String>,
    slot: Slot,
    arrived: oneshot::Sender<()>,
}

impl Gate {
    pub(super) fn new(client: SupervisorClient, namespace: Name) -> Self {
        Self(Arc::new(Shared {
            client,
            namespace,
            waiting: Mutex::default(),
            keys: Mutex::default(),
            asked: tokio::sync::Mutex::default(),
        }))
    }

    /// Serves until `stop`.
    pub(super) async fn open(&self, config: &Pods, stop: CancellationToken) -> Result<(), SupervisorError> {
        let certificate = Arc::new(Certificate::open(
            config.cert_file.clone(),
            config.key_file.clone(),
        )?);
        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.map_err(|source| SupervisorError::Lifeline {
            address: config.listen,
            source,
        })?;
        let connections = tenure_serve::accept(listener, certificate.clone(), MOST, stop.clone())?;
        let service = LifelineServer::new(self.clone()).max_decoding_message_size(LARGEST_MESSAGE);
        // a node that is gone says nothing more
        let server = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(5)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)))
            .max_concurrent_streams(2)
            // no other calls then, and its end with the last one: what has attached goes on
            .max_connection_age(ATTACHED_WITHIN)
            .add_service(service);
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            if let Err(error) = server.serve_with_incoming(connections).await {
                tracing::error!(%error, "no worker in a pod can attach any more");
            }
        }));
        let gate = self.clone();
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(REREAD).await;
                gate.read_keys().await;
            }
        }));
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(REFRESH).await;
                certificate.refresh();
            }
        }));
        Ok(())
    }

    /// From now on the worker of `home` may attach, once it is [`known`](Self::know).
    pub(super) fn expect(&self, home: &Name, slot: Slot) -> oneshot::Receiver<()> {
        let (arrived, heard) = oneshot::channel();
        let waiting = Waiting {
            uid: None,
            slot,
            arrived,
        };
        self.0.waiting.lock().insert(home.clone(), waiting);
        heard
    }

    /// It is this pod's.
    pub(super) fn know(&self, home: &Name, uid: &str) {
        if let Some(waiting) = self.0.waiting.lock().get_mut(home) {
            waiting.uid = Some(uid.to_owned());
        }
    }

    /// No worker of `home` is let in any more. One that was not is heard no more.
    pub(super) fn forget(&self, home: &Name) {
        self.0.waiting.lock().remove(home);
    }

    async fn claims(&self, token: &str) -> Result<Claims, Refusal> {
        let keys = self.0.keys.lock().clone();
        match keys.claims(token) {
            Err(Refusal::UnknownKey) => {}
            known => return known,
        }
        let mut asked = self.0.asked.lock().await;
        if asked.is_none_or(|at| at.elapsed() >= ASK_EVERY) {
            *asked = Some(Instant::now());
            self.read_keys().await;
        }
        let keys = self.0.keys.lock().clone();
        keys.claims(token)
    }

    async fn read_keys(&self) {
        match self.0.client.issuer_keys().await {
            Ok(text) => match KeySet::parse(text.as_bytes()) {
                Ok(keys) => *self.0.keys.lock() = Arc::new(keys),
                Err(error) => tracing::warn!(%error, "the issuer's keys can't be used"),
            },
            Err(error) => tracing::warn!(%error, "failed to read the issuer's keys"),
        }
    }

    /// The place of whoever shows `token`.
    async fn place(&self, token: &str) -> Result<Waiting, Denied> {
        let claims = self.claims(token).await?;
        claims.good(now(), None, LIFELINE_AUDIENCE)?;
        let home = claims.account(&self.0.namespace)?;
        let home = Name::new(home).map_err(|_| Refusal::Identity)?;
        let (pod, uid) = claims.pod().ok_or(Denied::NoPod)?;
        let until = Instant::now() + UID_WITHIN;
        loop {
            // it goes by its home's name
            let found = match pod == home.as_str() {
                true => self.take(&home, uid),
                false => Found::Nothing,
            };
            match found {
                Found::Place(waiting) => return Ok(waiting),
                Found::Unknown if Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Found::Unknown | Found::Nothing => {
                    let (pod, uid) = (pod.to_owned(), uid.to_owned());
                    return Err(Denied::Stranger { home, pod, uid });
                }
            }
        }
    }

    fn take(&self, home: &Name, uid: &str) -> Found {
        let mut all = self.0.waiting.lock();
        match all.get(home).map(|waiting| &waiting.uid) {
            Some(None) => Found::Unknown,
            Some(Some(known)) if known == uid => all.remove(home).map_or(Found::Nothing, Found::Place),
            _ => Found::Nothing,
        }
    }
}

enum Found {
    Place(Waiting),
    /// One is waited for that the API server has not named yet.
    Unknown,
    Nothing,
}

#[derive(Debug, thiserror::Error)]
enum Denied {
    #[error("its token is not good: {}", .0.as_str())]
    Token(Refusal),
    #[error("its token is not bound to a pod")]
    NoPod,
    #[error("no lifeline waits for pod {pod} ({uid}) of home {home}")]
    Stranger { home: Name, pod: String, uid: String },
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Token(refusal)
    }
}

#[tonic::async_trait]
impl Lifeline for Gate {
    type AttachStream = ReceiverStream<Sent>;

    async fn attach(&self, request: Request<Streaming<Up>>) -> Result<Response<Self::AttachStream>, Status> {
        let place = match bearer(request.metadata()) {
            Ok(token) => self.place(token).await,
            Err(refusal) => Err(refusal.into()),
        };
        let Waiting {
            slot: (attach, outgoing),
            arrived,
            ..
        } = place.map_err(|why| {
            tracing::warn!(%why, "a worker was not let in");
            Status::unauthenticated("this is not the pod that a lifeline waits for")
        })?;
        attach
            .send(request.into_inner())
            .map_err(|_| Status::cancelled("no worker is wanted any more"))?;
        // nobody who is told has gone before its pod
        arrived.send(()).ok();
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }
}
