//! Looking for secrets where none may be: a test plants a string that occurs nowhere else and
//! then looks for it in logs, events, status and files.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Something to look into.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file, or every file below a directory.
    Path(PathBuf),
    /// A text with the name a failure should call it by.
    Text(String, String),
}

impl Place {
    /// A file or a directory.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::Path(path.into())
    }

    /// A named text.
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Text(name.into(), text.into())
    }
}

/// Fails the test when `canary` is in one of the places, as it is or in base64.
///
/// # Panics
/// With the names of the places that hold it; also when the canary is too short to be one, or a
/// path cannot be read, because then nothing was proved.
pub fn assert_absent(places: &[Place], canary: &str) {
    let found = find(places, canary);
    assert!(found.is_empty(), "a secret was found in {found:?}");
}

/// The places that hold the canary.
///
/// # Panics
/// As [`assert_absent`].
#[must_use]
pub fn find(places: &[Place], canary: &str) -> Vec<String> {
    assert!(
        canary.len() >= 12,
        "a canary of {} bytes occurs by chance",
        canary.len()
    );
    let needles = needles(canary.as_bytes());
    let mut found = Vec::new();
    for place in places {
        match place {
            Place::Text(name, text) if holds(text.as_bytes(), &needles) => found.push(name.clone()),
            Place::Text(..) => {}
            Place::Path(path) => walk(path, &needles, &mut found),
        }
    }
    found
}

/// The canary itself, and the parts of its base64 that stay the same at each of the three offsets
/// it can have inside a longer text.
fn needles(canary: &[u8]) -> Vec<Vec<u8>> {
    let mut needles = vec![canary.to_vec()];
    for offset in 0..3 {
        let encoded = STANDARD_NO_PAD.encode([&vec![0; offset], canary].concat());
        let (first, last) = (offset.div_ceil(3) * 4, encoded.len() / 4 * 4);
        if let Some(stable) = encoded.as_bytes().get(first..last) {
            needles.push(stable.to_vec());
        }
    }
    needles
}

fn holds(text: &[u8], needles: &[Vec<u8>]) -> bool {
    needles.iter().any(|needle| {
        text.windows(needle.len())
            .any(|window| window == needle.as_slice())
    })
}

fn walk(path: &Path, needles: &[Vec<u8>], found: &mut Vec<String>) {
    let kind = fs::symlink_metadata(path)
        .unwrap_or_else(|e| panic!("look for a secret in {}: {e}", path.display()))
        .file_type();
    if kind.is_dir() {
        let entries = fs::read_dir(path).unwrap_or_else(|e| panic!("list {}: {e}", path.display()));
        for entry in entries.flatten() {
            walk(&entry.path(), needles, found);
        }
    } else if kind.is_file() {
        let bytes = fs::read(path).unwrap_or_else(|e| panic!("read {}: {e}", path.display()));
        if holds(&bytes, needles) {
            found.push(path.display().to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-4711-very-secret";

    #[test]
    fn a_canary_is_found_plain_and_in_base64_at_any_offset() {
        for prefix in ["", "a", "ab", "abc"] {
            let text = STANDARD_NO_PAD.encode(format!("{prefix}{CANARY} and more"));
            let places = [Place::text("secret", text)];
            assert_eq!(find(&places, CANARY), ["secret"], "prefix {prefix:?}");
        }
        assert_eq!(
            find(&[Place::text("log", format!("x{CANARY}y"))], CANARY),
            ["log"]
        );
    }

    #[test]
    fn other_text_is_not_a_canary() {
        assert_absent(&[Place::text("log", "nothing to see")], CANARY);
    }

    #[test]
    fn directories_are_read_to_the_bottom() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("deep")).unwrap();
        fs::write(dir.path().join("deep/file"), CANARY).unwrap();
        assert_eq!(find(&[Place::path(dir.path())], CANARY).len(), 1);
    }
}
