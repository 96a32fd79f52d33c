//! The memo: which artifact a commit or a manifest gave, under which ignore rules and for which parts of it.
//!
//! One small file per entry beside the store. An entry whose artifact is gone is worth nothing, and a
//! lost one costs an export; so nothing is synced, and what can't be read does not exist.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tenure_artifact::Store;
use tenure_core::Digest;

/// Entries that nobody asked for in this long are removed.
const KEEP: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a commit or a manifest became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Of the archive.
    pub(crate) digest: Digest,
    /// Of the archive, in bytes.
    pub(crate) size: u64,
    /// When the archive was made.
    #[serde(default = "SystemTime::now")]
    pub(crate) made: SystemTime,
    /// First line of the commit message.
    pub(crate) subject: String,
    /// What the artifact is, unless an archive like all others.
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    /// What the artifact's maker says of it.
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
    /// Symbolic links that the archive does not hold: path and target.
    pub(crate) dropped_links: Vec<(String, String)>,
    /// The commit and the tag, as they are.
    #[serde(default)]
    pub(crate) objects: Vec<tenure_git::RawObject>,
}

/// Names an entry. The remote is part of it: a remote that claims to be at another's content must not
/// be given it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(Digest);

impl Key {
    /// The key for content of the remote called `realm`, made into an archive of this `shape`.
    pub(crate) fn new(realm: &str, content: &str, shape: &[&str]) -> Self {
        let mut bytes = Vec::new();
        let mut part = |text: &str| {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        };
        // Raise the number when the same content would give other bytes.
        part("2");
        part(realm);
        part(content);
        shape.iter().for_each(|text| part(text));
        Self(Digest::of(&bytes))
    }
}

/// The entries, on disk.
#[derive(Clone, Debug)]
pub(crate) struct Memo {
    root: PathBuf,
}

impl Memo {
    /// The memo in `root`, which is made when first written to.
    pub(crate) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The entry, if its artifact is still in `store`.
    pub(crate) fn get(&self, key: &Key, store: &Store) -> Option<Entry> {
        let path = self.path(key);
        let entry: Entry = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        if !store.contains(&entry.digest, entry.size) {
            fs::remove_file(&path).ok();
            return None;
        }
        Some(entry)
    }

    /// Remembers an entry.
    pub(crate) fn put(&self, key: &Key, entry: &Entry) -> io::Result<()> {
        let path = self.path(key);
        let dir = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(dir)?;
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&serde_json::to_vec(entry)?)?;
        file.persist(path)?;
        Ok(())
    }

    /// Removes entries that are old, and files that a crash has left.
    pub(crate) fn sweep(&self) -> io::Result<usize> {
        let mut removed = 0;
        for shard in read_dir(&self.root)? {
            for file in read_dir(&shard)? {
                let age = fs::metadata(&file)?.modified()?;
                if SystemTime::now().duration_since(age).is_ok_and(|age| age > KEEP) {
                    fs::remove_file(&file)?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    fn path(&self, key: &Key) -> PathBuf {
        let hex = key.0.hex();
        self.root.join(hex.get(..2).unwrap_or_default()).join(hex)
    }
}

fn read_dir(path: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_differs_in_everything_that_changes_the_bytes() {
        let commit = "a".repeat(40);
        let keys = [
            Key::new("r", &commit, &["default", ""]),
            Key::new("other", &commit, &["default", ""]),
            Key::new("r", &"b".repeat(40), &["default", ""]),
            Key::new("r", &commit, &["ignore", ""]),
            Key::new("r", &commit, &["ignore", "*.md"]),
            Key::new("r", &commit, &["default", "", "ab"]),
            Key::new("r", &commit, &["default", "", "a", "b"]),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn an_entry_lives_as_long_as_its_artifact() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path().join("artifacts")).expect("opens");
        let memo = Memo::new(dir.path().join("memo"));
        let key = Key::new("r", "c", &[]);
        let file = store.incoming().join("new");
        fs::write(&file, b"hello").expect("writable");
        let digest = Digest::of(b"hello");
        let entry = Entry {
            digest,
            size: 5,
            made: SystemTime::now(),
            subject: "first".into(),
            media_type: None,
            annotations: BTreeMap::new(),
            dropped_links: Vec::new(),
            objects: Vec::new(),
        };
        memo.put(&key, &entry).expect("writable");
        assert_eq!(memo.get(&key, &store), None, "no artifact, no entry");
        memo.put(&key, &entry).expect("writable");
        store.put(&file, &digest, 5).expect("moved");
        assert_eq!(memo.get(&key, &store), Some(entry));
        store.remove(&digest).expect("removed");
        assert_eq!(memo.get(&key, &store), None);
    }
}
