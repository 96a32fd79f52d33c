use std::env;
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Context as _, bail};

use crate::command::{program, run};
use crate::places::checkout;
use crate::progress::say;

/// The `tenure` binary: `$TENURE_BIN`, or what `cargo build -p tenure` says it made. Cargo runs
/// once per process.
///
/// # Errors
/// When the build fails.
pub fn tenure_binary() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    if let Some(path) = env::var_os("TENURE_BIN") {
        return Ok(PathBuf::from(path));
    }
    BUILT
        .get_or_init(|| build().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(|error| anyhow::anyhow!(error))
}

fn build() -> anyhow::Result<PathBuf> {
    say("building the tenure binary");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let messages = run(program(cargo).current_dir(checkout()).args([
        "build",
        "--quiet",
        "-p",
        "tenure",
        "--message-format=json-render-diagnostics",
    ]))?;
    for line in messages.lines() {
        let message: serde_json::Value = serde_json::from_str(line).context("read cargo's messages")?;
        if message["target"]["name"] == "tenure"
            && let Some(path) = message["executable"].as_str()
        {
            return Ok(PathBuf::from(path));
        }
    }
    bail!("cargo build -p tenure named no executable")
}
