//! How far a fetch is: the bytes that lie on disk so far, since the work itself says nothing until it is done.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

const OFTEN: Duration = Duration::from_millis(100);

/// Does the work on a thread of its own and shows, on a terminal, how much of it is below `dirs`.
pub(super) fn while_it_runs<T: Send>(
    what: &str,
    dirs: &[PathBuf],
    work: impl FnOnce() -> T + Send,
) -> anyhow::Result<(T, Duration)> {
    let began = Instant::now();
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {prefix} {msg} {elapsed}")?;
    bar.set_style(style);
    bar.set_prefix(what.to_owned());
    let before: u64 = dirs.iter().map(|dir| weigh(dir)).sum();
    let (done, ended) = channel();
    let result = std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            let result = work();
            done.send(()).ok();
            result
        });
        while ended.recv_timeout(OFTEN) == Err(RecvTimeoutError::Timeout) {
            let now: u64 = dirs.iter().map(|dir| weigh(dir)).sum();
            let new = now.saturating_sub(before);
            if new > 0 {
                bar.set_message(HumanBytes(new).to_string());
            }
            bar.tick();
        }
        worker.join()
    });
    bar.finish_and_clear();
    let result = result.map_err(|_| anyhow::anyhow!("the work broke off; this is a defect"))?;
    Ok((result, began.elapsed()))
}

/// Bytes of all files below a directory; what vanishes meanwhile weighs nothing.
fn weigh(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => weigh(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}
