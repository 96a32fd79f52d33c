use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tenure_core::{Classify, Digest, Retry};

/// What a registry does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Missing {
    /// The repository itself; registries also say so to those who may not see it.
    Repository,
    /// A tag.
    Tag(String),
    /// Any tag that fits.
    TagInRange(String),
    /// A manifest.
    Manifest(Digest),
    /// A blob that a manifest names.
    Blob(Digest),
    /// A layer of that media type; of any when empty.
    Layer(String),
    /// A manifest for this platform in an index.
    Platform,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository => f.write_str("repository"),
            Self::Tag(tag) => write!(f, "tag {tag:?}"),
            Self::TagInRange(what) => f.write_str(what),
            Self::Manifest(digest) => write!(f, "manifest {digest}"),
            Self::Blob(digest) => write!(f, "blob {digest}"),
            Self::Layer(kind) if kind.is_empty() => f.write_str("layer: its manifest lists none"),
            Self::Layer(kind) => write!(f, "layer with media type {kind:?}"),
            Self::Platform => f.write_str("manifest for linux/amd64 in its index"),
        }
    }
}

/// Why an artifact was not pulled. Serialisable, so that it crosses from the fetcher child to its parent; no
/// variant holds a secret. `image` is `oci://registry/repository` with what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum OciError {
    /// The credential was refused, cannot be used, or is needed and absent.
    #[error("cannot log in to pull {image}: {message}")]
    AuthenticationFailed {
        /// What was to be pulled.
        image: String,
        /// Who refused what, and what would help.
        message: String,
    },
    /// The registry answered and has no such thing.
    #[error("{image} has no such {what}")]
    NotFound {
        /// What was to be pulled.
        image: String,
        /// What is missing.
        what: Missing,
    },
    /// The source can never be pulled as it is written.
    #[error("cannot pull {image}: {message}")]
    InvalidReference {
        /// What was to be pulled.
        image: String,
        /// What is wrong with it.
        message: String,
    },
    /// The registry asks for patience, longer than this pull has.
    #[error("the registry of {image} limits requests: {message}")]
    RateLimited {
        /// What was to be pulled.
        image: String,
        /// What would help.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// Bytes are not those that were named.
    #[error("{image}: {what} has digest {found}, not {wanted}: the registry's content is damaged or replaced")]
    DigestMismatch {
        /// What was to be pulled.
        image: String,
        /// Manifest or blob.
        what: String,
        /// Digest that was named.
        wanted: Digest,
        /// Digest of the bytes.
        found: Digest,
    },
    /// A limit was reached.
    #[error("{image} is too large: {message}")]
    TooLarge {
        /// What was to be pulled.
        image: String,
        /// Which limit, and what would help.
        message: String,
    },
    /// The registry cannot be reached, or failed.
    #[error("cannot reach the registry of {image}: {message}")]
    Unavailable {
        /// What was to be pulled.
        image: String,
        /// The cause.
        message: String,
    },
    /// The platform does not allow that address.
    #[error("refusing to pull {image}: {message}")]
    Forbidden {
        /// What was to be pulled.
        image: String,
        /// Which address, and why.
        message: String,
    },
    /// The registry sent what cannot be understood, or must not be.
    #[error("{image}: the registry sent something that is refused: {message}")]
    Malformed {
        /// What was to be pulled.
        image: String,
        /// What it was.
        message: String,
    },
    /// The time limit passed.
    #[error("pulling {image} did not finish within {seconds} s; raise spec.timeout if the registry is just slow")]
    Timeout {
        /// What was to be pulled.
        image: String,
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

impl Classify for OciError {
    fn reason(&self) -> &'static str {
        match self {
            Self::AuthenticationFailed { .. } => "AuthenticationFailed",
            Self::InvalidReference { .. } => "URLInvalid",
            Self::NotFound {
                what: Missing::Layer(_),
                ..
            } => "OCIArtifactLayerOperationFailed",
            _ => "OCIArtifactPullFailed",
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
