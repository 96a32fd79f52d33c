use std::time::Duration;

use prost::Message as _;
use tenure_proto::FAILURE_KEY;
use tenure_proto::source::{self, FailureKind};
use tonic::metadata::{BinaryMetadataKey, MetadataMap, MetadataValue};
use tonic::{Code, Status};

/// A message longer than this is cut: it travels in an HTTP/2 header and ends in a condition.
const MAX_MESSAGE: usize = 1024;

/// Why a call gave nothing, in the closed list of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
    pub(crate) hint: String,
    pub(crate) retry_after: Option<Duration>,
    /// It is the host that asks for this patience, of everybody.
    pub(crate) limited: bool,
    /// The remote does not let this caller's credential in.
    pub(crate) refused: bool,
    /// The reference was found; getting its content failed.
    pub(crate) found: bool,
    /// As much as was allowed may have been downloaded for nothing.
    pub(crate) wasteful: bool,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: String::new(),
            retry_after: None,
            limited: false,
            refused: false,
            found: false,
            wasteful: kind == FailureKind::TooLarge,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The one answer to whoever brings no acceptable token, whatever is wrong with it.
    pub(crate) fn unauthenticated() -> Status {
        Self::new(FailureKind::Denied, "the token was not accepted").status_as(Code::Unauthenticated)
    }

    /// The one answer to whoever brings no good grant, whether or not the artifact exists.
    pub(crate) fn denied() -> Self {
        Self::new(FailureKind::Denied, "the grant was not accepted: resolve again")
    }

    /// The artifact was there and is not any more.
    pub(crate) fn gone() -> Self {
        Self::new(
            FailureKind::Gone,
            "the artifact is no longer in the cache: resolve again",
        )
    }

    /// Too many calls of this home at once.
    pub(crate) fn busy() -> Status {
        Status::new(
            Code::ResourceExhausted,
            "too many calls of this namespace at once",
        )
    }

    /// Something inside the cache, which callers can't cure. `what` must not hold a secret.
    pub(crate) fn internal(what: &str, error: &dyn std::fmt::Display) -> Status {
        tracing::error!(what, %error, "the cache failed");
        Status::new(Code::Unavailable, format!("the source cache can't {what}"))
    }

    /// The error status that carries this failure.
    pub(crate) fn status(&self) -> Status {
        self.status_as(match self.kind {
            FailureKind::NotFound | FailureKind::NoSuchChart => Code::NotFound,
            FailureKind::InvalidReference => Code::InvalidArgument,
            FailureKind::UpstreamUnavailable | FailureKind::Gone => Code::Unavailable,
            FailureKind::TooLarge | FailureKind::OverBudget => Code::ResourceExhausted,
            FailureKind::Denied => Code::PermissionDenied,
            FailureKind::Unspecified => Code::Unknown,
            FailureKind::AuthenticationFailed
            | FailureKind::HostKeyMismatch
            | FailureKind::EmptyRepository
            | FailureKind::LayerUnusable
            | FailureKind::Malformed => Code::FailedPrecondition,
        })
    }

    fn status_as(&self, code: Code) -> Status {
        let details = source::Failure {
            kind: self.kind.into(),
            retry_after: self.retry_after.and_then(|after| after.try_into().ok()),
            hint: cut(&self.hint),
            found: self.found,
        };
        let mut metadata = MetadataMap::new();
        let key = BinaryMetadataKey::from_static(FAILURE_KEY);
        metadata.insert_bin(key, MetadataValue::from_bytes(&details.encode_to_vec()));
        Status::with_metadata(code, cut(&self.message), metadata)
    }

    /// Without any of `secrets`, should a remote have put one into its answer.
    pub(crate) fn scrub(mut self, secrets: &[&str]) -> Self {
        for secret in secrets.iter().filter(|secret| secret.len() >= 3) {
            self.message = self.message.replace(secret, "****");
            self.hint = self.hint.replace(secret, "****");
        }
        self
    }
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_MESSAGE {
        return text.to_owned();
    }
    let end = text
        .char_indices()
        .map(|(at, _)| at)
        .take_while(|at| *at <= MAX_MESSAGE)
        .last()
        .unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_carries_kind_hint_and_wait() {
        let mut failure = Failure::new(FailureKind::UpstreamUnavailable, "no").hint("try");
        failure.retry_after = Some(Duration::from_secs(7));
        let status = failure.status();
        let bytes = status
            .metadata()
            .get_bin(FAILURE_KEY)
            .expect("set")
            .to_bytes()
            .expect("decodes");
        let read = source::Failure::decode(bytes).expect("a Failure");
        assert_eq!(
            (read.kind(), read.hint.as_str()),
            (FailureKind::UpstreamUnavailable, "try")
        );
        assert_eq!(read.retry_after.map(|after| after.seconds), Some(7));
    }

    #[test]
    fn a_secret_that_a_remote_echoes_goes_no_further() {
        let failure =
            Failure::new(FailureKind::AuthenticationFailed, "bad password hunter2").scrub(&["hunter2", ""]);
        assert_eq!(failure.message, "bad password ****");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let status = Failure::new(FailureKind::Malformed, "ü".repeat(5000)).status();
        assert!(status.message().len() <= MAX_MESSAGE && status.message().starts_with('ü'));
    }
}
