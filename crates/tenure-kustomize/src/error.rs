use std::fmt::{self, Write as _};
use std::io;

use tenure_yaml::Location;

use crate::PathError;

/// Why a build failed, and where. Shown as `file:line:column: field: reason`.
#[derive(Debug)]
pub struct Error {
    file: Option<String>,
    location: Option<Location>,
    field: Option<String>,
    reason: Box<Reason>,
}

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// A path that is not allowed.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A file that could not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Nothing is at the path; the second part says why, if it is known.
    #[error("no such file or directory: {0}{hint}", hint = .1.as_ref().map_or(String::new(), |h| format!(" ({h})")))]
    NotFound(String, Option<String>),
    /// The path of a build does not exist.
    #[error("kustomization path not found: {0}{hint}", hint = .1.as_ref().map_or(String::new(), |h| format!(" ({h})")))]
    NoSuchPath(String, Option<String>),
    /// A directory without a kustomization file.
    #[error(
        "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory {0}"
    )]
    NoKustomization(String),
    /// A directory with more than one kustomization file.
    #[error("found more than one kustomization file in directory {0}")]
    ManyKustomizations(String),
    /// The YAML is malformed.
    #[error("{0}")]
    Yaml(tenure_yaml::Reason),
    /// A field is known, but not supported.
    #[error("this field is not supported")]
    Unsupported,
    /// A field is not known.
    #[error("unknown field")]
    UnknownField,
    /// A base or file that lies elsewhere.
    #[error("remote resource {0:?} is refused: keep it in the repository, or use a source of its own")]
    Remote(String),
    /// A kustomization that includes itself.
    #[error("cycle: {0} includes itself")]
    Cycle(String),
    /// A limit was reached.
    #[error("the build exceeds its limit of {limit} {what}")]
    Budget {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A file outside the kustomization's directory.
    #[error("{0} is not in or below the directory of its kustomization file")]
    Restricted(String),
    /// A document is not a Kubernetes object.
    #[error("not a Kubernetes object: {0}")]
    NotAnObject(String),
    /// Anything else that is wrong with what was asked for.
    #[error("{0}")]
    Invalid(String),
}

impl Error {
    pub(crate) fn new(reason: Reason) -> Self {
        Self {
            file: None,
            location: None,
            field: None,
            reason: Box::new(reason),
        }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        let mut text = text.into();
        shorten(&mut text);
        Self::new(Reason::Invalid(text))
    }

    pub(crate) fn at_file(file: impl fmt::Display, reason: Reason) -> Self {
        Self::new(reason).or_file(file)
    }

    pub(crate) fn yaml(file: impl fmt::Display, error: tenure_yaml::Error) -> Self {
        Self {
            location: Some(error.location),
            ..Self::at_file(file, Reason::Yaml(error.reason))
        }
    }

    /// The same, with what it is about said first. A limit of the build stays one, wherever it is met.
    pub(crate) fn about(self, what: impl fmt::Display) -> Self {
        if self.is_limit() {
            return self;
        }
        Self::invalid(format!("{what}: {self}"))
    }

    /// Whether the build took too long.
    #[must_use]
    pub fn is_out_of_time(&self) -> bool {
        matches!(
            *self.reason,
            Reason::Budget {
                what: crate::meter::MILLISECONDS,
                ..
            }
        )
    }

    /// Whether a limit of the build was reached.
    pub(crate) const fn is_limit(&self) -> bool {
        matches!(*self.reason, Reason::Budget { .. })
    }

    /// The same, in `file` unless it already says where.
    pub(crate) fn or_file(mut self, file: impl fmt::Display) -> Self {
        if self.file.is_none() {
            self.file = Some(file.to_string());
        }
        self
    }

    pub(crate) fn at(mut self, location: Option<Location>) -> Self {
        self.location = self.location.or(location);
        self
    }

    pub(crate) fn in_field(mut self, field: impl Into<String>) -> Self {
        if self.field.is_none() {
            self.field = Some(field.into());
        }
        self
    }

    /// The file, relative to the root.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The place in the file.
    #[must_use]
    pub const fn location(&self) -> Option<Location> {
        self.location
    }

    /// The field of the kustomization file.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What is wrong.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text)?;
        shorten(&mut text);
        f.write_str(&text)
    }
}

/// Bytes of a message; names from a repository may be of any length.
const LONGEST: usize = 2000;

fn shorten(text: &mut String) {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
}

impl Error {
    fn write(&self, f: &mut String) -> fmt::Result {
        if let Some(file) = &self.file {
            f.push_str(file);
            if let Some(location) = self.location {
                write!(f, ":{location}")?;
            }
            f.push_str(": ");
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{}", self.reason)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.reason)
    }
}
