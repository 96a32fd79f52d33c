//! Where the rig keeps what it builds and what it runs: never inside the checkout.

use std::env;
use std::path::{Path, PathBuf};

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

/// The Go module that pins the programs.
pub(crate) fn rig_module() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/rig")
}

fn non_empty(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
