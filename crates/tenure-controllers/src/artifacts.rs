use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use parking_lot::Mutex;
use tenure_artifact::{Budget, Store, StoreError, UnpackError, unpack};
use tenure_core::Digest;

use crate::Resolved;
use crate::compose::{ComposeError, Composition, Part, Written};

/// Unpacked bytes allowed for each packed byte of the limit: what text compresses to, with room.
const UNPACK_FACTOR: u64 = 16;
/// How the cache marks a link of the repository that the archive does not hold.
pub(crate) const DROPPED_LINK: &str = "dropped-symlink:";
/// Most files and directories in one artifact.
const MAX_ENTRIES: u64 = 100_000;

/// The artifacts of one home: packed ones by digest, which outlive the worker so that it can go on
/// while the cache is away, and the trees unpacked from them.
#[derive(Debug, Clone)]
pub struct Artifacts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    trees: PathBuf,
    notes: PathBuf,
    store: Store,
    counter: AtomicU64,
    max_unpacked: u64,
    /// Artifacts on their way in.
    turns: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
}

/// An unpacked artifact.
#[derive(Debug)]
pub struct Tree {
    /// Beneath which everything is read.
    pub root: PathBuf,
    /// Links of the repository that the archive does not hold, with their targets.
    pub dropped: Vec<(String, String)>,
}

/// Why an artifact cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The scratch directory cannot be used.
    #[error("failed to use the artifact directory {0:?}")]
    Directory(PathBuf, #[source] io::Error),
    /// The store refused, or does not hold it.
    #[error("failed to keep or find the artifact")]
    Store(#[from] StoreError),
    /// The archive is not what its digest says, or not one that is safe to unpack.
    #[error("failed to unpack artifact {digest}")]
    Unpack {
        /// Which one.
        digest: Digest,
        /// What was wrong with it.
        #[source]
        source: Box<UnpackError>,
    },
}

impl ArtifactError {
    /// Whether the artifact is simply not here: it can be fetched again.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Store(StoreError::Missing(_)))
    }
}

impl Artifacts {
    /// Opens or makes the directories beneath `scratch`.
    ///
    /// # Errors
    /// When they can't be made.
    pub fn open(scratch: &Path, max_packed: u64) -> Result<Self, ArtifactError> {
        let make = |name: &str| {
            let path = scratch.join(name);
            fs::create_dir_all(&path).map_err(|error| ArtifactError::Directory(path.clone(), error))?;
            Ok::<_, ArtifactError>(path)
        };
        let (trees, notes) = (make("trees")?, make("notes")?);
        let store = Store::open(scratch.join("artifacts"))?;
        Ok(Self(Arc::new(Inner {
            trees,
            notes,
            store,
            counter: AtomicU64::new(0),
            turns: Mutex::default(),
            max_unpacked: max_packed.saturating_mul(UNPACK_FACTOR),
        })))
    }

    /// Whether the packed artifact is here.
    #[must_use]
    pub fn holds(&self, digest: &Digest) -> bool {
        self.0.store.path(digest).is_file()
    }

    /// Waits until nobody else fetches this artifact, and keeps others from it meanwhile: sources of one home that
    /// have the same content fetch it once.
    pub(crate) async fn turn(&self, digest: &Digest) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.turns.lock();
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(*digest).or_default().clone()
        };
        turn.lock_owned().await
    }

    /// A path for an artifact on its way in; its directory exists.
    #[must_use]
    pub fn incoming(&self) -> PathBuf {
        let number = self.0.counter.fetch_add(1, Ordering::Relaxed);
        self.0
            .store
            .incoming()
            .join(format!("{}-{number}", std::process::id()))
    }

    /// Takes in what was fetched to `from`.
    ///
    /// # Errors
    /// When the bytes are not those of the digest, or the disk refuses.
    pub fn accept(&self, from: &Path, resolved: &Resolved) -> Result<(), ArtifactError> {
        self.0.store.put(from, &resolved.digest, resolved.size)?;
        let note = self.note(&resolved.digest);
        let links = resolved.metadata.iter();
        let links = links.filter_map(|(key, target)| Some((key.strip_prefix(DROPPED_LINK)?, target)));
        let text = serde_json::to_vec(&links.collect::<Vec<_>>()).unwrap_or_default();
        fs::write(&note, text).map_err(|error| ArtifactError::Directory(note, error))
    }

    /// The packed artifact's bytes, for one that is small by its nature.
    ///
    /// # Errors
    /// When it is not here ([`ArtifactError::is_missing`]) or not what its digest says.
    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>, ArtifactError> {
        let path = self.0.store.path(digest);
        let bytes = fs::read(&path).map_err(|_| StoreError::Missing(*digest))?;
        if Digest::of(&bytes) != *digest {
            return Err(StoreError::Missing(*digest).into());
        }
        Ok(bytes)
    }

    /// The artifact's files.
    ///
    /// # Errors
    /// When it is not here ([`ArtifactError::is_missing`]) or not safe to unpack.
    pub fn tree(&self, digest: &Digest) -> Result<Tree, ArtifactError> {
        let directory = |error| ArtifactError::Directory(self.0.trees.clone(), error);
        let parent = Dir::open_ambient_dir(&self.0.trees, ambient_authority()).map_err(directory)?;
        let path = self.0.store.path(digest);
        let size = fs::metadata(&path)
            .map_err(|_| StoreError::Missing(*digest))?
            .len();
        let packed = self.0.store.get(digest, size)?;
        let budget = Budget {
            bytes: self.0.max_unpacked,
            entries: MAX_ENTRIES,
        };
        let unpacked = unpack(packed, *digest, &parent, budget).map_err(|source| ArtifactError::Unpack {
            digest: *digest,
            source: Box::new(source),
        })?;
        let note = fs::read(self.note(digest)).unwrap_or_default();
        Ok(Tree {
            root: self.0.trees.join(unpacked.folder),
            dropped: serde_json::from_slice(&note).unwrap_or_default(),
        })
    }

    /// Writes the artifact `base` with `parts` of others in it to `out`, and says what it has become. What `.sourceignore`
    /// files and `ignore` name is left out of the whole.
    ///
    /// # Errors
    /// When one of them is not here, a part is not there or in the way of something, or it becomes too large.
    pub fn compose(
        &self,
        base: Digest,
        parts: Vec<Part>,
        ignore: Option<&str>,
        max_bytes: u64,
        out: &Path,
    ) -> Result<Written, ComposeError> {
        let open = |digest: &Digest| {
            let root = self.tree(digest)?.root;
            Dir::open_ambient_dir(&root, ambient_authority())
                .map_err(|error| ArtifactError::Directory(root, error))
        };
        let mut whole = Composition::new(open(&base)?)?;
        for part in parts {
            whole.add(open(&part.digest)?, &part)?;
        }
        whole.write(ignore, max_bytes, out)
    }

    /// Removes what none of `keep` is: an earlier revision, the source of a deleted object.
    pub fn retain(&self, keep: &HashSet<Digest>) {
        let names: HashSet<String> = keep.iter().map(Digest::hex).collect();
        for (parent, directory) in [(&self.0.trees, true), (&self.0.notes, false)] {
            for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
                if names.contains(entry.file_name().to_string_lossy().as_ref()) {
                    continue;
                }
                let removed = if directory {
                    fs::remove_dir_all(entry.path())
                } else {
                    fs::remove_file(entry.path())
                };
                if let Err(error) = removed {
                    tracing::debug!(path = %entry.path().display(), %error, "failed to tidy up");
                }
            }
        }
        for stored in self
            .0
            .store
            .list()
            .into_iter()
            .flatten()
            .filter(|stored| !keep.contains(&stored.digest))
        {
            if let Err(error) = self.0.store.remove(&stored.digest) {
                tracing::debug!(digest = %stored.digest, %error, "failed to tidy up");
            }
        }
    }

    fn note(&self, digest: &Digest) -> PathBuf {
        self.0.notes.join(digest.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_artifact::ArchiveWriter;
    use tenure_core::{Revision, Secret};

    fn accepted(artifacts: &Artifacts, content: &str) -> Digest {
        let mut archive = ArchiveWriter::new(Vec::new(), Budget::default());
        archive
            .file("a.yaml", false, content.len() as u64, &mut content.as_bytes())
            .expect("fits");
        let (bytes, packed) = archive.finish().expect("packs");
        let incoming = artifacts.incoming();
        fs::write(&incoming, bytes).expect("writable");
        let resolved = Resolved {
            revision: Revision::git(Some("main"), &"a".repeat(40)),
            digest: packed.digest,
            size: packed.size,
            subject: String::new(),
            metadata: vec![
                ("dropped-symlink:link.yaml".into(), "../../etc/passwd".into()),
                ("something-else".into(), "x".into()),
            ],
            objects: Vec::new(),
            grant: Secret::new(*b""),
            leased_for: None,
            signatures: Vec::new(),
            link: None,
        };
        artifacts.accept(&incoming, &resolved).expect("its own digest");
        packed.digest
    }

    #[test]
    fn an_artifact_outlives_the_worker_that_fetched_it() {
        let scratch = tempfile::tempdir().expect("a directory");
        let digest = accepted(
            &Artifacts::open(scratch.path(), 1 << 20).expect("opens"),
            "x: 1\n",
        );
        let again = Artifacts::open(scratch.path(), 1 << 20).expect("opens");
        let tree = again.tree(&digest).expect("it is here");
        assert_eq!(
            fs::read_to_string(tree.root.join("a.yaml")).expect("readable"),
            "x: 1\n"
        );
        assert_eq!(
            tree.dropped,
            [("link.yaml".to_owned(), "../../etc/passwd".to_owned())]
        );
    }

    #[test]
    fn what_is_kept_stays_and_the_rest_goes() {
        let scratch = tempfile::tempdir().expect("a directory");
        let artifacts = Artifacts::open(scratch.path(), 1 << 20).expect("opens");
        let (old, new) = (accepted(&artifacts, "x: 1\n"), accepted(&artifacts, "x: 2\n"));
        artifacts.tree(&old).expect("unpacks");
        artifacts.retain(&HashSet::from([new]));
        assert!(artifacts.tree(&old).expect_err("tidied away").is_missing());
        artifacts.tree(&new).expect("kept");
    }
}
