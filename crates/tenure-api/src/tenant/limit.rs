/// What a Tenant may have of something, or may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Objects that the home holds.
    Objects,
    /// Time of a build.
    RenderTime,
    /// Bytes of an artifact.
    ArtifactSize,
    /// Bytes downloaded within an hour.
    FetchBudget,
    /// Remotes.
    Sources,
    /// ServiceAccounts to act as.
    Accounts,
    /// Kinds and namespaces in which the worker may act as the tenant.
    Kinds,
}

impl Limit {
    const ALL: [Self; 7] = [
        Self::Objects,
        Self::RenderTime,
        Self::ArtifactSize,
        Self::FetchBudget,
        Self::Sources,
        Self::Accounts,
        Self::Kinds,
    ];

    /// The limit that [`field`](Self::field) says.
    #[must_use]
    pub fn named(field: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.field() == field)
    }

    /// The fields of the Tenant that say how much that is.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Objects => "spec.limits.objects",
            Self::RenderTime => "spec.limits.renderTime",
            Self::ArtifactSize => "spec.limits.artifactSize",
            Self::FetchBudget => "spec.limits.fetchPerHour",
            Self::Sources => "spec.sources.allow",
            Self::Accounts => "spec.serviceAccounts",
            Self::Kinds => "spec.kinds and spec.targets",
        }
    }
}
