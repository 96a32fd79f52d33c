//! The Helm engine's own cases were written down once. Here the tool says that they still hold, or
//! writes them anew: `TENURE_RECORD=1 cargo test -p tenure-tests --test conformance helm`.

use std::fs;
use std::path::Path;

use tenure_testkit::rig::Tools;

use crate::cases::write;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/tenure-helm/tests/cases");

/// A header, and the text below it.
type Part = (String, String);

fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in text.split_inclusive('\n') {
        let header = line
            .strip_prefix("-- ")
            .and_then(|rest| rest.trim_end().strip_suffix(" --"));
        match (header, parts.last_mut()) {
            (Some(name), _) => parts.push((name.to_owned(), String::new())),
            (None, Some((_, body))) => body.push_str(line),
            (None, None) => {}
        }
    }
    parts
}

/// The files and cases of a case file, and below each case what the tool makes of it now.
fn recorded(tools: &Tools, text: &str) -> anyhow::Result<String> {
    let dir = tempfile::tempdir()?;
    let is_result = |name: &str| name.starts_with("output ") || name.starts_with("error ");
    let parts: Vec<Part> = parts(text)
        .into_iter()
        .filter(|(name, _)| !is_result(name))
        .collect();
    for (name, body) in parts.iter().filter(|(name, _)| !name.starts_with("case ")) {
        write(dir.path(), name, body)?;
    }
    let mut out = String::new();
    for (name, body) in &parts {
        out.push_str(&format!("-- {name} --\n{body}"));
        if let Some(case) = name.strip_prefix("case ") {
            out.push_str(&result(tools, dir.path(), case, body)?);
        }
    }
    Ok(out)
}

fn result(tools: &Tools, dir: &Path, case: &str, words: &str) -> anyhow::Result<String> {
    let mut line = vec!["rel", "chart", "--namespace", "ns"];
    line.extend(words.split_whitespace());
    Ok(match tools.helm_template(dir, &line)? {
        Ok(text) => format!("-- output {case} --\n{text}"),
        Err(text) => format!("-- error {case} --\n{}\n", message(&text)),
    })
}

/// The message without log lines and hints. One that names a thousand places is cut to what counts.
pub(crate) fn message(text: &str) -> String {
    if let Some((_, rest)) = text.split_once("nested reference name: ") {
        let name = rest.split([':', '\n']).next().unwrap_or_default();
        return format!("nested reference name: {name}");
    }
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("level=") && !line.starts_with("Use --debug flag"))
        .collect();
    let text = lines.join("\n");
    text.trim().trim_start_matches("Error: ").to_owned()
}

#[test]
fn what_the_helm_cases_expect_is_what_the_tool_prints() -> anyhow::Result<()> {
    let tools = Tools::ready()?;
    let mut count = 0;
    for entry in fs::read_dir(CASES)? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let now = recorded(&tools, &text)?;
        if std::env::var_os("TENURE_RECORD").is_some() {
            fs::write(&path, &now)?;
        } else {
            assert_eq!(now, text, "{}", path.display());
        }
        count += 1;
    }
    assert!(count >= 12, "only {count} cases");
    Ok(())
}
