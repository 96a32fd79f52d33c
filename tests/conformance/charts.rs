//! Charts made up at random, and what both engines make of their values. `TENURE_CHARTS` says how many,
//! `TENURE_SEED` from which on.

use std::path::Path;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Map;
use tenure_gotmpl::{Seeded, with_deep_stack};
use tenure_helm::{Chart, DirFs, Limits, Options, Release, Renderer, Selection, merge, read_values, set};
use tenure_testkit::rig::Tools;

use crate::cases::write;
use crate::chart;
use crate::random::number;

/// Enough to meet every feature several times, in less than a minute.
const CHARTS: u64 = 150;

fn ours(root: &Path, words: &[String]) -> anyhow::Result<String> {
    let mut values = Map::new();
    for pair in words.chunks(2) {
        match pair {
            [flag, file] if flag == "-f" => {
                merge(&mut values, read_values(&std::fs::read(root.join(file))?)?)
            }
            [_, line] => set(line, &mut values)?,
            _ => {}
        }
    }
    let chart = Chart::from_dir(&DirFs::open(root)?, "chart", &Limits::default())?;
    let renderer = Renderer::new(chart)?;
    let world = Seeded::new(1);
    let rendered = renderer.render(&values, &Options::new(Release::new("rel", "ns"), &world))?;
    Ok(rendered.to_text(Selection {
        crds: true,
        hooks: true,
        tests: true,
    }))
}

fn agree(tool: &Result<String, String>, ours: &Result<String, String>) -> bool {
    match (tool, ours) {
        (Ok(tool), Ok(ours)) => tool == ours,
        (Err(_), Err(_)) => true,
        _ => false,
    }
}

#[test]
fn a_chart_has_the_values_that_the_tool_gives_it() -> anyhow::Result<()> {
    let tools = Tools::ready()?;
    let first = number("TENURE_SEED", 0);
    let (mut rendered, mut refused) = (0, 0);
    for seed in first..first + number("TENURE_CHARTS", CHARTS) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let dir = tempfile::tempdir()?;
        for (name, text) in chart::files(rng) {
            write(dir.path(), &name, &text)?;
        }
        let words = chart::words(rng);
        let mut line = vec!["rel", "chart", "--namespace", "ns"];
        line.extend(words.iter().map(String::as_str));
        let mut tool = tools.helm_template(dir.path(), &line)?;
        let ours = with_deep_stack(|| ours(dir.path(), &words).map_err(|error| format!("{error:#}")))?;
        // Tables deep in `global` are shared, and the tool takes subcharts in another order each time: what one
        // of its runs gives is right.
        let mut runs = 1;
        while !agree(&tool, &ours) && runs < 20 {
            tool = tools.helm_template(dir.path(), &line)?;
            runs += 1;
        }
        if !agree(&tool, &ours) {
            let kept = dir.keep();
            panic!(
                "seed {seed}, kept in {}: {words:?}: the tool\n{}\nwe\n{}",
                kept.display(),
                tool.unwrap_or_else(|error| format!("failed: {error}")),
                ours.unwrap_or_else(|error| format!("failed: {error}")),
            );
        }
        match ours {
            Ok(_) => rendered += 1,
            Err(_) => refused += 1,
        }
    }
    // A generator of nonsense would prove nothing.
    assert!(
        rendered > 3 * refused,
        "{rendered} were rendered and {refused} refused"
    );
    Ok(())
}
