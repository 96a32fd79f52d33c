//! Packs a listed tree into an artifact, without a checkout.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use gix::objs::FindExt as _;
use gix::objs::FindHeader as _;
use tenure_artifact::{ArchiveError, ArchiveWriter, Budget, Ignore, Packed};

use crate::fetch::{Database, Filter, local};
use crate::tree::{Item, Kind, Listing};
use crate::{GitError, Limits};

/// How many dropped links are named.
const LINKS: usize = 32;
/// The largest `.sourceignore` that is read, in bytes.
const IGNORE_FILE: u64 = 1 << 20;
/// So many bytes of files are unpacked before the memory of mapped packs is given back.
const MAPPED: u64 = 8 << 20;
const IGNORE_NAME: &str = ".sourceignore";

pub(crate) struct Export<'a> {
    /// Where items come from.
    pub(crate) databases: Vec<Database>,
    /// Bytes of files since memory was last given back.
    pub(crate) unpacked: u64,
    /// The remote, redacted.
    pub(crate) shown: &'a str,
    pub(crate) limits: &'a Limits,
    pub(crate) filter: &'a Filter,
}

/// What was packed, and the links that were not.
pub(crate) struct Exported {
    pub(crate) packed: Packed,
    pub(crate) dropped: Vec<(String, String)>,
}

impl Export<'_> {
    pub(crate) fn write(&mut self, listing: &mut Listing, out: &Path) -> Result<Exported, GitError> {
        listing
            .items
            .retain(|item| self.filter.keeps(&item.path, item.kind == Kind::Directory));
        listing
            .items
            .sort_by(|a, b| ArchiveWriter::<File>::compare(&a.path, &b.path));
        let ignore = self.ignore(&listing.items)?;
        let shown = self.shown;
        let local = |e: std::io::Error| GitError::Local {
            what: format!("writing the artifact of {shown}"),
            message: e.to_string(),
        };
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(out)
            .map_err(local)?;
        let budget = Budget {
            bytes: self.limits.artifact_bytes,
            entries: self.limits.objects,
        };
        let mut archive = ArchiveWriter::new(BufWriter::with_capacity(256 << 10, file), budget);
        let mut dropped = Vec::new();
        for item in &listing.items {
            if ignore.matches(&item.path, item.kind == Kind::Directory) {
                continue;
            }
            match item.kind {
                Kind::Directory => archive.directory(&item.path).map_err(|e| self.explain(e))?,
                Kind::File { executable } => self.file(&mut archive, item, executable)?,
                Kind::Symlink if dropped.len() < LINKS => {
                    dropped.push((item.path.clone(), self.target(item)?))
                }
                Kind::Symlink => {}
            }
        }
        let (mut file, packed) = archive.finish().map_err(|e| self.explain(e))?;
        file.flush().map_err(local)?;
        Ok(Exported { packed, dropped })
    }

    fn ignore(&mut self, items: &[Item]) -> Result<Ignore, GitError> {
        let mut ignore = Ignore::new();
        let mut files: Vec<(&str, &Item)> = items
            .iter()
            .filter(|item| matches!(item.kind, Kind::File { .. }))
            .filter_map(|item| match item.path.rsplit_once('/') {
                Some((directory, IGNORE_NAME)) => Some((directory, item)),
                None if item.path == IGNORE_NAME => Some(("", item)),
                _ => None,
            })
            .collect();
        // parents first: sorting by length is enough, a parent is shorter
        files.sort_by_key(|(directory, _)| directory.len());
        for (directory, item) in files {
            ignore.add_file(directory, &self.blob(item, IGNORE_FILE)?);
        }
        if let Some(spec) = &self.filter.ignore {
            ignore.add_spec(spec);
        }
        Ok(ignore)
    }

    fn file(
        &mut self,
        archive: &mut ArchiveWriter<BufWriter<File>>,
        item: &Item,
        executable: bool,
    ) -> Result<(), GitError> {
        let content = self.blob(item, self.limits.artifact_bytes)?;
        let size = content.len() as u64;
        archive
            .file(&item.path, executable, size, &content[..])
            .map_err(|e| self.explain(e))
    }

    fn target(&mut self, item: &Item) -> Result<String, GitError> {
        let bytes = self.blob(item, IGNORE_FILE)?;
        Ok(String::from_utf8_lossy(&bytes).chars().take(300).collect())
    }

    /// A blob no larger than `limit`, whose size is known before it is unpacked.
    fn blob(&mut self, item: &Item, limit: u64) -> Result<Vec<u8>, GitError> {
        let shown = self.shown;
        let broken = || GitError::Malformed {
            remote: shown.to_owned(),
            message: format!("the content of {:?} is damaged", item.path),
        };
        if self.unpacked > MAPPED {
            self.unpacked = 0;
            for database in &mut self.databases {
                database.unmap().map_err(|error| local(shown, &error))?;
            }
        }
        let database = self.databases.get(item.from).ok_or_else(broken)?;
        let odb = &database.odb;
        let size = odb.try_header(&item.id).ok().flatten().ok_or_else(broken)?.size;
        if size > limit {
            let message = format!(
                "{:?} has {size} bytes, the limit is {limit}; ignore it or raise the limit",
                item.path
            );
            return Err(GitError::TooLarge {
                remote: self.shown.to_owned(),
                message,
            });
        }
        let mut buf = Vec::new();
        let found = odb.find_blob(&item.id, &mut buf).map_err(|_| broken())?;
        debug_assert_eq!(found.data.len() as u64, size);
        self.unpacked += size;
        Ok(buf)
    }

    fn explain(&self, error: ArchiveError) -> GitError {
        let remote = self.shown.to_owned();
        match error {
            ArchiveError::TooLarge { .. } | ArchiveError::TooMany { .. } => GitError::TooLarge {
                remote,
                message: error.to_string(),
            },
            ArchiveError::Path(_) | ArchiveError::Order(_) => GitError::Malformed {
                remote,
                message: error.to_string(),
            },
            ArchiveError::Io(e) => GitError::Local {
                what: format!("writing the artifact of {remote}"),
                message: e.to_string(),
            },
        }
    }
}
