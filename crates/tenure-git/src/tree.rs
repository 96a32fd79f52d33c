//! Reads a commit's tree from an object database into a flat list, refusing what a file system could misread.

use gix::ObjectId;
use gix::objs::FindExt as _;
use gix::objs::tree::EntryKind;
use tenure_artifact::check_path;

/// The longest first line that is kept, in characters.
const TITLE: usize = 200;

/// One file, directory or link of a tree.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) id: ObjectId,
    /// Which of the databases has it: 0 is the repository itself, the others are its submodules.
    pub(crate) from: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File { executable: bool },
    Symlink,
}

/// Why a tree was not listed.
#[derive(Debug)]
pub(crate) enum TreeError {
    /// An object is not there: the commit has to be fetched.
    Incomplete,
    /// The tree holds what is refused.
    Refused(String),
    /// More entries than the limit.
    TooMany,
}

/// A commit's tree and the first line of its message.
pub(crate) struct Listing {
    pub(crate) title: String,
    pub(crate) items: Vec<Item>,
    /// Where the commits of other repositories belong: path and commit.
    pub(crate) links: Vec<(String, ObjectId)>,
}

/// Lists the tree of `commit`, every object of which is in the database.
pub(crate) fn list(odb: &gix::odb::Handle, commit: &ObjectId, limit: u64) -> Result<Listing, TreeError> {
    let mut buf = Vec::new();
    let found = odb
        .find_commit(commit, &mut buf)
        .map_err(|_| TreeError::Incomplete)?;
    let title = found.message().title.to_string();
    let title = title.chars().filter(|c| !c.is_control()).take(TITLE).collect();
    let mut walk = Walk {
        odb,
        items: Vec::new(),
        links: Vec::new(),
        limit,
    };
    walk.tree(&found.tree(), "")?;
    Ok(Listing {
        title,
        items: walk.items,
        links: walk.links,
    })
}

struct Walk<'a> {
    odb: &'a gix::odb::Handle,
    items: Vec<Item>,
    links: Vec<(String, ObjectId)>,
    limit: u64,
}

impl Walk<'_> {
    /// The depth is bounded by the length of a path.
    fn tree(&mut self, id: &ObjectId, parent: &str) -> Result<(), TreeError> {
        let mut buf = Vec::new();
        let entries = self
            .odb
            .find_tree_iter(id, &mut buf)
            .map_err(|_| TreeError::Incomplete)?;
        for entry in entries {
            let entry =
                entry.map_err(|_| TreeError::Refused(format!("the tree at {parent:?} cannot be read")))?;
            let path = child(parent, entry.filename)?;
            let id = entry.oid.to_owned();
            if (self.items.len() + self.links.len()) as u64 >= self.limit {
                return Err(TreeError::TooMany);
            }
            let kind = match entry.mode.kind() {
                EntryKind::Tree => Kind::Directory,
                EntryKind::Blob => Kind::File { executable: false },
                EntryKind::BlobExecutable => Kind::File { executable: true },
                EntryKind::Link => Kind::Symlink,
                EntryKind::Commit => {
                    self.links.push((path, id));
                    continue;
                }
            };
            if kind != Kind::Directory && !gix::objs::Exists::exists(self.odb, &id) {
                return Err(TreeError::Incomplete);
            }
            self.items.push(Item {
                path: path.clone(),
                kind,
                id,
                from: 0,
            });
            if kind == Kind::Directory {
                self.tree(&id, &path)?;
            }
        }
        Ok(())
    }
}

fn child(parent: &str, name: &[u8]) -> Result<String, TreeError> {
    let refuse = |why: &str| {
        let shown = String::from_utf8_lossy(name)
            .chars()
            .take(100)
            .collect::<String>();
        TreeError::Refused(format!("the tree at {parent:?} has an entry {shown:?}, {why}"))
    };
    let name = std::str::from_utf8(name).map_err(|_| refuse("which is not UTF-8"))?;
    if name.contains('/') {
        return Err(refuse("which has a slash"));
    }
    if is_dot_git(name) {
        return Err(refuse("which file systems take for .git"));
    }
    let path = if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}/{name}")
    };
    match check_path(&path) {
        Ok(()) => Ok(path),
        Err(why) => Err(refuse(&format!("which is refused: {why}"))),
    }
}

/// `.git` as some file system spells it: without regard to case, to code points that HFS+ ignores, to NTFS'
/// short names, trailing dots, blanks and streams.
fn is_dot_git(name: &str) -> bool {
    let ignored = |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let folded: String = name
        .chars()
        .filter(|c| !ignored(*c))
        .collect::<String>()
        .to_ascii_lowercase();
    let stem = folded
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_end_matches(['.', ' ']);
    matches!(stem, ".git" | "git~1")
}

#[cfg(test)]
mod tests {
    use super::child;

    #[test]
    fn names_that_climb_or_hide_are_refused() {
        let bad: [&[u8]; 14] = [
            b"..",
            b".",
            b"",
            b".git",
            b".GIT",
            b".git.",
            b".git ",
            b"git~1",
            b".git::$INDEX",
            b"a/b",
            b"a\\b",
            b"a\0b",
            b"a\nb",
            b"\xff",
        ];
        for name in bad {
            assert!(child("dir", name).is_err(), "{:?}", String::from_utf8_lossy(name));
        }
        assert!(child("", ".g\u{200c}it".as_bytes()).is_err());
        for name in [".gitignore", ".github", "git", "a..b", "ü"] {
            assert!(child("", name.as_bytes()).is_ok(), "{name}");
        }
    }
}
