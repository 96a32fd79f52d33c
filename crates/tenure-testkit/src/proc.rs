//! Programs that a test starts, watches and kills.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::program;
use crate::wait::until;

/// What to start.
#[derive(Debug, Clone)]
pub struct Spec {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    log: PathBuf,
}

impl Spec {
    /// A program whose standard output and standard error go to the file `log`.
    pub fn new(program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            log: log.into(),
        }
    }

    /// Another program with the same arguments.
    pub fn set_program(&mut self, program: impl Into<PathBuf>) {
        self.program = program.into();
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, args: I) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// One variable on top of this process's environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The program behind `prefix`, with the log opened for appending.
    fn command(&self, prefix: &[&OsStr]) -> anyhow::Result<Command> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("open the log {}", self.log.display()))?;
        let mut words = prefix.iter().copied().chain([self.program.as_os_str()]);
        let mut command = program(words.next().context("an empty command")?);
        command
            .args(words)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    /// Starts the program in a process group of its own; it goes on when this process ends. The
    /// pid is in `pid_file` before the program runs.
    pub(crate) fn spawn_detached(&self, pid_file: &Path) -> anyhow::Result<Proc> {
        use std::os::unix::process::CommandExt as _;
        let record = OsStr::new("echo $$ > \"$0\" && exec \"$@\"");
        let mut command =
            self.command(&[OsStr::new("sh"), OsStr::new("-c"), record, pid_file.as_os_str()])?;
        let child = command.process_group(0).spawn()?;
        Ok(Proc {
            child,
            log: self.log.clone(),
            detached: true,
        })
    }
}

/// A running program. It is killed when this value is dropped, and by the kernel when this process
/// ends in any way.
#[derive(Debug)]
pub struct Proc {
    child: Child,
    log: PathBuf,
    detached: bool,
}

impl Proc {
    /// Starts it.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be started.
    pub fn spawn(spec: &Spec) -> anyhow::Result<Self> {
        // setpriv becomes the program, so the pid stays the same.
        let prefix = ["setpriv", "--pdeathsig", "KILL", "--"].map(OsStr::new);
        let child = spawn_on_lasting_thread(spec.command(&prefix)?)
            .with_context(|| format!("start {}", spec.program.display()))?;
        Ok(Self {
            child,
            log: spec.log.clone(),
            detached: false,
        })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file with everything it wrote.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Everything it wrote until now; empty when nothing can be read.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// When the kernel does not know the child.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// SIGTERM: asks it to end.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn terminate(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Any signal; one to a program that has ended already is not an error.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("no pid")?;
        kill_process(pid, signal).with_context(|| format!("send {signal:?} to {pid:?}"))
    }

    /// SIGKILL, and waits for the end.
    ///
    /// # Errors
    /// When the kernel does not know the child.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::KILL)?;
        Ok(self.child.wait()?)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it still runs after `timeout`; the message ends with the last lines of its log.
    pub async fn wait(&mut self, timeout: Duration) -> anyhow::Result<ExitStatus> {
        let log = self.log.clone();
        let child = std::cell::RefCell::new(&mut self.child);
        until("a program to end", timeout, || {
            let state = child.borrow_mut().try_wait();
            async move { state?.context("it still runs") }
        })
        .await
        .with_context(|| tail(&log))
    }

    /// Fails with the end of the log when the program is not running any more.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.ended()? {
            let how = status
                .signal()
                .map_or_else(|| status.to_string(), |n| format!("signal {n}"));
            bail!("it ended with {how}; {}", tail(&self.log));
        }
        Ok(())
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        if !self.detached {
            let _ = self.kill();
        }
    }
}

/// The last lines of a log, for messages.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log)
        .map(|log| String::from_utf8_lossy(&log).into_owned())
        .unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let last = lines
        .get(lines.len().saturating_sub(15)..)
        .unwrap_or_default()
        .join("\n");
    format!("{} ends with:\n{last}", log.display())
}

type Job = (Command, mpsc::SyncSender<io::Result<Child>>);

/// The kernel sends the death signal when the *thread* that forked ends, and test and runtime
/// threads come and go. So one thread that lasts as long as the process does all the forking.
fn spawn_on_lasting_thread(command: Command) -> anyhow::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for (mut command, reply) in jobs {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, answer) = mpsc::sync_channel(1);
    spawner
        .send((command, reply))
        .ok()
        .context("the spawning thread has ended")?;
    Ok(answer.recv().context("the spawning thread has ended")??)
}
