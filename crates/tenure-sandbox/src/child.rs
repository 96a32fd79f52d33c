use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, pidfd_open, pidfd_send_signal, waitpid,
};
use tokio::io::unix::AsyncFd;

use crate::{SpawnError, sys};

/// A running child. Dropping it ends and reaps it.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    descriptor: AsyncFd<OwnedFd>,
    /// How it ended, once it has been reaped: its number may be another's then.
    ended: Option<Exit>,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// Whether it ended by itself and all was well.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    fn of(status: WaitStatus) -> Self {
        match status.terminating_signal() {
            Some(signal) => Self::Signal(signal),
            None => Self::Code(status.exit_status().unwrap_or(-1)),
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

impl Child {
    /// Of a process that is this one's child and has not been waited for.
    pub(crate) fn watch(pid: i32) -> Result<Self, SpawnError> {
        let failed = |source| SpawnError::Watch { pid, source };
        let process = Pid::from_raw(pid).ok_or_else(|| failed(io::Error::other("no process id")))?;
        let opened = pidfd_open(process, PidfdFlags::NONBLOCK)
            .map_err(io::Error::from)
            .and_then(sys::register);
        match opened {
            Ok(descriptor) => Ok(Self {
                pid: process,
                descriptor,
                ended: None,
            }),
            Err(source) => {
                let killed = rustix::process::kill_process(process, Signal::KILL);
                if let Err(error) = killed.and_then(|()| waitpid(Some(process), WaitOptions::empty())) {
                    tracing::warn!(pid, %error, "failed to end a child process");
                }
                Err(failed(source))
            }
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits until it has ended. May be called again.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When the kernel does not say how it ended.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        loop {
            if let Some(exit) = self.reap(WaitOptions::NOHANG)? {
                return Ok(exit);
            }
            // A descriptor of a process becomes readable once, when it ends.
            self.descriptor.readable().await?.clear_ready();
        }
    }

    /// Ends it at once. One that has ended already is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        match pidfd_send_signal(self.descriptor.get_ref(), Signal::KILL) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            other => Ok(other?),
        }
    }

    fn reap(&mut self, options: WaitOptions) -> io::Result<Option<Exit>> {
        if self.ended.is_none() {
            let waited = rustix::io::retry_on_intr(|| waitpid(Some(self.pid), options))?;
            self.ended = waited.map(|(_, status)| Exit::of(status));
        }
        Ok(self.ended)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let ended = self.kill().and_then(|()| self.reap(WaitOptions::empty()));
        if let Err(error) = ended {
            tracing::warn!(pid = self.pid(), %error, "failed to end a child process");
        }
    }
}
