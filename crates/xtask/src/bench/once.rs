use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};

use super::figure::digits;
use crate::cargo::program;

/// One run of one program.
pub(super) struct Run {
    /// From the start of the process to its end.
    pub(super) seconds: f64,
    /// The most memory that it had.
    pub(super) bytes: f64,
    /// A digest of what it printed.
    pub(super) output: Vec<u8>,
}

impl Run {
    /// The fastest of so many runs, with the most memory of all.
    pub(super) fn fastest(path: &Path, words: &[&OsStr], runs: usize) -> anyhow::Result<Self> {
        let mut best = Self::of(path, words)?;
        for _ in 1..runs {
            let run = Self::of(path, words)?;
            best.seconds = best.seconds.min(run.seconds);
            best.bytes = best.bytes.max(run.bytes);
        }
        Ok(best)
    }

    pub(super) fn millis(&self) -> String {
        digits(self.seconds * 1000.0)
    }

    /// Both programs print at the end and all at once. While the pipe is full they wait, and there the
    /// kernel is asked for the most memory that they had.
    pub(super) fn of(path: &Path, words: &[&OsStr]) -> anyhow::Result<Self> {
        let started = Instant::now();
        let mut child = program(path)
            .args(words)
            .env("KUBECONFIG", "/dev/null")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", path.display()))?;
        let mut output = child.stdout.take().context("a pipe was asked for")?;
        let mut digest = Sha256::new();
        let (mut bytes, mut buffer) = (0.0_f64, vec![0; 64 << 10]);
        loop {
            let read = output.read(&mut buffer)?;
            bytes = bytes.max(peak(child.id()).unwrap_or_default());
            if read == 0 {
                break;
            }
            digest.update(buffer.get(..read).unwrap_or_default());
        }
        let status = child.wait()?;
        ensure!(
            status.success(),
            "{} {} ended with {status}",
            path.display(),
            words.join(OsStr::new(" ")).display()
        );
        ensure!(
            bytes > 0.0,
            "{} printed too little to be measured",
            path.display()
        );
        Ok(Self {
            seconds: started.elapsed().as_secs_f64(),
            bytes,
            output: digest.finalize().to_vec(),
        })
    }
}

/// The high-water mark of resident memory; nothing once the process has ended.
fn peak(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0)
}
