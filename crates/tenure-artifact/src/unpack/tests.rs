use super::*;
use crate::ArchiveWriter;
use cap_std::ambient_authority;
use std::io::Write as _;

fn root() -> (tempfile::TempDir, Dir) {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let dir = Dir::open_ambient_dir(temp.path(), ambient_authority()).expect("it opens");
    (temp, dir)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(bytes).expect("memory");
    gz.finish().expect("memory")
}

/// One entry with a name that no honest writer would accept.
fn entry(name: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header
        .as_old_mut()
        .name
        .iter_mut()
        .zip(name.bytes())
        .for_each(|(to, from)| *to = from);
    header.set_entry_type(kind);
    header.set_mode(0o777);
    header.set_size(content.len() as u64);
    if kind.is_symlink() || kind.is_hard_link() {
        header.set_link_name("/etc/passwd").expect("a short name");
    }
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn pax(record: &str) -> Vec<u8> {
    entry("pax", EntryType::XHeader, record.as_bytes())
}

fn try_unpack(tar: &[u8], budget: Budget) -> (Result<Unpacked, UnpackError>, Vec<String>) {
    let (temp, dir) = root();
    let mut tar = tar.to_vec();
    tar.extend([0; 1024]);
    let bytes = gzip(&tar);
    let result = unpack(&bytes[..], Digest::of(&bytes), &dir, budget);
    let left = std::fs::read_dir(temp.path()).expect("a listing");
    (
        result,
        left.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect(),
    )
}

fn refused(tar: &[u8]) -> UnpackError {
    let (result, left) = try_unpack(tar, Budget::default());
    assert!(left.is_empty(), "left behind: {left:?}");
    result.expect_err("it is refused")
}

#[test]
fn what_was_packed_comes_back_once() {
    let (temp, dir) = root();
    let long = format!("d/{}", "x".repeat(200));
    let mut archive = ArchiveWriter::new(Vec::new(), Budget::default());
    archive.directory("d").expect("packs");
    archive.file("d/run", true, 2, &b"#!"[..]).expect("packs");
    archive.file(&long, false, 1, &b"l"[..]).expect("packs");
    archive.directory("empty").expect("packs");
    let (bytes, packed) = archive.finish().expect("packs");

    let unpacked = unpack(&bytes[..], packed.digest, &dir, Budget::default()).expect("unpacks");
    assert!(!unpacked.reused);
    let at = temp.path().join(&unpacked.folder);
    assert_eq!(std::fs::read(at.join("d/run")).expect("a file"), b"#!");
    assert_eq!(std::fs::read(at.join(&long)).expect("a file"), b"l");
    assert!(at.join("empty").is_dir());
    let mode = |path: &str| {
        std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(at.join(path)).expect("metadata"))
    };
    assert_eq!((mode("d/run") & 0o777, mode(&long) & 0o777), (0o700, 0o600));

    let again = unpack(io::empty(), packed.digest, &dir, Budget::default()).expect("it is there");
    assert!(again.reused);
}

#[test]
fn paths_that_climb_are_refused() {
    for name in ["../x", "/etc/x", "a/../../x", "a\\b", "./x", "a//b"] {
        assert!(
            matches!(
                refused(&entry(name, EntryType::Regular, b"x")),
                UnpackError::Path(_)
            ),
            "{name}"
        );
    }
}

#[test]
fn links_and_special_files_are_refused() {
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Fifo,
        EntryType::Char,
        EntryType::Block,
    ];
    for kind in kinds
        .into_iter()
        .chain([EntryType::GNUSparse, EntryType::Continuous])
    {
        assert!(
            matches!(
                refused(&entry("x", kind, b"")),
                UnpackError::Entry { .. } | UnpackError::Io(_)
            ),
            "{kind:?}"
        );
    }
}

#[test]
fn pax_headers_that_say_more_than_a_path_are_refused() {
    for record in [
        "10 size=0\n",
        "22 linkpath=/etc/pass\n",
        "20 GNU.sparse.major=1\n",
        "garbage",
    ] {
        let tar = [pax(record), entry("x", EntryType::Regular, b"hello")].concat();
        assert!(
            matches!(refused(&tar), UnpackError::Entry { .. } | UnpackError::Io(_)),
            "{record}"
        );
    }
    let climbing = [pax("16 path=../../x\n"), entry("x", EntryType::Regular, b"")].concat();
    assert!(matches!(refused(&climbing), UnpackError::Path(_)));
}

#[test]
fn a_name_given_twice_is_refused() {
    let tar = [
        entry("x", EntryType::Regular, b"1"),
        entry("x", EntryType::Regular, b"2"),
    ]
    .concat();
    assert!(matches!(refused(&tar), UnpackError::Io(_)));
}

#[test]
fn a_cut_archive_is_refused() {
    let mut tar = entry("x", EntryType::Regular, &[7; 4096]);
    tar.truncate(1024);
    let bytes = gzip(&tar);
    let (temp, dir) = root();
    assert!(unpack(&bytes[..], Digest::of(&bytes), &dir, Budget::default()).is_err());
    assert_eq!(std::fs::read_dir(temp.path()).expect("a listing").count(), 0);
}

#[test]
fn bombs_stop_at_the_budget() {
    let small = Budget {
        bytes: 1000,
        entries: 2,
    };
    let (result, left) = try_unpack(&entry("x", EntryType::Regular, &[0; 1001]), small);
    assert!(matches!(result, Err(UnpackError::TooLarge { limit: 1000, .. })) && left.is_empty());
    let many: Vec<u8> = ["a", "b", "c"]
        .iter()
        .flat_map(|n| entry(n, EntryType::Regular, b""))
        .collect();
    assert!(matches!(
        try_unpack(&many, small).0,
        Err(UnpackError::TooLarge { limit: 2, .. })
    ));
    let headers = pax(&"x".repeat(1 << 20));
    assert!(matches!(
        try_unpack(&headers, small).0,
        Err(UnpackError::TooLarge { .. })
    ));
}

#[test]
fn bytes_with_another_digest_leave_nothing() {
    let (temp, dir) = root();
    let (bytes, _) = ArchiveWriter::new(Vec::new(), Budget::default())
        .finish()
        .expect("packs");
    let wanted = Digest::of(b"other");
    assert!(matches!(
        unpack(&bytes[..], wanted, &dir, Budget::default()),
        Err(UnpackError::Digest { .. })
    ));
    assert_eq!(std::fs::read_dir(temp.path()).expect("a listing").count(), 0);
}
