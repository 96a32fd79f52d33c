//! What was applied, in the form that Flux stores in `status.inventory`.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::object::ObjectRef;
use crate::order;

const RBAC: &str = "rbac.authorization.k8s.io";

/// One object of an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// `<namespace>_<name>_<group>_<kind>`; empty parts stay empty.
    pub id: String,
    /// The version it was applied at. Two entries that differ in it alone are the same object.
    pub v: String,
}

/// An id that does not have four parts, or lacks a name or kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("inventory id {0:?} is not of the form namespace_name_group_kind")]
pub struct EntryError(
    /// The id.
    pub String,
);

impl Entry {
    /// The entry of an object.
    #[must_use]
    pub fn of(object: &ObjectRef) -> Self {
        let name = if object.group == RBAC {
            object.name.replace(':', "__")
        } else {
            object.name.clone()
        };
        Self {
            id: format!("{}_{name}_{}_{}", object.namespace, object.group, object.kind),
            v: object.version.clone(),
        }
    }

    /// The object of an entry. Split from both ends, and `__` in the name is `:` for every kind, as
    /// Flux's parsers do.
    ///
    /// # Errors
    /// When the id is not one.
    pub fn parse(&self) -> Result<ObjectRef, EntryError> {
        let parts = || {
            let (namespace, rest) = self.id.split_once('_')?;
            let (rest, kind) = rest.rsplit_once('_')?;
            let (name, group) = rest.rsplit_once('_')?;
            (!name.is_empty() && !kind.is_empty()).then_some((namespace, name, group, kind))
        };
        let (namespace, name, group, kind) = parts().ok_or_else(|| EntryError(self.id.clone()))?;
        Ok(ObjectRef {
            group: group.to_owned(),
            version: self.v.clone(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.replace("__", ":"),
        })
    }
}

/// What is in `old` and no longer in `new`, by id.
#[must_use]
pub fn stale(old: &[Entry], new: &[Entry]) -> Vec<Entry> {
    let kept: HashSet<&str> = new.iter().map(|entry| entry.id.as_str()).collect();
    old.iter()
        .filter(|entry| !kept.contains(entry.id.as_str()))
        .cloned()
        .collect()
}

/// Both, each id once; the version of `first` holds.
#[must_use]
pub fn union(first: &[Entry], second: &[Entry]) -> Vec<Entry> {
    let mut all = first.to_vec();
    all.extend(stale(second, first));
    all
}

/// The order in which entries are applied, stage by stage, and in which Flux lists them. Ids that
/// cannot be read come last.
#[must_use]
pub fn apply_order(a: &Entry, b: &Entry) -> Ordering {
    readable_first(a, b, |a, b| {
        let stages = order::stage_of(a).cmp(&order::stage_of(b));
        stages.then_with(|| order::compare(a, b))
    })
}

/// By kind, without stages: deletion goes this way from the end, as with Flux.
pub(crate) fn by_kind(a: &Entry, b: &Entry) -> Ordering {
    readable_first(a, b, order::compare)
}

fn readable_first(a: &Entry, b: &Entry, compare: impl Fn(&ObjectRef, &ObjectRef) -> Ordering) -> Ordering {
    match (a.parse(), b.parse()) {
        (Ok(a), Ok(b)) => compare(&a, &b),
        (a, b) => a.is_err().cmp(&b.is_err()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> Entry {
        Entry {
            id: id.to_owned(),
            v: "v1".to_owned(),
        }
    }

    #[test]
    fn ids_are_written_and_read_as_flux_does() {
        let object = |namespace: &str, name: &str, group: &str, kind: &str| ObjectRef {
            group: group.into(),
            version: "v1".into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        for (object, id) in [
            (
                object("default", "web", "apps", "Deployment"),
                "default_web_apps_Deployment",
            ),
            (
                object("", "flux-system", "", "Namespace"),
                "_flux-system__Namespace",
            ),
            (object("a", "cm", "", "ConfigMap"), "a_cm__ConfigMap"),
            (
                object("", "a:b", RBAC, "ClusterRole"),
                "_a__b_rbac.authorization.k8s.io_ClusterRole",
            ),
        ] {
            assert_eq!(Entry::of(&object).id, id);
            assert_eq!(entry(id).parse(), Ok(object));
        }
        assert_eq!(
            entry("a_x__y__Thing").parse().map(|o| o.name),
            Ok("x:y".to_owned())
        );
    }

    #[test]
    fn entries_are_listed_by_stage_and_deleted_by_kind() {
        let (class, kind, role) = (
            "_c_tenure.dev_ShardClass",
            "a_x__ConfigMap",
            "_r_rbac.authorization.k8s.io_ClusterRole",
        );
        let sorted = |by: fn(&Entry, &Entry) -> Ordering| {
            let mut entries = [entry("unreadable"), entry(kind), entry(class), entry(role)];
            entries.sort_by(by);
            entries.map(|entry| entry.id)
        };
        assert_eq!(sorted(apply_order), [role, class, kind, "unreadable"]);
        assert_eq!(sorted(by_kind), [role, kind, class, "unreadable"]);
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for bad in ["", "a", "a_b_c", "a__b_c", "a_b_c_"] {
            assert!(entry(bad).parse().is_err(), "{bad}");
        }
    }

    #[test]
    fn stale_is_old_without_new_whatever_the_version() {
        let old = [entry("a_x__ConfigMap"), entry("a_y__ConfigMap")];
        let new = [Entry {
            v: "v2".into(),
            ..entry("a_x__ConfigMap")
        }];
        assert_eq!(stale(&old, &new), [entry("a_y__ConfigMap")]);
        assert_eq!(union(&new, &old).len(), 2);
    }
}
