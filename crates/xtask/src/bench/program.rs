use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::cargo::cargo;

/// The program with the profile `fast`: release speed without the link-time cost.
pub(super) fn build() -> anyhow::Result<PathBuf> {
    optimised("tenure", &["--workspace", "--bin", "tenure"])
}

/// A program that uses the Helm engine as a library.
pub(super) fn rerender() -> anyhow::Result<PathBuf> {
    optimised("rerender", &["--package", "tenure-helm", "--example", "rerender"])
}

fn optimised(name: &str, target: &[&str]) -> anyhow::Result<PathBuf> {
    super::say(&format!("building {name} with the profile fast"));
    let output = cargo(&["build", "--quiet", "--profile", "fast"])
        .args(target)
        .arg("--message-format=json-render-diagnostics")
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("start cargo")?;
    ensure!(output.status.success(), "cargo build --profile fast failed");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).context("read cargo's messages")?;
        if message["target"]["name"] == name
            && let Some(path) = message["executable"].as_str()
        {
            return Ok(PathBuf::from(path));
        }
    }
    bail!("cargo named no executable")
}
