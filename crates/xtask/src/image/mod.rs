//! `cargo xtask image`: a container image as an OCI layout directory, without a daemon and the same
//! bytes for the same binary. The root certificates are in the binary.

mod layer;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What to pack, and where to.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The program, built before with `cargo build -p tenure --profile release` or `fast`
    #[arg(long)]
    binary: PathBuf,
    /// The directory to write; it must not exist
    #[arg(long)]
    out: PathBuf,
}

/// Who the program runs as.
const USER: u32 = 65532;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.out.exists() {
        bail!("{} exists; name a directory that does not", args.out.display());
    }
    let files = layer::files(&args.binary, &libraries(&args.binary)?)?;
    write(&args.out, &files)
}

/// The loader and the shared libraries that the program names; none when it is static.
#[allow(clippy::disallowed_methods, reason = "a chore may run ldd")]
fn libraries(binary: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = std::process::Command::new("ldd")
        .arg(binary)
        .output()
        .context("run ldd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(missing) = text.lines().find(|line| line.contains("not found")) {
        bail!(
            "{} needs a library that is not here: {}",
            binary.display(),
            missing.trim()
        );
    }
    // `name => /path (address)`, or `/path (address)` for the loader.
    let path = |line: &str| {
        line.split_whitespace()
            .find(|word| word.starts_with('/'))
            .map(PathBuf::from)
    };
    Ok(text.lines().filter_map(path).collect())
}

fn write(out: &Path, files: &[layer::File]) -> anyhow::Result<()> {
    let blobs = out.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).with_context(|| format!("create {}", blobs.display()))?;
    let (layer, diff_id) = layer::pack(files)?;
    let layer = blob(&blobs, "application/vnd.oci.image.layer.v1.tar+gzip", &layer)?;
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": ["/tenure"], "User": format!("{USER}:{USER}"), "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{diff_id}")]},
    });
    let config = blob(
        &blobs,
        "application/vnd.oci.image.config.v1+json",
        config.to_string().as_bytes(),
    )?;
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]});
    let mut manifest = blob(&blobs, media_type, manifest.to_string().as_bytes())?;
    manifest["platform"] = json!({"architecture": architecture, "os": "linux"});
    manifest["annotations"] =
        json!({"org.opencontainers.image.ref.name": concat!("v", env!("CARGO_PKG_VERSION"))});
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest],
    });
    put(&out.join("index.json"), index.to_string().as_bytes())?;
    put(&out.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)
}

/// Writes a blob under its digest; its descriptor.
fn blob(blobs: &Path, media_type: &str, bytes: &[u8]) -> anyhow::Result<Value> {
    let digest = hex(bytes);
    put(&blobs.join(&digest), bytes)?;
    Ok(json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len()}))
}

fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
}

/// SHA-256 in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests;
