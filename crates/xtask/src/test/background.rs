use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context as _, bail};

/// Builds the control plane's programs, helm and kustomize beside the other steps. From nothing that takes minutes, which is
/// why it begins first; it gives way to everything else.
pub(super) struct Rig {
    child: Child,
    log: PathBuf,
}

impl Rig {
    pub(super) fn start(log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("create {}", log.display()))?;
        let child = crate::cargo::program("nice")
            .args(["-n", "15"])
            .arg(std::env::current_exe()?)
            .arg("rig")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("start the build of the rig")?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    pub(super) fn wait(mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        if !status.success() {
            bail!(
                "{}\nthe build of the rig ended with {status}",
                fs::read_to_string(&self.log).unwrap_or_default()
            );
        }
        Ok(())
    }
}

/// A run that fails before leaves no build behind.
impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
