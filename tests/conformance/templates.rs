//! Expressions made up at random, and what both engines print for them. `TENURE_TEMPLATES` says how many charts
//! of them, `TENURE_SEED` from which on.

use std::path::Path;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Map;
use tenure_gotmpl::{Seeded, with_deep_stack};
use tenure_helm::{Chart, DirFs, Limits, Options, Release, Renderer, Selection, merge, read_values, set};
use tenure_testkit::rig::Tools;

use crate::cases::write;
use crate::expression::{SET, USER, VALUES, template};
use crate::helm::message;
use crate::random::number;

/// Enough to meet every function several times, in half a minute.
const CHARTS: u64 = 40;

/// Expressions in a chart.
const EXPRESSIONS: usize = 60;

/// Of those that fail, how many are tried with the tool: each needs a run of its own.
const FAILURES: usize = 2;

fn write_chart(dir: &Path, templates: &[&String]) -> anyhow::Result<()> {
    write(
        dir,
        "chart/Chart.yaml",
        "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    )?;
    write(dir, "chart/values.yaml", VALUES)?;
    write(dir, "user.yaml", USER)?;
    write(
        dir,
        "chart/templates/_t.tpl",
        "{{ define \"t\" }}<{{ . | toJson }}>{{ end }}",
    )?;
    let mut out = "kind: A\n".to_owned();
    for (at, text) in templates.iter().enumerate() {
        write(dir, &format!("chart/templates/_{at}.tpl"), text)?;
        out.push_str(&format!(
            "e{at}: {{{{ include \"c/templates/_{at}.tpl\" $ | b64enc }}}}\n"
        ));
    }
    write(dir, "chart/templates/out.yaml", &out)
}

fn ours(root: &Path) -> anyhow::Result<String> {
    let mut values = Map::new();
    merge(&mut values, read_values(USER.as_bytes())?);
    set(SET, &mut values)?;
    let chart = Chart::from_dir(&DirFs::open(root)?, "chart", &Limits::default())?;
    let world = Seeded::new(1);
    let rendered = Renderer::new(chart)?.render(&values, &Options::new(Release::new("rel", "ns"), &world))?;
    let all = Selection {
        crds: true,
        hooks: true,
        tests: true,
    };
    Ok(rendered.to_text(all))
}

/// What both make of these templates, each in a chart of its own.
fn both(
    tools: &Tools,
    templates: &[&String],
    with_tool: bool,
) -> anyhow::Result<[Result<String, String>; 2]> {
    let dir = tempfile::tempdir()?;
    write_chart(dir.path(), templates)?;
    let ours = with_deep_stack(|| ours(dir.path()).map_err(|error| format!("{error:#}")))?;
    if !with_tool {
        return Ok([ours.clone(), ours]);
    }
    let words = [
        "rel",
        "chart",
        "--namespace",
        "ns",
        "-f",
        "user.yaml",
        "--set",
        SET,
    ];
    let tool = tools.helm_template(dir.path(), &words)?;
    Ok([tool.map_err(|text| message(&text)), ours])
}

#[test]
fn an_expression_comes_to_what_the_tool_prints() -> anyhow::Result<()> {
    let tools = Tools::ready()?;
    let first = number("TENURE_SEED", 0);
    let (mut printed, mut failed, mut same) = (0, 0, 0);
    let mut wrong = Vec::new();
    for seed in first..first + number("TENURE_TEMPLATES", CHARTS) {
        let rng = &mut StdRng::seed_from_u64(seed);
        let all: Vec<String> = (0..EXPRESSIONS).map(|_| template(rng)).collect();
        let mut good = Vec::new();
        let mut bad = Vec::new();
        for text in &all {
            match &both(&tools, &[text], false)?[1] {
                Ok(_) => good.push(text),
                Err(_) => bad.push(text),
            }
        }
        printed += good.len();
        match both(&tools, &good, true)? {
            [Ok(tool), Ok(ours)] => {
                let different = tool.lines().zip(ours.lines()).filter(|(tool, ours)| tool != ours);
                for (tool, ours) in different {
                    let at = ours
                        .split_once(": ")
                        .and_then(|(key, _)| key.get(1..)?.parse::<usize>().ok());
                    let text = at.and_then(|at| good.get(at)).map_or("?", |text| text.as_str());
                    wrong.push(format!(
                        "seed {seed}: {text}\n  the tool {tool}\n  we       {ours}"
                    ));
                }
            }
            [tool, ours] => {
                // One that the tool refuses hides the others: it is looked for.
                for text in &good {
                    if let [Err(tool), Ok(_)] = both(&tools, &[text], true)? {
                        wrong.push(format!("seed {seed}: {text}\n  the tool fails: {tool}"));
                    }
                }
                if wrong.is_empty() {
                    wrong.push(format!("seed {seed}: the tool {tool:?}, we {ours:?}"));
                }
            }
        }
        for text in bad.into_iter().take(FAILURES) {
            let [tool, ours] = both(&tools, &[text], true)?;
            let ours = ours.err().unwrap_or_default();
            match tool {
                Ok(tool) => wrong.push(format!(
                    "seed {seed}: {text}\n  we fail: {ours}\n  the tool {tool}"
                )),
                Err(tool) => {
                    failed += 1;
                    let ours = message(&ours);
                    if tool == ours {
                        same += 1;
                    } else if std::env::var_os("TENURE_MESSAGES").is_some() {
                        wrong.push(format!(
                            "seed {seed}: {text}\n  the tool says {tool}\n  we       say  {ours}"
                        ));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differences\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // Only failures would prove nothing.
    assert!(printed > 10 * failed, "{printed} printed, {failed} failed");
    assert!(
        same * 10 >= failed * 8,
        "{same} of {failed} messages are the same"
    );
    Ok(())
}
