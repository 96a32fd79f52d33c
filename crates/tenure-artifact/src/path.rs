/// The longest path in an artifact, in bytes: what Linux can open.
const LONGEST: usize = 4096;
/// The longest name in a path, in bytes.
const LONGEST_NAME: usize = 255;

/// Why a path has no place in an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing, or an absolute path.
    #[error("path {0:?} is empty or absolute")]
    NotRelative(String),
    /// A part is empty, `.` or `..`.
    #[error("path {0:?} has a part that is empty, '.' or '..'")]
    Climbs(String),
    /// A backslash, NUL or another control character.
    #[error("path {0:?} has a backslash or a control character")]
    Character(String),
    /// Longer than a file system takes.
    #[error("path {0:?}… is longer than 4096 bytes, or has a name longer than 255")]
    TooLong(String),
}

/// Accepts a relative path that means the same file to every reader, and stays where it is put.
///
/// # Errors
/// [`PathError`] says which rule the path breaks.
pub fn check_path(path: &str) -> Result<(), PathError> {
    let shown = || path.chars().take(200).collect::<String>();
    if path.is_empty() || path.starts_with('/') {
        return Err(PathError::NotRelative(shown()));
    }
    if path.chars().any(|c| c == '\\' || c.is_control()) {
        return Err(PathError::Character(shown()));
    }
    if path.len() > LONGEST || path.split('/').any(|part| part.len() > LONGEST_NAME) {
        return Err(PathError::TooLong(shown()));
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(PathError::Climbs(shown()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_path;

    #[test]
    fn only_plain_relative_paths_are_accepted() {
        for good in ["a", "a/b", ".hidden", "a..b/..c", "ünï/x"] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        let long = "a/".repeat(3000) + "a";
        for bad in [
            "", "/a", "..", "../a", "a/../b", "a//b", "./a", "a/.", "a/", "a\\b", "a\0", "a\n", &long,
        ] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
        assert!(check_path(&"n".repeat(256)).is_err());
    }
}
