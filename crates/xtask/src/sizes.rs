//! `cargo xtask sizes`: a file is one idea, so it has a bound.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Most lines of a Rust file, tests included.
const MOST: usize = 600;
/// Longer files, and why.
const ALLOWED: &[(&str, &str)] = &[];

pub(crate) fn run() -> anyhow::Result<()> {
    let root = crate::generate::root();
    let mut long = Vec::new();
    for part in ["crates", "tests"] {
        collect(&root.join(part), &mut long)?;
    }
    let allowed = |path: &Path| ALLOWED.iter().any(|(name, _)| path.ends_with(name));
    let long: Vec<_> = long.into_iter().filter(|(path, _)| !allowed(path)).collect();
    if !long.is_empty() {
        let lines: Vec<_> = long
            .iter()
            .map(|(path, lines)| format!("{}: {lines}", path.display()))
            .collect();
        bail!(
            "files of more than {MOST} lines; split them:\n  {}",
            lines.join("\n  ")
        );
    }
    Ok(())
}

fn collect(directory: &Path, long: &mut Vec<(PathBuf, usize)>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(directory).with_context(|| format!("read {}", directory.display()))? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, long)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = std::fs::read_to_string(&path)
                .with_context(|| format!("read {}", path.display()))?
                .lines()
                .count();
            if lines > MOST {
                long.push((path, lines));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found_in_any_depth() {
        let directory = std::env::temp_dir().join(format!("tenure-sizes-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("a/b")).expect("a directory");
        std::fs::write(directory.join("a/b/long.rs"), "\n".repeat(MOST + 1)).expect("a file");
        std::fs::write(directory.join("a/short.rs"), "\n".repeat(MOST)).expect("a file");
        let mut long = Vec::new();
        collect(&directory, &mut long).expect("reads");
        std::fs::remove_dir_all(&directory).expect("removes");
        assert_eq!(long, [(directory.join("a/b/long.rs"), MOST + 1)]);
    }
}
