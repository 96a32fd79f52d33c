//! The engine's own cases were written down once. Here the tool says that they still hold.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use tenure_testkit::rig::Tools;

const CASES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/tenure-kustomize/tests/cases"
);

#[test]
fn what_the_cases_expect_is_what_the_tool_prints() -> anyhow::Result<()> {
    let tools = Tools::ready()?;
    let mut count = 0;
    for entry in fs::read_dir(CASES)? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let (files, expected) = text
            .split_once("-- expected --\n")
            .with_context(|| format!("{} has no expected part", path.display()))?;
        let dir = tempfile::tempdir()?;
        let files = files.strip_suffix('\n').unwrap_or(files);
        for part in files.split("\n-- ").map(|part| part.trim_start_matches("-- ")) {
            let (name, body) = part.split_once(" --\n").context("a part has a header")?;
            write(dir.path(), name, &format!("{body}\n"))?;
        }
        let root = dir.path().display().to_string();
        let printed = tools.kustomize(&["build", "--reorder", "none", &root])?;
        assert_eq!(printed.trim_end(), expected.trim_end(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 14, "only {count} cases");
    Ok(())
}

pub(crate) fn write(root: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = root.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}
