//! The version before beside this one: `cargo xtask upgrade`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::cargo::{cargo, program, target_directory};
use crate::generate::root;

/// The version before, as a commit of this repository; beside it are the protocols that it speaks.
const PREVIOUS: &str = "crates/tenure-proto/previous";
/// The tests that need it, and where they are.
pub(crate) const TEST: &str = "upgrade::";
pub(crate) const SUITE: &str = "faults";

/// Flags of `cargo xtask upgrade`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// A build of the version before; made from its sources when it is not given
    #[arg(long)]
    before: Option<PathBuf>,
}

/// Replaces the parts of a running installation one by one, and back again.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let before = match args.before {
        Some(before) => before.canonicalize().context("the version before")?,
        None => build()?,
    };
    ran(cargo(&["build", "-p", "tenure"]))?;
    let mut test = cargo(&["test", "--workspace", "--test", SUITE, "--", "--ignored", TEST]);
    test.env("TENURE_BEFORE", before)
        .env("TENURE_BIN", target_directory()?.join("debug/tenure"));
    ran(test)
}

/// Builds the program of the version before.
fn build() -> anyhow::Result<PathBuf> {
    let root = root();
    let file = root.join(PREVIOUS).join("REVISION");
    let revision = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let revision = revision.trim();
    let place = target_directory()?.join("previous");
    let (sources, target) = (place.join("sources"), place.join("target"));
    if !sources.exists() {
        std::fs::create_dir_all(&place)?;
        git(
            &root,
            &[
                "clone",
                "--quiet",
                "--shared",
                "--no-checkout",
                ".",
                &text(&sources)?,
            ],
        )?;
    }
    git(&sources, &["fetch", "--quiet", "origin", revision])
        .with_context(|| format!("version {revision} is not in this clone; it needs the whole history"))?;
    git(
        &sources,
        &["checkout", "--quiet", "--force", "--detach", revision],
    )?;
    let mut build = cargo(&["build", "--locked", "-p", "tenure"]);
    build.current_dir(&sources).env("CARGO_TARGET_DIR", &target);
    ran(build)?;
    Ok(target.join("debug/tenure"))
}

fn text(path: &Path) -> anyhow::Result<String> {
    Ok(path.to_str().context("a path that is no text")?.to_owned())
}

fn git(directory: &Path, args: &[&str]) -> anyhow::Result<()> {
    let mut command = program("git");
    command.current_dir(directory).args(args);
    ran(command)
}

fn ran(mut command: Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("start {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
