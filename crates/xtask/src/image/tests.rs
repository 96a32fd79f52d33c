use super::*;

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

/// The blob of a descriptor, once its digest and size are right.
fn checked(out: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"]
        .as_str()
        .and_then(|d| d.strip_prefix("sha256:"))
        .expect("a digest");
    let bytes = std::fs::read(out.join("blobs/sha256").join(digest)).expect("a blob");
    assert_eq!(
        (hex(&bytes).as_str(), bytes.len() as u64),
        (digest, descriptor["size"].as_u64().expect("a size"))
    );
    bytes
}

/// A place of the test's own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tenure-image-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn packed(binary: &Path, out: &Path) -> Value {
    run(&Args {
        binary: binary.to_owned(),
        out: out.to_owned(),
    })
    .expect("an image");
    read(&out.join("index.json"))["manifests"][0].clone()
}

#[test]
fn every_digest_is_right_and_the_same_program_gives_the_same_image() {
    let scratch = Scratch::new("digests");
    let [first, second] = ["a", "b"].map(|name| packed(Path::new("/bin/true"), &scratch.0.join(name)));
    assert_eq!(first, second);
    let out = scratch.0.join("a");
    let manifest: Value = serde_json::from_slice(&checked(&out, &first)).expect("a manifest");
    let config: Value = serde_json::from_slice(&checked(&out, &manifest["config"])).expect("a config");
    let plain = plain(&checked(&out, &manifest["layers"][0]));
    assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", hex(&plain)));
    assert_eq!(config["config"]["User"], "65532:65532");
}

fn plain(gzip: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(gzip), &mut plain).expect("gzip");
    plain
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test is whether it runs")]
fn the_program_runs_with_nothing_but_the_image_around_it() {
    let scratch = Scratch::new("chroot");
    let manifest: Value = {
        let out = scratch.0.join("image");
        let binary = tenure_testkit::tenure_binary().expect("the program");
        let descriptor = packed(&binary, &out);
        serde_json::from_slice(&checked(&out, &descriptor)).expect("a manifest")
    };
    let layer = checked(&scratch.0.join("image"), &manifest["layers"][0]);
    let root = scratch.0.join("root");
    tar::Archive::new(plain(&layer).as_slice())
        .unpack(&root)
        .expect("unpacks");
    assert!(
        std::fs::read_to_string(root.join("etc/passwd"))
            .expect("passwd")
            .contains("nonroot:x:65532")
    );
    let output = std::process::Command::new("chroot")
        .arg(&root)
        .args(["/tenure", "--version"])
        .output()
        .expect("chroot");
    // 125 is chroot's own failure: not root. Any other failure is the image's.
    if output.status.code() != Some(125) {
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.starts_with("tenure "), "{output:?}");
    }
}
