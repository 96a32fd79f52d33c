use std::io::{self, Read as _};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;

use super::{Entry, FileSystem, Kind};
use crate::RelPath;

/// A directory on disk. Every access is resolved beneath it; a link that leads out is an error.
#[derive(Debug)]
pub struct DirFs {
    dir: Dir,
    dropped: Vec<(RelPath, String)>,
}

impl DirFs {
    /// Opens the root.
    ///
    /// # Errors
    /// When it is not a directory that can be opened.
    pub fn open(root: &Path) -> io::Result<Self> {
        Ok(Self {
            dir: Dir::open_ambient_dir(root, ambient_authority())?,
            dropped: Vec::new(),
        })
    }

    /// The same with the symbolic links that unpacking left out, as (path, target), so that an error
    /// about a missing file can say why it is missing.
    #[must_use]
    pub fn with_dropped<P: AsRef<str>, T: Into<String>>(
        mut self,
        links: impl IntoIterator<Item = (P, T)>,
    ) -> Self {
        self.dropped = links
            .into_iter()
            .filter_map(|(p, t)| Some((RelPath::parse(p.as_ref()).ok()?, t.into())))
            .collect();
        self
    }

    fn explain(&self, path: &RelPath, error: io::Error) -> io::Error {
        let mut at = path.clone();
        while !at.as_str().is_empty() {
            let is_link = self
                .dir
                .symlink_metadata(at.as_str())
                .is_ok_and(|m| m.is_symlink());
            if is_link
                && error.kind() != io::ErrorKind::NotFound
                && error.kind() != io::ErrorKind::FileTooLarge
            {
                let text = format!("symbolic link {at} leaves the repository or cannot be followed: {error}");
                return io::Error::new(error.kind(), text);
            }
            at = at.parent();
        }
        error
    }
}

fn shown(path: &RelPath) -> &str {
    if path.as_str().is_empty() {
        "."
    } else {
        path.as_str()
    }
}

fn kind_of(meta: &Metadata) -> Option<Kind> {
    if meta.is_dir() {
        Some(Kind::Dir)
    } else {
        meta.is_file().then_some(Kind::File)
    }
}

/// A regular file that is not too large.
fn regular(meta: &Metadata, limit: u64) -> io::Result<()> {
    if kind_of(meta) != Some(Kind::File) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if meta.len() > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(())
}

const fn no_wait() -> i32 {
    OFlags::NONBLOCK.bits().cast_signed()
}

impl FileSystem for DirFs {
    fn kind(&self, path: &RelPath) -> io::Result<Option<Kind>> {
        match self.dir.metadata(shown(path)) {
            Ok(meta) => Ok(kind_of(&meta)),
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
                ) =>
            {
                Ok(None)
            }
            Err(e) => Err(self.explain(path, e)),
        }
    }

    fn read(&self, path: &RelPath, limit: u64) -> io::Result<Vec<u8>> {
        // To open a device may do something: look first. What is opened may be another thing by then, and
        // if that is a named pipe, the open must not wait.
        let meta = self
            .dir
            .metadata(shown(path))
            .map_err(|e| self.explain(path, e))?;
        regular(&meta, limit)?;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(no_wait());
        let file = self
            .dir
            .open_with(shown(path), &options)
            .map_err(|e| self.explain(path, e))?;
        regular(&file.metadata()?, limit)?;
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            Err(io::ErrorKind::FileTooLarge.into())
        } else {
            Ok(bytes)
        }
    }

    fn list(&self, path: &RelPath, limit: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in self
            .dir
            .read_dir(shown(path))
            .map_err(|e| self.explain(path, e))?
        {
            let Ok(name) = entry?.file_name().into_string() else {
                continue;
            };
            if entries.len() >= limit {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            let inner = path
                .join(&name)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e.to_string()))?;
            if let Some(kind) = self.kind(&inner)? {
                entries.push(Entry { name, kind });
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn missing_hint(&self, path: &RelPath) -> Option<String> {
        let (link, target) = self.dropped.iter().find(|(link, _)| path.is_beneath(link))?;
        Some(format!(
            "{link} is a symbolic link to {target}; links that leave the repository are not followed"
        ))
    }
}
