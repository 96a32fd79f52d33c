//! `tenure template` beside the tool that it stands in for: time and memory, as processes and as a library.

mod charts;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use tenure_testkit::rig::Tools;

use super::figure::{Section, bytes};
use super::once::Run;
use super::{program, say};
use crate::cargo;

/// How often each program renders the same; the fastest run counts, and the largest memory.
const RUNS: usize = 5;

/// How many charts are measured, the largest first.
const CHARTS: usize = 10;

pub(super) fn measure(
    binary: &Path,
    tool: Option<&Path>,
    given: Option<&Path>,
) -> anyhow::Result<Vec<Section>> {
    let tool = match tool {
        Some(path) => path.to_owned(),
        None => Tools::ready()?.helm_program(),
    };
    let rerender = program::rerender()?;
    let scratch = tempfile::tempdir().context("make a scratch directory")?;
    let charts = match given {
        Some(dir) => largest(&tool, &std::path::absolute(dir)?)?,
        None => charts::make(scratch.path())?,
    };
    let mut process = Section::new(
        "`tenure template` beside helm",
        format!(
            "The same chart by both programs, from process start to the last byte, the fastest of {RUNS} runs. Memory is the \
             largest that the kernel counted. Both must print the same text."
        ),
    );
    let mut library = Section::new(
        "Rendering a chart again",
        "By the library, in one process: the chart loaded, parsed and rendered, and then rendered once more with other \
         values; the best of some runs. Nothing is parsed the second time.",
    );
    for chart in charts {
        let name = name(&chart);
        say(&name);
        let words = ["template", "rel"].map(OsStr::new);
        let words = [words.as_slice(), &[chart.as_os_str()]].concat();
        let theirs = Run::fastest(&tool, &words, RUNS)?;
        compare(&mut process, &name, &Run::fastest(binary, &words, RUNS)?, &theirs);
        again(&mut library, &name, &rerender, &chart)?;
    }
    Ok(vec![process, library])
}

fn name(chart: &Path) -> String {
    chart
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The largest charts below a directory that can be rendered as they are, by the bytes of their files.
fn largest(tool: &Path, dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut charts = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        if dir.join("Chart.yaml").is_file() {
            charts.push((size(&dir)?, dir));
            continue;
        }
        for entry in fs::read_dir(&dir).with_context(|| format!("read {}", dir.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    charts.sort();
    let words = ["template", "rel"].map(OsStr::new);
    let mut found = Vec::new();
    while let Some((_, chart)) = charts.pop()
        && found.len() < CHARTS
    {
        if Run::of(tool, &[words.as_slice(), &[chart.as_os_str()]].concat()).is_ok() {
            found.push(chart);
        }
    }
    ensure!(
        !found.is_empty(),
        "no chart below {} can be measured",
        dir.display()
    );
    Ok(found)
}

fn size(dir: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        bytes += if kind.is_dir() {
            size(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(bytes)
}

fn compare(section: &mut Section, what: &str, ours: &Run, tool: &Run) {
    let text = |run: &Run| format!("{} ms, {}", run.millis(), bytes(run.bytes));
    section.fact(format!("{what}: the tool"), text(tool));
    section.fact("… Tenure", text(ours));
    let same = if ours.output == tool.output {
        "yes"
    } else {
        "**no**"
    };
    section.fact("… the same output", same);
    section.bounded(
        "… time, of the tool's",
        100.0 * ours.seconds / tool.seconds,
        33.3,
        "%",
    );
    section.bounded(
        "… memory, of the tool's",
        100.0 * ours.bytes / tool.bytes,
        25.0,
        "%",
    );
}

fn again(section: &mut Section, what: &str, rerender: &Path, chart: &Path) -> anyhow::Result<()> {
    let output = cargo::program(rerender).arg(chart).output()?;
    ensure!(
        output.status.success(),
        "rerender failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
    let [whole, again, before, after] = numbers.context("read what rerender printed")?[..] else {
        anyhow::bail!("rerender printed {text}");
    };
    section.fact(
        format!("{what}: load, parse and render"),
        format!("{:.1} ms, {before} templates", whole / 1000.0),
    );
    section.bounded("… again, of that", 100.0 * again / whole, 50.0, "%");
    section.bounded("… templates parsed again", after - before, 0.0, "");
    Ok(())
}
