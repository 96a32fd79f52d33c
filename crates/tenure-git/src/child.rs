//! The protocol between a parent and the sandboxed child that parses what remotes send.
//!
//! One [`Job`] goes down, one [`Answer`] comes up, each a frame: four bytes of length, big-endian, then JSON. Only
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

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use crate::{Fetched, Filter, GitError, Limits, Reference, Remote, Resolved};

mod wire;

/// The largest frame, in bytes: a job with certificates and a long `known_hosts`.
pub const FRAME: usize = 4 << 20;

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
    /// To [`Job::Resolve`].
    Resolved(Resolved),
    /// To [`Job::Fetch`].
    Fetched(Fetched),
    /// To either.
    Failed(GitError),
}

impl Job {
    /// Does it, here and now. Blocking.
    #[must_use]
    pub fn run(&self) -> Answer {
        match self {
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
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut frame = Zeroizing::new(vec![0; frame_length(length)?]);
    stream.read_exact(&mut frame)?;
    let job: Job = decode::<wire::Job>(&frame)?.into_job()?;
    drop(frame);
    let answer = encode(&job.run())?;
    stream.write_all(&answer)?;
    stream.flush()
}

/// Sends the job to the child.
///
/// # Errors
/// When the child is gone, or the job is larger than [`FRAME`].
pub async fn send_job(stream: &mut (impl tokio::io::AsyncWrite + Unpin), job: &Job) -> io::Result<()> {
    let frame = encode(&wire::Job::of(job))?;
    stream.write_all(&frame).await?;
    stream.flush().await
}

/// Waits for the child's answer.
///
/// # Errors
/// `UnexpectedEof` when the child died before it answered; `InvalidData` when it sent something else.
pub async fn read_answer(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> io::Result<Answer> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let mut frame = vec![0; frame_length(length)?];
    stream.read_exact(&mut frame).await?;
    decode(&frame)
}

fn frame_length(prefix: [u8; 4]) -> io::Result<usize> {
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if length > FRAME {
        Err(too_large())
    } else {
        Ok(length)
    }
}

fn too_large() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a frame between fetcher and parent is larger than 4 MiB",
    )
}

fn encode(message: &impl Serialize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut frame = Zeroizing::new(vec![0; 4]);
    serde_json::to_writer(&mut *frame, message)?;
    let length = u32::try_from(frame.len() - 4)
        .ok()
        .filter(|n| *n as usize <= FRAME)
        .ok_or_else(too_large)?;
    if let Some(prefix) = frame.get_mut(..4) {
        prefix.copy_from_slice(&length.to_be_bytes());
    }
    Ok(frame)
}

fn decode<T: DeserializeOwned>(frame: &[u8]) -> io::Result<T> {
    // the decoder's own error could quote what it read
    serde_json::from_slice(frame).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame between fetcher and parent is not understood",
        )
    })
}

#[cfg(test)]
mod tests;
