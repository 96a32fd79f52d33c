//! Renders template cases from JSON lines: one object a line in, one a line out.
//!
//! A case has a `template` (the body at `templates/t.txt`), perhaps `helpers`, `values` and `files`; the answer
//! has `out` or `err`. The chart around it is made up as simply as the cases allow: the real one is made by
//! the crate for charts.

#[path = "cases/chart.rs"]
mod chart;
#[path = "cases/values.rs"]
mod values;

use std::io::{BufRead as _, Write as _};

use serde_json::{Value as Json, json};
use tenure_gotmpl::{
    Limits, Seeded, Templates, Value, execution_error, parse_error, with_deep_stack, without_no_value,
};

const FILE: &str = "c/templates/t.txt";
const HELPERS: &str = "c/templates/_helpers.tpl";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let case: Json = serde_json::from_str(&line?)?;
        let mut answer = match with_deep_stack(|| render(&case))? {
            Ok(text) => json!({ "out": text }),
            Err(reason) => json!({ "err": reason }),
        };
        answer["id"] = case["id"].clone();
        // Some readers take these for the end of the line.
        let line = answer
            .to_string()
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029")
            .replace('\u{85}', "\\u0085");
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn render(case: &Json) -> Result<String, String> {
    let values = values::of(case)?;
    let mut templates = Templates::new();
    let texts = [
        (FILE, case["template"].as_str()),
        (HELPERS, case["helpers"].as_str()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            templates
                .parse(name, text)
                .map_err(|error| parse_error(name, &error))?;
        }
    }
    let dot: Value = chart::dot(values, &case["files"], FILE);
    let world = Seeded::at(
        42,
        jiff::Timestamp::from_second(1_700_000_000).unwrap_or_default(),
    );
    let mut session = templates.session(&world, Limits::default());
    match session.print(FILE, &dot) {
        Ok(text) => Ok(String::from_utf8_lossy(&without_no_value(text)).into_owned()),
        Err(error) => Err(execution_error(FILE, &error)),
    }
}
