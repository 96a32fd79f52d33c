/// Which of Go's YAML packages to follow when a plain scalar is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// go-yaml v3, as kustomize reads: `yes` is a string, dates become timestamps.
    V3,
    /// go-yaml v2, as Helm and kubectl read: `yes`, `on` and `y` are booleans, as keys too.
    V2,
}

/// What a text may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text.
    pub bytes: usize,
    /// Scalars, lists and mappings in the whole text, aliases expanded.
    pub nodes: usize,
    /// Nodes that anchors keep and that come from expanding aliases and merge keys. Here a text counts for
    /// as many nodes as take its room.
    pub alias_nodes: usize,
    /// Lists and mappings inside each other; at most 200 is honoured.
    pub depth: usize,
    /// Documents in one text.
    pub documents: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            nodes: 2_000_000,
            alias_nodes: 200_000,
            depth: 128,
            documents: 20_000,
        }
    }
}

/// How to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The dialect.
    pub dialect: Dialect,
    /// The limits.
    pub limits: Limits,
    /// Whether a key that is given twice counts with its last value, as Go's packages have it where
    /// they are not strict; otherwise it is an error.
    pub last_wins: bool,
    /// Whether to read as kustomize does, which keeps nodes and not values, and writes and reads them
    /// once more in the end: see [`crate::Document::texts`], and folded scalars get the breaks that
    /// its writer adds.
    pub nodes: bool,
}

impl Options {
    /// As kustomize reads manifests.
    #[must_use]
    pub fn kustomize() -> Self {
        Self {
            dialect: Dialect::V3,
            limits: Limits::default(),
            last_wins: false,
            nodes: false,
        }
    }

    /// As Helm and kubectl read manifests and values.
    #[must_use]
    pub fn helm() -> Self {
        Self {
            dialect: Dialect::V2,
            limits: Limits::default(),
            last_wins: false,
            nodes: false,
        }
    }

    /// The same, with the last value of a key that is given twice.
    #[must_use]
    pub const fn last_wins(mut self) -> Self {
        self.last_wins = true;
        self
    }

    /// The same, as nodes.
    #[must_use]
    pub const fn as_nodes(mut self) -> Self {
        self.nodes = true;
        self
    }

    /// The same with other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}
