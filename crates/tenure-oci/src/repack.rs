//! A layer's files as an artifact: in order, without owners and times, without what is ignored.
//!
//! Two passes over the inflated layer in a file without a name: the first notes where each file lies and reads the
//! ignore rules, the second packs them. No path of the layer is ever one of this machine.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};
use tenure_artifact::{ArchiveError, ArchiveWriter, Budget, Ignore, Packed, check_path};
use tenure_core::printable;

use crate::{Limits, OciError};

/// What tar itself may add to every entry: its header, padding, and a header for a long name.
const OVERHEAD: u64 = 8 << 10;
/// How many dropped links are named.
const LINKS: usize = 32;
/// The largest `.sourceignore` that is read, in bytes.
const IGNORE_FILE: u64 = 1 << 20;
const IGNORE_NAME: &str = ".sourceignore";

pub(crate) struct Repack {
    pub(crate) limits: Limits,
    pub(crate) ignore: Option<String>,
}

/// Why a layer is not an artifact.
pub(crate) enum RepackError {
    Malformed(String),
    TooLarge(String),
    Local(String),
}

impl RepackError {
    pub(crate) fn explain(self, image: String) -> OciError {
        match self {
            Self::Malformed(message) => OciError::Malformed { image, message },
            Self::TooLarge(message) => OciError::TooLarge { image, message },
            Self::Local(message) => OciError::Local {
                what: format!("writing the artifact of {image}"),
                message,
            },
        }
    }
}

impl From<ArchiveError> for RepackError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::TooLarge { .. } | ArchiveError::TooMany { .. } => Self::TooLarge(error.to_string()),
            ArchiveError::Path(_) | ArchiveError::Order(_) => Self::Malformed(error.to_string()),
            ArchiveError::Io(error) => local(&error),
        }
    }
}

fn local(error: &io::Error) -> RepackError {
    RepackError::Local(error.to_string())
}

/// What a path of the layer is.
enum Item {
    Directory,
    File { at: u64, size: u64, executable: bool },
    Link(String),
}

type Items = BTreeMap<String, Item>;

impl Repack {
    /// Reads the `tar.gz` in `layer`, uses the empty `content`, writes `out`; gives the links that were dropped.
    pub(crate) fn run(
        &self,
        layer: &File,
        content: &File,
        out: &Path,
    ) -> Result<(Packed, Vec<(String, String)>), RepackError> {
        self.inflate(layer, content)?;
        let items = self.list(content)?;
        let ignore = self.rules(&items, content)?;
        let mut order: Vec<&String> = items.keys().collect();
        order.sort_by(|a, b| ArchiveWriter::<File>::compare(a, b));
        let budget = Budget {
            bytes: self.limits.artifact_bytes,
            entries: self.limits.entries,
        };
        let file = File::options().write(true).create_new(true).open(out);
        let file = BufWriter::with_capacity(256 << 10, file.map_err(|e| local(&e))?);
        let mut archive = ArchiveWriter::new(file, budget);
        let mut dropped = Vec::new();
        for path in order {
            let Some(item) = items.get(path) else { continue };
            if ignore.matches(path, matches!(item, Item::Directory)) {
                continue;
            }
            match item {
                Item::Directory => archive.directory(path)?,
                Item::File { at, size, executable } => {
                    archive.file(path, *executable, *size, slice(content, *at, *size)?)?;
                }
                Item::Link(target) if dropped.len() < LINKS => dropped.push((path.clone(), target.clone())),
                Item::Link(_) => {}
            }
        }
        let (mut file, packed) = archive.finish()?;
        file.flush().map_err(|e| local(&e))?;
        Ok((packed, dropped))
    }

    fn inflate(&self, layer: &File, content: &File) -> Result<(), RepackError> {
        let limit = self
            .limits
            .artifact_bytes
            .saturating_add(self.limits.entries.saturating_mul(OVERHEAD))
            .saturating_add(OVERHEAD);
        let mut layer = MultiGzDecoder::new(BufReader::with_capacity(64 << 10, layer)).take(limit + 1);
        let mut content = content;
        let mut buf = vec![0; 64 << 10];
        let mut total = 0u64;
        loop {
            let read = layer.read(&mut buf).map_err(|error| {
                RepackError::Malformed(format!(
                    "its layer is not a whole tar.gz ({error}); to keep a layer as it is, use layerSelector.operation \
                     'copy'"
                ))
            })?;
            if read == 0 {
                return Ok(());
            }
            total += read as u64;
            if total > limit {
                return Err(self.too_large());
            }
            content
                .write_all(buf.get(..read).unwrap_or_default())
                .map_err(|e| local(&e))?;
        }
    }

    fn too_large(&self) -> RepackError {
        RepackError::TooLarge(format!(
            "its files have more than {} bytes; raise the limit",
            self.limits.artifact_bytes
        ))
    }

    fn list(&self, mut content: &File) -> Result<Items, RepackError> {
        content.seek(SeekFrom::Start(0)).map_err(|e| local(&e))?;
        let broken = |error: io::Error| {
            RepackError::Malformed(format!("its layer is not a tar archive: {}", printable(&error.to_string())))
        };
        let mut archive = Archive::new(BufReader::with_capacity(64 << 10, content));
        let mut items = Items::new();
        let (mut seen, mut bytes) = (0u64, 0u64);
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            seen += 1;
            if seen > self.limits.entries {
                return Err(RepackError::TooLarge(format!(
                    "its layer has more than {} files; raise the limit",
                    self.limits.entries
                )));
            }
            bytes = bytes.saturating_add(entry.size());
            if bytes > self.limits.artifact_bytes {
                return Err(self.too_large());
            }
            note(&mut entry, &mut items)?;
        }
        Ok(items)
    }

    fn rules(&self, items: &Items, content: &File) -> Result<Ignore, RepackError> {
        let mut ignore = Ignore::new();
        let mut files: Vec<(&str, u64, u64)> = items
            .iter()
            .filter_map(|(path, item)| {
                let directory = match path.rsplit_once('/') {
                    Some((directory, IGNORE_NAME)) => directory,
                    None if path == IGNORE_NAME => "",
                    _ => return None,
                };
                match item {
                    Item::File { at, size, .. } => Some((directory, *at, *size)),
                    _ => None,
                }
            })
            .collect();
        // parents first: sorting by length is enough, a parent is shorter
        files.sort_by_key(|(directory, ..)| directory.len());
        for (directory, at, size) in files {
            if size > IGNORE_FILE {
                return Err(RepackError::TooLarge(format!(
                    "an ignore file in {directory:?} has more than {IGNORE_FILE} bytes"
                )));
            }
            let mut rules = Vec::new();
            slice(content, at, size)?.read_to_end(&mut rules).map_err(|e| local(&e))?;
            ignore.add_file(directory, &rules);
        }
        if let Some(spec) = &self.ignore {
            ignore.add_spec(spec);
        }
        Ok(ignore)
    }
}

/// The bytes of one file.
fn slice(mut content: &File, at: u64, size: u64) -> Result<impl Read + '_, RepackError> {
    content.seek(SeekFrom::Start(at)).map_err(|e| local(&e))?;
    Ok(content.take(size))
}

fn note(entry: &mut Entry<'_, impl Read>, items: &mut Items) -> Result<(), RepackError> {
    let raw = entry.path_bytes().into_owned();
    let shown = printable(&String::from_utf8_lossy(&raw));
    let refuse = |what: &str| RepackError::Malformed(format!("{shown:?} in its layer is {what}"));
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        return Ok(());
    }
    refuse_ambiguity(entry).map_err(refuse)?;
    let path = std::str::from_utf8(&raw).map_err(|_| refuse("not a UTF-8 name"))?;
    let path = path.trim_start_matches("./").trim_end_matches('/');
    if matches!(path, "" | ".") {
        return Ok(());
    }
    check_path(path).map_err(|e| RepackError::Malformed(e.to_string()))?;
    let item = match kind {
        EntryType::Directory => Item::Directory,
        EntryType::Regular | EntryType::Continuous => Item::File {
            at: entry.raw_file_position(),
            size: entry.size(),
            executable: entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0),
        },
        EntryType::Symlink => Item::Link(
            entry
                .link_name_bytes()
                .map(|target| printable(&String::from_utf8_lossy(&target)))
                .unwrap_or_default(),
        ),
        EntryType::Link => return Err(refuse("a hard link")),
        _ => return Err(refuse("neither a file nor a directory")),
    };
    for (at, _) in path.match_indices('/') {
        let parent = path.get(..at).unwrap_or_default();
        match items.get(parent) {
            None => drop(items.insert(parent.to_owned(), Item::Directory)),
            Some(Item::Directory) => {}
            Some(_) => return Err(refuse("beneath something that is not a directory")),
        }
    }
    match (items.get(path), &item) {
        (None, _) => drop(items.insert(path.to_owned(), item)),
        (Some(Item::Directory), Item::Directory) => {}
        // which of two it is must not depend on the reader
        (Some(_), _) => return Err(refuse("there twice")),
    }
    Ok(())
}

/// A second size is how entries are smuggled past one of two readers.
fn refuse_ambiguity(entry: &mut Entry<'_, impl Read>) -> Result<(), &'static str> {
    if entry.header().entry_size().ok() != Some(entry.size()) {
        return Err("given two sizes");
    }
    let Some(extensions) = entry.pax_extensions().map_err(|_| "under a broken PAX header")? else {
        return Ok(());
    };
    for extension in extensions {
        let extension = extension.map_err(|_| "under a broken PAX header")?;
        let key = extension.key().map_err(|_| "under a broken PAX header")?;
        if key == "size" || key.starts_with("GNU.sparse") {
            return Err("given a second size");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
