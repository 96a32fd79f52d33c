//! Directories on disk with links, pipes and other things that are no files.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tenure_kustomize::flux::{self, Overlay};
use tenure_kustomize::{DirFs, FileSystem as _, LoadRestriction, Options, RelPath, build};

use crate::OBJECT;

const SECRET: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: outside}\n";

/// A root with a kustomization of `x`, beside a file that is none of its business.
fn root() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    fs::create_dir(dir.path().join("root")).expect("the root");
    fs::write(dir.path().join("outside.yaml"), SECRET).expect("a file outside");
    fs::write(dir.path().join("root/kustomization.yaml"), "resources: [x]\n").expect("a kustomization");
    dir
}

fn built(dir: &Path) -> Result<String, String> {
    let files = DirFs::open(&dir.join("root")).expect("the root");
    let options = Options {
        restriction: LoadRestriction::None,
        ..Options::default()
    };
    let started = Instant::now();
    let done = build(&files, ".", &options)
        .map(|b| b.to_yaml())
        .map_err(|e| e.to_string());
    assert!(started.elapsed() < Duration::from_secs(30), "it waited");
    let _ = flux::build(&files, ".", &Overlay::default());
    done
}

#[test]
fn links_that_leave_or_loop_are_errors() {
    for target in [
        "../outside.yaml",
        "/etc/passwd",
        "x",
        "../root/../outside.yaml",
        "/proc/self/environ",
        "/dev/zero",
    ] {
        let dir = root();
        symlink(target, dir.path().join("root/x")).expect("a link");
        let error = built(dir.path()).expect_err(target);
        assert!(!error.contains("outside\n"), "{error}");
    }
    let dir = root();
    symlink("..", dir.path().join("root/up")).expect("a link");
    fs::write(
        dir.path().join("root/kustomization.yaml"),
        "resources: [up/outside.yaml]\n",
    )
    .expect("written");
    assert!(built(dir.path()).is_err());
    symlink(".", dir.path().join("root/here")).expect("a link");
    fs::write(
        dir.path().join("root/kustomization.yaml"),
        "resources: [here/here/here]\n",
    )
    .expect("written");
    assert!(built(dir.path()).is_err());
}

#[test]
fn paths_that_leave_are_errors() {
    for path in [
        "../outside.yaml",
        "/etc/passwd",
        "a/../../outside.yaml",
        "./../outside.yaml",
        "..",
        "/",
        "a\\0/../..",
        "%2e%2e/outside.yaml",
    ] {
        let dir = root();
        fs::write(
            dir.path().join("root/kustomization.yaml"),
            format!("resources: [\"{path}\"]\n"),
        )
        .expect("written");
        assert!(built(dir.path()).is_err(), "{path}");
        fs::write(
            dir.path().join("root/kustomization.yaml"),
            format!("configMapGenerator: [{{name: g, files: [\"k={path}\"]}}]\n"),
        )
        .expect("written");
        assert!(built(dir.path()).is_err(), "{path}");
    }
}

#[test]
fn pipes_sockets_and_devices_are_not_waited_for() {
    let dir = root();
    let pipe = dir.path().join("root/x");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).expect("a pipe");
    assert!(built(dir.path()).is_err());
    fs::remove_file(&pipe).expect("removed");
    let _socket = UnixListener::bind(&pipe).expect("a socket");
    assert!(built(dir.path()).is_err());
}

#[test]
fn a_pipe_that_takes_the_place_of_a_file_is_not_waited_for() {
    let dir = root();
    let (path, other) = (dir.path().join("root/x"), dir.path().join("root/pipe"));
    rustix::fs::mkfifoat(rustix::fs::CWD, &other, rustix::fs::Mode::RWXU).expect("a pipe");
    let spare = dir.path().join("root/spare");
    symlink("../outside.yaml", dir.path().join("root/link")).expect("a link");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fs::write(&spare, OBJECT).expect("written");
                fs::rename(&spare, &path).expect("a file");
                let _ = fs::hard_link(&other, &spare).map(|()| fs::rename(&spare, &path));
                let _ = symlink("../outside.yaml", &spare).map(|()| fs::rename(&spare, &path));
            }
        });
        for _ in 0..300 {
            if let Ok(text) = built(dir.path()) {
                assert!(!text.contains("outside"), "{text}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_file_that_is_too_large_is_refused_by_its_size() {
    let dir = root();
    let file = fs::File::create(dir.path().join("root/x")).expect("a file");
    file.set_len(1 << 40).expect("a hole");
    let error = built(dir.path()).expect_err("a terabyte");
    assert!(error.contains("bytes"), "{error}");
}

#[test]
fn a_file_that_has_grown_has_changed_and_is_not_read() {
    let dir = root();
    fs::write(dir.path().join("root/x"), OBJECT).expect("written");
    let files = DirFs::open(&dir.path().join("root")).expect("the root");
    let seen = build(&files, ".", &Options::default())
        .expect("it builds")
        .read_set;
    assert!(seen.unchanged(&files));
    let file = fs::File::create(dir.path().join("root/x")).expect("a file");
    file.set_len(1 << 40).expect("a hole");
    assert!(!seen.unchanged(&files));
}

#[test]
fn a_directory_of_too_many_names_is_not_listed() {
    let dir = TempDir::new().expect("a directory");
    for i in 0..100 {
        fs::write(dir.path().join(format!("{i}")), "").expect("written");
    }
    let files = DirFs::open(dir.path()).expect("the root");
    assert!(files.list(&RelPath::root(), 99).is_err());
    assert_eq!(files.list(&RelPath::root(), 100).expect("as many").len(), 100);
}
