use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tenure_core::{Classify, Retry};

/// What a remote does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Missing {
    /// The repository itself; hosts also say so to those who may not see it.
    Repository,
    /// A branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// Any tag in a range.
    TagInRange(String),
    /// A full reference name.
    Name(String),
    /// A commit.
    Commit(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository => f.write_str("repository"),
            Self::Branch(name) => write!(f, "branch {name:?}"),
            Self::Tag(name) => write!(f, "tag {name:?}"),
            Self::TagInRange(range) => write!(f, "tag in range {range:?}"),
            Self::Name(name) => write!(f, "reference {name:?}"),
            Self::Commit(id) => write!(f, "commit {id:?}"),
        }
    }
}

/// Why a remote was not read. Serialisable, so that it crosses from the fetcher child to its parent; remotes are
/// named redacted, and no variant holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum GitError {
    /// The credential was refused, cannot be used, or is needed and absent.
    #[error("cannot log in to {remote}: {message}")]
    AuthenticationFailed {
        /// The remote, redacted.
        remote: String,
        /// Who refused what, and what would help.
        message: String,
    },
    /// The ssh host's key is unknown, another one, or revoked.
    #[error("cannot trust the host of {remote}: {message}")]
    HostKeyMismatch {
        /// The remote, redacted.
        remote: String,
        /// Names host, key type and fingerprint.
        message: String,
    },
    /// The remote answered and has no such thing.
    #[error("{remote} has no such {what}")]
    NotFound {
        /// The remote, redacted.
        remote: String,
        /// What is missing.
        what: Missing,
    },
    /// The reference can never be resolved.
    #[error("cannot resolve {reference}: {message}")]
    InvalidReference {
        /// The reference as it was given.
        reference: String,
        /// What is wrong with it.
        message: String,
    },
    /// The remote cannot be reached, or failed.
    #[error("cannot reach {remote}: {message}")]
    Unavailable {
        /// The remote, redacted.
        remote: String,
        /// The cause.
        message: String,
    },
    /// The host asks for patience.
    #[error("{remote} limits requests: {message}")]
    RateLimited {
        /// The remote, redacted.
        remote: String,
        /// What it answered.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The platform does not allow that address.
    #[error("refusing to read {remote}: {message}")]
    Forbidden {
        /// The remote, redacted.
        remote: String,
        /// Which address, and why.
        message: String,
    },
    /// A limit was reached.
    #[error("{remote} is too large: {message}")]
    TooLarge {
        /// The remote, redacted.
        remote: String,
        /// Which limit, and what would help.
        message: String,
    },
    /// The repository has no commit yet.
    #[error("{remote} is empty: push a first commit")]
    EmptyRepository {
        /// The remote, redacted.
        remote: String,
    },
    /// The remote sent what cannot be understood, or must not be.
    #[error("{remote} sent something that is refused: {message}")]
    Malformed {
        /// The remote, redacted.
        remote: String,
        /// What it was.
        message: String,
    },
    /// The time limit passed.
    #[error("{remote} did not finish within {seconds} s")]
    Timeout {
        /// The remote, redacted.
        remote: String,
        /// The limit in seconds.
        seconds: u64,
    },
    /// This machine failed: a full disk, a missing directory.
    #[error("{what}: {message}")]
    Local {
        /// What was attempted.
        what: String,
        /// Why it failed.
        message: String,
    },
}

impl GitError {
    /// The same, of a submodule.
    pub(crate) fn in_submodule(mut self, path: &str) -> Self {
        let (Self::AuthenticationFailed { remote, .. }
        | Self::HostKeyMismatch { remote, .. }
        | Self::NotFound { remote, .. }
        | Self::Unavailable { remote, .. }
        | Self::RateLimited { remote, .. }
        | Self::Forbidden { remote, .. }
        | Self::TooLarge { remote, .. }
        | Self::EmptyRepository { remote }
        | Self::Malformed { remote, .. }
        | Self::Timeout { remote, .. }) = &mut self
        else {
            return self;
        };
        *remote = format!("submodule {path:?} at {remote}");
        self
    }
}

impl Classify for GitError {
    fn reason(&self) -> &'static str {
        match self {
            Self::EmptyRepository { .. } => "EmptyGitRepository",
            _ => "GitOperationFailed",
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::InvalidReference { .. } => Retry::Stalled,
            Self::RateLimited {
                retry_after: Some(wait),
                ..
            } => Retry::After(*wait),
            _ => Retry::Backoff,
        }
    }
}
