use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use tenure_helm::{Rendered, Selection, path_match, split};

use super::HelmError;

/// Only the documents of the templates that match one of the patterns, in the order of the patterns.
pub(super) fn only(text: &str, patterns: &[String]) -> Result<String, HelmError> {
    let documents = split(text);
    let mut shown = String::new();
    for pattern in patterns {
        let mut found = false;
        for document in &documents {
            let hit = |name: &str| path_match(pattern, name).unwrap_or(false);
            if source(document).is_some_and(hit) {
                found = true;
                let _ = writeln!(shown, "---\n{document}");
            }
        }
        if !found {
            return Err(HelmError(format!("could not find template {pattern} in chart")));
        }
    }
    Ok(shown)
}

/// The template behind a document, without the chart's name.
fn source(document: &str) -> Option<&str> {
    document.match_indices("# Source: ").find_map(|(at, mark)| {
        let line = document.get(at + mark.len()..)?.lines().next()?;
        let (chart, name) = line.split_once('/')?;
        (!chart.is_empty() && !name.is_empty()).then_some(name)
    })
}

/// Writes each document to a file named after its template, and says so.
pub(super) fn write(
    dir: &Path,
    release: Option<&str>,
    rendered: &Rendered,
    selection: Selection,
) -> Result<String, HelmError> {
    let failed =
        |path: &Path, error: io::Error| HelmError(format!("failed to write {}: {error}", path.display()));
    fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    let root = Dir::open_ambient_dir(dir, ambient_authority()).map_err(|error| failed(dir, error))?;
    let mut said = String::new();
    let mut written = BTreeSet::new();
    let mut put = |below: Option<&str>, source: &str, text: &str, is_hook: bool| {
        let path = match below {
            Some(below) => Path::new(below).join(source),
            None => source.into(),
        };
        // A hook joins what is there, even from an earlier run: so does Helm.
        let append = written.contains(&path) || (is_hook && root.exists(&path));
        put_file(
            &root,
            &path,
            &format!("---\n# Source: {source}\n{text}\n"),
            append,
        )
        .map_err(|error| failed(&dir.join(&path), error))?;
        let _ = writeln!(said, "wrote {}", dir.join(&path).display());
        written.insert(path);
        Ok(())
    };
    let crds = if selection.crds { rendered.crds.len() } else { 0 };
    for (at, (source, text)) in rendered.documents(selection).enumerate() {
        put(release.filter(|_| at >= crds), source, &text, false)?;
    }
    for hook in rendered.hooks(selection) {
        put(release, &hook.source, &hook.content, true)?;
    }
    said.push('\n');
    Ok(said)
}

/// Writes a file beneath the root; a link that leads out of it is an error.
fn put_file(root: &Dir, path: &Path, text: &str, append: bool) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        root.create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).write(true).append(append).truncate(!append);
    root.open_with(path, &options)?.write_all(text.as_bytes())
}

/// What the templates printed, for someone who looks for a mistake in it.
pub(super) fn show_files(files: &BTreeMap<String, String>) {
    let mut text = String::new();
    for (path, content) in files.iter().filter(|(_, content)| !content.trim().is_empty()) {
        let _ = writeln!(text, "---\n# Source: {path}\n{content}");
    }
    writeln!(io::stdout(), "{}", text.trim()).ok();
}
