use serde::{Deserialize, Serialize};

/// One of the kinds that Tenure reconciles, at the version that it stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FluxKind {
    /// API group, never empty.
    pub group: &'static str,
    /// Version, as in `v1`.
    pub version: &'static str,
    /// Kind, as in `kind:`.
    pub kind: &'static str,
    /// Plural, as it stands in URLs and Roles.
    pub plural: &'static str,
}

/// `GitRepository` of `source.toolkit.fluxcd.io/v1`.
pub const GITREPOSITORY: FluxKind = FluxKind {
    group: "source.toolkit.fluxcd.io",
    version: "v1",
    kind: "GitRepository",
    plural: "gitrepositories",
};

/// `OCIRepository` of `source.toolkit.fluxcd.io/v1`.
pub const OCIREPOSITORY: FluxKind = FluxKind {
    group: "source.toolkit.fluxcd.io",
    version: "v1",
    kind: "OCIRepository",
    plural: "ocirepositories",
};

/// `HelmRepository` of `source.toolkit.fluxcd.io/v1`.
pub const HELMREPOSITORY: FluxKind = FluxKind {
    group: "source.toolkit.fluxcd.io",
    version: "v1",
    kind: "HelmRepository",
    plural: "helmrepositories",
};

/// `HelmChart` of `source.toolkit.fluxcd.io/v1`.
pub const HELMCHART: FluxKind = FluxKind {
    group: "source.toolkit.fluxcd.io",
    version: "v1",
    kind: "HelmChart",
    plural: "helmcharts",
};

/// `Bucket` of `source.toolkit.fluxcd.io/v1`.
pub const BUCKET: FluxKind = FluxKind {
    group: "source.toolkit.fluxcd.io",
    version: "v1",
    kind: "Bucket",
    plural: "buckets",
};

/// `ExternalArtifact` of `source.toolkit.fluxcd.io/v1`.
pub const EXTERNALARTIFACT: FluxKind = FluxKind {
    group: "source.toolkit.fluxcd.io",
    version: "v1",
    kind: "ExternalArtifact",
    plural: "externalartifacts",
};

/// `Kustomization` of `kustomize.toolkit.fluxcd.io/v1`.
pub const KUSTOMIZATION: FluxKind = FluxKind {
    group: "kustomize.toolkit.fluxcd.io",
    version: "v1",
    kind: "Kustomization",
    plural: "kustomizations",
};

impl FluxKind {
    /// See [`GITREPOSITORY`](crate::GITREPOSITORY).
    pub const GITREPOSITORY: Self = GITREPOSITORY;
    /// See [`OCIREPOSITORY`](crate::OCIREPOSITORY).
    pub const OCIREPOSITORY: Self = OCIREPOSITORY;
    /// See [`HELMREPOSITORY`](crate::HELMREPOSITORY).
    pub const HELMREPOSITORY: Self = HELMREPOSITORY;
    /// See [`HELMCHART`](crate::HELMCHART).
    pub const HELMCHART: Self = HELMCHART;
    /// See [`BUCKET`](crate::BUCKET).
    pub const BUCKET: Self = BUCKET;
    /// See [`EXTERNALARTIFACT`](crate::EXTERNALARTIFACT).
    pub const EXTERNALARTIFACT: Self = EXTERNALARTIFACT;
    /// See [`KUSTOMIZATION`](crate::KUSTOMIZATION).
    pub const KUSTOMIZATION: Self = KUSTOMIZATION;

    /// `group/version`, as in `apiVersion:`.
    #[must_use]
    pub fn api_version(&self) -> String {
        format!("{}/{}", self.group, self.version)
    }
}

/// What the API server must be asked to reach a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ResourceInfo {
    /// API group; empty for the core group.
    pub group: String,
    /// Version, as in `v1`.
    pub version: String,
    /// Plural, as it stands in URLs and Roles.
    pub plural: String,
    /// Kind, as in `kind:`.
    pub kind: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
}

impl ResourceInfo {
    /// `group/version`, or only the version for the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

impl From<FluxKind> for ResourceInfo {
    fn from(kind: FluxKind) -> Self {
        Self {
            group: kind.group.to_owned(),
            version: kind.version.to_owned(),
            plural: kind.plural.to_owned(),
            kind: kind.kind.to_owned(),
            namespaced: true,
        }
    }
}

/// Which objects of a kind a LIST or WATCH is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By<'a> {
    /// The one object of this name: `fieldSelector=metadata.name=…`.
    Name(&'a str),
    /// A label selector, as kubectl's `-l`.
    Labels(&'a str),
    /// All of them.
    All,
}
