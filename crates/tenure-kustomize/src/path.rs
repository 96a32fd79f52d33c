use std::fmt;

/// A path beneath the root of a file system: no `..`, not absolute, `/` between its parts.
/// The root itself is the empty path, shown as `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RelPath(String);

/// Why a text is not a path beneath the root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// More `..` than there are directories.
    #[error("path {0:?} leaves the repository")]
    Escapes(String),
    /// An absolute path.
    #[error("path {0:?} is absolute; use a path relative to the file that names it")]
    Absolute(String),
    /// NUL, or too long.
    #[error("path {0:?} holds a character that no path may hold, or is too long")]
    Malformed(String),
}

impl RelPath {
    /// The root.
    #[must_use]
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// A path relative to the root; `./`, doubled slashes and inner `..` are resolved by their text.
    ///
    /// # Errors
    /// When the path would leave the root.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        Self::root().join(text)
    }

    /// A path that can't leave the root: a leading slash, and each `..` too many, is the root again.
    ///
    /// # Errors
    /// When no path may look like this.
    pub fn clamped(text: &str) -> Result<Self, PathError> {
        let mut path = Self::root();
        for part in text.split('/') {
            path = match part {
                ".." => path.parent(),
                part => path.join(part)?,
            };
        }
        Self::parse(path.as_str())
    }

    /// `text` relative to this directory.
    ///
    /// # Errors
    /// When the path would leave the root.
    pub fn join(&self, text: &str) -> Result<Self, PathError> {
        let shown = || text.chars().take(200).collect::<String>();
        if text.len() > 4096 || text.contains('\0') {
            return Err(PathError::Malformed(shown()));
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute(shown()));
        }
        let mut parts: Vec<&str> = self.0.split('/').filter(|p| !p.is_empty()).collect();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or_else(|| PathError::Escapes(shown()))?;
                }
                part => parts.push(part),
            }
        }
        Ok(Self(parts.join("/")))
    }

    /// The path's text; empty for the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory that holds this path; the root holds itself.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(
            self.0
                .rsplit_once('/')
                .map_or(String::new(), |(dir, _)| dir.to_owned()),
        )
    }

    /// The last part; empty for the root.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whether this path is `dir` or lies beneath it.
    #[must_use]
    pub fn is_beneath(&self, dir: &Self) -> bool {
        dir.0.is_empty()
            || self.0 == dir.0
            || self
                .0
                .strip_prefix(&dir.0)
                .is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clamped_path_starts_again_at_the_root() {
        let clamped = |text: &str| RelPath::clamped(text).map(|path| path.to_string());
        for (text, path) in [
            ("./a/../b", "b"),
            ("/a", "a"),
            ("../../a", "a"),
            ("a/../../b", "b"),
            ("..", "."),
            ("", "."),
        ] {
            assert_eq!(clamped(text).as_deref(), Ok(path), "{text}");
        }
        assert!(clamped("../a\0").is_err());
        assert!(clamped(&"a/".repeat(3000)).is_err());
    }

    #[test]
    fn paths_are_normalised_and_never_leave_the_root() {
        let base = RelPath::parse("./a//b/").expect("plain");
        assert_eq!(base.as_str(), "a/b");
        assert_eq!(base.join("../c/./d").expect("inside").as_str(), "a/c/d");
        assert_eq!(base.join("../..").expect("the root").to_string(), ".");
        assert!(matches!(base.join("../../.."), Err(PathError::Escapes(_))));
        assert!(matches!(base.join("/etc"), Err(PathError::Absolute(_))));
        assert!(matches!(base.join("a\0"), Err(PathError::Malformed(_))));
        assert!(
            !RelPath::parse("ab")
                .expect("plain")
                .is_beneath(&RelPath::parse("a").expect("plain"))
        );
    }
}
