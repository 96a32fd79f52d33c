//! Where the rig keeps what it builds and what it runs: never inside the checkout.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// `$TENURE_CACHE`, or `tenure` in the user's cache directory. Every clone of the repository on
/// one machine shares it.
#[must_use]
pub fn cache_dir() -> PathBuf {
    if let Some(dir) = non_empty("TENURE_CACHE") {
        return dir;
    }
    non_empty("XDG_CACHE_HOME")
        .or_else(|| non_empty("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(env::temp_dir)
        .join("tenure")
}

/// Where running servers keep sockets, keys and logs; private to the user.
#[must_use]
pub fn runtime_dir() -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    non_empty("XDG_RUNTIME_DIR")
        .filter(|dir| dir.is_dir())
        .unwrap_or_else(env::temp_dir)
        .join(format!("tenure-{user}"))
}

/// [`runtime_dir`], created. On a machine with other people somebody else may have made it first,
/// and then it is not used.
///
/// # Errors
/// When it cannot be created, or others can write to it.
pub(crate) fn private_runtime_dir() -> anyhow::Result<PathBuf> {
    let dir = runtime_dir();
    let describe = || format!("create {}", dir.display());
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .with_context(describe)?;
    let found = fs::symlink_metadata(&dir).with_context(describe)?;
    let ours = found.is_dir() && found.uid() == rustix::process::getuid().as_raw();
    ensure!(
        ours && found.mode() & 0o022 == 0,
        "{} belongs to somebody else",
        dir.display()
    );
    Ok(dir)
}

/// The root of the repository. Cargo says which one it runs for; what was compiled may come from another checkout that
/// shares the target directory.
#[must_use]
pub fn checkout() -> PathBuf {
    let of = non_empty("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = of.ancestors().find(|dir| dir.join("Cargo.lock").is_file());
    root.map_or_else(|| of.join("../.."), Path::to_path_buf)
}

fn non_empty(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
