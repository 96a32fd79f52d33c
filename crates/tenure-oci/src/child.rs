//! The protocol between a parent and the sandboxed child that parses what registries send: the same as that of
//! `tenure-git`. One [`Job`] goes down, one [`Answer`] comes up, each a [`tenure_core::frame`].

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tenure_core::{Digest, frame};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use crate::{Fetched, Layer, Limits, OciError, Reference, Remote, Resolved, Signature};

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// To [`Job::Resolve`].
    Resolved(Resolved),
    /// To [`Job::Fetch`].
    Fetched(Fetched),
    /// To [`Job::Signatures`].
    Signatures(Vec<Signature>),
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
            } => crate::resolve(remote, reference, limits).await.map(Answer::Resolved),
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
            Self::Signatures {
                remote,
                digest,
                limits,
            } => crate::signatures(remote, *digest, limits).await.map(Answer::Signatures),
        };
        done.unwrap_or_else(Answer::Failed)
    }
}

/// The child's whole life: reads one job, does it, writes one answer.
///
/// # Errors
/// When the parent is gone, or sent something that is not a job.
pub fn serve(mut stream: impl Read + Write) -> io::Result<()> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix)?;
    let mut json = Zeroizing::new(vec![0; frame::length(prefix)?]);
    stream.read_exact(&mut json)?;
    let job: Job = frame::decode::<wire::Job>(&json)?.into();
    drop(json);
    let answer = frame::encode(&job.run())?;
    stream.write_all(&answer)?;
    stream.flush()
}

/// Sends the job to the child.
///
/// # Errors
/// When the child is gone, or the job is larger than [`frame::LARGEST`].
pub async fn send_job(stream: &mut (impl tokio::io::AsyncWrite + Unpin), job: &Job) -> io::Result<()> {
    let frame = frame::encode(&wire::Job::from(job.clone()))?;
    stream.write_all(&frame).await?;
    stream.flush().await
}

/// Waits for the child's answer.
///
/// # Errors
/// `UnexpectedEof` when the child died before it answered; `InvalidData` when it sent something else.
pub async fn read_answer(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> io::Result<Answer> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).await?;
    let mut json = vec![0; frame::length(prefix)?];
    stream.read_exact(&mut json).await?;
    frame::decode(&json)
}

#[cfg(test)]
mod tests;
