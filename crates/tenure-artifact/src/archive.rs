use std::cmp::Ordering;
use std::io::{self, Read, Write};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};
use tenure_core::{Digest, Sha256Writer};

use crate::{Budget, PathError, check_path};

const FILE: u32 = 0o600;
const EXECUTABLE: u32 = 0o700;
const DIRECTORY: u32 = 0o750;
/// "Unknown" in RFC 1952: the bytes say nothing of the machine.
const OS_UNKNOWN: u8 = 255;

/// What [`ArchiveWriter::finish`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The digest of the compressed bytes.
    pub digest: Digest,
    /// The number of compressed bytes.
    pub size: u64,
    /// Files and directories in it.
    pub entries: u64,
    /// Bytes of file content, not compressed.
    pub content: u64,
}

/// Why an archive was not written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The path is not one an artifact may hold.
    #[error("cannot pack an entry: {0}")]
    Path(#[from] PathError),
    /// The caller did not sort; the bytes would depend on him.
    #[error("cannot pack {0:?}: it does not come after the entry before it")]
    Order(String),
    /// More content than the budget.
    #[error(
        "the artifact is larger than {limit} bytes; ignore files that are not needed, or raise the limit"
    )]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// More entries than the budget.
    #[error("the artifact has more than {limit} files; ignore files that are not needed, or raise the limit")]
    TooMany {
        /// Entries allowed.
        limit: u64,
    },
    /// Reading the content or writing the archive.
    #[error("writing the artifact: {0}")]
    Io(#[from] io::Error),
}

/// Writes a deterministic `tar.gz`: entries come sorted by [`compare`](Self::compare), and carry no owner, no
/// time and no mode but executable or not.
pub struct ArchiveWriter<W: Write> {
    tar: Builder<GzEncoder<Sha256Writer<W>>>,
    budget: Budget,
    last: String,
    entries: u64,
    content: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Starts an archive; `out` should be buffered if writes to it are dear.
    pub fn new(out: W, budget: Budget) -> Self {
        let gzip = GzBuilder::new()
            .mtime(0)
            .operating_system(OS_UNKNOWN)
            .write(Sha256Writer::new(out), Compression::default());
        Self {
            tar: Builder::new(gzip),
            budget,
            last: String::new(),
            entries: 0,
            content: 0,
        }
    }

    /// The order of entries: by path parts, a directory before what is in it.
    #[must_use]
    pub fn compare(a: &str, b: &str) -> Ordering {
        a.split('/').cmp(b.split('/'))
    }

    /// Adds a directory.
    ///
    /// # Errors
    /// See [`ArchiveError`].
    pub fn directory(&mut self, path: &str) -> Result<(), ArchiveError> {
        self.admit(path, 0)?;
        self.append(path, EntryType::Directory, DIRECTORY, 0, &mut io::empty())
    }

    /// Adds a regular file of `size` bytes read from `content`.
    ///
    /// # Errors
    /// See [`ArchiveError`]; content that is shorter or longer than `size` is an I/O error.
    pub fn file(
        &mut self,
        path: &str,
        executable: bool,
        size: u64,
        mut content: impl Read,
    ) -> Result<(), ArchiveError> {
        self.admit(path, size)?;
        let mode = if executable { EXECUTABLE } else { FILE };
        self.append(path, EntryType::Regular, mode, size, &mut content)
    }

    /// Ends the archive; the inner writer has everything but a flush.
    ///
    /// # Errors
    /// [`ArchiveError::Io`] when the last bytes cannot be written.
    pub fn finish(self) -> Result<(W, Packed), ArchiveError> {
        let Self {
            tar,
            entries,
            content,
            ..
        } = self;
        let (out, digest, size) = tar.into_inner()?.finish()?.finish();
        Ok((
            out,
            Packed {
                digest,
                size,
                entries,
                content,
            },
        ))
    }

    fn admit(&mut self, path: &str, size: u64) -> Result<(), ArchiveError> {
        check_path(path)?;
        if !self.last.is_empty() && Self::compare(&self.last, path) != Ordering::Less {
            return Err(ArchiveError::Order(path.to_owned()));
        }
        self.entries += 1;
        if self.entries > self.budget.entries {
            return Err(ArchiveError::TooMany {
                limit: self.budget.entries,
            });
        }
        self.content = self.content.saturating_add(size);
        if self.content > self.budget.bytes {
            return Err(ArchiveError::TooLarge {
                limit: self.budget.bytes,
            });
        }
        path.clone_into(&mut self.last);
        Ok(())
    }

    fn append(
        &mut self,
        path: &str,
        kind: EntryType,
        mode: u32,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        let name = if kind.is_dir() {
            format!("{path}/")
        } else {
            path.to_owned()
        };
        if header.set_path(&name).is_err() {
            self.tar.append_pax_extensions([("path", name.as_bytes())])?;
            header.set_path(if kind.is_dir() { "long/" } else { "long" })?;
        }
        header.set_cksum();
        let mut exact = Exact {
            inner: content,
            left: size,
        };
        self.tar.append(&header, &mut exact)?;
        exact.end()?;
        Ok(())
    }
}

/// Reads exactly so many bytes: tar would write a short or long entry as it comes and break what follows.
struct Exact<'a> {
    inner: &'a mut dyn Read,
    left: u64,
}

impl Read for Exact<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let want = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.inner.read(buf.get_mut(..want).unwrap_or_default())?;
        if read == 0 && want > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "a file is shorter than its size",
            ));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

impl Exact<'_> {
    fn end(self) -> io::Result<()> {
        match self.inner.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a file is longer than its size",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
