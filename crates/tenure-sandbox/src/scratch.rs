use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tenure_core::Name;

/// What a home keeps from one worker to the next.
const KEPT: &str = "artifacts";

/// The directory below which every home has its own.
#[derive(Clone, Debug)]
pub struct Scratch(PathBuf);

/// Why the scratch space can't be used.
#[derive(Debug, thiserror::Error)]
#[error("failed to prepare scratch directory {}", path.display())]
pub struct ScratchError {
    /// Which directory.
    pub path: PathBuf,
    /// What the kernel said.
    #[source]
    pub source: io::Error,
}

impl Scratch {
    /// Makes `root`, empty and for this user alone. What an earlier start left is removed.
    ///
    /// # Errors
    /// When the directory can't be made or emptied.
    pub fn wipe(root: impl Into<PathBuf>) -> Result<Self, ScratchError> {
        let root = root.into();
        let wiped = empty(&root, None).and_then(|()| private(&root));
        wiped.map_err(|source| ScratchError {
            path: root.clone(),
            source,
        })?;
        Ok(Self(root))
    }

    /// The directory of `home`, mode 0700, with nothing in it but the artifacts of earlier workers.
    /// Must not be called while a worker of the home runs.
    ///
    /// # Errors
    /// When the directory can't be made or emptied.
    pub fn home(&self, home: &Name) -> Result<PathBuf, ScratchError> {
        let path = self.0.join(home.as_str());
        let made = empty(&path, Some(KEPT)).and_then(|()| private(&path));
        made.map_err(|source| ScratchError {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    /// Removes everything of `home`.
    ///
    /// # Errors
    /// When something can't be removed.
    pub fn forget(&self, home: &Name) -> Result<(), ScratchError> {
        let path = self.0.join(home.as_str());
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ScratchError { path, source }),
            _ => Ok(()),
        }
    }
}

fn private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// Empties a directory, following no link, but for the directory `keep`.
fn empty(path: &Path, keep: Option<&str>) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let is_directory = entry.file_type()?.is_dir();
        if is_directory && keep.is_some_and(|keep| entry.file_name() == keep) {
            continue;
        }
        if is_directory {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_outlive_a_worker_and_nothing_outlives_a_start() {
        let root = tempfile::tempdir().expect("a directory");
        let name: Name = "team".parse().expect("a name");
        let scratch = Scratch::wipe(root.path()).expect("made");
        let home = scratch.home(&name).expect("made");
        assert_eq!(
            fs::metadata(&home).expect("there").permissions().mode() & 0o777,
            0o700
        );
        fs::create_dir(home.join(KEPT)).expect("made");
        fs::write(home.join(KEPT).join("a"), "a").expect("written");
        fs::write(home.join("temporary"), "t").expect("written");
        std::os::unix::fs::symlink("/etc", home.join("link")).expect("made");

        let home = scratch.home(&name).expect("made");
        let names: Vec<_> = fs::read_dir(&home)
            .expect("there")
            .flatten()
            .map(|e| e.file_name())
            .collect();
        assert_eq!(names, [KEPT]);
        assert!(home.join(KEPT).join("a").exists());

        Scratch::wipe(root.path()).expect("wiped");
        assert!(!home.exists());
    }
}
