use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

use crate::command::{program, run};
use crate::places::{cache_dir, checkout};
use crate::progress::say;

/// A Go module that pins programs.
pub(super) struct Module {
    /// What its programs are, for messages.
    pub(super) what: &'static str,
    /// Where it is in the checkout.
    pub(super) source: &'static str,
    /// Where in the cache directory its programs go.
    pub(super) cache: &'static str,
    /// Counts up when the way of building changes, so that old binaries are not taken for new ones.
    pub(super) recipe: &'static str,
    /// Name of each binary and the Go package it comes from.
    pub(super) programs: &'static [(&'static str, &'static str)],
    /// The linker's flags that say which version it is, from the text of `go.mod`.
    pub(super) versions: fn(&str) -> anyhow::Result<String>,
    /// Build in a copy of another module that this one pins, not in this one.
    pub(super) within: Option<Within>,
}

/// A module whose own packages are built, with files that it lacks.
pub(super) struct Within {
    pub(super) module: &'static str,
    /// Path and content.
    pub(super) files: &'static [(&'static str, &'static str)],
}

impl Module {
    /// The directory with the built programs; builds them when there is none yet.
    pub(super) fn ready(&self) -> anyhow::Result<PathBuf> {
        let source = checkout().join(self.source);
        let root = cache_dir().join(self.cache);
        let target = root.join(self.hash(&source)?);
        if target.is_dir() {
            return Ok(target);
        }
        fs::create_dir_all(&root).with_context(|| format!("create {}", root.display()))?;
        let lock = File::create(root.join("build.lock"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            say(&format!("another process builds {}, waiting for it", self.what));
            flock(&lock, FlockOperation::LockExclusive)?;
        }
        if !target.is_dir() {
            self.build(&source, &root, &target)?;
        }
        Ok(target)
    }

    fn hash(&self, source: &Path) -> anyhow::Result<String> {
        let mut hash = Sha256::new();
        hash.update(self.recipe);
        for file in ["go.mod", "go.sum"] {
            let path = source.join(file);
            hash.update(fs::read(&path).with_context(|| format!("read {}", path.display()))?);
        }
        Ok(hash
            .finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }

    /// Builds beside the final place and renames, so that a killed build leaves nothing that looks
    /// finished. The next one finds Go's own cache warm.
    fn build(&self, source: &Path, root: &Path, target: &Path) -> anyhow::Result<()> {
        run(program("go").arg("version"))
            .with_context(|| format!("building {} needs Go: https://go.dev/dl", self.what))?;
        let go_mod = fs::read_to_string(source.join("go.mod"))?;
        let flags = (self.versions)(&go_mod).with_context(|| format!("read {}/go.mod", self.source))?;
        let flags = format!("-ldflags={flags}");
        let partial = tempfile::Builder::new().prefix("building-").tempdir_in(root)?;
        let copy = self.within.as_ref().map(|within| within.copy(source, root));
        let copy = copy.transpose()?;
        let source = copy.as_ref().map_or(source, tempfile::TempDir::path);
        for (number, (name, package)) in self.programs.iter().enumerate() {
            say(&format!(
                "building {name} ({} of {}), minutes the first time",
                number + 1,
                self.programs.len()
            ));
            let started = Instant::now();
            run(program("go")
                .current_dir(source)
                .args(["build", "-mod=readonly", &flags, "-o"])
                .arg(partial.path().join(name))
                .arg(package))
            .with_context(|| format!("build {name} in {}", source.display()))?;
            say(&format!("{name} took {:.0} s", started.elapsed().as_secs_f32()));
        }
        // 0700 came with the temporary directory; the servers themselves need no more.
        fs::rename(partial.keep(), target)
            .with_context(|| format!("move the built programs to {}", target.display()))
    }
}

impl Within {
    /// The sources, which may be written to.
    fn copy(&self, source: &Path, root: &Path) -> anyhow::Result<tempfile::TempDir> {
        let found = run(program("go")
            .current_dir(source)
            .args(["mod", "download", "-json", self.module]))?;
        let found: serde_json::Value = serde_json::from_str(&found)?;
        let dir = found["Dir"].as_str();
        let dir = dir.with_context(|| format!("go does not say where {} is", self.module))?;
        let copy = tempfile::Builder::new().prefix("sources-").tempdir_in(root)?;
        copy_dir(Path::new(dir), copy.path()).with_context(|| format!("copy {dir}"))?;
        for (path, content) in self.files {
            let path = copy.path().join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, content)?;
        }
        Ok(copy)
    }
}

/// Directories and files, without the modes: Go keeps its copies read-only.
fn copy_dir(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::write(target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}
