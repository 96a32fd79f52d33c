use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The longest revision that is taken as it comes.
const LONGEST: usize = 512;

/// A revision as Flux writes it: `<named pointer>@<algorithm>:<hex>`, the hash alone, or, of charts and of what others
/// make, a version or whatever its maker writes.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Revision {
    pointer: Option<Box<str>>,
    hash: Box<str>,
}

/// Why a string is not a revision.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a revision of the form name@sha1:<hex>")]
pub struct RevisionError(String);

impl Revision {
    /// `name@sha1:<commit>`, from a 40 or 64 digit commit id; a sha256 repository's says `sha256:`.
    #[must_use]
    pub fn git(pointer: Option<&str>, commit: &str) -> Self {
        let algorithm = if commit.len() == 64 { "sha256" } else { "sha1" };
        Self {
            pointer: pointer.map(Into::into),
            hash: format!("{algorithm}:{commit}").into(),
        }
    }

    /// A revision with this hash and no pointer.
    #[must_use]
    pub fn digest(digest: Digest) -> Self {
        Self {
            pointer: None,
            hash: digest.to_string().into(),
        }
    }

    /// What is a revision in its maker's own words, such as a chart's version.
    ///
    /// # Errors
    /// When it is empty, longer than any revision, or can't be printed.
    pub fn opaque(text: &str) -> Result<Self, RevisionError> {
        let printable = !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if text.is_empty() || text.len() > LONGEST || !printable {
            return Err(RevisionError(text.chars().take(200).collect()));
        }
        Ok(text.parse().unwrap_or_else(|_| Self {
            pointer: None,
            hash: text.into(),
        }))
    }

    /// The branch, tag or reference name before the `@`.
    #[must_use]
    pub fn pointer(&self) -> Option<&str> {
        self.pointer.as_deref()
    }

    /// `<algorithm>:<hex>`, or the whole of what is none.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The hex digits alone.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.hash.split_once(':').map_or(&self.hash, |(_, hex)| hex)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pointer {
            Some(pointer) => write!(f, "{pointer}@{}", self.hash),
            None => f.write_str(&self.hash),
        }
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        // a branch may hold an '@': the hash is what follows the last one
        let (pointer, hash) = match s.rsplit_once('@') {
            Some((pointer, hash)) => (Some(pointer), hash),
            None => (None, s),
        };
        let valid = hash.split_once(':').is_some_and(|(algorithm, hex)| {
            !algorithm.is_empty() && hex.len() >= 7 && hex.bytes().all(|b| b.is_ascii_hexdigit())
        });
        if !valid || pointer.is_some_and(str::is_empty) {
            return Err(RevisionError(s.chars().take(200).collect()));
        }
        Ok(Self {
            pointer: pointer.map(Into::into),
            hash: hash.into(),
        })
    }
}

impl TryFrom<String> for Revision {
    type Error = RevisionError;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<Revision> for String {
    fn from(r: Revision) -> Self {
        r.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_reads_what_it_writes() {
        let commit = "9c5b7a1e".repeat(5);
        for (pointer, text) in [
            (Some("main"), format!("main@sha1:{commit}")),
            (Some("user@host"), format!("user@host@sha1:{commit}")),
            (None, format!("sha1:{commit}")),
        ] {
            let revision = Revision::git(pointer, &commit);
            assert_eq!(revision.to_string(), text);
            assert_eq!(text.parse(), Ok(revision));
        }
        assert!(Revision::git(None, &"a".repeat(64)).hash().starts_with("sha256:"));
        for bad in ["", "main", "@sha1:abcdef1", "main@sha1:xyz", "main/abcdef"] {
            assert!(bad.parse::<Revision>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_chart_has_its_version_for_a_revision() {
        for text in ["6.5.4", "6.5.4+abc123def456.2", "v1/whatever"] {
            let revision = Revision::opaque(text).expect("printable");
            assert_eq!((revision.to_string(), revision.hash()), (text.to_owned(), text));
        }
        let digest = Digest::of(b"index");
        let known = Revision::opaque(&format!("latest@{digest}")).expect("printable");
        assert_eq!(
            (known.pointer(), known.hash()),
            (Some("latest"), digest.to_string().as_str())
        );
        assert_eq!(Revision::digest(digest).to_string(), digest.to_string());
        for bad in ["", "a b", "a\n", &"a".repeat(600)] {
            assert!(Revision::opaque(bad).is_err(), "{bad}");
        }
    }
}
