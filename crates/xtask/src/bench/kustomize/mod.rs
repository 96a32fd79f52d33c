//! `tenure build` beside the tool that it stands in for, on overlays made up here: time and memory.

mod tree;

use std::ffi::OsStr;
use std::path::Path;

use anyhow::Context as _;
use tenure_testkit::rig::Tools;

use super::figure::{Section, bytes};
use super::once::Run;
use super::say;

/// How often each program builds the same; the fastest run counts, and the largest memory.
const RUNS: usize = 3;

/// Above this the tool takes minutes, as its time grows with the square.
const MOST_FOR_THE_TOOL: usize = 2000;

pub(super) fn measure(binary: &Path, tool: Option<&Path>) -> anyhow::Result<Section> {
    let tool = match tool {
        Some(path) => path.to_owned(),
        None => Tools::ready()?.kustomize_program(),
    };
    let scratch = tempfile::tempdir().context("make a scratch directory")?;
    let mut section = Section::new(
        "`tenure build` beside kustomize",
        format!(
            "The same overlay by both programs, from process start to the last byte, the fastest of {RUNS} runs (the tool once \
             where it takes long). Memory is the largest that the kernel counted. Both must print the same objects."
        ),
    );
    let mut seconds = Vec::new();
    for count in [500, 1000, 2000, 4000] {
        let dir = scratch.path().join(format!("layers-{count}"));
        tree::layers(&dir, count, 50)?;
        let what = format!("{count} objects, 50 patches");
        let dir = dir.join("over");
        say(&what);
        let ours = build(binary, &dir, RUNS)?;
        seconds.push((count, ours.seconds));
        if count <= MOST_FOR_THE_TOOL {
            compare(&mut section, &what, &ours, &build(&tool, &dir, 1)?);
        } else {
            section.fact(&what, format!("{} ms, {}", ours.millis(), bytes(ours.bytes)));
        }
    }
    if let (Some((few, first)), Some((many, last))) = (seconds.first(), seconds.last()) {
        let growth = last / first / (*many as f64 / *few as f64);
        section.bounded(
            format!("time for each of {many} objects, in times of that for each of {few}"),
            growth,
            1.2,
            "",
        );
    }
    let dir = scratch.path().join("platform");
    tree::platform(&dir, 30)?;
    let what = "30 applications with CRDs, components and generators";
    say(what);
    let dir = dir.join("over");
    compare(
        &mut section,
        what,
        &build(binary, &dir, RUNS)?,
        &build(&tool, &dir, RUNS)?,
    );
    Ok(section)
}

fn build(program: &Path, dir: &Path, runs: usize) -> anyhow::Result<Run> {
    Run::fastest(program, &[OsStr::new("build"), dir.as_os_str()], runs)
}

fn compare(section: &mut Section, what: &str, ours: &Run, tool: &Run) {
    section.fact(
        format!("{what}: the tool"),
        format!("{} ms, {}", tool.millis(), bytes(tool.bytes)),
    );
    section.fact("… Tenure", format!("{} ms, {}", ours.millis(), bytes(ours.bytes)));
    let same = if ours.output == tool.output {
        "yes"
    } else {
        "**no**"
    };
    section.fact("… the same output", same);
    section.bounded(
        "… time, of the tool's",
        100.0 * ours.seconds / tool.seconds,
        10.0,
        "%",
    );
    section.bounded(
        "… memory, of the tool's",
        100.0 * ours.bytes / tool.bytes,
        20.0,
        "%",
    );
}
