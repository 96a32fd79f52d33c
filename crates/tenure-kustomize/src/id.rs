//! Which object: kustomize's ids.

use std::fmt;

/// Group, version and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Gvk {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
}

impl Gvk {
    pub(crate) fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        }
    }

    /// Whether it has each of these that is not empty.
    pub(crate) fn is_selected(&self, group: &str, version: &str, kind: &str) -> bool {
        let fits = |want: &str, is: &str| want.is_empty() || want == is;
        fits(group, &self.group) && fits(version, &self.version) && fits(kind, &self.kind)
    }

    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// An object, at one moment of the build. The version counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct ResId {
    pub(crate) gvk: Gvk,
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// Whether objects of the kind have no namespace.
    pub(crate) is_cluster: bool,
}

/// Stands for the namespace of cluster-scoped objects.
const NOWHERE: &str = "_non_namespaceable_";

/// The namespace that counts: none and `default` are the same.
pub(crate) fn effective(namespace: &str, is_cluster: bool) -> &str {
    match namespace {
        _ if is_cluster => NOWHERE,
        "" => "default",
        namespace => namespace,
    }
}

impl ResId {
    /// The namespace that counts: none and `default` are the same.
    pub(crate) fn effective_namespace(&self) -> &str {
        effective(&self.namespace, self.is_cluster)
    }

    pub(crate) fn same_namespace(&self, other: &Self) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        self.name == other.name && self.gvk == other.gvk && self.same_namespace(other)
    }
}

impl fmt::Display for ResId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Gvk { group, kind, .. } = &self.gvk;
        f.write_str(kind)?;
        if !group.is_empty() {
            write!(f, ".{group}")?;
        }
        f.write_str(" ")?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}
