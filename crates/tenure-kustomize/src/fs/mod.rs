mod dir;
mod mem;

use std::io;

pub use dir::DirFs;
pub use mem::MemFs;

use crate::RelPath;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name, without a path.
    pub name: String,
    /// What it leads to.
    pub kind: Kind,
}

/// The files of one source, all beneath one root.
pub trait FileSystem {
    /// What is at `path`, or nothing.
    ///
    /// # Errors
    /// When it cannot be found out, or a link leaves the root.
    fn kind(&self, path: &RelPath) -> io::Result<Option<Kind>>;

    /// The bytes of a file, at most `limit`.
    ///
    /// # Errors
    /// When it is not a readable file, a link leaves the root, or it is larger
    /// ([`io::ErrorKind::FileTooLarge`]).
    fn read(&self, path: &RelPath, limit: u64) -> io::Result<Vec<u8>>;

    /// The entries of a directory, at most `limit`, sorted by name.
    ///
    /// # Errors
    /// When it is not a readable directory, or there are more ([`io::ErrorKind::FileTooLarge`]).
    fn list(&self, path: &RelPath, limit: usize) -> io::Result<Vec<Entry>>;

    /// Why nothing is at `path`, if more is known than that.
    fn missing_hint(&self, _path: &RelPath) -> Option<String> {
        None
    }
}
