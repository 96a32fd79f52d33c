//! A worker: the process that reconciles one home.
//!
//! It is born sandboxed with one descriptor, the lifeline; in a pod it dials its supervisor instead. Everything else comes over it: who the
//! Tenant is, the API server, the cache, and tokens that last minutes. It works while there is work,
//! says so, and ends when the supervisor closes the lifeline.
//!
//! What it refuses: to act without a ServiceAccount of its Tenant; to fetch or renew a token; to run a
//! program; to read files outside its scratch directory.
//!
//! Invariants: one object is never worked on twice at once; every `Changed` is answered by a `Done`
//! before `Idle` repeats its sequence number, so that the supervisor knows what a dead worker left.

mod deadline;
mod identities;
mod lifeline;
mod memo;
mod queue;
mod run;
mod session;
pub mod source_client;
mod usage;

use std::path::PathBuf;

pub use lifeline::{Remote, Way};
pub use run::run;

/// How a worker is started.
pub struct Options {
    /// How it reaches its supervisor.
    pub way: Way,
    /// A directory that is this home's alone.
    pub scratch: PathBuf,
    /// What the sandbox says the kernel granted.
    pub sandbox: Vec<String>,
    /// What it could not have, each with the reason.
    pub missing: Vec<String>,
    /// Ends it at once, from another thread: its supervisor's Lease is over, and another one may serve the home.
    pub over: Box<dyn FnOnce() + Send>,
}

/// Why a worker ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The inherited descriptor is no socket.
    #[error("failed to use the inherited lifeline socket")]
    Socket(#[source] std::io::Error),
    /// The supervisor did not accept the lifeline.
    #[error("failed to attach the lifeline: {0}")]
    Attach(String),
    /// The supervisor closed the lifeline in the middle.
    #[error("the lifeline is closed")]
    Closed,
    /// The supervisor's first message cannot be worked with.
    #[error("the supervisor's start message is not usable: {0}")]
    Start(String),
    /// The tokens are somebody else's.
    #[error(
        "the token that was given to the worker of '{expected}' is that of '{found}': nothing is done with it"
    )]
    Identity {
        /// Who the worker is to be.
        expected: String,
        /// Whom the API server sees.
        found: String,
    },
    /// No client for the API server could be made.
    #[error("failed to set up the connection to the API server")]
    Kube(#[from] tenure_kube::KubeError),
    /// No thread could be started.
    #[error("failed to start the thread that watches the time")]
    Thread(#[source] std::io::Error),
    /// The scratch directory cannot be used.
    #[error("failed to use the scratch directory")]
    Artifacts(#[from] tenure_controllers::ArtifactError),
}
