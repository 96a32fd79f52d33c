use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};

use crate::{Child, PARENT, STAGE, request};

/// The only environment a child is given, when the parent has it.
const ENVIRONMENT: [&str; 2] = ["RUST_LOG", "TENURE_LOG"];
/// A copy takes a stage less than a millisecond; one that says nothing for so long is replaced.
const PATIENCE: Duration = Duration::from_secs(2);
/// Room for what `ps` shows of a child, bytes.
const TITLE: usize = 512;

/// What to start.
#[derive(Debug)]
pub struct Spec {
    /// The program's arguments, without the name.
    pub args: Vec<OsString>,
    /// The one descriptor it inherits: [`LIFELINE_FD`](crate::LIFELINE_FD) after it has entered.
    pub lifeline: OwnedFd,
    /// Where its standard output and error go.
    pub output: Output,
}

/// Which program to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Program {
    /// The one that is running, even when its file has been replaced since.
    #[default]
    Own,
    /// A build of Tenure's binary elsewhere.
    At(PathBuf),
}

/// Where standard output and error of a child go.
#[derive(Debug, Default)]
pub enum Output {
    /// To those of the parent.
    #[default]
    Inherit,
    /// Both to this descriptor.
    To(OwnedFd),
}

/// Why a child did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The kernel refused; out of processes or memory, or the program is gone.
    #[error("failed to start {program} as a child process")]
    Start {
        /// The program's path.
        program: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The stage did not make a copy of itself.
    #[error("failed to make a child process")]
    Copy(#[source] io::Error),
    /// The child runs, but it can't be waited for; it has been ended.
    #[error("failed to open a descriptor of child process {pid}")]
    Watch {
        /// Its process id.
        pid: i32,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// A process of this program that has done nothing but start, and of which every child is a copy.
///
/// A program of this size writes hundreds of pages as it starts, to say where in memory its parts are, and takes
/// milliseconds for it. A copy shares those pages and has that behind it. The children are this process's own, not the
/// stage's: they are waited for and ended as if they had been started here.
///
/// What children of one stage have in common is where their program is in memory, and the random number that guards their
/// stacks, as with any server that forks. A stage is given no token, no credential and nothing of any tenant but the
/// arguments of the children that were asked for.
#[derive(Debug)]
pub struct Stage {
    program: Program,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    socket: OwnedFd,
    _process: Child,
}

impl Stage {
    /// Starts it. Must be called within a tokio runtime.
    ///
    /// The calling thread should live as long as the children: the kernel ends them when the *thread* that started their
    /// stage ends. Threads of a tokio runtime do; those of `spawn_blocking` do not.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn of(program: Program) -> Result<Self, SpawnError> {
        let open = Open::start(&program)?;
        Ok(Self {
            program,
            open: Mutex::new(Some(open)),
        })
    }

    /// Starts a child, and first another stage if this one has ended.
    ///
    /// The lifeline travels as standard input and [`enter`](crate::enter) moves it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn spawn(&self, spec: &Spec) -> Result<Child, SpawnError> {
        let mut stage = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = stage.as_ref().map(|open| open.ask(spec));
        if let Some(Err(error)) = &asked {
            tracing::warn!(%error, "the stage is gone; another is started");
        }
        if !matches!(asked, Some(Ok(()))) {
            let open = stage.insert(Open::start(&self.program)?);
            open.ask(spec).map_err(SpawnError::Copy)?;
        }
        let answer = match stage.as_ref() {
            Some(open) => request::answered(&open.socket),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        match answer {
            Ok(copied) => Child::watch(copied.map_err(SpawnError::Copy)?),
            // a child may be there, but it has this lifeline: nobody is at its other end when the caller gives up
            Err(error) => {
                *stage = None;
                Err(SpawnError::Copy(error))
            }
        }
    }
}

impl Open {
    fn start(program: &Program) -> Result<Self, SpawnError> {
        let path = match program {
            Program::Own => PathBuf::from("/proc/self/exe"),
            Program::At(path) => path.clone(),
        };
        let failed = |source| SpawnError::Start {
            program: path.display().to_string(),
            source,
        };
        let (ours, theirs) = pair().map_err(failed)?;
        #[expect(clippy::disallowed_methods, reason = "the one place that starts a process")]
        let mut command = Command::new(&path);
        command
            .args([STAGE, &" ".repeat(TITLE)])
            .env_clear()
            .env(PARENT, std::process::id().to_string());
        for key in ENVIRONMENT {
            if let Some(value) = std::env::var_os(key) {
                command.env(key, value);
            }
        }
        command.stdin(Stdio::from(theirs)).current_dir("/");
        let child = command.spawn().map_err(failed)?;
        let pid = i32::try_from(child.id()).map_err(|_| failed(io::Error::other("no process id")))?;
        Ok(Self {
            socket: ours,
            _process: Child::watch(pid)?,
        })
    }

    fn ask(&self, spec: &Spec) -> io::Result<()> {
        let mut descriptors = vec![spec.lifeline.as_fd()];
        if let Output::To(output) = &spec.output {
            descriptors.extend([output.as_fd(), output.as_fd()]);
        }
        request::send(self.socket.as_fd(), &spec.args, &descriptors)
    }
}

/// Ours, on which nobody waits for ever, and the stage's.
fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    for timeout in [sockopt::Timeout::Recv, sockopt::Timeout::Send] {
        sockopt::set_socket_timeout(&ours, timeout, Some(PATIENCE))?;
    }
    Ok((ours, theirs))
}
