use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, DirBuilder, DirBuilderExt as _, OpenOptions, OpenOptionsExt as _};
use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};
use tenure_core::{Digest, Sha256Writer};

use crate::{Budget, PathError, check_path};

/// What tar itself may add to every entry: its header, padding, and a header for a long name.
const OVERHEAD: u64 = 8 << 10;
/// The only extension an artifact needs; others change sizes, owners or link targets.
const PAX_PATH: &str = "path";

/// An artifact that lies beneath the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The name of its folder: the digest's hex digits.
    pub folder: PathBuf,
    /// Whether it was there before, and nothing was read.
    pub reused: bool,
}

/// Why an artifact was not unpacked. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// An entry's path is not one an artifact may hold.
    #[error("refusing to unpack the artifact: {0}")]
    Path(#[from] PathError),
    /// A link, a device, or a header that two readers could understand differently.
    #[error("refusing to unpack the artifact: {path:?} is {what}")]
    Entry {
        /// The entry's path, as far as it could be read.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// More than the budget once decompressed.
    #[error("refusing to unpack the artifact: it has more than {limit} {of}")]
    TooLarge {
        /// How much is allowed.
        limit: u64,
        /// Of what.
        of: &'static str,
    },
    /// The bytes are not those that were asked for.
    #[error("the artifact's digest is {found}, not {wanted}: it was damaged or replaced on its way")]
    Digest {
        /// Digest of the bytes read.
        found: Digest,
        /// Digest asked for.
        wanted: Digest,
    },
    /// Reading the archive or writing files.
    #[error("unpacking the artifact: {0}")]
    Io(#[from] io::Error),
}

/// Unpacks the `tar.gz` in `bytes` into the folder `<hex digits>` of `parent`, once its digest is verified.
///
/// Files are placed through the directory handle, so no path in the archive can name one outside of it.
///
/// # Errors
/// [`UnpackError`] tells refusals from failures.
pub fn unpack(
    bytes: impl Read,
    digest: Digest,
    parent: &Dir,
    budget: Budget,
) -> Result<Unpacked, UnpackError> {
    let folder = PathBuf::from(digest.hex());
    if parent.is_dir(&folder) {
        return Ok(Unpacked { folder, reused: true });
    }
    let partial = partial_name(parent, &folder)?;
    let done = unpack_into(bytes, digest, parent, &partial, budget).and_then(|()| {
        match parent.rename(&partial, parent, &folder) {
            // another thread was faster; the content is the same by digest
            Err(_) if parent.is_dir(&folder) => Ok(parent.remove_dir_all(&partial)?),
            other => Ok(other?),
        }
    });
    if done.is_err() {
        parent.remove_dir_all(&partial).ok();
    }
    done.map(|()| Unpacked {
        folder,
        reused: false,
    })
}

fn partial_name(parent: &Dir, folder: &Path) -> io::Result<PathBuf> {
    let mut private = DirBuilder::new();
    private.mode(0o700);
    for attempt in 0..1000u32 {
        let name = PathBuf::from(format!(".{}.{attempt}", folder.display()));
        match parent.create_dir_with(&name, &private) {
            Ok(()) => return Ok(name),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "too many unfinished copies of one artifact",
    ))
}

fn unpack_into(
    bytes: impl Read,
    digest: Digest,
    parent: &Dir,
    partial: &Path,
    budget: Budget,
) -> Result<(), UnpackError> {
    let root = parent.open_dir(partial)?;
    let limit = budget
        .bytes
        .saturating_add(budget.entries.saturating_mul(OVERHEAD))
        .saturating_add(OVERHEAD);
    let hashing = Hashing {
        inner: bytes,
        hash: Sha256Writer::new(io::sink()),
    };
    let mut archive = Archive::new(Bounded {
        inner: GzDecoder::new(hashing),
        left: limit,
    });
    let placed = place_all(&mut archive, &root, budget);
    let exhausted = archive.into_inner();
    if placed.is_err() && exhausted.left == 0 {
        return Err(UnpackError::TooLarge {
            limit: budget.bytes,
            of: "bytes of content",
        });
    }
    placed?;
    verify(exhausted.inner.into_inner(), digest)
}

fn verify(mut rest: Hashing<impl Read>, wanted: Digest) -> Result<(), UnpackError> {
    io::copy(&mut rest, &mut io::sink())?;
    let (_, found, _) = rest.hash.finish();
    if found == wanted {
        Ok(())
    } else {
        Err(UnpackError::Digest { found, wanted })
    }
}

fn place_all(archive: &mut Archive<impl Read>, root: &Dir, budget: Budget) -> Result<(), UnpackError> {
    let (mut entries, mut content) = (0u64, 0u64);
    for entry in archive.entries()? {
        let mut entry = entry?;
        entries += 1;
        if entries > budget.entries {
            return Err(UnpackError::TooLarge {
                limit: budget.entries,
                of: "files",
            });
        }
        content = content.saturating_add(entry.size());
        if content > budget.bytes {
            return Err(UnpackError::TooLarge {
                limit: budget.bytes,
                of: "bytes of content",
            });
        }
        place(&mut entry, root)?;
    }
    Ok(())
}

fn place(entry: &mut Entry<'_, impl Read>, root: &Dir) -> Result<(), UnpackError> {
    let raw = entry.path_bytes().into_owned();
    let shown = String::from_utf8_lossy(&raw)
        .chars()
        .take(200)
        .collect::<String>();
    let refuse = |what| UnpackError::Entry {
        path: shown.clone(),
        what,
    };
    let path = std::str::from_utf8(&raw).map_err(|_| refuse("not a UTF-8 name"))?;
    refuse_ambiguity(entry).map_err(refuse)?;
    match entry.header().entry_type() {
        EntryType::Directory => {
            let path = path.strip_suffix('/').unwrap_or(path);
            if matches!(path, "." | "") {
                return Ok(());
            }
            check_path(path)?;
            Ok(directories(root, path)?)
        }
        EntryType::Regular => {
            check_path(path)?;
            if let Some((parents, _)) = path.rsplit_once('/') {
                directories(root, parents)?;
            }
            Ok(write_file(entry, root, path)?)
        }
        EntryType::Symlink | EntryType::Link => Err(refuse("a link")),
        _ => Err(refuse("neither a file nor a directory")),
    }
}

/// A second size, or any extension but a long path, is how entries are smuggled past one of two readers.
fn refuse_ambiguity(entry: &mut Entry<'_, impl Read>) -> Result<(), &'static str> {
    if entry.header().entry_size().ok() != Some(entry.size()) {
        return Err("given two sizes");
    }
    let Some(extensions) = entry.pax_extensions().map_err(|_| "under a broken PAX header")? else {
        return Ok(());
    };
    for extension in extensions {
        let extension = extension.map_err(|_| "under a broken PAX header")?;
        if extension.key() != Ok(PAX_PATH) {
            return Err("under a PAX header with more than a path");
        }
    }
    Ok(())
}

fn directories(root: &Dir, path: &str) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o750);
    root.create_dir_with(path, &builder)
}

fn write_file(entry: &mut Entry<'_, impl Read>, root: &Dir, path: &str) -> io::Result<()> {
    let executable = entry.header().mode()? & 0o100 != 0;
    let mut options = OpenOptions::new();
    // create_new: a second entry of the same name must not replace what was checked
    options
        .write(true)
        .create_new(true)
        .mode(if executable { 0o700 } else { 0o600 });
    let mut file = root.open_with(path, &options)?;
    let copied = io::copy(entry, &mut file)?;
    if copied != entry.size() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "a file in the archive is cut short",
        ));
    }
    Ok(())
}

/// Hashes what is read.
struct Hashing<R> {
    inner: R,
    hash: Sha256Writer<io::Sink>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        io::Write::write_all(&mut self.hash, buf.get(..read).unwrap_or_default())?;
        Ok(read)
    }
}

/// Fails, rather than ends, after so many bytes.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buf.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the archive decompresses to more than its budget",
            ));
        }
        let most = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.inner.read(buf.get_mut(..most).unwrap_or_default())?;
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
