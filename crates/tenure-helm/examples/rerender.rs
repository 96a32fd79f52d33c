//! Loads and renders a chart, and renders it again: what a process that keeps its charts saves.
//!
//! `rerender CHART` prints microseconds for loading, parsing and rendering together and for rendering again,
//! the best of some runs, and how many templates were parsed before and after the latter.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Map;
use tenure_gotmpl::{Seeded, with_deep_stack};
use tenure_helm::{Chart, DirFs, Limits, Options, Release, Renderer};

const RUNS: u32 = 7;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn load(path: &Path) -> Result<Renderer> {
    let limits = Limits::default();
    let chart = if path.is_dir() {
        Chart::from_dir(&DirFs::open(path)?, ".", &limits)?
    } else {
        Chart::from_archive(&std::fs::read(path)?, &limits)?
    };
    Ok(Renderer::new(chart)?)
}

/// Renders with a value of its own each time.
fn render(renderer: &Renderer, run: u32) -> Result<()> {
    let mut values = Map::new();
    values.insert("run".to_owned(), run.into());
    let world = Seeded::new(u64::from(run));
    renderer.render(&values, &Options::new(Release::new("rel", "ns"), &world))?;
    Ok(())
}

fn measure(path: &Path) -> Result<String> {
    let (mut whole, mut again) = (Duration::MAX, Duration::MAX);
    let (mut before, mut after) = (0, 0);
    for run in 0..RUNS {
        let began = Instant::now();
        let renderer = load(path)?;
        render(&renderer, run)?;
        whole = whole.min(began.elapsed());
        before = renderer.templates_parsed();
        let began = Instant::now();
        render(&renderer, run + 1)?;
        again = again.min(began.elapsed());
        after = renderer.templates_parsed();
    }
    let (whole, again) = (whole.as_micros(), again.as_micros());
    Ok(format!("{whole} {again} {before} {after}"))
}

#[expect(clippy::print_stdout, reason = "its purpose")]
fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).ok_or("which chart?")?;
    println!("{}", with_deep_stack(|| measure(Path::new(&path)))??);
    Ok(())
}
