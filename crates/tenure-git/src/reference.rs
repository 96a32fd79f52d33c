use std::fmt;

use serde::{Deserialize, Serialize};
use tenure_core::Revision;

/// What to follow. One of these; the precedence among a spec's fields is the controller's business.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reference {
    /// The tip of a branch.
    Branch(String),
    /// A tag, peeled to its commit.
    Tag(String),
    /// The highest tag in a range of versions.
    Semver(String),
    /// A full reference name, as `refs/pull/1/head`.
    Name(String),
    /// One commit, by all its digits.
    Commit {
        /// The commit.
        id: String,
        /// The branch it is said to be on; only named in the revision.
        branch: Option<String>,
    },
}

impl Default for Reference {
    /// Flux's: the branch `master`.
    fn default() -> Self {
        Self::Branch("master".to_owned())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) => write!(f, "branch {name:?}"),
            Self::Tag(name) => write!(f, "tag {name:?}"),
            Self::Semver(range) => write!(f, "tag in range {range:?}"),
            Self::Name(name) => write!(f, "reference {name:?}"),
            Self::Commit { id, .. } => write!(f, "commit {id:?}"),
        }
    }
}

/// Where a reference is, as the remote said when asked with one credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// As Flux writes it: `main@sha1:…`.
    pub revision: Revision,
    /// The commit's hex digits.
    pub commit: String,
    /// The branch, tag or reference name in the revision.
    pub pointer: Option<String>,
    /// The annotated tag that stands between the reference and the commit: its hex digits.
    #[serde(default)]
    pub tag: Option<String>,
    /// Whether the remote itself named the commit. If not, only a download with the credential proves that it
    /// may be read, so [`crate::fetch`] never serves it from the object database alone.
    pub advertised: bool,
}
