//! Everything on disk, for async callers: artifacts, memo, and a directory per remote.
//!
//! The disk is a cache. Whatever is missing is made again, also when somebody empties the whole
//! directory while the service runs.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tenure_artifact::{Store, StoreError};
use tenure_core::Digest;
use tokio::task::spawn_blocking;

use crate::memo::{Entry, Key, Memo};

/// A remote whose objects were used so recently may be in use: a fetch takes no longer.
const IN_USE: Duration = Duration::from_secs(900);

/// What was made so recently may not have been granted yet to whom it was made for.
const JUST_NOW: Duration = Duration::from_secs(5);

/// What is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// All archives together, in bytes; and the same again for the objects of remotes.
    pub(crate) bytes: u64,
    /// What nobody has used for longer goes, however much room there is.
    pub(crate) age: Duration,
}

/// What an eviction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evicted {
    /// Artifacts removed.
    pub(crate) count: usize,
    /// Bytes freed.
    pub(crate) freed: u64,
    /// Bytes that remain.
    pub(crate) kept: u64,
}

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

    /// The artifacts that are here.
    pub(crate) async fn present(&self) -> io::Result<HashSet<Digest>> {
        let store = self.store.clone();
        blocking(move || {
            let all = store.list().map_err(io::Error::other)?;
            Ok(all.iter().map(|stored| stored.digest).collect())
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

    /// Removes what was not used for longest, archives and objects of remotes, and old entries; never what is `held`.
    pub(crate) async fn sweep(&self, keep: Keep, held: HashSet<Digest>) -> io::Result<Evicted> {
        let this = self.clone();
        blocking(move || {
            this.memo.sweep()?;
            sweep_remotes(&this.root.join("remotes"), keep)?;
            evict(&this.store, keep, &held).map_err(io::Error::other)
        })
        .await
    }
}

/// Removes archives that nobody has used for too long, then those used least recently until the rest has room.
fn evict(store: &Store, keep: Keep, held: &HashSet<Digest>) -> Result<Evicted, StoreError> {
    let mut all = store.list()?;
    all.sort_by_key(|stored| (stored.used, stored.digest));
    let mut done = Evicted {
        kept: all.iter().map(|stored| stored.size).sum(),
        ..Evicted::default()
    };
    for stored in all {
        let age = SystemTime::now().duration_since(stored.used).unwrap_or_default();
        let may_go = age > JUST_NOW && !held.contains(&stored.digest);
        if may_go && (age > keep.age || done.kept > keep.bytes) {
            store.remove(&stored.digest)?;
            done.count += 1;
            done.freed += stored.size;
            done.kept -= stored.size;
        }
    }
    Ok(done)
}

/// Removes the objects of remotes that nobody has fetched from for too long, then those used least recently until the
/// rest has room; none that a fetch may use now.
fn sweep_remotes(root: &Path, keep: Keep) -> io::Result<()> {
    let mut remotes = Vec::new();
    for dir in fs::read_dir(root)? {
        let dir = dir?.path();
        let used = fs::metadata(dir.join("used"))
            .and_then(|meta| meta.modified())
            .unwrap_or(SystemTime::UNIX_EPOCH);
        remotes.push((used, weigh(&dir)?, dir));
    }
    remotes.sort();
    let mut all: u64 = remotes.iter().map(|(_, size, _)| size).sum();
    for (used, size, dir) in remotes {
        let age = SystemTime::now().duration_since(used).unwrap_or_default();
        if age > IN_USE && (age > keep.age || all > keep.bytes) {
            fs::remove_dir_all(dir)?;
            all -= size;
        }
    }
    Ok(())
}

/// Bytes of all files below `dir`; what vanishes meanwhile weighs nothing.
fn weigh(dir: &Path) -> io::Result<u64> {
    let mut sum = 0;
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        match entry.metadata() {
            Ok(meta) if meta.is_dir() => sum += weigh(&entry.path())?,
            Ok(meta) => sum += meta.len(),
            Err(_) => {}
        }
    }
    Ok(sum)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn age(path: &Path, by: Duration) {
        let times = fs::FileTimes::new().set_modified(SystemTime::now() - by);
        let file = fs::File::options().write(true).open(path).expect("it is there");
        file.set_times(times).expect("it ages");
    }

    fn put(disk: &Disk, content: &[u8], by: Duration) -> Digest {
        let digest = Digest::of(content);
        let from = disk.store.incoming().join("new");
        fs::write(&from, content).expect("writable");
        disk.store
            .put(&from, &digest, content.len() as u64)
            .expect("taken");
        age(&disk.store.path(&digest), by);
        digest
    }

    #[tokio::test]
    async fn what_was_not_used_for_longest_goes_and_what_somebody_holds_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Disk::open(dir.path()).expect("opens");
        let held = put(&disk, b"held and old", DAY * 9);
        let old = put(&disk, b"old", DAY * 8);
        let (first, second) = (put(&disk, b"first", DAY), put(&disk, b"second", DAY / 2));
        let keep = Keep {
            bytes: 20,
            age: DAY * 7,
        };
        let done = disk.sweep(keep, HashSet::from([held])).await.expect("swept");
        assert_eq!((done.count, done.kept), (2, 18), "too old, and too much");
        let left: HashSet<Digest> = disk
            .store
            .list()
            .expect("a list")
            .iter()
            .map(|one| one.digest)
            .collect();
        assert_eq!(left, HashSet::from([held, second]));
        assert!(!left.contains(&old) && !left.contains(&first));
    }

    #[tokio::test]
    async fn objects_of_remotes_have_a_limit_too_and_those_in_use_stay() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Disk::open(dir.path()).expect("opens");
        for (realm, by) in [("now", Duration::ZERO), ("today", DAY / 2), ("before", DAY * 2)] {
            let objects = disk.remote(realm).await.expect("a place");
            fs::write(objects.join("pack"), [0; 100]).expect("writable");
            age(&dir.path().join("remotes").join(realm).join("used"), by);
        }
        let left = |keep: Keep| {
            let (disk, root) = (disk.clone(), dir.path().join("remotes"));
            async move {
                disk.sweep(keep, HashSet::new()).await.expect("swept");
                let entries = fs::read_dir(root).expect("a list");
                let names = entries.map(|entry| entry.expect("an entry").file_name());
                let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
                names.sort();
                names
            }
        };
        let room = Keep {
            bytes: 1000,
            age: DAY * 7,
        };
        assert_eq!(left(room).await, ["before", "now", "today"]);
        let tight = Keep { bytes: 250, ..room };
        assert_eq!(left(tight).await, ["now", "today"]);
        let none = Keep { bytes: 0, ..room };
        assert_eq!(left(none).await, ["now"], "a fetch may be using it");
    }
}
