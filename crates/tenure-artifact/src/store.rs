use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tenure_core::Digest;

const SUFFIX: &str = ".tar.gz";
const INCOMING: &str = "incoming";

/// Artifacts in a folder, each at a path made of its digest.
///
/// A file appears whole or not at all. Nothing is synced to disk: what a power cut damages is found by its
/// digest on the next read, and fetched again.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// One artifact of a [`Store`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub digest: Digest,
    /// Bytes on disk.
    pub size: u64,
    /// When it was last put or opened.
    pub used: SystemTime,
}

/// Why the store cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such artifact (any more).
    #[error("artifact {0} is not in the store")]
    Missing(Digest),
    /// The file has another size than the artifact; it was removed.
    #[error("artifact {digest} has {found} bytes on disk, not {wanted}")]
    Size {
        /// The artifact.
        digest: Digest,
        /// Bytes on disk.
        found: u64,
        /// Bytes it should have.
        wanted: u64,
    },
    /// The file system failed.
    #[error("{what} in the artifact store: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { what, source }
}

impl Store {
    /// Opens or creates the store, and removes files that were left unfinished by a crash.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        let incoming = root.join(INCOMING);
        if incoming.exists() {
            fs::remove_dir_all(&incoming).map_err(io_error("removing unfinished files"))?;
        }
        fs::create_dir_all(&incoming).map_err(io_error("making its folders"))?;
        Ok(Self { root })
    }

    /// The folder where files for [`put`](Self::put) are written; on the same file system as the store.
    #[must_use]
    pub fn incoming(&self) -> PathBuf {
        self.root.join(INCOMING)
    }

    /// Where an artifact lies, or would lie.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let shard = hex.get(..2).unwrap_or_default();
        self.root.join(shard).join(format!("{hex}{SUFFIX}"))
    }

    /// Takes the finished file at `from`, whose digest the caller computed while writing it.
    ///
    /// # Errors
    /// [`StoreError::Size`] when the file is not `size` bytes long, [`StoreError::Io`] when it cannot be moved.
    pub fn put(&self, from: &Path, digest: &Digest, size: u64) -> Result<(), StoreError> {
        let found = fs::metadata(from).map_err(io_error("reading a new file"))?.len();
        if found != size {
            return Err(StoreError::Size {
                digest: *digest,
                found,
                wanted: size,
            });
        }
        let path = self.path(digest);
        if let Some(shard) = path.parent() {
            fs::create_dir_all(shard).map_err(io_error("making a folder"))?;
        }
        fs::rename(from, path).map_err(io_error("moving a new file"))
    }

    /// Opens an artifact for reading and counts that as a use.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or [`StoreError::Size`] when the file was damaged (it is then removed).
    pub fn get(&self, digest: &Digest, size: u64) -> Result<File, StoreError> {
        let path = self.path(digest);
        let file = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(StoreError::Missing(*digest)),
            other => other.map_err(io_error("opening an artifact"))?,
        };
        let found = file
            .metadata()
            .map_err(io_error("reading an artifact's size"))?
            .len();
        if found != size {
            fs::remove_file(&path).map_err(io_error("removing a damaged artifact"))?;
            return Err(StoreError::Size {
                digest: *digest,
                found,
                wanted: size,
            });
        }
        let now = SystemTime::now();
        file.set_times(FileTimes::new().set_modified(now))
            .map_err(io_error("noting an artifact's use"))?;
        Ok(file)
    }

    /// Whether an artifact of that size is there; not a use.
    #[must_use]
    pub fn contains(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.path(digest)).is_ok_and(|m| m.is_file() && m.len() == size)
    }

    /// Removes an artifact; one that is not there is no error.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file is there and stays.
    pub fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        match fs::remove_file(self.path(digest)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error("removing an artifact")(e)),
            _ => Ok(()),
        }
    }

    /// All artifacts, in no order. Files that are not artifacts are passed over.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Stored>, StoreError> {
        let mut all = Vec::new();
        for shard in fs::read_dir(&self.root).map_err(io_error("listing"))? {
            let shard = shard.map_err(io_error("listing"))?.path();
            if !shard.is_dir() || shard.ends_with(INCOMING) {
                continue;
            }
            for file in fs::read_dir(shard).map_err(io_error("listing"))? {
                all.extend(stored(&file.map_err(io_error("listing"))?));
            }
        }
        Ok(all)
    }
}

fn stored(file: &fs::DirEntry) -> Option<Stored> {
    let name = file.file_name();
    let hex = name.to_str()?.strip_suffix(SUFFIX)?;
    let metadata = file.metadata().ok()?;
    Some(Stored {
        digest: format!("sha256:{hex}").parse().ok()?,
        size: metadata.len(),
        used: metadata.modified().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::time::Duration;

    fn store() -> (tempfile::TempDir, Store) {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(temp.path().join("store")).expect("it opens");
        (temp, store)
    }

    fn put(store: &Store, content: &[u8], age: u64) -> Digest {
        let digest = Digest::of(content);
        let from = store.incoming().join("new");
        fs::write(&from, content).expect("it writes");
        let used = SystemTime::now() - Duration::from_secs(age);
        File::open(&from)
            .and_then(|f| f.set_times(FileTimes::new().set_modified(used)))
            .expect("it ages");
        store
            .put(&from, &digest, content.len() as u64)
            .expect("it is taken");
        digest
    }

    #[test]
    fn what_is_put_can_be_read_and_listed() {
        let (_temp, store) = store();
        let digest = put(&store, b"hello", 0);
        let mut content = String::new();
        store
            .get(&digest, 5)
            .expect("it is there")
            .read_to_string(&mut content)
            .expect("it reads");
        assert_eq!(content, "hello");
        assert!(store.contains(&digest, 5) && !store.contains(&digest, 4));
        assert_eq!(
            store
                .list()
                .expect("a listing")
                .iter()
                .map(|s| s.digest)
                .collect::<Vec<_>>(),
            [digest]
        );
        assert!(matches!(
            store.get(&Digest::of(b"x"), 1),
            Err(StoreError::Missing(_))
        ));
    }

    #[test]
    fn a_file_of_another_size_is_neither_taken_nor_served() {
        let (_temp, store) = store();
        let from = store.incoming().join("new");
        fs::write(&from, b"abc").expect("it writes");
        assert!(matches!(
            store.put(&from, &Digest::of(b"abcd"), 4),
            Err(StoreError::Size { found: 3, .. })
        ));
        let digest = put(&store, b"hello", 0);
        fs::write(store.path(&digest), b"hell").expect("it is damaged");
        assert!(matches!(
            store.get(&digest, 5),
            Err(StoreError::Size { found: 4, .. })
        ));
        assert!(matches!(store.get(&digest, 5), Err(StoreError::Missing(_))));
    }

    #[test]
    fn opening_counts_as_a_use() {
        let (_temp, store) = store();
        let [a, b] = [(b"aaaa", 300), (b"bbbb", 200)].map(|(c, age)| put(&store, c, age));
        drop(store.get(&a, 4).expect("it is there"));
        let mut all = store.list().expect("a listing");
        all.sort_by_key(|stored| stored.used);
        assert_eq!(all.iter().map(|stored| stored.digest).collect::<Vec<_>>(), [b, a]);
    }

    #[test]
    fn unfinished_files_go_when_the_store_opens() {
        let (temp, store) = store();
        fs::write(store.incoming().join("partial"), b"x").expect("it writes");
        let again = Store::open(temp.path().join("store")).expect("it opens");
        assert_eq!(fs::read_dir(again.incoming()).expect("a listing").count(), 0);
    }
}
