//! The kustomize and Helm engines and the decryption beside the real tools: stored cases, and what is made up as we go.

mod cases;
mod chart;
mod charts;
mod expression;
mod helm;
mod overlay;
mod random;
mod sops;
mod templates;

use std::path::Path;

use tenure_kustomize::{DirFs, Options, build};
use tenure_testkit::rig::Tools;

/// What both make of a directory beneath `root`: the output, or that there is none.
struct Both {
    tool: Result<String, String>,
    ours: Result<String, String>,
}

impl Both {
    fn of(tools: &Tools, root: &Path, dir: &str) -> anyhow::Result<Self> {
        let path = root.join(dir).display().to_string();
        let tool = tools.kustomize(&["build", "--reorder", "none", &path]);
        let ours = build(&DirFs::open(root)?, dir, &Options::default());
        Ok(Self {
            tool: tool.map_err(|error| format!("{error:#}")),
            ours: ours
                .map(|built| built.to_yaml())
                .map_err(|error| error.to_string()),
        })
    }

    /// Whether both give the same bytes, or both nothing.
    fn agree(&self) -> bool {
        match (&self.tool, &self.ours) {
            (Ok(tool), Ok(ours)) => tool.trim_end() == ours.trim_end(),
            (Err(_), Err(_)) => true,
            _ => false,
        }
    }
}
