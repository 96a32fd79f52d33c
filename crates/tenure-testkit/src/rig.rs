//! Building etcd, kube-apiserver, kube-controller-manager and kubectl from the Go module that pins
//! them, once per machine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

use crate::command::{program, run};
use crate::places::{cache_dir, rig_module};
use crate::progress::say;

/// Name of the binary and the Go package it comes from.
const PROGRAMS: [(&str, &str); 4] = [
    ("etcd", "go.etcd.io/etcd/server/v3"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    (
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
];

/// Counts up when the way of building changes, so that old binaries are not taken for new ones.
const RECIPE: &str = "1";

/// The built programs.
#[derive(Debug, Clone)]
pub struct Rig {
    dir: PathBuf,
}

impl Rig {
    /// The programs that `tests/rig` pins; builds them when this machine has none yet, which takes
    /// minutes and a Go toolchain.
    ///
    /// # Errors
    /// When Go is missing, a module cannot be fetched, or a build fails.
    pub fn ready() -> anyhow::Result<Self> {
        let module = rig_module();
        let root = cache_dir().join("rig");
        let rig = Self {
            dir: root.join(hash_of(&module)?),
        };
        if rig.dir.is_dir() {
            return Ok(rig);
        }
        fs::create_dir_all(&root).with_context(|| format!("create {}", root.display()))?;
        let lock = File::create(root.join("build.lock"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            say("another process builds the control plane, waiting for it");
            flock(&lock, FlockOperation::LockExclusive)?;
        }
        if !rig.dir.is_dir() {
            build(&module, &root, &rig.dir)?;
        }
        Ok(rig)
    }

    /// Path of one of the programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The directory that holds them; its last part is the hash of what they were built from.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

fn hash_of(module: &Path) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    hash.update(RECIPE);
    for file in ["go.mod", "go.sum"] {
        let path = module.join(file);
        hash.update(fs::read(&path).with_context(|| format!("read {}", path.display()))?);
    }
    Ok(hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Builds beside the final place and renames, so that a killed build leaves nothing that looks
/// finished. The next one finds Go's own cache warm.
fn build(module: &Path, root: &Path, target: &Path) -> anyhow::Result<()> {
    run(program("go").arg("version")).context("building the control plane needs Go: https://go.dev/dl")?;
    let flags = format!("-ldflags={}", version_flags(module)?);
    let partial = tempfile::Builder::new().prefix("building-").tempdir_in(root)?;
    for (number, (name, package)) in PROGRAMS.iter().enumerate() {
        say(&format!(
            "building {name} ({} of {}), minutes the first time",
            number + 1,
            PROGRAMS.len()
        ));
        let started = Instant::now();
        run(program("go")
            .current_dir(module)
            .args(["build", "-mod=readonly", &flags, "-o"])
            .arg(partial.path().join(name))
            .arg(package))
        .with_context(|| format!("build {name} in {}", module.display()))?;
        say(&format!("{name} took {:.0} s", started.elapsed().as_secs_f32()));
    }
    // 0700 came with the temporary directory; the servers themselves need no more.
    fs::rename(partial.keep(), target)
        .with_context(|| format!("move the built programs to {}", target.display()))
}

/// A plain `go build` would call itself v0.0.0, and clients look at the server's version.
fn version_flags(module: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(module.join("go.mod"))?;
    let version = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"))
        .context("tests/rig/go.mod does not require k8s.io/kubernetes")?
        .trim();
    let [major, minor, _] = version.split('.').collect::<Vec<_>>()[..] else {
        bail!("tests/rig/go.mod requires k8s.io/kubernetes v{version}, which is no release");
    };
    let flags = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].map(|package| {
        format!("-X {package}.gitVersion=v{version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean")
    });
    Ok(flags.join(" "))
}
