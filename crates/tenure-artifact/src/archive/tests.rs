use super::*;

fn pack(budget: Budget) -> Result<(Vec<u8>, Packed), ArchiveError> {
    let mut archive = ArchiveWriter::new(Vec::new(), budget);
    archive.directory("bin")?;
    archive.file("bin/run", true, 2, &b"#!"[..])?;
    archive.file(&format!("bin/{}", "x".repeat(180)), false, 1, &b"l"[..])?;
    archive.file("bin.txt", false, 3, &b"abc"[..])?;
    archive.finish()
}

#[test]
fn the_same_tree_gives_the_same_bytes_and_their_digest() {
    let (a, packed) = pack(Budget::default()).expect("the tree packs");
    let (b, _) = pack(Budget::default()).expect("the tree packs");
    assert_eq!(a, b);
    assert_eq!((packed.digest, packed.size), (Digest::of(&a), a.len() as u64));
    assert_eq!((packed.entries, packed.content), (4, 6));
    assert_eq!(&a[4..10], &[0, 0, 0, 0, 0, 255], "no time, no operating system");
}

#[test]
fn headers_carry_flux_modes_and_nothing_of_the_machine() {
    let (bytes, _) = pack(Budget::default()).expect("the tree packs");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    let mut seen = Vec::new();
    for entry in archive.entries().expect("an archive") {
        let entry = entry.expect("an entry");
        let header = entry.header();
        assert_eq!(
            (header.uid().ok(), header.gid().ok(), header.mtime().ok()),
            (Some(0), Some(0), Some(0))
        );
        assert_eq!(header.username().ok().flatten().unwrap_or_default(), "");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        seen.push((path, header.mode().expect("a mode")));
    }
    let long = format!("bin/{}", "x".repeat(180));
    let expected = [
        ("bin/", 0o750),
        ("bin/run", 0o700),
        (&long, 0o600),
        ("bin.txt", 0o600),
    ];
    assert_eq!(seen, expected.map(|(path, mode)| (path.to_owned(), mode)));
}

#[test]
fn budgets_hold() {
    assert!(matches!(
        pack(Budget { bytes: 5, entries: 9 }),
        Err(ArchiveError::TooLarge { limit: 5 })
    ));
    assert!(matches!(
        pack(Budget { bytes: 6, entries: 3 }),
        Err(ArchiveError::TooMany { limit: 3 })
    ));
    assert!(pack(Budget { bytes: 6, entries: 4 }).is_ok());
}

#[test]
fn unsorted_or_climbing_entries_and_wrong_sizes_are_refused() {
    let mut archive = ArchiveWriter::new(Vec::new(), Budget::default());
    archive.file("b", false, 0, io::empty()).expect("sorted so far");
    assert!(matches!(
        archive.file("a", false, 0, io::empty()),
        Err(ArchiveError::Order(_))
    ));
    assert!(matches!(
        archive.file("b", false, 0, io::empty()),
        Err(ArchiveError::Order(_))
    ));
    assert!(matches!(
        archive.file("../c", false, 0, io::empty()),
        Err(ArchiveError::Path(_))
    ));
    assert!(matches!(
        archive.file("c", false, 2, &b"x"[..]),
        Err(ArchiveError::Io(_))
    ));
    assert!(matches!(
        archive.file("d", false, 1, &b"xy"[..]),
        Err(ArchiveError::Io(_))
    ));
}
