//! Tests that a page names are tests of this repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::generate::root;

/// The page whose last columns name tests.
const PAGE: &str = "docs/src/hostile.md";

/// Every `fn` after a line with `#[test]`, or that of tokio or proptest, and every one that its own file lists by name,
/// as a suite without libtest's harness does.
fn tests(dir: &Path, found: &mut BTreeSet<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                tests(&path, found)?;
            }
            continue;
        }
        if path.extension().is_none_or(|end| end != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let mut marked = false;
        for line in text.lines().map(str::trim) {
            let name = line.trim_start_matches("async ").strip_prefix("fn ");
            if let Some((name, _)) = name.and_then(|rest| rest.split_once('('))
                && (marked || text.contains(&format!("\"{name}\"")))
            {
                found.insert(name.to_owned());
            }
            marked = line.starts_with("#[test]")
                || line.starts_with("#[tokio::test")
                || (marked && line.starts_with("#["));
        }
    }
    Ok(())
}

/// What stands in the last cell of a row, between backticks.
fn named(page: &str) -> Vec<&str> {
    let cells = page
        .lines()
        .filter_map(|line| line.strip_suffix(" |")?.rsplit_once("| "));
    cells
        .flat_map(|(_, last)| last.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_test_that_the_page_on_hostile_input_names_is_there() {
    let mut found = BTreeSet::new();
    for dir in ["crates", "tests"] {
        tests(&root().join(dir), &mut found).expect("a checkout");
    }
    let page = fs::read_to_string(root().join(PAGE)).expect("the page");
    let named = named(&page);
    assert!(named.len() > 50, "the page has lost its tables");
    let unknown: Vec<_> = named.into_iter().filter(|name| !found.contains(*name)).collect();
    assert!(unknown.is_empty(), "no such tests: {unknown:?}");
}
