//! The protocol between a parent and the sandboxed child that parses what remotes send.
//!
//! One [`Job`] goes down, one [`Answer`] comes up, each a [`tenure_core::frame`]. Only
//! here are secrets serialised, into a socket that no other process holds; a job is not `Serialize` itself.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! let stream = std::os::unix::net::UnixStream::connect("socket")?;
//! tenure_git::child::serve(stream)
//! # }
//! ```

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tenure_core::frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use tenure_net::Outbound;

use crate::github::{self, App, Token};
use crate::{Fetched, Filter, GitError, Limits, Reference, Remote, Resolved};

mod wire;

pub use tenure_core::frame::LARGEST as FRAME;

/// What the child is to do.
#[derive(Clone, Debug)]
pub enum Job {
    /// [`github::log_in`].
    LogIn {
        /// Whose key is changed for a token.
        app: App,
        /// How to reach GitHub's API.
        outbound: Outbound,
        /// What it may take.
        limits: Limits,
    },
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
        /// The object database, as the child sees it.
        odb_dir: PathBuf,
        /// The file to write, as the child sees it.
        out: PathBuf,
        /// What to leave out.
        filter: Filter,
        /// What it may take.
        limits: Limits,
    },
}

/// What the child answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// To [`Job::LogIn`].
    Token(#[serde(with = "wire::token")] Token),
    /// To [`Job::Resolve`].
    Resolved(Resolved),
    /// To [`Job::Fetch`].
    Fetched(Fetched),
    /// To any of them.
    Failed(GitError),
}

impl Job {
    /// Does it, here and now. Blocking.
    #[must_use]
    pub fn run(&self) -> Answer {
        match self {
            Self::LogIn {
                app,
                outbound,
                limits,
            } => match github::log_in(app, outbound, limits) {
                Ok(token) => Answer::Token(token),
                Err(error) => Answer::Failed(error),
            },
            Self::Resolve {
                remote,
                reference,
                limits,
            } => match crate::resolve(remote, reference, limits) {
                Ok(resolved) => Answer::Resolved(resolved),
                Err(error) => Answer::Failed(error),
            },
            Self::Fetch {
                remote,
                resolved,
                odb_dir,
                out,
                filter,
                limits,
            } => match crate::fetch(remote, resolved, odb_dir, out, filter, limits) {
                Ok(fetched) => Answer::Fetched(fetched),
                Err(error) => Answer::Failed(error),
            },
        }
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
    let job: Job = frame::decode::<wire::Job>(&json)?.into_job()?;
    drop(json);
    let answer = frame::encode(&job.run())?;
    stream.write_all(&answer)?;
    stream.flush()
}

/// Sends the job to the child.
///
/// # Errors
/// When the child is gone, or the job is larger than [`FRAME`].
pub async fn send_job(stream: &mut (impl tokio::io::AsyncWrite + Unpin), job: &Job) -> io::Result<()> {
    let frame = frame::encode(&wire::Job::of(job))?;
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
