//! The programs that tests run against, built from the Go modules that pin them, once per machine.
//!
//! Several modules, so that a change of one does not rebuild the others.

mod build;
mod sops;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use build::{Module, Within};

pub use sops::Sops;

use crate::command::{output, program, run};

/// `tests/rig`.
const CONTROL_PLANE: Module = Module {
    what: "the control plane",
    source: "tests/rig",
    cache: "rig",
    recipe: "1",
    programs: &[
        ("etcd", "go.etcd.io/etcd/server/v3"),
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        (
            "kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
        ),
        ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ],
    versions: kubernetes_versions,
    within: None,
};

/// `tests/rig/tools`.
const TOOLS: Module = Module {
    what: "helm and kustomize",
    source: "tests/rig/tools",
    cache: "tools",
    recipe: "1",
    programs: &[
        ("helm", "helm.sh/helm/v4/cmd/helm"),
        ("kustomize", "sigs.k8s.io/kustomize/kustomize/v5"),
    ],
    versions: tool_versions,
    within: None,
};

/// `tests/rig/registry`.
const REGISTRY: Module = Module {
    what: "the OCI registry",
    source: "tests/rig/registry",
    cache: "registry",
    recipe: "1",
    programs: &[("registry", ".")],
    versions: registry_versions,
    within: None,
};

/// `tests/rig/s3`.
const S3: Module = Module {
    what: "the S3 server",
    source: "tests/rig/s3",
    cache: "s3",
    recipe: "1",
    programs: &[("versitygw", "github.com/versity/versitygw/cmd/versitygw")],
    versions: s3_versions,
    within: None,
};

/// `tests/rig/sops`.
const SOPS: Module = Module {
    what: "sops",
    source: "tests/rig/sops",
    cache: "sops",
    recipe: "1",
    programs: &[("sops", "github.com/getsops/sops/v3/cmd/sops")],
    versions: |_| Ok(String::new()),
    within: None,
};

/// `tests/rig/flux`. Its sources as a module lack the manifests that a release packs into the program.
const FLUX: Module = Module {
    what: "flux",
    source: "tests/rig/flux",
    cache: "flux",
    recipe: "1",
    programs: &[("flux", "./cmd/flux")],
    versions: flux_versions,
    within: Some(Within {
        module: "github.com/fluxcd/flux2/v2",
        files: &[("cmd/flux/manifests/none.yaml", "")],
    }),
};

/// The control plane's programs and kubectl.
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
        CONTROL_PLANE.ready().map(|dir| Self { dir })
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

/// What people read the chart and the trees with.
#[derive(Debug, Clone)]
pub struct Tools {
    dir: PathBuf,
}

impl Tools {
    /// The programs that `tests/rig/tools` pins, built as [`Rig::ready`] builds its own.
    ///
    /// # Errors
    /// As [`Rig::ready`].
    pub fn ready() -> anyhow::Result<Self> {
        TOOLS.ready().map(|dir| Self { dir })
    }

    /// Runs kustomize to its end and returns what it printed. It needs no cluster.
    ///
    /// # Errors
    /// When it fails; the message carries what it wrote on standard error.
    pub fn kustomize(&self, args: &[&str]) -> anyhow::Result<String> {
        run(program(self.dir.join("kustomize")).args(args))
    }

    /// Path of kustomize.
    #[must_use]
    pub fn kustomize_program(&self) -> PathBuf {
        self.dir.join("kustomize")
    }

    /// Runs `helm template` with its words in a directory. Nothing of a cluster or of this machine's settings
    /// plays a part.
    ///
    /// # Errors
    /// When it cannot be started. Whether it failed is inside: the output, or what it wrote on standard
    /// error.
    pub fn helm_template(&self, dir: &Path, words: &[&str]) -> anyhow::Result<Result<String, String>> {
        let output = output(
            program(self.helm_program())
                .current_dir(dir)
                .env_clear()
                .env("HOME", dir)
                .env("KUBECONFIG", "/dev/null")
                .arg("template")
                .args(words),
        )?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        })
    }

    /// Path of helm.
    #[must_use]
    pub fn helm_program(&self) -> PathBuf {
        self.dir.join("helm")
    }
}

/// The OCI registry that tests pull from, built as [`Rig::ready`] builds its own.
///
/// # Errors
/// As [`Rig::ready`].
pub fn registry_program() -> anyhow::Result<PathBuf> {
    REGISTRY.ready().map(|dir| dir.join("registry"))
}

/// The flux command line, built as [`Rig::ready`] builds its own. It can install nothing.
///
/// # Errors
/// As [`Rig::ready`].
pub fn flux_program() -> anyhow::Result<PathBuf> {
    FLUX.ready().map(|dir| dir.join("flux"))
}

/// The S3 server that tests read buckets of, built as [`Rig::ready`] builds its own.
///
/// # Errors
/// As [`Rig::ready`].
pub fn s3_program() -> anyhow::Result<PathBuf> {
    S3.ready().map(|dir| dir.join("versitygw"))
}

/// A plain `go build` would call itself v0.0.0, and clients look at the server's version.
fn kubernetes_versions(go_mod: &str) -> anyhow::Result<String> {
    let version = required(go_mod, "k8s.io/kubernetes")?;
    let [major, minor, _] = version.split('.').collect::<Vec<_>>()[..] else {
        bail!("k8s.io/kubernetes v{version} is no release");
    };
    let flags = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].map(|package| {
        format!("-X {package}.gitVersion=v{version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean")
    });
    Ok(flags.join(" "))
}

/// As their releases are built: kustomize writes its version into a label, and a chart may ask for helm's.
fn tool_versions(go_mod: &str) -> anyhow::Result<String> {
    let helm = required(go_mod, "helm.sh/helm/v4")?;
    let kustomize = required(go_mod, "sigs.k8s.io/kustomize/kustomize/v5")?;
    Ok(format!(
        "-X helm.sh/helm/v4/internal/version.version=v{helm} \
         -X sigs.k8s.io/kustomize/api/provenance.version=kustomize/v{kustomize}"
    ))
}

fn registry_versions(go_mod: &str) -> anyhow::Result<String> {
    let module = "github.com/distribution/distribution/v3";
    let version = required(go_mod, module)?;
    Ok(format!("-X {module}/version.version=v{version}"))
}

fn flux_versions(go_mod: &str) -> anyhow::Result<String> {
    let version = required(go_mod, "github.com/fluxcd/flux2/v2")?;
    Ok(format!("-X main.VERSION={version}"))
}

fn s3_versions(go_mod: &str) -> anyhow::Result<String> {
    let version = required(go_mod, "github.com/versity/versitygw")?;
    Ok(format!("-X main.Version=v{version}"))
}

/// The version of a module that a `go.mod` requires, without its `v`.
fn required<'a>(go_mod: &'a str, module: &str) -> anyhow::Result<&'a str> {
    go_mod
        .lines()
        .find_map(|line| {
            line.trim()
                .trim_start_matches("require ")
                .strip_prefix(module)?
                .strip_prefix(" v")?
                .split(' ')
                .next()
        })
        .with_context(|| format!("go.mod does not require {module}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_begins_with_the_name_of_another_is_not_taken_for_it() {
        let text = "require (\n\tk8s.io/kubernetes/more v9.9.9\n\tk8s.io/kubernetes v1.36.3 // indirect\n)\n";
        assert_eq!(
            required(text, "k8s.io/kubernetes").expect("is required"),
            "1.36.3"
        );
        assert!(required(text, "k8s.io/kube").is_err());
    }
}
