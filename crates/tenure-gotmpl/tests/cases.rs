//! Templates with the output or the error that Helm's engine gives. Each file in `cases` has values, perhaps
//! helpers, and pairs of a template and what it comes to.

use std::fs;
use std::path::Path;

use tenure_gotmpl::{
    Limits, Map, Seeded, Templates, Value, execution_error, parse_error, with_deep_stack, without_no_value,
};

const FILE: &str = "c/templates/t.txt";
const HELPERS: &str = "c/templates/_helpers.tpl";

/// The parts of a file, each under its name.
fn parts(text: &str) -> Vec<(&str, &str)> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(after) = rest.strip_prefix("-- ") {
        let (name, body) = after.split_once(" --\n").expect("a header ends its line");
        let end = body.find("\n-- ").map_or(body.len(), |at| at + 1);
        let (body, next) = body.split_at(end);
        parts.push((name, body.strip_suffix('\n').unwrap_or(body)));
        rest = next;
    }
    parts
}

fn render(values: &str, helpers: &str, template: &str) -> String {
    let mut templates = Templates::new();
    for (name, text) in [(FILE, template), (HELPERS, helpers)] {
        if let Err(error) = templates.parse(name, text) {
            return format!("error: {}", parse_error(name, &error));
        }
    }
    let json = tenure_yaml::parse_one(values.as_bytes(), &tenure_yaml::Options::helm()).expect("values");
    let release: Map = [("Name", "rel")].into_iter().collect();
    let dot = Value::from_iter([("Values", Value::from_json(&json)), ("Release", release.into())]);
    let world = Seeded::new(1);
    let mut session = templates.session(&world, Limits::default());
    match session.print(FILE, &dot) {
        Ok(text) => String::from_utf8_lossy(&without_no_value(text)).into_owned(),
        Err(error) => format!("error: {}", execution_error(FILE, &error)),
    }
}

#[test]
fn every_case_comes_out_as_helm_has_it() {
    let dir = Path::new("tests/cases");
    let mut count = 0;
    for entry in fs::read_dir(dir).expect("the cases") {
        let path = entry.expect("a case").path();
        let text = fs::read_to_string(&path).expect("a readable case");
        let (mut values, mut helpers, mut template) = ("", "", "");
        for (name, body) in parts(&text) {
            match name {
                "values" => values = body,
                "helpers" => helpers = body,
                "template" => template = body,
                "expected" => {
                    let got = with_deep_stack(|| render(values, helpers, template)).expect("a thread");
                    assert!(
                        got == body,
                        "{}: {template}\n{got}\ninstead of\n{body}",
                        path.display()
                    );
                    count += 1;
                }
                other => panic!("{}: no part is called {other}", path.display()),
            }
        }
    }
    assert!(count >= 60, "only {count} cases");
}
