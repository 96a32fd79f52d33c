//! Everything on disk, for async callers: artifacts, memo, and a directory per remote.
//!
//! The disk is a cache. Whatever is missing is made again, also when somebody empties the whole
//! directory while the service runs.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tenure_artifact::{Evicted, Store, StoreError};
use tenure_core::Digest;
use tokio::task::spawn_blocking;

use crate::memo::{Entry, Key, Memo};

/// Objects of a remote that nobody asked for in this long are removed.
const KEEP_REMOTE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The data directory.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    store: Store,
    memo: Memo,
}

impl Disk {
    /// Opens or makes the directories in `root`.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root.join("remotes"))?;
        let store = Store::open(root.join("artifacts")).map_err(io::Error::other)?;
        Ok(Self {
            root: root.to_owned(),
            store,
            memo: Memo::new(root.join("memo")),
        })
    }

    /// The directory for one remote's objects, made if need be. Fetchers write there and nowhere
    /// above, so that what is above can be trusted.
    pub(crate) async fn remote(&self, realm: &str) -> io::Result<PathBuf> {
        let dir = self.root.join("remotes").join(realm);
        blocking(move || {
            let objects = dir.join("odb");
            fs::create_dir_all(&objects)?;
            // Its time says when the remote was last used.
            fs::write(dir.join("used"), b"")?;
            Ok(objects)
        })
        .await
    }

    /// A new directory for one archive, removed with the guard.
    pub(crate) async fn incoming(&self) -> io::Result<tempfile::TempDir> {
        let incoming = self.store.incoming();
        blocking(move || {
            fs::create_dir_all(&incoming)?;
            tempfile::TempDir::new_in(incoming)
        })
        .await
    }

    /// The memo's entry, if its artifact is here.
    pub(crate) async fn recall(&self, key: Key) -> Option<Entry> {
        let (memo, store) = (self.memo.clone(), self.store.clone());
        blocking(move || Ok(memo.get(&key, &store))).await.ok().flatten()
    }

    /// Takes a finished archive into the store and remembers what it is.
    pub(crate) async fn keep(&self, archive: PathBuf, key: Key, entry: Entry) -> io::Result<()> {
        let (memo, store) = (self.memo.clone(), self.store.clone());
        blocking(move || {
            store
                .put(&archive, &entry.digest, entry.size)
                .map_err(io::Error::other)?;
            memo.put(&key, &entry)
        })
        .await
    }

    /// An artifact's file; `None` when it is not here.
    pub(crate) async fn read(&self, digest: Digest, size: u64) -> io::Result<Option<fs::File>> {
        let store = self.store.clone();
        blocking(move || match store.get(&digest, size) {
            Ok(file) => Ok(Some(file)),
            Err(StoreError::Missing(_) | StoreError::Size { .. }) => Ok(None),
            Err(error) => Err(io::Error::other(error)),
        })
        .await
    }

    /// Whether a file can be written.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        let root = self.root.clone();
        blocking(move || {
            fs::create_dir_all(&root)?;
            tempfile::tempfile_in(root).map(drop)
        })
        .await
    }

    /// Removes what was not used for longest: archives beyond `most` bytes, old remotes and entries.
    pub(crate) async fn sweep(&self, most: u64) -> io::Result<Evicted> {
        let this = self.clone();
        blocking(move || {
            this.memo.sweep()?;
            sweep_remotes(&this.root.join("remotes"))?;
            this.store.evict(most, &HashSet::new()).map_err(io::Error::other)
        })
        .await
    }
}

fn sweep_remotes(root: &Path) -> io::Result<()> {
    for dir in fs::read_dir(root)? {
        let dir = dir?.path();
        let used = fs::metadata(dir.join("used"))
            .and_then(|meta| meta.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH);
        if SystemTime::now()
            .duration_since(used)
            .is_ok_and(|age| age > KEEP_REMOTE)
        {
            fs::remove_dir_all(dir)?;
        }
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}
