use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::de::DeserializeOwned;
use tenure_core::frame;
use tenure_sandbox::{Profile, enter};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The first byte that a fetcher is sent says which protocol the rest is in: that of [`tenure_git::child`],
pub(crate) const GIT: u8 = b'g';
/// or that of [`tenure_oci::child`].
pub(crate) const OCI: u8 = b'o';
/// or that of [`tenure_http::child`].
pub(crate) const HTTP: u8 = b'h';

/// Gives a fetcher a job and waits for its answer.
pub(crate) async fn ask<T: DeserializeOwned>(
    to: &mut tokio::net::UnixStream,
    protocol: u8,
    job: &[u8],
) -> io::Result<T> {
    announce(to, protocol).await?;
    to.write_all(job).await?;
    to.flush().await?;
    let mut prefix = [0; 4];
    to.read_exact(&mut prefix).await?;
    let mut json = vec![0; frame::length(prefix)?];
    to.read_exact(&mut json).await?;
    frame::decode(&json)
}

/// Says which protocol comes.
pub(crate) async fn announce(to: &mut tokio::net::UnixStream, protocol: u8) -> io::Result<()> {
    to.write_all(&[protocol]).await
}

/// The whole life of a fetcher: gives up everything but TCP and `dirs`, does the one job that comes
/// over the inherited descriptor, and ends. Must be called before any thread is started.
///
/// The caller's arguments are `fetcher --job-fd 3 --memory <bytes> [--dir <directory>]…`; the job comes
/// from the descriptor that the sandbox hands over, whatever number is named.
#[must_use]
pub fn fetcher_main(dirs: Vec<PathBuf>, memory: Option<u64>) -> ExitCode {
    let mut profile = Profile::fetcher(dirs);
    profile.memory = memory;
    let mut report = match enter(&profile) {
        Ok(report) => report,
        Err(error) => {
            tracing::error!(%error, "a fetcher can't enter its sandbox");
            return ExitCode::from(70);
        }
    };
    let Some(socket) = report.take_lifeline() else {
        return ExitCode::from(64);
    };
    // An error means that the parent is gone, or has had enough: nobody is left to be told.
    match serve(UnixStream::from(socket)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(1),
    }
}

fn serve(mut stream: UnixStream) -> io::Result<()> {
    let mut protocol = [0];
    stream.read_exact(&mut protocol)?;
    match protocol {
        [GIT] => tenure_git::child::serve(stream),
        [HTTP] => tenure_http::child::serve(stream),
        [OCI] => tenure_oci::child::serve(stream),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the job is in no protocol that a fetcher knows",
        )),
    }
}
