//! How a fetcher comes to life and ends.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use tenure_sandbox::{Child, LIFELINE_FD, Output, Program, SpawnError, Spec, Stage};
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;

/// Starts fetchers.
pub(crate) struct Launcher {
    stage: Stage,
    memory: u64,
}

/// A fetcher that runs. Dropping it kills and reaps the fetcher; its slot is free only then.
pub(crate) struct Running {
    socket: UnixStream,
    child: Child,
    _slot: OwnedSemaphorePermit,
}

impl Launcher {
    /// Fetchers are this program, or `program`, and have `memory` bytes.
    pub(crate) fn new(program: Option<PathBuf>, memory: u64) -> Result<Self, SpawnError> {
        let stage = Stage::of(program.map_or(Program::Own, Program::At))?;
        Ok(Self { stage, memory })
    }

    /// Starts one that may write to `dirs`; `slot` is free again when it is dead.
    pub(crate) fn launch(&self, dirs: &[PathBuf], slot: OwnedSemaphorePermit) -> io::Result<Running> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let spec = Spec {
            args: self.args(dirs),
            lifeline: OwnedFd::from(theirs),
            output: Output::Inherit,
        };
        let child = self.stage.spawn(&spec).map_err(io::Error::other)?;
        tracing::debug!(pid = child.pid(), "started a fetcher");
        Ok(Running {
            socket: UnixStream::from_std(ours)?,
            child,
            _slot: slot,
        })
    }

    fn args(&self, dirs: &[PathBuf]) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec![
            "fetcher".into(),
            "--job-fd".into(),
            LIFELINE_FD.to_string().into(),
            "--memory".into(),
            self.memory.to_string().into(),
        ];
        for dir in dirs {
            args.extend(["--dir".into(), dir.clone().into_os_string()]);
        }
        args
    }
}

impl Running {
    /// Where the job goes down and the answer comes up.
    pub(crate) const fn socket(&mut self) -> &mut UnixStream {
        &mut self.socket
    }

    /// Kills it if it still runs, and waits for its end.
    pub(crate) async fn end(mut self) {
        let pid = self.child.pid();
        if let Err(error) = self.child.kill() {
            tracing::debug!(pid, %error, "can't kill a fetcher");
        }
        match self.child.wait().await {
            Ok(exit) => tracing::debug!(pid, %exit, "a fetcher ended"),
            Err(error) => tracing::warn!(pid, %error, "can't tell how a fetcher ended"),
        }
    }
}
