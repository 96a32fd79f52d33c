use std::collections::BTreeMap;

use tenure_core::Digest;

use crate::{Entry, FileSystem, Kind, RelPath};

/// What a build saw at one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A file with this content.
    File(Digest),
    /// A directory with these names and kinds.
    Listing(Digest),
    /// A directory; its names did not matter.
    Dir,
    /// A file; its content did not matter.
    SomeFile,
    /// Nothing.
    Missing,
}

/// Everything that a build looked at. If all of it is unchanged, so is the result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSet(BTreeMap<RelPath, Noted>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Noted {
    seen: Seen,
    /// Bytes of the file or names in the listing: whatever has more has changed.
    size: u64,
}

impl ReadSet {
    /// The paths and what was there.
    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, &Seen)> {
        self.0.iter().map(|(path, noted)| (path, &noted.seen))
    }

    /// Whether a build of `fs` would see the same. Reads nothing else, and no more than was read before.
    pub fn unchanged(&self, fs: &dyn FileSystem) -> bool {
        self.0.iter().all(|(path, noted)| noted.matches(fs, path))
    }

    /// One digest over all of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let lines: String = self
            .iter()
            .map(|(path, seen)| format!("{}\0{seen:?}\n", path.as_str()))
            .collect();
        Digest::of(lines.as_bytes())
    }

    pub(crate) fn note_file(&mut self, path: &RelPath, bytes: &[u8]) {
        self.insert(path, Seen::File(Digest::of(bytes)), bytes.len());
    }

    pub(crate) fn note_listing(&mut self, path: &RelPath, entries: &[Entry]) {
        self.insert(path, Seen::Listing(listing(entries)), entries.len());
    }

    fn insert(&mut self, path: &RelPath, seen: Seen, size: usize) {
        let size = size as u64;
        self.0.insert(path.clone(), Noted { seen, size });
    }

    /// The content of a file or listing says more than that it exists.
    pub(crate) fn note(&mut self, path: &RelPath, seen: Seen) {
        match (self.0.get(path).map(|noted| noted.seen), seen) {
            (Some(Seen::File(_) | Seen::Listing(_)), Seen::Dir | Seen::SomeFile) => {}
            _ => {
                self.insert(path, seen, 0);
            }
        }
    }
}

fn listing(entries: &[Entry]) -> Digest {
    let text: String = entries
        .iter()
        .map(|e| format!("{}\0{:?}\n", e.name, e.kind))
        .collect();
    Digest::of(text.as_bytes())
}

impl Noted {
    fn matches(self, fs: &dyn FileSystem, path: &RelPath) -> bool {
        match self.seen {
            Seen::File(digest) => fs
                .read(path, self.size)
                .is_ok_and(|bytes| Digest::of(&bytes) == digest),
            Seen::Listing(digest) => fs
                .list(path, usize::try_from(self.size).unwrap_or(usize::MAX))
                .is_ok_and(|entries| listing(&entries) == digest),
            Seen::Dir => matches!(fs.kind(path), Ok(Some(Kind::Dir))),
            Seen::SomeFile => matches!(fs.kind(path), Ok(Some(Kind::File))),
            Seen::Missing => matches!(fs.kind(path), Ok(None)),
        }
    }
}
