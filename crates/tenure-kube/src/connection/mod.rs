//! A pool of HTTP/2 connections to one API server.

mod dial;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use parking_lot::Mutex;

use crate::cluster::Cluster;
use crate::error::KubeError;

pub use dial::Resolve;
pub(crate) use dial::{ClientIdentity, Endpoint, Way};

/// The API server allows 100 streams on a connection, and what comes after hangs without a word.
const STREAMS_PER_CONNECTION: usize = 90;

pub(crate) type Body = Full<Bytes>;

/// The way to one API server: endpoint, trust, and open connections. Carries no identity. Cheap to
/// clone; clones share the connections.
#[derive(Clone)]
pub struct Connection(Arc<Pool>);

struct Pool {
    endpoint: Endpoint,
    slots: Mutex<Vec<Slot>>,
    /// Held while dialling, so that a burst of requests opens one connection and not one each.
    dialling: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Slot {
    sender: SendRequest<Body>,
    streams: Arc<AtomicUsize>,
}

/// One stream in use; the place is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct StreamGuard(Arc<AtomicUsize>);

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    /// Checks the URL and the CA. Connects at the first request.
    ///
    /// # Errors
    /// When the URL is not `https://host[:port]` or the CA holds no usable certificate.
    pub fn open(cluster: &Cluster) -> Result<Self, KubeError> {
        Self::open_by(cluster, Way::default())
    }

    /// The same in another way than the usual one.
    pub(crate) fn open_by(cluster: &Cluster, way: Way<'_>) -> Result<Self, KubeError> {
        Ok(Self(Arc::new(Pool {
            endpoint: Endpoint::new(cluster, way)?,
            slots: Mutex::default(),
            dialling: tokio::sync::Mutex::default(),
        })))
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.0
            .slots
            .lock()
            .iter()
            .filter(|slot| !slot.sender.is_closed())
            .count()
    }

    pub(crate) fn server(&self) -> (&str, u16) {
        self.0.endpoint.server()
    }

    pub(crate) fn authority(&self) -> &str {
        self.0.endpoint.authority()
    }

    /// Sends once. The error is a sentence about the connection, never about the request's content.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<(Response<Incoming>, StreamGuard), String> {
        let (mut sender, guard) = self.place().await?;
        sender.ready().await.map_err(|e| describe(&e))?;
        let response = sender.send_request(request).await.map_err(|e| describe(&e))?;
        Ok((response, guard))
    }

    async fn place(&self) -> Result<(SendRequest<Body>, StreamGuard), String> {
        if let Some(found) = self.free_place() {
            return Ok(found);
        }
        // In a task of its own: a caller that nobody polls for a while, such as a watch whose owner waits
        // for another request, would keep the lock from everybody, that request included.
        let pool = self.clone();
        let dialled = tokio::spawn(async move { pool.new_place().await });
        dialled
            .await
            .map_err(|error| format!("connecting was interrupted: {error}"))?
    }

    async fn new_place(&self) -> Result<(SendRequest<Body>, StreamGuard), String> {
        let _one_at_a_time = self.0.dialling.lock().await;
        if let Some(found) = self.free_place() {
            return Ok(found);
        }
        let slot = Slot {
            sender: self.0.endpoint.dial().await?,
            streams: Arc::default(),
        };
        slot.streams.fetch_add(1, Ordering::Relaxed);
        let place = (slot.sender.clone(), StreamGuard(Arc::clone(&slot.streams)));
        self.0.slots.lock().push(slot);
        Ok(place)
    }

    /// Takes the first place free, so that later connections run empty, and closes those that did.
    fn free_place(&self) -> Option<(SendRequest<Body>, StreamGuard)> {
        let mut slots = self.0.slots.lock();
        let mut idle = 0;
        slots.retain(|slot| {
            idle += usize::from(slot.streams.load(Ordering::Relaxed) == 0);
            !slot.sender.is_closed() && (idle <= 1 || slot.streams.load(Ordering::Relaxed) > 0)
        });
        let slot = slots
            .iter()
            .find(|slot| slot.streams.load(Ordering::Relaxed) < STREAMS_PER_CONNECTION)?;
        slot.streams.fetch_add(1, Ordering::Relaxed);
        Some((slot.sender.clone(), StreamGuard(Arc::clone(&slot.streams))))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("to", &self.authority())
            .finish_non_exhaustive()
    }
}

/// The error with what lies under it: hyper's own text alone says too little.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
