use std::fs;
use std::io::Write as _;
use std::path::Path;

use tempfile::TempDir;
use tenure_helm::{Chart, DirFs, File, Limits, LoadError};

const CHART: &[u8] = b"apiVersion: v2\nname: c\nversion: 1.0.0\n";

pub(crate) fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (path, bytes) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("has a parent")).expect("made");
        fs::write(path, bytes).expect("written");
    }
    dir
}

fn from_dir(root: &Path, path: &str, limits: &Limits) -> Result<Chart, LoadError> {
    Chart::from_dir(&DirFs::open(root).expect("opens"), path, limits)
}

/// An archive; names are written as they are.
pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().div_ceil(512) * 512, 0);
    }
    tar.resize(tar.len() + 1024, 0);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(&tar).expect("packs");
    gz.finish().expect("packs")
}

fn names(files: &[File]) -> Vec<&str> {
    files.iter().map(|file| &*file.name).collect()
}

#[test]
fn a_directory_is_read_with_its_ignore_rules() {
    let dir = tree(&[
        ("c/Chart.yaml", CHART),
        (
            "c/.helmignore",
            b"# no\n*.bak\n/secret.txt\ndocs/\ntemplates/skip-*.yaml\n",
        ),
        ("c/secret.txt", b"no"),
        ("c/sub/secret.txt", b"yes"),
        ("c/docs/a.txt", b"no"),
        ("c/a.bak", b"no"),
        ("c/b.txt", b"\xef\xbb\xbfyes"),
        ("c/templates/.hidden", b"no"),
        ("c/templates/skip-me.yaml", b"no"),
        ("c/templates/a.yaml", b"yes"),
    ]);
    let chart = from_dir(dir.path(), "c", &Limits::default()).expect("loads");
    assert_eq!(names(&chart.files), [".helmignore", "b.txt", "sub/secret.txt"]);
    assert_eq!(*chart.files[1].bytes(), *b"yes", "without the mark at its start");
    assert_eq!(names(&chart.templates), ["templates/a.yaml"]);
}

#[test]
fn links_are_followed_within_the_root_only() {
    let dir = tree(&[
        ("in/c/Chart.yaml", CHART),
        ("in/shared/a.yaml", b"kind: A"),
        ("out.yaml", b"kind: Out"),
    ]);
    let link = |to: &str, at: &str| {
        std::os::unix::fs::symlink(to, dir.path().join(at)).expect("linked");
    };
    link("../shared", "in/c/templates");
    let root = dir.path().join("in");
    let chart = from_dir(&root, "c", &Limits::default()).expect("loads");
    assert_eq!(names(&chart.templates), ["templates/a.yaml"]);
    link("../../out.yaml", "in/c/out.yaml");
    from_dir(&root, "c", &Limits::default()).expect_err("leads out");
    from_dir(dir.path(), "in/c", &Limits::default()).expect("within the wider root");
}

#[test]
fn a_directory_in_itself_ends() {
    let dir = tree(&[("c/Chart.yaml", CHART)]);
    std::os::unix::fs::symlink(".", dir.path().join("c/again")).expect("linked");
    from_dir(dir.path(), "c", &Limits::default()).expect_err("endless");
}

#[test]
fn an_archive_is_read_with_the_charts_within_it() {
    let inner = archive(&[("sub/Chart.yaml", b"apiVersion: v2\nname: sub\nversion: 0.1.0\n")]);
    let bytes = archive(&[
        ("c/values.yaml", b"a: 1\n"),
        ("c/Chart.yaml", CHART),
        ("c/charts/sub-0.1.0.tgz", &inner),
        ("c/charts/dir/Chart.yaml", b"name: dir\nversion: 0.1.0\n"),
        ("c/charts/dir/x.txt", b"x"),
        ("c/charts/sub-0.1.0.tgz.prov", b"signed"),
    ]);
    let chart = Chart::from_archive(&bytes, &Limits::default()).expect("loads");
    let subcharts: Vec<_> = chart.dependencies.iter().map(Chart::name).collect();
    assert_eq!(subcharts, ["dir", "sub"]);
    assert_eq!(names(&chart.files), ["charts/sub-0.1.0.tgz.prov"]);
}

#[test]
fn archives_that_lead_out_or_are_no_charts_are_refused_in_helms_words() {
    let load = |files: &[(&str, &[u8])]| {
        Chart::from_archive(&archive(files), &Limits::default())
            .expect_err("refused")
            .to_string()
    };
    for (name, want) in [
        ("c/../../x", "chart illegally references parent directory"),
        ("c//etc/passwd", "chart illegally contains absolute paths"),
        ("c/d:/x", "chart contains illegally named files"),
        (
            "x",
            "chart illegally contains content outside the base directory: \"x\"",
        ),
    ] {
        assert_eq!(load(&[("c/Chart.yaml", CHART), (name, b"x")]), want);
    }
    assert_eq!(load(&[]), "no files in chart archive");
    assert_eq!(
        load(&[("c/a", b"")]),
        "unable to detect chart version, no Chart.yaml found"
    );
    let text = Chart::from_archive(b"plain", &Limits::default()).expect_err("no archive");
    assert_eq!(text.to_string(), "gzip: invalid header");
}

#[test]
fn sizes_are_bounded() {
    let limits = Limits {
        file: 1000,
        chart: 2000,
        files: 5,
        charts: 2,
        ..Limits::default()
    };
    let large = vec![b'x'; 1001];
    let some = vec![b'x'; 900];
    let refused = |files: &[(&str, &[u8])]| {
        let all: Vec<(&str, &[u8])> = [("c/Chart.yaml", CHART)]
            .into_iter()
            .chain(files.iter().copied())
            .collect();
        let archive = Chart::from_archive(&archive(&all), &limits).expect_err("too much");
        from_dir(tree(&all).path(), "c", &limits).expect_err("too much");
        archive.to_string()
    };
    assert_eq!(
        refused(&[("c/a", &large)]),
        "decompressed chart file \"c/a\" is larger than the maximum file size 1000"
    );
    assert_eq!(
        refused(&[("c/a", &some), ("c/b", &some), ("c/d", &some)]),
        "decompressed chart is larger than the maximum size 2000"
    );
    refused(&[
        ("c/1", b""),
        ("c/2", b""),
        ("c/3", b""),
        ("c/4", b""),
        ("c/5", b""),
    ]);
    refused(&[
        ("c/charts/a/Chart.yaml", CHART),
        ("c/charts/a/charts/a/Chart.yaml", CHART),
        ("c/charts/a/charts/a/charts/a/Chart.yaml", CHART),
    ]);
}

#[test]
fn an_archive_in_an_archive_counts_what_it_unpacks_to() {
    let zeros = vec![0_u8; 4 << 20];
    let mut bytes = archive(&[("c/Chart.yaml", CHART), ("c/zeros", &zeros)]);
    for _ in 0..3 {
        bytes = archive(&[
            ("c/Chart.yaml", CHART),
            ("c/zeros", &zeros),
            ("c/charts/c.tgz", &bytes),
        ]);
    }
    Chart::from_archive(&bytes, &Limits::default()).expect("16 MiB are allowed");
    let limits = Limits {
        chart: 10 << 20,
        ..Limits::default()
    };
    let error = Chart::from_archive(&bytes, &limits).expect_err("too much");
    assert!(
        error.to_string().contains("larger than the maximum size"),
        "{error}"
    );
}
