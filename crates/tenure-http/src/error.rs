use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tenure_core::{Classify, Digest, Retry, printable};
use tenure_net::Failed;

/// What a repository does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Missing {
    /// A file, by its name.
    File(String),
    /// A chart, by its name.
    Chart(String),
    /// A version of a chart: its name, and what was asked for.
    Version(String, String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) => write!(f, "file {name}"),
            Self::Chart(name) => write!(f, "chart {name:?}"),
            Self::Version(name, version) => write!(f, "version of chart {name:?} that matches {version:?}"),
        }
    }
}

/// Why nothing was downloaded. Serialisable, so that it crosses from a fetcher child to its parent; repositories are
/// named redacted, and no variant holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum HttpError {
    /// The credential was refused, cannot be used, or is needed and absent.
    #[error("cannot log in to {remote}: {message}")]
    AuthenticationFailed {
        /// The repository, redacted.
        remote: String,
        /// Who refused what, and what would help.
        message: String,
    },
    /// The repository answered and has no such thing.
    #[error("{remote} has no {what}")]
    NotFound {
        /// The repository, redacted.
        remote: String,
        /// What is missing.
        what: Missing,
    },
    /// It can never work as it is written.
    #[error("cannot use {remote}: {message}")]
    InvalidReference {
        /// The repository, redacted.
        remote: String,
        /// What is wrong.
        message: String,
    },
    /// The server asks for patience, longer than this download has.
    #[error("{remote} limits requests: {message}")]
    RateLimited {
        /// The repository, redacted.
        remote: String,
        /// What it said.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The file is not the one that was announced.
    #[error("{remote}: {name} has digest {found}, {wanted} was announced")]
    DigestMismatch {
        /// The repository, redacted.
        remote: String,
        /// Which file.
        name: String,
        /// Digest in the index, or in whatever else names the file.
        wanted: Digest,
        /// Digest of the bytes.
        found: Digest,
    },
    /// A limit was reached.
    #[error("{remote} is too large: {message}")]
    TooLarge {
        /// The repository, redacted.
        remote: String,
        /// Which limit, and what would help.
        message: String,
    },
    /// The server cannot be reached, or failed.
    #[error("cannot reach {remote}: {message}")]
    Unavailable {
        /// The repository, redacted.
        remote: String,
        /// The cause.
        message: String,
    },
    /// The platform does not allow that address.
    #[error("refusing to use {remote}: {message}")]
    Forbidden {
        /// The repository, redacted.
        remote: String,
        /// Which address, and why.
        message: String,
    },
    /// The server sent what cannot be understood, or must not be.
    #[error("{remote} sent something that is refused: {message}")]
    Malformed {
        /// The repository, redacted.
        remote: String,
        /// What it was.
        message: String,
    },
    /// The time limit passed.
    #[error("{remote} did not finish within {seconds} s; raise spec.timeout if it is just slow")]
    Timeout {
        /// The repository, redacted.
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

impl Classify for HttpError {
    fn reason(&self) -> &'static str {
        match self {
            Self::AuthenticationFailed { .. } => "AuthenticationFailed",
            Self::InvalidReference { .. } => "URLInvalid",
            Self::NotFound {
                what: Missing::Chart(_) | Missing::Version(..),
                ..
            } => "InvalidChartReference",
            Self::Malformed { .. } => "IndexationFailed",
            _ => "Failed",
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

/// What a request that got no answer means.
pub(crate) fn failed(shown: &str, failed: Failed) -> HttpError {
    let remote = shown.to_owned();
    let message = printable(&failed.to_string());
    match failed {
        Failed::Refused(_) => HttpError::Forbidden { remote, message },
        Failed::Redirect(_) => HttpError::Malformed { remote, message },
        Failed::Busy {
            status, retry_after, ..
        } if status == 429 || retry_after.is_some() => HttpError::RateLimited {
            remote,
            message,
            retry_after,
        },
        Failed::Busy { .. } | Failed::Unreachable { .. } => HttpError::Unavailable { remote, message },
    }
}

pub(crate) fn local(shown: &str, error: &std::io::Error) -> HttpError {
    HttpError::Local {
        what: format!("keeping what {shown} has"),
        message: error.to_string(),
    }
}
