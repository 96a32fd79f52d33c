//! Git servers that are real ones, and repositories to put behind them.

mod https;
mod repo;
mod ssh;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

pub use https::{HttpsGitServer, Traffic};
pub use repo::GitRepo;
pub use ssh::{Access, Kind, SshGitServer, keypair};

/// A server with a directory of bare repositories.
pub trait GitHost {
    /// The directory.
    fn repositories(&self) -> &Path;
}

/// A temporary directory that other users may read: OpenSSH serves as the user `git`.
pub(crate) fn public_dir(prefix: &str) -> anyhow::Result<TempDir> {
    let dir = tempfile::Builder::new().prefix(prefix).tempdir()?;
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755))?;
    fs::create_dir(dir.path().join("repositories"))?;
    Ok(dir)
}

/// The path of a repository below `root`. Names with `..` and the like are refused.
pub(crate) fn below(root: &Path, repository: &str) -> anyhow::Result<PathBuf> {
    let name = Path::new(repository.trim_start_matches('/'));
    ensure!(
        name.components().all(|part| matches!(part, Component::Normal(_))),
        "{repository:?} is no path of a repository"
    );
    Ok(root.join(name))
}

/// Reads the one command that is served: `git-upload-pack '<path>'`.
pub(crate) fn upload_pack_path(command: &str) -> anyhow::Result<&str> {
    command
        .strip_prefix("git-upload-pack '")
        .and_then(|rest| rest.strip_suffix('\''))
        .filter(|path| !path.contains('\''))
        .context("only git-upload-pack is served here")
}
