use std::fmt;

/// Why a template was not parsed; shown as Go shows it, `template: NAME:LINE: reason`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}: {reason}")]
pub struct ParseError {
    /// The template's name.
    pub name: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

/// Why a run failed; shown as Go shows it.
///
/// Its [`source`](std::error::Error::source) is the error that Go wraps in it, which is how an error
/// inside an included template carries the places of all templates around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    /// What this error says before what its cause says. Chains are as long as recursion is deep, so
    /// that no link keeps the text of those below it.
    head: String,
    cause: Option<Error>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Go's `template.ExecError`.
    Execution,
    /// Any other.
    Plain,
    /// A limit of the run.
    Limit,
}

impl Error {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(text.into(), None, Kind::Plain)
    }

    pub(crate) fn limit(text: impl Into<String>) -> Self {
        Self::new(text.into(), None, Kind::Limit)
    }

    /// A plain error around another, whose text follows `head`.
    pub(crate) fn around(head: String, cause: Self) -> Self {
        Self::new(head, Some(cause), Kind::Plain)
    }

    /// An error at a place of a template; the text of its cause follows `head`.
    pub(crate) fn execution(head: String, cause: Option<Self>) -> Self {
        Self::new(head, cause, Kind::Execution)
    }

    fn new(head: String, cause: Option<Self>, kind: Kind) -> Self {
        Self(Box::new(Inner { head, cause, kind }))
    }

    /// Whether a limit of the run was reached, here or in what caused this.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        self.chain().any(|error| error.0.kind == Kind::Limit)
    }

    pub(crate) fn is_execution(&self) -> bool {
        self.chain().any(|error| error.0.kind == Kind::Execution)
    }

    pub(crate) fn head(&self) -> &str {
        &self.0.head
    }

    /// This error and what it wraps, outermost first.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |error| error.0.cause.as_ref())
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chain().try_for_each(|error| f.write_str(error.head()))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .cause
            .as_ref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

impl Drop for Inner {
    /// A chain can be as long as the recursion that failed: taken apart in a loop, not by recursion.
    fn drop(&mut self) {
        let mut next = self.cause.take();
        while let Some(mut error) = next {
            next = error.0.cause.take();
        }
    }
}
