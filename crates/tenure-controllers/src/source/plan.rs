//! What the decisions of all kinds of source have in common.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tenure_api::{Limit, reasons};
use tenure_core::{DurationError, GoDuration};

use crate::Home;

/// Used when `spec.timeout` is empty.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

/// What a decision rests on.
pub(crate) struct Observed<'a> {
    pub(crate) object: &'a Value,
    pub(crate) home: &'a Home,
}

/// What to do with a source.
#[derive(Debug)]
pub(crate) enum Plan<Q> {
    /// It is being deleted: let go of it, and of its remote if it has a valid one.
    Release { remote: Option<String> },
    /// Record that the request was seen, and nothing else.
    Rest,
    /// It can never work as it is written.
    Refuse(Refusal),
    /// Nobody reconciles it: its status and our finalizer are taken away, unless it is suspended.
    Static { suspended: bool },
    /// Ask the cache.
    Resolve(Box<Resolve<Q>>),
}

/// Why an object is refused until it, or the Tenant, changes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// What the Tenant does not allow.
    pub(crate) limit: Option<Limit>,
}

/// A question that makes sense.
#[derive(Debug)]
pub(crate) struct Resolve<Q> {
    pub(crate) question: Q,
    pub(crate) ignore: Option<String>,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    /// `<kind>/<name>` of the object, if the cache may look for it while the worker sleeps.
    pub(crate) subject: Option<String>,
    /// Something is made of the artifact, so that its bytes are needed here.
    pub(crate) consumed: bool,
    /// What the remote has said no longer ago counts.
    pub(crate) max_age: Duration,
}

impl<Q> Resolve<Q> {
    /// The question, to be asked so often and answered so fast.
    pub(crate) fn new(
        question: Q,
        ignore: Option<&String>,
        interval: Result<GoDuration, DurationError>,
        timeout: Result<Option<GoDuration>, DurationError>,
    ) -> Result<Self, Refusal> {
        let unreadable = |field: &str, error: DurationError| Refusal {
            reason: reasons::FAILED,
            message: format!("spec.{field} can't be read: {error}"),
            limit: None,
        };
        let interval = interval.map_err(|error| unreadable("interval", error))?;
        let timeout = timeout.map_err(|error| unreadable("timeout", error))?;
        Ok(Self {
            question,
            ignore: ignore.cloned(),
            interval: interval.as_duration(),
            timeout: timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.as_duration()),
            subject: None,
            consumed: true,
            max_age: Duration::ZERO,
        })
    }
}

impl<Q> From<Refusal> for Plan<Q> {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

impl<Q> From<Result<Resolve<Q>, Refusal>> for Plan<Q> {
    fn from(decided: Result<Resolve<Q>, Refusal>) -> Self {
        match decided {
            Ok(resolve) => Self::Resolve(Box::new(resolve)),
            Err(refusal) => Self::Refuse(refusal),
        }
    }
}

impl Refusal {
    /// An object that does not decode.
    pub(crate) fn unreadable(error: &serde_json::Error) -> Self {
        Self {
            reason: reasons::FAILED,
            message: format!("the object can't be read: {error}"),
            limit: None,
        }
    }

    /// A URL that is none.
    pub(crate) fn url(error: impl fmt::Display) -> Self {
        Self {
            reason: reasons::URL_INVALID,
            message: format!("spec.url can't be used: {error}"),
            limit: None,
        }
    }

    /// A field that asks for what is not built yet: said aloud, never skipped.
    pub(crate) fn unsupported(field: &str) -> Self {
        Self {
            reason: reasons::FEATURE_GATE_DISABLED,
            message: format!("spec.{field} is not supported yet; remove it"),
            limit: None,
        }
    }
}

/// Refuses a URL that the Tenant does not allow; `spellings` are all its ways to be written.
pub(crate) fn allowed(home: &Home, url: impl fmt::Display, spellings: &[String]) -> Result<(), Refusal> {
    if home.sources.allows(spellings) {
        return Ok(());
    }
    Err(Refusal {
        reason: reasons::ACCESS_DENIED,
        message: format!(
            "the Tenant '{}' may not fetch from '{url}'; add a prefix of it to the Tenant's spec.sources.allow",
            home.tenant
        ),
        limit: Some(Limit::Sources),
    })
}
