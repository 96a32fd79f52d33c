use std::error::Error as _;
use std::time::Duration;

use prost::Message as _;
use tenure_core::{Classify, Digest, Retry};
use tenure_proto::FAILURE_KEY;
use tenure_proto::source::{Failure, FailureKind};
use tonic::{Code, Status};

/// Why the cache gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Where the cache is, or its certificate authority, cannot be used.
    #[error("can't use the source cache's address: {0}")]
    Endpoint(String),
    /// The worker has no token for the cache; the supervisor sends one.
    #[error("can't ask the source cache: there is no token for it yet")]
    NoToken,
    /// The cache does not answer.
    #[error("can't reach the source cache: {0}")]
    Unreachable(String),
    /// The cache does not accept the token.
    #[error("the source cache refuses this worker's token")]
    TokenRefused,
    /// This home has too many calls open.
    #[error("the source cache is busy: {0}")]
    Busy(String),
    /// The grant is no longer good, or the artifact was evicted: resolve again.
    #[error("the source cache no longer opens the artifact: {0}")]
    Stale(String),
    /// The remote gave nothing, or the reference can't work.
    #[error("{message}")]
    Remote {
        /// What kind of failure.
        kind: FailureKind,
        /// What was attempted on which remote.
        message: String,
        /// What would cure it; may be empty.
        hint: String,
        /// When the remote wants to be asked again.
        retry_after: Option<Duration>,
        /// The reference was found; getting its content failed.
        found: bool,
    },
    /// The cache sent other bytes than the artifact's.
    #[error("the source cache sent {found} for artifact {expected}: the bytes were thrown away")]
    Corrupt {
        /// What was asked for.
        expected: Digest,
        /// What came: a digest, or a number of bytes.
        found: String,
    },
    /// The artifact can't be written to the scratch directory.
    #[error("can't write the artifact to the scratch directory: {0}")]
    Disk(#[from] std::io::Error),
}

impl SourceError {
    /// What an error status of the cache means.
    pub(super) fn from_status(status: &Status) -> Self {
        let message = status.message().to_owned();
        if status.code() == Code::Unauthenticated {
            return Self::TokenRefused;
        }
        match details(status) {
            Some(failure) => Self::from_failure(&failure, message),
            None if status.code() == Code::ResourceExhausted => Self::Busy(message),
            None => Self::Unreachable(status.source().map_or(message, super::chain)),
        }
    }

    fn from_failure(failure: &Failure, message: String) -> Self {
        match failure.kind() {
            FailureKind::Denied | FailureKind::Gone => Self::Stale(message),
            kind => Self::Remote {
                kind,
                message,
                hint: failure.hint.clone(),
                retry_after: failure.retry_after.and_then(|after| after.try_into().ok()),
                found: failure.found,
            },
        }
    }

    /// The reason for a source in a registry.
    #[must_use]
    pub fn reason_for_oci(&self) -> &'static str {
        match self {
            Self::Remote { kind, .. } => match kind {
                FailureKind::InvalidReference => "URLInvalid",
                FailureKind::TooLarge => "ArchiveOperationFailed",
                FailureKind::LayerUnusable => "OCIArtifactLayerOperationFailed",
                _ => "OCIArtifactPullFailed",
            },
            _ => self.reason(),
        }
    }

    /// Whether the reference was found, and getting its content failed.
    #[must_use]
    pub const fn found(&self) -> bool {
        matches!(self, Self::Remote { found: true, .. })
    }

    /// Whether it is the cache itself that is out of reach, or has forgotten what it said: what is on disk stays
    /// authoritative.
    #[must_use]
    pub const fn cache_down(&self) -> bool {
        matches!(
            self,
            Self::Endpoint(_)
                | Self::NoToken
                | Self::Unreachable(_)
                | Self::TokenRefused
                | Self::Busy(_)
                | Self::Stale(_)
        )
    }
}

fn details(status: &Status) -> Option<Failure> {
    let bytes = status.metadata().get_bin(FAILURE_KEY)?.to_bytes().ok()?;
    Failure::decode(bytes).ok()
}

impl Classify for SourceError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Endpoint(_)
            | Self::NoToken
            | Self::Unreachable(_)
            | Self::TokenRefused
            | Self::Busy(_)
            | Self::Stale(_)
            | Self::Corrupt { .. } => "SourceCacheUnavailable",
            Self::Disk(_) => "StorageOperationFailed",
            Self::Remote { kind, .. } => match kind {
                FailureKind::InvalidReference => "URLInvalid",
                FailureKind::EmptyRepository => "EmptyGitRepository",
                FailureKind::TooLarge => "ArchiveOperationFailed",
                _ => "GitOperationFailed",
            },
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Remote {
                kind: FailureKind::InvalidReference,
                ..
            } => Retry::Stalled,
            Self::Remote {
                retry_after: Some(after),
                ..
            } => Retry::After(*after),
            Self::Stale(_) => Retry::After(Duration::from_secs(1)),
            _ => Retry::Backoff,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Remote { hint, .. } if !hint.is_empty() => Some(hint.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::metadata::{BinaryMetadataKey, MetadataMap, MetadataValue};

    fn said(code: Code, kind: FailureKind) -> SourceError {
        let failure = Failure {
            kind: kind.into(),
            hint: "do this".into(),
            ..Failure::default()
        };
        let mut metadata = MetadataMap::new();
        let value = MetadataValue::from_bytes(&failure.encode_to_vec());
        metadata.insert_bin(BinaryMetadataKey::from_static(FAILURE_KEY), value);
        SourceError::from_status(&Status::with_metadata(code, "what was attempted", metadata))
    }

    #[test]
    fn what_the_cache_says_becomes_the_reason_that_flux_has() {
        for (kind, reason, retry) in [
            // Flux keeps AuthenticationFailed for Secrets that cannot be used at all
            (
                FailureKind::AuthenticationFailed,
                "GitOperationFailed",
                Retry::Backoff,
            ),
            (FailureKind::HostKeyMismatch, "GitOperationFailed", Retry::Backoff),
            (FailureKind::NotFound, "GitOperationFailed", Retry::Backoff),
            (FailureKind::InvalidReference, "URLInvalid", Retry::Stalled),
            (FailureKind::EmptyRepository, "EmptyGitRepository", Retry::Backoff),
            (
                FailureKind::Denied,
                "SourceCacheUnavailable",
                Retry::After(Duration::from_secs(1)),
            ),
        ] {
            let error = said(Code::FailedPrecondition, kind);
            assert_eq!((error.reason(), error.retry()), (reason, retry), "{kind:?}");
            assert_eq!(error.cache_down(), reason == "SourceCacheUnavailable", "{kind:?}");
        }
    }

    #[test]
    fn a_status_that_says_nothing_more_means_the_cache_is_out_of_reach() {
        for code in [
            Code::Unavailable,
            Code::Unknown,
            Code::DeadlineExceeded,
            Code::Unimplemented,
        ] {
            let error = SourceError::from_status(&Status::new(code, "x"));
            assert!(error.cache_down(), "{code:?}");
            assert_eq!(error.reason(), "SourceCacheUnavailable");
        }
        assert!(said(Code::Unauthenticated, FailureKind::Denied).cache_down());
    }
}
