//! What went wrong with a request, whole: who asked for what, and what the server said.

mod rule;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use tenure_core::{Classify, Retry};

use crate::call::{Call, Target};

pub use rule::RoleRule;

/// A request that failed: verb, resource, object, as whom, and why.
#[derive(Debug)]
pub struct KubeError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    verb: &'static str,
    target: Target,
    who: String,
    cause: Cause,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The API server answered with an error.
    #[error("{code} {reason}: {message}")]
    Status {
        /// The HTTP status code.
        code: u16,
        /// Kubernetes' reason, as in `Forbidden`; the HTTP phrase where there was no Status object.
        reason: String,
        /// The server's message.
        message: String,
        /// Whether the answer was a Kubernetes Status. A path that is not served answers without one.
        from_api: bool,
    },
    /// The API server could not be reached, or the connection broke.
    #[error("connection failed: {0}")]
    Transport(String),
    /// No answer in time.
    #[error("no answer within {}s", .0.as_secs())]
    Timeout(Duration),
    /// The answer could not be read.
    #[error("answer could not be read: {0}")]
    Decode(String),
    /// The request was refused here, before anything was sent.
    #[error("refused before sending: {0}")]
    Refused(String),
}

/// The API server's error object, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    kind: String,
    message: String,
    reason: String,
    code: Option<u16>,
}

impl KubeError {
    pub(crate) fn new(call: &Call, who: String, cause: Cause) -> Self {
        Self(Box::new(Inner {
            verb: call.verb,
            target: call.target.clone(),
            who,
            cause,
        }))
    }

    /// A failure before there is a request at all.
    pub(crate) fn setup(what: &'static str, message: impl Into<String>) -> Self {
        let target = Target {
            resource: what.to_owned(),
            ..Target::default()
        };
        Self(Box::new(Inner {
            verb: "open",
            target,
            who: String::new(),
            cause: Cause::Refused(message.into()),
        }))
    }

    /// Why it failed.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// The verb, as RBAC names it.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        self.0.verb
    }

    /// As whom the request was sent.
    #[must_use]
    pub fn who(&self) -> &str {
        &self.0.who
    }

    /// The HTTP status code, when there was an answer.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self.cause() {
            Cause::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Kubernetes' reason (`Forbidden`, `Conflict`, …), when there was an answer.
    #[must_use]
    pub fn status_reason(&self) -> Option<&str> {
        match self.cause() {
            Cause::Status { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// The server's message, or what happened instead of one.
    #[must_use]
    pub fn message(&self) -> String {
        match self.cause() {
            Cause::Status { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }

    /// 403: the identity lacks a right, or admission said no.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    /// 409: somebody else was faster, or owns a field.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// 404: no such object, namespace or kind.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// 404 of a path that the server does not serve: the kind does not exist (any more, or yet).
    #[must_use]
    pub fn is_kind_missing(&self) -> bool {
        matches!(
            self.cause(),
            Cause::Status {
                code: 404,
                from_api: false,
                ..
            }
        )
    }

    /// 422: the object breaks its schema or a rule.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        self.code() == Some(422)
    }

    /// 401: the token is not, or no longer, good.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        self.code() == Some(401)
    }

    /// 410: the resourceVersion of a watch is too old; list again.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.code() == Some(410)
    }

    /// Whether the same request may succeed later with nothing changed: no answer, overload, or a
    /// failure inside the server.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.cause() {
            Cause::Status { code, .. } => matches!(code, 408 | 429 | 500 | 502 | 503 | 504),
            Cause::Transport(_) | Cause::Timeout(_) => true,
            Cause::Decode(_) | Cause::Refused(_) => false,
        }
    }

    /// The rule that would have allowed the request, when it was refused for lack of one.
    #[must_use]
    pub fn missing_rule(&self) -> Option<RoleRule> {
        match self.cause() {
            Cause::Status {
                code: 403, message, ..
            } => RoleRule::from_message(message),
            _ => None,
        }
    }

    /// `resource namespace/name`, as far as the request had them.
    #[must_use]
    pub fn object(&self) -> String {
        let target = &self.0.target;
        let mut text = target.raw.map_or_else(|| target.resource.clone(), str::to_owned);
        if let Some(sub) = target.subresource {
            text = format!("{text}/{sub}");
        }
        if !target.group.is_empty() {
            text = format!("{text}.{}", target.group);
        }
        match (&target.namespace, &target.name) {
            (Some(namespace), Some(name)) => format!("{text} {namespace}/{name}"),
            (Some(namespace), None) => format!("{text} in namespace {namespace}"),
            (None, Some(name)) => format!("{text} {name}"),
            (None, None) => text,
        }
    }
}

impl fmt::Display for KubeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.0.verb, self.object())?;
        if !self.0.who.is_empty() {
            write!(f, " as {}", self.0.who)?;
        }
        write!(f, ": {}", self.0.cause)
    }
}

impl StdError for KubeError {}

impl Classify for KubeError {
    fn reason(&self) -> &'static str {
        "ReconciliationFailed"
    }

    fn retry(&self) -> Retry {
        Retry::Backoff
    }

    fn hint(&self) -> Option<String> {
        self.missing_rule().map(|rule| rule.advice())
    }
}

impl Cause {
    /// Reads an error answer.
    pub(crate) fn from_answer(code: u16, phrase: &str, body: &[u8]) -> Self {
        let status: Status = serde_json::from_slice(body).unwrap_or_default();
        let from_api = status.kind == "Status";
        let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
        let plain = String::from_utf8_lossy(body.get(..body.len().min(512)).unwrap_or_default());
        Self::Status {
            code: status.code.unwrap_or(code),
            reason: or(status.reason, phrase),
            message: or(status.message, plain.trim()),
            from_api,
        }
    }

    /// Reads the object of a watch's `ERROR` event.
    pub(crate) fn from_watch(object: &serde_json::Value) -> Self {
        let code = object
            .get("code")
            .and_then(serde_json::Value::as_u64)
            .and_then(|c| u16::try_from(c).ok());
        let text = |key: &str| {
            object
                .get(key)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Self::Status {
            code: code.unwrap_or(500),
            reason: text("reason"),
            message: text("message"),
            from_api: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_who_wanted_what_and_why_not() {
        let call = Call::patch(Target::of("apps", "v1", "deployments").within("a").named("web"));
        let body = br#"{"kind":"Status","code":403,"reason":"Forbidden","message":"no"}"#;
        let error = KubeError::new(
            &call,
            "system:serviceaccount:a:dev".into(),
            Cause::from_answer(403, "Forbidden", body),
        );
        assert_eq!(
            error.to_string(),
            "cannot patch deployments.apps a/web as system:serviceaccount:a:dev: 403 Forbidden: no"
        );
        assert!(error.is_forbidden() && !error.is_transient() && error.missing_rule().is_none());
    }

    #[test]
    fn a_path_that_is_not_served_is_told_from_an_object_that_is_not_there() {
        let call = Call::get(Target::of("x.dev", "v1", "things").named("a"));
        let plain = KubeError::new(
            &call,
            String::new(),
            Cause::from_answer(404, "Not Found", b"404 page not found\n"),
        );
        assert!(plain.is_kind_missing());
        assert_eq!(plain.message(), "404 page not found");
        let status =
            br#"{"kind":"Status","code":404,"reason":"NotFound","message":"things.x.dev \"a\" not found"}"#;
        let object = KubeError::new(&call, String::new(), Cause::from_answer(404, "Not Found", status));
        assert!(object.is_not_found() && !object.is_kind_missing());
    }
}
