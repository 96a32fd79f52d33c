use serde::Deserialize;

use crate::Error;
use crate::id::Gvk;
use crate::meter::exceeded;

/// Field specifications in one list: each is compared with all others, and sought in every object.
const MOST: usize = 5000;

/// A place in objects of a kind; an empty group, version or kind matches any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct FieldSpec {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    /// Member names between slashes; lists are entered by themselves.
    pub(crate) path: String,
    pub(crate) create: bool,
}

impl FieldSpec {
    pub(crate) fn at(path: &str, create: bool) -> Self {
        Self {
            path: path.to_owned(),
            create,
            ..Self::default()
        }
    }

    pub(crate) fn selects(&self, gvk: &Gvk) -> bool {
        gvk.is_selected(&self.group, &self.version, &self.kind)
    }

    /// Whether this one is covered by `other`, as kustomize decides it when it merges lists.
    fn is_like(&self, other: &Self) -> bool {
        let fits = |is: &str, want: &str| want.is_empty() || is == want;
        self.path == other.path
            && fits(&self.group, &other.group)
            && fits(&self.version, &other.version)
            && fits(&self.kind, &other.kind)
    }
}

pub(crate) fn merge_all(into: &mut Vec<FieldSpec>, new: &[FieldSpec]) -> Result<(), Error> {
    new.iter().try_for_each(|spec| merge_one(into, spec.clone()))
}

pub(crate) fn merge_one(into: &mut Vec<FieldSpec>, new: FieldSpec) -> Result<(), Error> {
    match into.iter().find(|old| old.is_like(&new)) {
        None if into.len() >= MOST => Err(exceeded("field specifications", MOST as u128)),
        None => {
            into.push(new);
            Ok(())
        }
        Some(old) if old.create == new.create => Ok(()),
        Some(_) => Err(Error::invalid(format!(
            "conflicting field specifications: {} of {:?} both with and without create",
            new.path, new.kind
        ))),
    }
}

/// Kinds that come first and last when kustomize sorts.
const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Below zero for the first kinds, above for the last, zero for all others.
pub(crate) fn rank(kind: &str, first: &[impl AsRef<str>], last: &[impl AsRef<str>]) -> i64 {
    let at = |list: Vec<&str>| {
        list.iter()
            .position(|k| *k == kind)
            .and_then(|i| i64::try_from(i).ok())
    };
    let before = i64::try_from(first.len()).unwrap_or(i64::MAX);
    at(last.iter().map(AsRef::as_ref).collect())
        .map(|i| 1 + i)
        .or_else(|| at(first.iter().map(AsRef::as_ref).collect()).map(|i| i - before))
        .unwrap_or(0)
}

/// The same with kustomize's own lists.
pub(crate) fn standard_rank(kind: &str) -> i64 {
    rank(kind, &FIRST, &LAST)
}

/// What decides the order of field specifications.
pub(super) fn order(group: &str, version: &str, kind: &str) -> (i64, String) {
    (standard_rank(kind), sort_text(group, version, kind))
}

/// Group, version and kind as one text that sorts as kustomize does.
pub(crate) fn sort_text(group: &str, version: &str, kind: &str) -> String {
    let or = |text: &str, none: &str| {
        if text.is_empty() {
            none.to_owned()
        } else {
            text.to_owned()
        }
    };
    format!("{}_{}_{}", or(group, "~G"), or(version, "~V"), or(kind, "~K"))
}
