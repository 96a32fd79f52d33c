use std::fmt;

/// A place in a text, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a text was not read, and where. Shown as `line:column: reason`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {reason}")]
pub struct Error {
    /// Where the reader stopped.
    pub location: Location,
    /// What is wrong there.
    pub reason: Reason,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The bytes are not UTF-8.
    #[error("the text is not valid UTF-8")]
    NotUtf8,
    /// The grammar is violated.
    #[error("{0}")]
    Syntax(String),
    /// A mapping has the same key twice.
    #[error("key {key:?} is already defined on line {first}")]
    DuplicateKey {
        /// The key.
        key: String,
        /// The line of its first definition.
        first: usize,
    },
    /// A mapping or list is used as a key.
    #[error("a mapping key must be a scalar")]
    ComplexKey,
    /// A key that is not a string, which the dialect cannot turn into one.
    #[error("the key {0:?} is not a string: put it in quotes")]
    NotAString(String),
    /// `<<` needs a mapping or a list of mappings.
    #[error("a merge key needs a mapping or a list of mappings")]
    BadMerge,
    /// A scalar does not fit the tag it carries.
    #[error("{value:?} cannot be read as {tag}")]
    BadTag {
        /// The start of the scalar.
        value: String,
        /// The tag.
        tag: String,
    },
    /// JSON has no infinity and no NaN.
    #[error("{0} has no JSON form")]
    NotFinite(&'static str),
    /// An alias stands inside the node that it names.
    #[error("an alias refers to a node that contains it")]
    Cycle,
    /// Exactly one document was asked for.
    #[error("expected one document, found more")]
    ManyDocuments,
    /// A limit of [`crate::Limits`] was reached.
    #[error("more than {limit} {what}")]
    TooBig {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl Error {
    pub(crate) const fn new(location: Location, reason: Reason) -> Self {
        Self { location, reason }
    }
}
