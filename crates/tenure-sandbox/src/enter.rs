use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Resource, Rlimit, getpid, getppid, getsid, setrlimit, setsid, umask};

use crate::{LIFELINE_FD, PARENT, Profile, files, sys};

/// Most descriptors a child may have open.
const DESCRIPTORS: u64 = 256;

/// What the kernel granted, and the inherited descriptor.
#[derive(Debug, Default)]
pub struct Report {
    /// For example `no_new_privs` and `landlock:7`.
    pub granted: Vec<String>,
    /// What it could not grant, each with the reason.
    pub missing: Vec<String>,
    lifeline: Option<OwnedFd>,
}

impl Report {
    /// The descriptor that the parent gave, [`LIFELINE_FD`]; once.
    pub fn take_lifeline(&mut self) -> Option<OwnedFd> {
        self.lifeline.take()
    }

    fn note(&mut self, what: &str, result: io::Result<()>) {
        match result {
            Ok(()) => self.granted.push(what.to_owned()),
            Err(error) => self.missing.push(format!("{what}: {error}")),
        }
    }
}

/// Why a child may not go on.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// Other threads run: they would keep what this one gives up.
    #[error("failed to enter the sandbox: {0} threads run already; enter before any is started")]
    Threads(usize),
    /// The process that started this one is gone.
    #[error("failed to enter the sandbox: the parent process is gone")]
    Orphan,
    /// The kernel refused something that no supported kernel lacks.
    #[error("failed to enter the sandbox: {what} was refused")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The file rules could not be made.
    #[error("failed to enter the sandbox: the rules for files were refused: {0}")]
    Files(String),
}

/// Gives up what `profile` does not name. The first thing a child does.
///
/// # Guarantees
/// On `Ok` everything in [`Report::granted`] holds for this thread and all it will start.
///
/// # Errors
/// When something that every supported kernel has was refused. The caller must end then.
pub fn enter(profile: &Profile) -> Result<Report, EnterError> {
    let must = |what, result: io::Result<()>| result.map_err(|source| EnterError::Refused { what, source });
    let threads = std::fs::read_dir("/proc/self/task")
        .map(Iterator::count)
        .unwrap_or(1);
    if threads > 1 {
        return Err(EnterError::Threads(threads));
    }
    must("an end with the parent", sys::die_with_parent())?;
    if !parent_lives() {
        return Err(EnterError::Orphan);
    }
    let lifeline = sys::move_stdin(LIFELINE_FD).map_err(|source| EnterError::Refused {
        what: "moving the lifeline",
        source,
    })?;
    must("closing descriptors", sys::close_from(LIFELINE_FD + 1))?;
    umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);

    let mut report = Report {
        lifeline: Some(lifeline),
        ..Report::default()
    };
    report.note("session", own_session());
    // Before the process is made non-dumpable: its files in /proc belong to root from then on.
    report.note("oom_score_adj", expendable());
    for (what, resource, most) in limits(profile) {
        must(what, limit(resource, most))?;
        report.granted.push(format!("rlimit:{what}"));
    }
    must("no_new_privs", sys::no_new_privs())?;
    report.granted.push("no_new_privs".to_owned());
    must("non-dumpable", sys::not_dumpable())?;
    report.granted.push("non_dumpable".to_owned());
    files::restrict(profile, &mut report)?;
    // the last, as the others need calls that are none of a child's
    let calls = crate::calls::restrict().map_err(io::Error::other);
    report.note("seccomp", calls);
    Ok(report)
}

/// Whoever is to be killed first already stays so: without a capability nobody takes less than a kubelet gave.
fn expendable() -> io::Result<()> {
    const FILE: &str = "/proc/self/oom_score_adj";
    const WANTED: i32 = 500;
    let now = std::fs::read_to_string(FILE)?;
    match now.trim().parse::<i32>() {
        Ok(now) if now >= WANTED => Ok(()),
        _ => std::fs::write(FILE, WANTED.to_string()),
    }
}

/// The first process of a container leads a session already.
fn own_session() -> io::Result<()> {
    match setsid() {
        Err(rustix::io::Errno::PERM) if getsid(None)? == getpid() => Ok(()),
        result => Ok(result.map(drop)?),
    }
}

fn parent_lives() -> bool {
    let expected: Option<i32> = std::env::var(PARENT).ok().and_then(|pid| pid.parse().ok());
    let actual = getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    expected.is_none_or(|expected| expected == actual)
}

fn limits(profile: &Profile) -> Vec<(&'static str, Resource, u64)> {
    let mut limits = vec![
        ("core", Resource::Core, 0),
        ("nofile", Resource::Nofile, DESCRIPTORS),
        ("fsize", Resource::Fsize, profile.file_size),
    ];
    limits.extend(profile.memory.map(|memory| ("data", Resource::Data, memory)));
    limits
}

/// Lowers a limit; one that is lower already stays.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let hard = rustix::process::getrlimit(resource).maximum;
    let most = hard.map_or(most, |hard| hard.min(most));
    Ok(setrlimit(
        resource,
        Rlimit {
            current: Some(most),
            maximum: Some(most),
        },
    )?)
}
