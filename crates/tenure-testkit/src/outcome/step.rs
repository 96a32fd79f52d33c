//! One step of a scenario.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::wish::Wish;

/// One step: what is done, in the order of the fields, and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// What happens.
    pub(super) name: String,
    /// The directory below `commits/` that becomes the repository's next commit.
    pub(super) commit: Option<Commit>,
    /// On which branch, from now on.
    pub(super) branch: Option<String>,
    /// The tag that the commit gets.
    pub(super) tag: Option<String>,
    /// Whether the usual source is not told of the commit, and has to find it.
    #[serde(default)]
    pub(super) untold: bool,
    /// Objects to apply as the administrator.
    #[serde(default)]
    pub(super) apply: Vec<Item>,
    /// What the API server says, if it refuses these.
    pub(super) refused: Option<String>,
    /// Fields of the usual source that change; null takes one away.
    pub(super) source: Option<Map<String, Value>>,
    /// Fields of the usual Kustomization that change; null takes one away.
    pub(super) kustomization: Option<Map<String, Value>>,
    /// A part of a message, to be used as `$(name)` from now on.
    pub(super) remember: Option<Remember>,
    /// Changes by hand.
    #[serde(default)]
    pub(super) patch: Vec<Patch>,
    /// Objects to delete.
    #[serde(default)]
    pub(super) delete: Vec<String>,
    /// Objects that are asked to reconcile now; the answer is waited for.
    #[serde(default)]
    pub(super) request: Vec<String>,
    /// What must come of it before the next step.
    #[serde(default)]
    pub(super) until: Vec<Wish>,
}

/// A commit of the usual repository, `1`, or of another one, `lib/1`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Commit {
    /// Of the repository `app`.
    Usual(u32),
    /// Of another one.
    Other(String),
}

impl Commit {
    /// Below `commits/`.
    pub(super) fn directory(&self) -> String {
        match self {
            Self::Usual(number) => number.to_string(),
            Self::Other(directory) => directory.clone(),
        }
    }

    /// The repository.
    pub(super) fn repository(&self) -> &str {
        match self {
            Self::Usual(_) => "app",
            Self::Other(directory) => directory.split('/').next().unwrap_or_default(),
        }
    }

    /// The name under which its id is known.
    pub(super) fn place(&self) -> String {
        format!("commit.{}", self.directory().replace('/', "."))
    }
}

/// An object, or a file with some.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Item {
    /// Below `cluster/`.
    File(String),
    /// Itself.
    Object(Value),
}

/// A change by somebody else.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    /// Of which object.
    pub(super) object: String,
    /// The fields, as a merge patch.
    pub(super) with: Value,
    /// Who: the field manager.
    #[serde(default = "somebody")]
    pub(super) manager: String,
    /// `status` for that.
    pub(super) subresource: Option<String>,
    /// Whether the fields are applied and not merged: the manager then owns them as one who applies.
    #[serde(default)]
    pub(super) apply: bool,
}

fn somebody() -> String {
    "somebody".to_owned()
}

/// What a message has between two texts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remember {
    /// The name it gets.
    pub(super) name: String,
    /// Whose Ready condition.
    pub(super) of: String,
    /// The text before it.
    pub(super) after: String,
    /// The text after it.
    pub(super) before: String,
}
