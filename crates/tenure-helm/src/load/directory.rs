use std::io::{self, Read as _};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;

use super::LoadError;
use super::ignore::Rules;
use crate::chart::File;
use crate::limits::Allowance;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What a name in a directory leads to, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, a socket, a pipe.
    Other,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name, without a path.
    pub name: String,
    /// What it leads to.
    pub kind: Kind,
}

/// Where charts are read from: directories beneath a root that nothing leads out of.
pub trait ChartFs {
    /// The entries of a directory, at most `limit`.
    ///
    /// # Errors
    /// When it is not a readable directory, a link leaves the root, or there are more
    /// ([`io::ErrorKind::FileTooLarge`]).
    fn list(&self, path: &str, limit: usize) -> io::Result<Vec<Entry>>;

    /// The bytes of a file, at most `limit`.
    ///
    /// # Errors
    /// When it is not a readable file, a link leaves the root, or it is larger
    /// ([`io::ErrorKind::FileTooLarge`]).
    fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>>;

    /// The path as a person knows it.
    fn shown(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// A directory on disk. Every access is resolved beneath it; a link that leads out is an error.
#[derive(Debug)]
pub struct DirFs {
    dir: Dir,
    root: String,
}

impl DirFs {
    /// Opens the root.
    ///
    /// # Errors
    /// When it is not a directory that can be opened.
    pub fn open(root: &Path) -> io::Result<Self> {
        Ok(Self {
            dir: Dir::open_ambient_dir(root, ambient_authority())?,
            root: root.to_string_lossy().trim_end_matches('/').to_owned(),
        })
    }
}

const fn or_here(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

fn kind_of(meta: &Metadata) -> Kind {
    if meta.is_dir() {
        Kind::Directory
    } else if meta.is_file() {
        Kind::File
    } else {
        Kind::Other
    }
}

/// A regular file that is not too large.
fn regular(meta: &Metadata, limit: u64) -> io::Result<()> {
    if kind_of(meta) != Kind::File {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if meta.len() > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(())
}

impl ChartFs for DirFs {
    fn list(&self, path: &str, limit: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in self.dir.read_dir(or_here(path))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if entries.len() >= limit {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            let below = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}/{name}")
            };
            let kind = if entry.file_type()?.is_symlink() {
                kind_of(&self.dir.metadata(&below)?)
            } else {
                kind_of(&entry.metadata()?)
            };
            entries.push(Entry { name, kind });
        }
        Ok(entries)
    }

    fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        // Looked at before it is opened, since opening a device may do something, and after, since it
        // may be another thing by then.
        regular(&self.dir.metadata(or_here(path))?, limit)?;
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let file = self.dir.open_with(or_here(path), &options)?;
        regular(&file.metadata()?, limit)?;
        let size = usize::try_from(file.metadata()?.len().min(limit)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(size + 1);
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn shown(&self, path: &str) -> String {
        if path.is_empty() {
            self.root.clone()
        } else {
            format!("{}/{path}", self.root)
        }
    }
}

/// The files of a chart's directory, without those that are to be ignored.
pub(super) fn read(fs: &dyn ChartFs, top: &str, allowance: &mut Allowance) -> Result<Vec<File>, LoadError> {
    let ignore_file = join(top, ".helmignore");
    let rules = match fs.read(&ignore_file, allowance.limits.file) {
        Ok(text) => Rules::parse(&String::from_utf8_lossy(&text))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Rules::default(),
        Err(source) => {
            return Err(LoadError::Read {
                path: fs.shown(&ignore_file),
                source,
            });
        }
    };
    let mut walk = Walk {
        fs,
        top,
        rules: rules.with_defaults(),
        allowance,
        files: Vec::new(),
    };
    walk.directory("", 0)?;
    Ok(walk.files)
}

struct Walk<'a> {
    fs: &'a dyn ChartFs,
    top: &'a str,
    rules: Rules,
    allowance: &'a mut Allowance,
    files: Vec<File>,
}

impl Walk<'_> {
    fn directory(&mut self, path: &str, depth: usize) -> Result<(), LoadError> {
        let most = self.allowance.limits.directories;
        if depth > most {
            return Err(LoadError::TooMuch("directories inside each other", most as u64));
        }
        let full = join(self.top, path);
        let mut entries = self
            .fs
            .list(&full, self.allowance.limits.files)
            .map_err(|source| self.failed(&full, source))?;
        entries.sort();
        for entry in entries {
            let path = join(path, &entry.name);
            if self.rules.ignore(&path, entry.kind == Kind::Directory) {
                continue;
            }
            match entry.kind {
                Kind::Directory => self.directory(&path, depth + 1)?,
                Kind::File => self.file(&path)?,
                Kind::Other => {
                    return Err(LoadError::Irregular(self.fs.shown(&join(self.top, &path))));
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &str) -> Result<(), LoadError> {
        let limit = self.allowance.limits.file;
        let data = match self.fs.read(&join(self.top, path), limit) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let name = path.rsplit('/').next().unwrap_or(path);
                return Err(LoadError::FileTooLarge(name.to_owned(), limit));
            }
            other => other.map_err(|source| self.failed(path, source))?,
        };
        self.allowance.take_file(data.len() as u64)?;
        self.files
            .push(File::new(path, data.strip_prefix(BOM).unwrap_or(&data)));
        Ok(())
    }

    fn failed(&self, path: &str, source: io::Error) -> LoadError {
        if source.kind() == io::ErrorKind::FileTooLarge {
            return LoadError::TooMuch("files", self.allowance.limits.files as u64);
        }
        LoadError::Read {
            path: self.fs.shown(path),
            source,
        }
    }
}

fn join(above: &str, below: &str) -> String {
    match (above, below) {
        ("", below) => below.to_owned(),
        (above, "") => above.to_owned(),
        (above, below) => format!("{above}/{below}"),
    }
}
