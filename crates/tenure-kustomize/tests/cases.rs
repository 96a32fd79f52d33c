//! Builds with the output that kustomize itself gives. Each file in `cases` is a tree and what it comes
//! to; the conformance suite holds the outputs to the real tool.

use std::fs;
use std::path::Path;

use tenure_kustomize::{MemFs, Options, build};

/// The files of a case, and what is expected.
fn parts(text: &str) -> (Vec<(&str, &str)>, &str) {
    let mut files: Vec<(&str, &str)> = Vec::new();
    let mut rest = text;
    while let Some(after) = rest.strip_prefix("-- ") {
        let (name, body) = after.split_once(" --\n").expect("a header ends its line");
        let end = body.find("\n-- ").map_or(body.len(), |at| at + 1);
        let (body, next) = body.split_at(end);
        files.push((name, body));
        rest = next;
    }
    let (_, expected) = files.pop().expect("the last part is what is expected");
    (files, expected)
}

#[test]
fn every_case_comes_out_as_the_tool_has_it() {
    let dir = Path::new("tests/cases");
    let mut count = 0;
    for entry in fs::read_dir(dir).expect("the cases") {
        let path = entry.expect("a case").path();
        let text = fs::read_to_string(&path).expect("a readable case");
        let (files, expected) = parts(&text);
        let built = build(&MemFs::new(files), ".", &Options::default());
        let got = built.map_or_else(|error| format!("error: {error}\n"), |built| built.to_yaml());
        assert!(
            got == expected,
            "{}:\n{got}\ninstead of\n{expected}",
            path.display()
        );
        count += 1;
    }
    assert!(count >= 14, "only {count} cases");
}
