use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;

use crate::{SpawnError, sys};

/// A running child. Dropping it ends and reaps it.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    descriptor: AsyncFd<OwnedFd>,
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
    pub(crate) fn watch(mut process: process::Child) -> Result<Self, SpawnError> {
        let pid = process.id();
        let opened = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("no process id"))
            .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::NONBLOCK)?))
            .and_then(sys::register);
        match opened {
            Ok(descriptor) => Ok(Self { process, descriptor }),
            Err(source) => {
                end(&mut process);
                Err(SpawnError::Watch { pid, source })
            }
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
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
            if let Some(status) = self.process.try_wait()? {
                return Ok(match status.signal() {
                    Some(signal) => Exit::Signal(signal),
                    None => Exit::Code(status.code().unwrap_or(-1)),
                });
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
        self.process.kill()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn end(process: &mut process::Child) {
    if let Err(error) = process.kill().and_then(|()| process.wait()) {
        tracing::warn!(pid = process.id(), %error, "failed to end a child process");
    }
}
