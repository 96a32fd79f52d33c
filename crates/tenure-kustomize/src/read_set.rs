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
pub struct ReadSet(BTreeMap<RelPath, Seen>);

impl ReadSet {
    /// The paths and what was there.
    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, &Seen)> {
        self.0.iter()
    }

    /// Whether a build of `fs` would see the same.
    pub fn unchanged(&self, fs: &dyn FileSystem) -> bool {
        self.0.iter().all(|(path, seen)| matches(fs, path, *seen))
    }

    /// One digest over all of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let lines: String = self
            .0
            .iter()
            .map(|(path, seen)| format!("{}\0{seen:?}\n", path.as_str()))
            .collect();
        Digest::of(lines.as_bytes())
    }

    /// The content of a file or listing says more than that it exists.
    pub(crate) fn note(&mut self, path: &RelPath, seen: Seen) {
        match (self.0.get(path), seen) {
            (Some(Seen::File(_) | Seen::Listing(_)), Seen::Dir | Seen::SomeFile) => {}
            _ => {
                self.0.insert(path.clone(), seen);
            }
        }
    }
}

pub(crate) fn listing(entries: &[Entry]) -> Digest {
    let text: String = entries
        .iter()
        .map(|e| format!("{}\0{:?}\n", e.name, e.kind))
        .collect();
    Digest::of(text.as_bytes())
}

fn matches(fs: &dyn FileSystem, path: &RelPath, seen: Seen) -> bool {
    match seen {
        Seen::File(digest) => fs
            .read(path, u64::MAX - 1)
            .is_ok_and(|bytes| Digest::of(&bytes) == digest),
        Seen::Listing(digest) => fs.list(path).is_ok_and(|entries| listing(&entries) == digest),
        Seen::Dir => matches!(fs.kind(path), Ok(Some(Kind::Dir))),
        Seen::SomeFile => matches!(fs.kind(path), Ok(Some(Kind::File))),
        Seen::Missing => matches!(fs.kind(path), Ok(None)),
    }
}
