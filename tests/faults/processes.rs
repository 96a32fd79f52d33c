//! The processes of an installation, as the kernel lists them.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tenure_testkit::until;

use tenure_tests::{PATIENCE, Stage};

/// Between two looks at something that may be gone in a moment.
const GLANCE: Duration = Duration::from_millis(2);

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// When it started, in the kernel's ticks: with the pid it names one process for ever.
    started: String,
}

impl Process {
    pub(crate) fn is_alive(&self) -> bool {
        read(self.pid).is_some_and(|(process, _)| process == *self)
    }

    /// SIGKILL; says whether it was still there.
    pub(crate) fn kill(&self) -> bool {
        let pid = Pid::from_raw(self.pid).filter(|_| self.is_alive());
        pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
    }

    /// SIGSTOP: it hangs from now on.
    pub(crate) fn freeze(&self) -> bool {
        let pid = Pid::from_raw(self.pid).filter(|_| self.is_alive());
        pid.is_some_and(|pid| kill_process(pid, Signal::STOP).is_ok())
    }
}

/// Those that `parent` has, without the stage that they are copies of, and that still run.
pub(crate) fn children(parent: u32) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(read)
        .filter(|(_, its)| *its == parent)
        .map(|(process, _)| process)
        .filter(|process| !is_stage(process.pid))
        .collect()
}

fn is_stage(pid: i32) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).nth(1) == Some(b"stage")
}

/// The process and its parent; nothing for one that has ended.
fn read(pid: i32) -> Option<(Process, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    let [state, parent] = [fields.first()?, fields.get(1)?];
    if matches!(*state, "Z" | "X") {
        return None;
    }
    Some((
        Process {
            pid,
            started: (*fields.get(19)?).to_owned(),
        },
        parent.parse().ok()?,
    ))
}

/// The workers that run now.
pub(crate) fn workers(stage: &mut Stage) -> Vec<Process> {
    stage
        .tenure
        .supervisor()
        .map(|supervisor| children(supervisor.id()))
        .unwrap_or_default()
}

/// The fetchers that run now.
pub(crate) fn fetchers(stage: &mut Stage) -> Vec<Process> {
    stage
        .tenure
        .cache()
        .map(|cache| children(cache.id()))
        .unwrap_or_default()
}

/// Waits for the first child of a process.
pub(crate) async fn a_child(what: &str, parent: u32) -> anyhow::Result<Process> {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(child) = children(parent).pop() {
            return Ok(child);
        }
        ensure!(
            std::time::Instant::now() < deadline,
            "waited {PATIENCE:?} for {what}"
        );
        tokio::time::sleep(GLANCE).await;
    }
}

/// Waits until all of these have ended.
pub(crate) async fn all_ended(what: &str, processes: &[Process]) -> anyhow::Result<()> {
    until(what, PATIENCE, || async {
        let left: Vec<_> = processes.iter().filter(|process| process.is_alive()).collect();
        ensure!(left.is_empty(), "these still run: {left:?}");
        Ok(())
    })
    .await
}

/// A counter or gauge of a `/metrics` page.
pub(crate) fn metric(page: &str, name: &str) -> anyhow::Result<f64> {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no {name} in:\n{page}"))?.parse()?)
}
