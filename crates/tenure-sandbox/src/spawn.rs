use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::{Child, PARENT};

/// The only environment a child is given, when the parent has it.
const ENVIRONMENT: [&str; 2] = ["RUST_LOG", "TENURE_LOG"];

/// What to start.
#[derive(Debug)]
pub struct Spec {
    /// Which program.
    pub program: Program,
    /// Its arguments, without the name.
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
    /// The descriptor for its output can't be doubled.
    #[error("failed to prepare the output of a child process")]
    Output(#[source] io::Error),
    /// The kernel refused; out of processes or memory, or the program is gone.
    #[error("failed to start {program} as a child process")]
    Start {
        /// The program's path.
        program: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The child runs, but it can't be waited for; it has been ended.
    #[error("failed to open a descriptor of child process {pid}")]
    Watch {
        /// Its process id.
        pid: u32,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// Starts a child. Must be called within a tokio runtime.
///
/// The calling thread should live as long as the child: the kernel ends a child when the *thread*
/// that started it ends. Threads of a tokio runtime do; those of `spawn_blocking` do not.
///
/// The lifeline travels as standard input and [`enter`](crate::enter) moves it: so nothing has to run
/// between fork and exec, and a large parent is not copied.
///
/// # Errors
/// When the kernel refuses.
pub fn spawn(spec: Spec) -> Result<Child, SpawnError> {
    let path = match spec.program {
        Program::Own => PathBuf::from("/proc/self/exe"),
        Program::At(path) => path,
    };
    #[expect(clippy::disallowed_methods, reason = "the one place that starts a process")]
    let mut command = Command::new(&path);
    command
        .args(&spec.args)
        .env_clear()
        .env(PARENT, std::process::id().to_string());
    for key in ENVIRONMENT {
        if let Some(value) = std::env::var_os(key) {
            command.env(key, value);
        }
    }
    command.stdin(Stdio::from(spec.lifeline)).current_dir("/");
    if let Output::To(out) = spec.output {
        let err = out.try_clone().map_err(SpawnError::Output)?;
        command.stdout(out).stderr(err);
    }
    let child = command.spawn().map_err(|source| SpawnError::Start {
        program: path.display().to_string(),
        source,
    })?;
    Child::watch(child)
}
