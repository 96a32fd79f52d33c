//! The charts in `tests/cases`, with what Helm printed for them.
//!
//! A case file holds files, then cases: the words of a command line and, below, the output or the
//! error. `tests/conformance` in the repository's test package holds them to the real tool, and
//! writes them anew when `TENURE_RECORD` is set.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tenure_gotmpl::{Seeded, with_deep_stack};
use tenure_helm::{Chart, File, Limits, Options, Release, Renderer};

use crate::args::Line;

/// The parts of a case file: name and text.
fn parts(text: &str) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let header = line
            .strip_prefix("-- ")
            .and_then(|rest| rest.trim_end().strip_suffix(" --"));
        match (header, parts.last_mut()) {
            (Some(name), _) => parts.push((name.to_owned(), String::new())),
            (None, Some((_, body))) => body.push_str(line),
            (None, None) => panic!("the file starts with no header"),
        }
    }
    parts
}

fn rendered(files: &BTreeMap<String, String>, line: &Line) -> Result<String, String> {
    let chart_files = files
        .iter()
        .filter_map(|(name, text)| Some(File::new(name.strip_prefix("chart/")?, text.as_bytes())))
        .filter(|file| !file.name.starts_with("templates/.hidden"));
    let chart = Chart::from_files(chart_files.collect(), &Limits::default()).map_err(|e| e.to_string())?;
    let renderer = Renderer::new(chart).map_err(|e| e.to_string())?;
    let world = Seeded::new(1);
    let mut options = Options::new(Release::new("rel", "ns"), &world);
    options.release.is_upgrade = line.is_upgrade;
    options.capabilities = line.capabilities.clone();
    options.skip_schema_validation = line.skip_schema;
    let rendered = renderer
        .render(&line.values, &options)
        .map_err(|e| e.to_string())?;
    line.shown(rendered.to_text(line.selection))
}

#[test]
fn charts_give_what_helm_gives() {
    let cases = Path::new("tests/cases");
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(cases).expect("cases") {
        let path = entry.expect("an entry").path();
        let parts = parts(&fs::read_to_string(&path).expect("text"));
        let files: BTreeMap<String, String> = parts
            .iter()
            .filter(|(name, _)| !["case ", "output ", "error "].iter().any(|p| name.starts_with(p)))
            .cloned()
            .collect();
        let shown = path.file_stem().expect("a name").to_string_lossy().into_owned();
        // `.helmignore` is for directories, which other tests read.
        if files.contains_key("chart/.helmignore") {
            continue;
        }
        for pair in parts.windows(2) {
            let [(case, words), (kind, want)] = pair else {
                continue;
            };
            let Some(case) = case.strip_prefix("case ") else {
                continue;
            };
            let line = || Line::parse(words, &files);
            let got = with_deep_stack(|| rendered(&files, &line())).expect("a thread");
            let agree = match &got {
                Ok(text) => *kind == format!("output {case}") && text == want,
                Err(text) => {
                    *kind == format!("error {case}")
                        && (text.trim_end() == want.trim_end() || about_recursion(text, want))
                }
            };
            count += 1;
            if !agree {
                wrong.push(format!("{shown} {case}:\n--- {kind}\n{want}\n--- got\n{got:?}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(count >= 40, "only {count} cases");
}

/// The error of a template that includes itself names a thousand places; the last one counts.
fn about_recursion(text: &str, want: &str) -> bool {
    want.strip_prefix("nested reference name: ")
        .is_some_and(|name| text.contains(&format!("nested reference name: {}", name.trim())))
}
