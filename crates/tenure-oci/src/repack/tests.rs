use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use super::{Repack, RepackError};
use crate::Limits;

/// One entry: kind, path as it is written, content or link target, mode.
type Made<'a> = (EntryType, &'a str, &'a [u8], u32);

fn entry(kind: EntryType, path: &str, content: &[u8], mode: u32) -> (Header, Vec<u8>) {
    let mut header = Header::new_gnu();
    let name = header.as_old_mut();
    // raw bytes: the crate itself would not write a path that climbs
    name.name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(1_700_000_000);
    header.set_uid(1000);
    let content = if kind == EntryType::Regular {
        content.to_vec()
    } else {
        let old = header.as_old_mut();
        old.linkname[..content.len()].copy_from_slice(content);
        Vec::new()
    };
    header.set_size(content.len() as u64);
    header.set_cksum();
    (header, content)
}

fn layer(entries: &[Made<'_>]) -> Vec<u8> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (kind, path, content, mode) in entries {
        let (header, content) = entry(*kind, path, content, *mode);
        tar.append(&header, &content[..]).expect("a Vec takes everything");
    }
    tar.into_inner().expect("it ends").finish().expect("it ends")
}

struct Done {
    names: Vec<String>,
    bytes: Vec<u8>,
    dropped: Vec<(String, String)>,
}

fn run(layer: &[u8], ignore: Option<&str>, limits: Limits) -> Result<Done, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut file = tempfile::tempfile_in(dir.path()).expect("a file");
    file.write_all(layer).expect("it is written");
    file.rewind().expect("it is a file");
    let content = tempfile::tempfile_in(dir.path()).expect("a file");
    let out = dir.path().join("out");
    let repack = Repack {
        limits,
        ignore: ignore.map(ToOwned::to_owned),
    };
    let (packed, dropped) = repack.run(&file, &content, &out).map_err(|e| match e {
        RepackError::Malformed(text) => format!("malformed: {text}"),
        RepackError::TooLarge(text) => format!("too large: {text}"),
        RepackError::Local(text) => format!("local: {text}"),
    })?;
    let mut bytes = Vec::new();
    File::open(&out).and_then(|mut f| f.read_to_end(&mut bytes)).expect("it is there");
    assert_eq!(tenure_core::Digest::of(&bytes), packed.digest);
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    let names = archive.entries().expect("a tar").map(|entry| {
        let entry = entry.expect("an entry");
        let mode = entry.header().mode().expect("a mode");
        format!("{} {mode:o}", entry.path().expect("a path").display())
    });
    Ok(Done {
        names: names.collect(),
        bytes: bytes.clone(),
        dropped,
    })
}

const FILE: EntryType = EntryType::Regular;
const DIRECTORY: EntryType = EntryType::Directory;

#[test]
fn a_layer_becomes_the_artifact_that_its_files_would_be_in_git() {
    let one = layer(&[
        (DIRECTORY, "./", b"", 0o755),
        (FILE, "./b/run.sh", b"#!/bin/sh\n", 0o755),
        (FILE, "./a.yaml", b"a: 1\n", 0o644),
        (DIRECTORY, "./empty/", b"", 0o755),
    ]);
    let other = layer(&[
        (FILE, "a.yaml", b"a: 1\n", 0o600),
        (DIRECTORY, "empty", b"", 0o700),
        (DIRECTORY, "b", b"", 0o700),
        (FILE, "b/run.sh", b"#!/bin/sh\n", 0o700),
    ]);
    let one = run(&one, None, Limits::default()).expect("it is packed");
    assert_eq!(one.names, ["a.yaml 600", "b/ 750", "b/run.sh 700", "empty/ 750"]);
    let other = run(&other, None, Limits::default()).expect("it is packed");
    assert_eq!(one.bytes, other.bytes, "the same tree gives the same bytes");
}

#[test]
fn ignore_rules_count_and_links_are_dropped_and_named() {
    let layer = layer(&[
        (FILE, ".sourceignore", b"*.md\n", 0o644),
        (FILE, "docs/x.md", b"x", 0o644),
        (FILE, "docs/y.txt", b"y", 0o644),
        (FILE, "secret.txt", b"s", 0o644),
        (EntryType::Symlink, "link", b"/etc/passwd", 0o777),
    ]);
    let done = run(&layer, Some("/secret.txt\n"), Limits::default()).expect("it is packed");
    assert_eq!(done.names, [".sourceignore 600", "docs/ 750", "docs/y.txt 600"]);
    assert_eq!(done.dropped, [("link".to_owned(), "/etc/passwd".to_owned())]);
}

#[test]
fn a_layer_with_a_path_that_climbs_or_a_device_is_refused() {
    let cases: &[Made<'_>] = &[
        (FILE, "../x", b"x", 0o644),
        (FILE, "a/../../x", b"x", 0o644),
        (FILE, "/etc/passwd", b"x", 0o644),
        (FILE, "a\\b", b"x", 0o644),
        (EntryType::Link, "hard", b"a", 0o644),
        (EntryType::Char, "dev", b"", 0o644),
        (EntryType::Fifo, "pipe", b"", 0o644),
    ];
    for case in cases {
        let error = run(&layer(&[*case]), None, Limits::default()).err().unwrap_or_default();
        assert!(error.starts_with("malformed"), "{}: {error}", case.1);
    }
}

#[test]
fn a_path_that_is_two_things_is_refused() {
    for entries in [
        [(FILE, "a", &b"1"[..], 0o644), (FILE, "a", b"2", 0o644)],
        [(FILE, "a", b"1", 0o644), (FILE, "a/b", b"2", 0o644)],
        [(DIRECTORY, "a", b"", 0o755), (FILE, "a", b"2", 0o644)],
        [(EntryType::Symlink, "a", b"/etc", 0o777), (FILE, "a/passwd", b"2", 0o644)],
    ] {
        let error = run(&layer(&entries), None, Limits::default()).err().unwrap_or_default();
        assert!(error.starts_with("malformed"), "{error}");
    }
}

#[test]
fn an_entry_with_a_second_size_in_a_pax_header_is_refused() {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    tar.append_pax_extensions([("size", &b"1024"[..])]).expect("written");
    let (header, content) = entry(FILE, "a", &[b'x'; 512], 0o644);
    tar.append(&header, &content[..]).expect("written");
    let bytes = tar.into_inner().expect("it ends").finish().expect("it ends");
    let error = run(&bytes, None, Limits::default()).err().unwrap_or_default();
    assert!(error.starts_with("malformed"), "{error}");
}

#[test]
fn a_long_path_and_foreign_times_in_pax_headers_are_accepted() {
    let long = format!("{}/file", ["directory"; 20].join("/"));
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    tar.append_pax_extensions([("path", long.as_bytes()), ("mtime", b"1700000000.5")])
        .expect("written");
    let (header, content) = entry(FILE, "short", b"x", 0o644);
    tar.append(&header, &content[..]).expect("written");
    let bytes = tar.into_inner().expect("it ends").finish().expect("it ends");
    let done = run(&bytes, None, Limits::default()).expect("it is packed");
    assert_eq!(done.names.last(), Some(&format!("{long} 600")));
}

#[test]
fn a_gzip_bomb_and_too_many_files_end_at_the_limit() {
    let limits = Limits {
        artifact_bytes: 1 << 20,
        entries: 8,
        ..Limits::default()
    };
    let zeros = vec![0; 8 << 20];
    let bomb = layer(&[(FILE, "zeros", &zeros, 0o644)]);
    assert!(bomb.len() < 256 << 10, "it is a bomb");
    let error = run(&bomb, None, limits).err().unwrap_or_default();
    assert!(error.starts_with("too large") && error.contains("1048576"), "{error}");
    let names: Vec<String> = (0..9).map(|n| format!("f{n}")).collect();
    let many: Vec<Made<'_>> = names.iter().map(|n| (FILE, n.as_str(), &b""[..], 0o644)).collect();
    let error = run(&layer(&many), None, limits).err().unwrap_or_default();
    assert!(error.starts_with("too large"), "{error}");
}

#[test]
fn what_is_no_tar_gz_is_said_to_be_copied() {
    let whole = layer(&[(FILE, "a", &[b'x'; 4096], 0o644)]);
    for bad in [&b"plain text"[..], &whole[..whole.len() - 12]] {
        let error = run(bad, None, Limits::default()).err().unwrap_or_default();
        assert!(error.contains("copy"), "{error}");
    }
}
