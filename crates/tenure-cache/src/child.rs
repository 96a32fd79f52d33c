use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use tenure_sandbox::{Profile, enter};

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
    match tenure_git::child::serve(UnixStream::from(socket)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(1),
    }
}
