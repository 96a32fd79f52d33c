//! An artifact with parts of others in it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::rc::Rc;

use cap_std::fs::{Dir, MetadataExt as _};
use tenure_artifact::{ArchiveError, ArchiveWriter, Budget, Ignore};
use tenure_core::Digest;

use crate::artifacts::ArtifactError;

/// The largest `.sourceignore` that is read, in bytes.
const IGNORE_FILE: u64 = 1 << 20;
const IGNORE_NAME: &str = ".sourceignore";
const MAX_ENTRIES: u64 = 200_000;

/// A directory, or a file, of another artifact.
#[derive(Debug, Clone)]
pub struct Part {
    /// The other artifact.
    pub digest: Digest,
    /// Whose it is, for messages.
    pub name: String,
    /// What of it; all if empty.
    pub from: String,
    /// Where to.
    pub to: String,
}

/// What was written.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes, packed.
    pub size: u64,
}

/// Why an artifact was not composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// One of the artifacts is not here.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A part cannot be put where it should be.
    #[error("failed to copy '{name}' include from {from} to {to}: {why}")]
    Part {
        /// Whose part it is.
        name: String,
        /// What of it.
        from: String,
        /// Where to.
        to: String,
        /// What is wrong.
        why: String,
    },
    /// The files cannot be read.
    #[error("failed to read the files of an artifact")]
    Read(#[source] io::Error),
    /// The archive cannot be written, or becomes too large.
    #[error("failed to write the artifact")]
    Write(#[source] ArchiveError),
}

/// A file, and in which tree it is.
struct Place {
    tree: Rc<Dir>,
    path: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File { size: u64, executable: bool },
}

/// Files of several trees, as one.
pub(crate) struct Composition(BTreeMap<String, Place>);

impl Composition {
    pub(crate) fn new(base: Dir) -> Result<Self, ComposeError> {
        let mut whole = Self(BTreeMap::new());
        whole.walk(&Rc::new(base), "", "").map_err(ComposeError::Read)?;
        Ok(whole)
    }

    pub(crate) fn add(&mut self, tree: Dir, part: &Part) -> Result<(), ComposeError> {
        let fail = |why: String| ComposeError::Part {
            name: part.name.clone(),
            from: part.from.clone(),
            to: part.to.clone(),
            why,
        };
        let (from, to) = (beneath(&part.from), beneath(&part.to));
        if to.is_empty() {
            return Err(fail("the root is there already; give another path".to_owned()));
        }
        if self.0.contains_key(&to) {
            return Err(fail(format!("{to:?} is there already; give another path")));
        }
        for (at, _) in to.match_indices('/') {
            let parent = to.get(..at).unwrap_or_default();
            match self.0.entry(parent.to_owned()) {
                Entry::Occupied(there) if there.get().kind != Kind::Directory => {
                    return Err(fail(format!("{parent:?} is a file")));
                }
                Entry::Occupied(_) => {}
                Entry::Vacant(free) => {
                    free.insert(Place {
                        tree: Rc::new(tree.try_clone().map_err(ComposeError::Read)?),
                        path: String::new(),
                        kind: Kind::Directory,
                    });
                }
            }
        }
        let tree = Rc::new(tree);
        let shown = if from.is_empty() { "." } else { &from };
        let metadata = tree.symlink_metadata(shown);
        let metadata = metadata.map_err(|_| fail(format!("it has no {shown:?}")))?;
        if metadata.is_dir() {
            self.insert(&to, &tree, &from, Kind::Directory);
            self.walk(&tree, &from, &to).map_err(ComposeError::Read)
        } else {
            self.insert(&to, &tree, &from, file(&metadata));
            Ok(())
        }
    }

    fn insert(&mut self, at: &str, tree: &Rc<Dir>, path: &str, kind: Kind) {
        let place = Place {
            tree: Rc::clone(tree),
            path: path.to_owned(),
            kind,
        };
        self.0.insert(at.to_owned(), place);
    }

    /// Takes everything in the directory `from` to `to`. Trees hold directories and plain files only.
    fn walk(&mut self, tree: &Rc<Dir>, from: &str, to: &str) -> io::Result<()> {
        let entries = match from {
            "" => tree.entries()?,
            from => tree.read_dir(from)?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().ok_or(io::ErrorKind::InvalidData)?;
            let (from, to) = (join(from, name), join(to, name));
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                self.insert(&to, tree, &from, Kind::Directory);
                self.walk(tree, &from, &to)?;
            } else if metadata.is_file() {
                self.insert(&to, tree, &from, file(&metadata));
            }
        }
        Ok(())
    }

    pub(crate) fn write(
        &self,
        spec: Option<&str>,
        max_bytes: u64,
        out: &Path,
    ) -> Result<Written, ComposeError> {
        let ignore = self.ignore(spec).map_err(ComposeError::Read)?;
        let mut all: Vec<(&String, &Place)> = self.0.iter().collect();
        all.sort_by(|(a, _), (b, _)| ArchiveWriter::<File>::compare(a, b));
        let budget = Budget {
            bytes: max_bytes,
            entries: MAX_ENTRIES,
        };
        let file = File::create_new(out).map_err(ComposeError::Read)?;
        let mut archive = ArchiveWriter::new(BufWriter::with_capacity(256 << 10, file), budget);
        for (path, place) in all {
            if ignore.matches(path, place.kind == Kind::Directory) {
                continue;
            }
            match place.kind {
                Kind::Directory => archive.directory(path).map_err(ComposeError::Write)?,
                Kind::File { size, executable } => {
                    let content = place.tree.open(&place.path).map_err(ComposeError::Read)?;
                    let content = content.into_std();
                    archive
                        .file(path, executable, size, content)
                        .map_err(ComposeError::Write)?;
                }
            }
        }
        let (mut file, packed) = archive.finish().map_err(ComposeError::Write)?;
        file.flush().map_err(ComposeError::Read)?;
        Ok(Written {
            digest: packed.digest,
            size: packed.size,
        })
    }

    fn ignore(&self, spec: Option<&str>) -> io::Result<Ignore> {
        let mut ignore = Ignore::new();
        let mut files: Vec<(&str, &Place)> = self
            .0
            .iter()
            .filter_map(|(path, place)| match path.rsplit_once('/') {
                Some((directory, IGNORE_NAME)) => Some((directory, place)),
                None if path == IGNORE_NAME => Some(("", place)),
                _ => None,
            })
            .filter(|(_, place)| matches!(place.kind, Kind::File { size, .. } if size <= IGNORE_FILE))
            .collect();
        // parents first
        files.sort_by_key(|(directory, _)| directory.len());
        for (directory, place) in files {
            ignore.add_file(directory, &place.tree.read(&place.path)?);
        }
        if let Some(spec) = spec {
            ignore.add_spec(spec);
        }
        Ok(ignore)
    }
}

fn file(metadata: &cap_std::fs::Metadata) -> Kind {
    Kind::File {
        size: metadata.len(),
        executable: metadata.mode() & 0o100 != 0,
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}/{name}")
    }
}

/// The path without what would lead out of the root.
fn beneath(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> (tempfile::TempDir, Dir) {
        let at = tempfile::tempdir().expect("a directory");
        for path in files {
            let path = at.path().join(path);
            std::fs::create_dir_all(path.parent().expect("in a directory")).expect("writable");
            std::fs::write(&path, path.to_string_lossy().as_bytes()).expect("writable");
        }
        let dir = Dir::open_ambient_dir(at.path(), cap_std::ambient_authority()).expect("opens");
        (at, dir)
    }

    fn part(from: &str, to: &str) -> Part {
        Part {
            digest: Digest::of(b"x"),
            name: "lib".into(),
            from: from.into(),
            to: to.into(),
        }
    }

    fn composed(parts: &[Part], ignore: Option<&str>) -> Result<Vec<String>, ComposeError> {
        let (_a, base) = tree(&["a.yaml", "dir/b.yaml"]);
        let mut whole = Composition::new(base)?;
        let mut kept = Vec::new();
        for part in parts {
            let (files, lib) = tree(&["d/c.yaml", "d/deep/.sourceignore", "e.yaml"]);
            kept.push(files);
            whole.add(lib, part)?;
        }
        let out = tempfile::tempdir().expect("a directory");
        whole.write(ignore, 1 << 20, &out.path().join("out"))?;
        let ignore = whole.ignore(ignore).map_err(ComposeError::Read)?;
        let mut paths: Vec<String> = whole
            .0
            .iter()
            .filter(|(path, place)| place.kind != Kind::Directory && !ignore.matches(path, false))
            .map(|(path, _)| path.clone())
            .collect();
        paths.sort();
        Ok(paths)
    }

    #[test]
    fn a_part_of_another_artifact_stands_where_it_was_asked_for() {
        let all = composed(&[part("d", "vendor/lib")], None).expect("composes");
        assert_eq!(
            all,
            [
                "a.yaml",
                "dir/b.yaml",
                "vendor/lib/c.yaml",
                "vendor/lib/deep/.sourceignore"
            ]
        );
        let one = composed(&[part("e.yaml", "dir/e.yaml")], None).expect("composes");
        assert_eq!(one, ["a.yaml", "dir/b.yaml", "dir/e.yaml"]);
        let whole = composed(&[part("", "lib")], Some("c.yaml")).expect("composes");
        assert_eq!(
            whole,
            ["a.yaml", "dir/b.yaml", "lib/d/deep/.sourceignore", "lib/e.yaml"]
        );
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_climbs() {
        for (from, to, why) in [
            ("d", "dir", "is there already"),
            ("d", "/", "the root"),
            ("d", "a.yaml/x", "is a file"),
            ("none", "lib", "it has no"),
        ] {
            let error = composed(&[part(from, to)], None).expect_err(to).to_string();
            assert!(error.contains(why) && error.contains("'lib' include"), "{error}");
        }
        let climbing = composed(&[part("../../d", "../../lib")], None).expect("stays beneath");
        assert!(climbing.contains(&"lib/c.yaml".to_owned()), "{climbing:?}");
        assert!(composed(&[part("d", "lib"), part("d", "lib")], None).is_err());
    }
}
