//! One connection to a remote, however it is spoken, and the first cause of its failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gix::protocol::transport::client::blocking_io::Transport;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{GitError, Limits, Remote, http, ssh};
use tenure_core::printable;
use tenure_net::Refused;

/// What gix is given to talk through.
pub(crate) type Wire = Box<dyn Transport + Send>;

/// The first thing that went wrong below gix. gix reports failures as chains of text, while the transport knows
/// their kind; so the transport notes it here, and it takes precedence.
#[derive(Clone, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<GitError>>>);

impl Failure {
    pub(crate) fn note(&self, error: GitError) -> std::io::Error {
        let text = error.to_string();
        self.0.lock().get_or_insert(error);
        std::io::Error::other(text)
    }

    pub(crate) fn take(&self) -> Option<GitError> {
        self.0.lock().take()
    }
}

/// What a remote may send besides a pack: its references, at most.
const TALK: u64 = 32 << 20;

/// When everything has to be done, and how much may come in until then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    allowed: Duration,
    bytes: u64,
}

impl Deadline {
    pub(crate) fn start(limits: &Limits) -> Self {
        Self {
            at: Instant::now() + limits.timeout,
            allowed: limits.timeout,
            bytes: limits.pack_bytes.saturating_add(TALK),
        }
    }

    pub(crate) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    pub(crate) fn error(&self, remote: &str) -> GitError {
        GitError::Timeout {
            remote: remote.to_owned(),
            seconds: self.allowed.as_secs(),
        }
    }
}

/// What a transport needs besides the remote.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) runtime: Handle,
    pub(crate) deadline: Deadline,
    pub(crate) failure: Failure,
    /// The remote, redacted.
    pub(crate) shown: String,
    /// Bytes this connection has brought in.
    came: Arc<AtomicU64>,
}

impl Context {
    /// Waits for a step of the transport, until the deadline.
    pub(crate) fn wait<T>(&self, step: impl Future<Output = T>) -> std::io::Result<T> {
        let left = self.deadline.left();
        self.runtime
            .block_on(async { tokio::time::timeout(left, step).await })
            .map_err(|_| self.failure.note(self.deadline.error(&self.shown)))
    }

    /// Counts what came in. A remote that lists references without end fills memory otherwise.
    pub(crate) fn count(&self, bytes: usize) -> std::io::Result<()> {
        let came = self
            .came
            .fetch_add(bytes as u64, Ordering::Relaxed)
            .saturating_add(bytes as u64);
        if came <= self.deadline.bytes {
            return Ok(());
        }
        let message = format!("it sent more than {} bytes; raise the limit", self.deadline.bytes);
        Err(self.failure.note(GitError::TooLarge {
            remote: self.shown.clone(),
            message,
        }))
    }

    pub(crate) fn forbidden(&self, refused: &Refused) -> GitError {
        GitError::Forbidden {
            remote: self.shown.clone(),
            message: printable(&refused.to_string()),
        }
    }

    pub(crate) fn unavailable(&self, message: &str) -> GitError {
        GitError::Unavailable {
            remote: self.shown.clone(),
            message: printable(message),
        }
    }
}

/// An open connection. Blocking: not for a thread that drives async tasks.
pub(crate) struct Link {
    pub(crate) wire: Wire,
    pub(crate) context: Context,
    runtime: Option<Runtime>,
}

impl Link {
    pub(crate) fn open(remote: &Remote, deadline: Deadline) -> Result<Self, GitError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name("git-io")
            .build()
            .map_err(|e| GitError::Local {
                what: "starting the network thread".to_owned(),
                message: e.to_string(),
            })?;
        let context = Context {
            runtime: runtime.handle().clone(),
            deadline,
            failure: Failure::default(),
            shown: remote.shown(),
            came: Arc::default(),
        };
        let wire = match remote.url.scheme() {
            "ssh" => ssh::connect(remote, &context),
            _ => http::connect(remote, &context),
        };
        match wire {
            Ok(wire) => Ok(Self {
                wire,
                context,
                runtime: Some(runtime),
            }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Why gix gave up: what the transport noted, else what gix says.
    pub(crate) fn explain(&self, error: &gix::Error) -> GitError {
        self.context
            .failure
            .take()
            .unwrap_or_else(|| GitError::Malformed {
                remote: self.context.shown.clone(),
                message: printable(&chain(error)),
            })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn chain(error: &gix::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
