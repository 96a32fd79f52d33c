use std::fmt;

use serde_json::Value;
use tenure_core::{Classify, Retry};
use tenure_kube::KubeError;

use crate::apply::Placed;
use crate::custom::HealthRules;
use crate::drift::{Fingerprints, Print};
use crate::health::Sightings;
use crate::inventory::Entry;
use crate::object::ObjectRef;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is new, or was made anew.
    Created,
    /// It was changed.
    Configured,
    /// It was as wanted; nothing was written.
    Unchanged,
    /// A marker said to leave it alone.
    Skipped,
    /// It is not as wanted, and was left so.
    Drifted,
    /// It was deleted.
    Deleted,
}

impl Action {
    /// The word that stands in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Drifted => "drifted",
            Self::Deleted => "deleted",
        }
    }
}

/// One line of a change list: `Deployment/default/frontend created`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The object.
    pub object: ObjectRef,
    /// What became of it.
    pub action: Action,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.object, self.action.as_str())
    }
}

/// What an apply came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One per object, in the order in which they were dealt with.
    pub changes: Vec<Change>,
    /// The inventory: every object of the input, also the skipped ones. Of a failed apply, those
    /// that were dealt with.
    pub entries: Vec<Entry>,
    /// What the objects look like now, but for the skipped ones.
    pub prints: Fingerprints,
    /// How they stand, where that was asked for.
    pub seen: Sightings,
}

impl Report {
    pub(crate) fn add(
        &mut self,
        placed: &Placed,
        action: Action,
        now: Option<&Value>,
        rules: Option<&HealthRules>,
    ) {
        let object = &placed.at;
        if let Some(now) = now {
            let print = Print::of(&placed.info, now, &placed.wanted);
            self.prints.insert(Entry::of(object).id, print);
        }
        if let (Some(now), Some(rules)) = (now, rules) {
            self.seen.note(object, now, rules);
        }
        self.changes.push(Change {
            object: object.clone(),
            action,
        });
        self.entries.push(Entry::of(object));
    }

    /// Whether anything was written.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.changes
            .iter()
            .any(|c| matches!(c.action, Action::Created | Action::Configured | Action::Deleted))
    }

    /// The changes as lines, without what stayed as it was.
    #[must_use]
    pub fn change_lines(&self) -> String {
        let shown = self.changes.iter().filter(|c| c.action != Action::Unchanged);
        shown.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// Why an apply failed. Texts are Flux's.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The server refused the dry-run; nothing of the stage was written.
    #[error("{object} dry-run failed{}: {}", reason(source), source.message())]
    DryRun {
        /// The object.
        object: Box<ObjectRef>,
        /// What the server said.
        source: KubeError,
    },
    /// The object's namespace, or the object, is not there.
    #[error("{object} not found: {}", source.message())]
    NotFound {
        /// The object.
        object: Box<ObjectRef>,
        /// What the server said.
        source: KubeError,
    },
    /// A namespaced object without a namespace.
    #[error("{object} namespace not specified: the server could not find the requested resource")]
    NoNamespace {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// The server serves no such kind.
    #[error("{object} dry-run failed: no matches for kind {:?} in version {:?}", object.kind, object.api_version())]
    NoSuchKind {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// An object without kind or name.
    #[error("{object} is not an object: apiVersion, kind and metadata.name are required")]
    NotAnObject {
        /// What there is of it.
        object: Box<ObjectRef>,
    },
    /// The same object twice in the input.
    #[error("{object} is given twice")]
    Twice {
        /// The object.
        object: Box<ObjectRef>,
    },
    /// A request other than a dry-run failed.
    #[error("{object} {what}: {}", source.message())]
    Request {
        /// The object, or for a LIST one of those it was for.
        object: Box<ObjectRef>,
        /// `apply failed`, `query failed`, `delete failed` …
        what: &'static str,
        /// What the server said.
        source: KubeError,
    },
    /// Objects of a stage were not ready in time for the next.
    #[error("{0}")]
    NotReady(String),
    /// The work was cancelled.
    #[error("apply was cancelled")]
    Cancelled,
}

fn reason(error: &KubeError) -> String {
    error
        .status_reason()
        // a phrase of HTTP is none of Kubernetes' reasons, and stands in where the server gave none
        .filter(|reason| !reason.contains(' '))
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default()
}

impl ApplyError {
    /// What the API server said, when it was asked.
    #[must_use]
    pub fn kube(&self) -> Option<&KubeError> {
        match self {
            Self::DryRun { source, .. } | Self::NotFound { source, .. } | Self::Request { source, .. } => {
                Some(source)
            }
            _ => None,
        }
    }

    /// Whether a kind was missing: then discovery may be old.
    #[must_use]
    pub fn is_missing_kind(&self) -> bool {
        matches!(self, Self::NoSuchKind { .. }) || self.kube().is_some_and(KubeError::is_kind_missing)
    }

    pub(crate) fn dry_run(object: &ObjectRef, source: KubeError) -> Self {
        let object = Box::new(object.clone());
        if source.is_not_found() {
            Self::NotFound { object, source }
        } else {
            Self::DryRun { object, source }
        }
    }

    pub(crate) fn request(object: &ObjectRef, what: &'static str, source: KubeError) -> Self {
        Self::Request {
            object: Box::new(object.clone()),
            what,
            source,
        }
    }
}

impl Classify for ApplyError {
    fn reason(&self) -> &'static str {
        "ReconciliationFailed"
    }

    fn retry(&self) -> Retry {
        Retry::Backoff
    }

    fn hint(&self) -> Option<String> {
        self.kube().and_then(Classify::hint)
    }
}

/// A failed apply, with what had been done before.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct ApplyFailure {
    /// Why.
    pub error: Box<ApplyError>,
    /// What was written before it.
    pub report_so_far: Report,
}
