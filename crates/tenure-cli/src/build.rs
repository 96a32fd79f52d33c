//! `tenure build`: what a Kustomization would apply, without a cluster.

use std::path::PathBuf;

use anyhow::Context as _;
use tenure_kustomize::{DirFs, flux};

/// Flags of `tenure build`.
#[derive(clap::Args)]
pub struct Args {
    /// The directory: with a kustomization file, or with plain manifests
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// The root that nothing may be read outside of; the directory itself by default
    #[arg(long)]
    root: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let directory = args
        .directory
        .canonicalize()
        .with_context(|| format!("failed to find {}", args.directory.display()))?;
    let root = match &args.root {
        Some(root) => root
            .canonicalize()
            .with_context(|| format!("failed to find {}", root.display()))?,
        None => directory.clone(),
    };
    let path = directory
        .strip_prefix(&root)
        .context("the directory is not beneath --root")?;
    let files = DirFs::open(&root).with_context(|| format!("failed to open {}", root.display()))?;
    let path = path.to_str().context("the path is not UTF-8")?;
    let build = flux::build(&files, &format!("./{path}"), &flux::Overlay::default())?;
    crate::say(build.to_yaml().trim_end());
    Ok(())
}
