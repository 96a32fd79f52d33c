//! The protocol between a parent and the sandboxed child that parses what registries send: the same as that of
//! `tenure-git`. One [`Job`] goes down, one [`Answer`] comes up, each a [`tenure_core::frame`].

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tenure_core::{Digest, frame};
use tenure_net::Outbound;
use zeroize::Zeroizing;

use crate::cloud::{Lease, Workload};
use crate::{Fetched, Layer, Limits, OciError, Reference, Remote, Repository, Resolved, Signature};

mod wire;

/// What the child is to do.
#[derive(Clone, Debug)]
pub enum Job {
    /// [`crate::resolve`].
    Resolve {
        /// Where, and with what.
        remote: Remote,
        /// What to look for.
        reference: Reference,
        /// What it may take.
        limits: Limits,
    },
    /// [`crate::fetch`].
    Fetch {
        /// Where, and with what.
        remote: Remote,
        /// What to get.
        resolved: Resolved,
        /// The file to write, as the child sees it; files without a name lie beside it meanwhile.
        out: PathBuf,
        /// Which layer, and what to do with it.
        layer: Layer,
        /// `spec.ignore`.
        ignore: Option<String>,
        /// What it may take.
        limits: Limits,
    },
    /// [`log_in`](crate::cloud::log_in).
    LogIn {
        /// Whose registry.
        repository: Repository,
        /// Who asks.
        workload: Workload,
        /// How to reach cloud and registry.
        outbound: Outbound,
    },
    /// [`crate::signatures`].
    Signatures {
        /// Where, and with what.
        remote: Remote,
        /// The manifest.
        digest: Digest,
        /// What it may take.
        limits: Limits,
    },
}

/// What the child answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// To [`Job::Resolve`].
    Resolved(Resolved),
    /// To [`Job::Fetch`].
    Fetched(Fetched),
    /// To [`Job::Signatures`].
    Signatures(Vec<Signature>),
    /// To [`Job::LogIn`].
    LoggedIn(#[serde(with = "wire::lease")] Lease),
    /// To any.
    Failed(OciError),
}

impl Job {
    /// Does it, here and now. Blocking: not for a thread that drives async tasks.
    #[must_use]
    pub fn run(&self) -> Answer {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                return Answer::Failed(OciError::Local {
                    what: "starting the network".to_owned(),
                    message: error.to_string(),
                });
            }
        };
        let answer = runtime.block_on(Box::pin(self.work()));
        // a name that is still looked up must not keep the answer back
        runtime.shutdown_background();
        answer
    }

    async fn work(&self) -> Answer {
        let done = match self {
            Self::Resolve {
                remote,
                reference,
                limits,
            } => crate::resolve(remote, reference, limits)
                .await
                .map(Answer::Resolved),
            Self::Fetch {
                remote,
                resolved,
                out,
                layer,
                ignore,
                limits,
            } => crate::fetch(remote, resolved, out, layer, ignore.as_deref(), limits)
                .await
                .map(Answer::Fetched),
            Self::LogIn {
                repository,
                workload,
                outbound,
            } => crate::cloud::log_in(workload, repository, outbound)
                .await
                .map(Answer::LoggedIn),
            Self::Signatures {
                remote,
                digest,
                limits,
            } => crate::signatures(remote, *digest, limits)
                .await
                .map(Answer::Signatures),
        };
        done.unwrap_or_else(Answer::Failed)
    }
}

impl Job {
    /// The job as it goes to the child, secrets and all.
    ///
    /// # Errors
    /// When it is larger than [`frame::LARGEST`].
    pub fn frame(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        frame::encode(&wire::Job::from(self.clone()))
    }
}

/// The child's whole life: reads one job, does it, writes one answer.
///
/// # Errors
/// When the parent is gone, or sent something that is not a job.
pub fn serve(stream: impl Read + Write) -> io::Result<()> {
    frame::serve(stream, |job: wire::Job| Ok(Job::from(job).run()))
}

#[cfg(test)]
mod tests;
