use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::{Entry, FileSystem, Kind};
use crate::RelPath;

/// Files held in memory.
#[derive(Debug, Clone, Default)]
pub struct MemFs {
    files: BTreeMap<RelPath, Vec<u8>>,
    dirs: BTreeSet<RelPath>,
}

impl MemFs {
    /// Files from paths and contents; a path that leaves the root is left out.
    pub fn new<P: AsRef<str>, C: Into<Vec<u8>>>(files: impl IntoIterator<Item = (P, C)>) -> Self {
        let mut fs = Self::default();
        fs.dirs.insert(RelPath::root());
        for (path, content) in files {
            fs.insert(path.as_ref(), content);
        }
        fs
    }

    /// Adds or replaces a file; a path that leaves the root is left out.
    pub fn insert(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        let Ok(path) = RelPath::parse(path) else { return };
        let mut dir = path.parent();
        while !dir.as_str().is_empty() {
            let parent = dir.parent();
            self.dirs.insert(dir);
            dir = parent;
        }
        self.files.insert(path, content.into());
    }
}

impl FileSystem for MemFs {
    fn kind(&self, path: &RelPath) -> io::Result<Option<Kind>> {
        Ok(if self.files.contains_key(path) {
            Some(Kind::File)
        } else {
            (path.as_str().is_empty() || self.dirs.contains(path)).then_some(Kind::Dir)
        })
    }

    fn read(&self, path: &RelPath, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        if bytes.len() as u64 > limit {
            Err(io::ErrorKind::FileTooLarge.into())
        } else {
            Ok(bytes.clone())
        }
    }

    fn list(&self, path: &RelPath, limit: usize) -> io::Result<Vec<Entry>> {
        let inside = |p: &&RelPath| !p.as_str().is_empty() && p.parent() == *path;
        let entry = |p: &RelPath, kind| Entry {
            name: p.name().to_owned(),
            kind,
        };
        let files = self.files.keys().filter(inside).map(|p| entry(p, Kind::File));
        let dirs = self.dirs.iter().filter(inside).map(|p| entry(p, Kind::Dir));
        let mut all: Vec<Entry> = files.chain(dirs).collect();
        if all.len() > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        all.sort();
        Ok(all)
    }
}
