use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tenure_helm::{Chart, DirFs, Limits, LoadError};

use super::HelmError;

/// The chart's path, which must be there.
pub(super) fn locate(name: &str) -> Result<PathBuf, HelmError> {
    let name = name.trim();
    let path = Path::new(name);
    if fs::metadata(path).is_ok() {
        return std::path::absolute(path)
            .map_err(|error| HelmError(format!("failed to find {name}: {error}")));
    }
    if path.is_absolute() || name.starts_with('.') {
        return Err(HelmError(format!("path {name:?} not found")));
    }
    if name.contains("://") {
        return Err(HelmError(format!(
            "{name:?} is refused: rendering fetches nothing"
        )));
    }
    Err(HelmError(match name.split_once('/') {
        Some((repository, _)) => format!("repo {repository} not found"),
        None => format!("non-absolute URLs should be in form of repo_name/path_to_chart, got: {name}"),
    }))
}

/// Loads a directory or an archive.
pub(super) fn load(path: &Path, root: Option<&Path>) -> Result<Chart, HelmError> {
    let limits = Limits::default();
    let loaded = if path.is_dir() {
        let (root, below) = beneath(path, root)?;
        let files = DirFs::open(&root)
            .map_err(|error| HelmError(format!("failed to open {}: {error}", root.display())))?;
        Chart::from_dir(&files, &below, &limits)
    } else {
        archive(path, &limits)
    };
    loaded.map_err(HelmError::new)
}

fn archive(path: &Path, limits: &Limits) -> Result<Chart, LoadError> {
    let failed = |source: io::Error| LoadError::Read {
        path: path.display().to_string(),
        source,
    };
    if fs::metadata(path).map_err(failed)?.len() > limits.archive {
        return Err(LoadError::TooMuch("bytes in the archive", limits.archive));
    }
    let bytes = fs::read(path).map_err(failed)?;
    if !bytes.starts_with(b"\x1f\x8b\x08") {
        let shown = path.display();
        let is_yaml = path.extension().is_some_and(|e| e == "yml" || e == "yaml");
        return Err(LoadError::Archive(if is_yaml {
            format!("file '{shown}' seems to be a YAML file, but expected a gzipped archive")
        } else {
            let kind = if std::str::from_utf8(&bytes).is_ok() {
                "text/plain; charset=utf-8"
            } else {
                "application/octet-stream"
            };
            format!("file '{shown}' does not appear to be a gzipped archive; got '{kind}'")
        }));
    }
    Chart::from_archive(&bytes, limits)
}

/// The root that nothing is read outside of, and the chart's path below it.
fn beneath(path: &Path, root: Option<&Path>) -> Result<(PathBuf, String), HelmError> {
    let Some(root) = root else {
        let below = path.strip_prefix("/").unwrap_or(path).to_string_lossy();
        return Ok((PathBuf::from("/"), below.into_owned()));
    };
    let real = |path: &Path| {
        fs::canonicalize(path).map_err(|e| HelmError(format!("failed to find {}: {e}", path.display())))
    };
    let (root, path) = (real(root)?, real(path)?);
    let below = path
        .strip_prefix(&root)
        .map_err(|_| HelmError::new("the chart is not beneath --root"))?;
    Ok((root.clone(), below.to_string_lossy().into_owned()))
}
