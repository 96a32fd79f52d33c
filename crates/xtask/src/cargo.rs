//! Cargo, run by a chore.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// A program of this machine, in the root of the repository.
#[expect(clippy::disallowed_methods, reason = "a chore may run programs")]
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(crate::generate::root());
    command
}

/// The cargo that runs this chore. What it set for the chore itself would make it build things anew.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO_CRATE_NAME"
        {
            command.env_remove(name);
        }
    }
    command.args(args);
    command
}

/// What Cargo knows about the workspace, for the only platform that Tenure runs on: the others' crates
/// need not be on this machine.
pub(crate) fn metadata() -> anyhow::Result<Value> {
    let output = cargo(&["metadata", "--format-version=1", "--locked", "--filter-platform"])
        .arg(platform())
        .output()
        .context("run cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("read the output of cargo metadata")
}

/// Cargo's name of this platform.
pub(crate) fn platform() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Where Cargo builds.
pub(crate) fn target_directory() -> anyhow::Result<PathBuf> {
    let metadata = metadata()?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .context("cargo metadata names no target directory")
}

/// A list in JSON; empty when it is none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text in JSON; empty when it is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
