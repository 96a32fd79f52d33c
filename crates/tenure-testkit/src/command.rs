use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};

/// A command of this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the rig runs programs; the product does not"
)]
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    Command::new(name)
}

/// The same for code that waits for it without blocking.
#[expect(
    clippy::disallowed_methods,
    reason = "the rig runs programs; the product does not"
)]
pub(crate) fn async_program(name: impl AsRef<OsStr>) -> tokio::process::Command {
    tokio::process::Command::new(name)
}

/// Runs to the end and returns standard output as text.
///
/// # Errors
/// When the program cannot be started or ends with another status than zero; the message carries
/// what it wrote on standard error.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        bail!(
            "{command:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs to the end, whatever the status.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {command:?}"))
}
