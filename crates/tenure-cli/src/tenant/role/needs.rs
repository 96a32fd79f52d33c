//! What accounts must be allowed, object by object.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::catalog::{Catalog, Resource};

/// Verbs in the order in which people write them.
const ORDER: [&str; 9] = [
    "get", "list", "watch", "create", "update", "patch", "delete", "bind", "escalate",
];
/// What an apply takes: it reads back by a list of one name, waits by a watch, and creates by a patch.
pub(super) const APPLY: [&str; 4] = ["list", "watch", "create", "patch"];
/// What a health check of somebody else's object takes.
pub(super) const LOOK: [&str; 2] = ["list", "watch"];
const RBAC: &str = "rbac.authorization.k8s.io";

/// A ServiceAccount.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Account {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An account, and the namespace in which it is to be allowed something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) account: Account,
    pub(super) namespace: String,
}

/// What a place needs on one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) verbs: BTreeSet<&'static str>,
    /// The objects.
    pub(super) names: BTreeSet<String>,
    /// There are also objects whose names nobody knows beforehand, so no rule can name them all.
    pub(super) is_open: bool,
    /// Verbs for single objects, which counts for `bind` only.
    pub(super) bind: BTreeSet<String>,
    pub(super) is_guess: bool,
}

impl Need {
    /// How many objects it is for, as far as that is known.
    pub(super) fn count(&self) -> usize {
        self.names.len() + usize::from(self.is_open)
    }
}

/// A rule that an account must hold since it hands it on: the API server lets nobody create a Role that allows more than
/// they may do themselves.
pub(super) type HandedOn = Value;

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) places: BTreeMap<Place, BTreeMap<Resource, Need>>,
    pub(super) handed_on: BTreeMap<Place, Vec<HandedOn>>,
    /// What no Role can allow, by account.
    pub(super) cluster: BTreeMap<Account, BTreeSet<String>>,
    /// What could not be counted, so that more may be needed than is here.
    pub(super) gaps: Vec<String>,
    /// What is worth a word.
    pub(super) notes: Vec<String>,
}

impl Needs {
    /// Takes in what somebody else needs. An account that both are about, as one that a Kustomization of the repository
    /// names, is one.
    pub(super) fn join(&mut self, other: Self) {
        for (place, resources) in other.places {
            let all = self.places.entry(place).or_default();
            for (resource, need) in resources {
                let all = all.entry(resource).or_default();
                all.verbs.extend(need.verbs);
                all.names.extend(need.names);
                all.bind.extend(need.bind);
                all.is_open |= need.is_open;
                all.is_guess |= need.is_guess;
            }
        }
        for (place, rules) in other.handed_on {
            add_new(self.handed_on.entry(place).or_default(), rules);
        }
        for (account, objects) in other.cluster {
            self.cluster.entry(account).or_default().extend(objects);
        }
        add_new(&mut self.gaps, other.gaps);
        add_new(&mut self.notes, other.notes);
    }

    /// Counts one object that `account` applies. One without a namespace goes where `namespace` says; one without a name
    /// is to get it later.
    pub(super) fn object(
        &mut self,
        catalog: &Catalog,
        account: &Account,
        namespace: Option<&str>,
        object: &Value,
        verbs: &[&'static str],
    ) {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        let group = group(text("/apiVersion"));
        let known = catalog.find(group, kind);
        if !known.is_namespaced {
            let all = self.cluster.entry(account.clone()).or_default();
            all.insert(format!("{kind} {name} ({})", known.resource.word()));
            return;
        }
        let namespace = match (text("/metadata/namespace"), namespace) {
            ("", None) => {
                self.gaps.push(format!(
                    "{kind} {name} has no namespace: set metadata.namespace, spec.targetNamespace or --namespace"
                ));
                return;
            }
            ("", Some(given)) => given,
            (own, _) => own,
        };
        let place = Place {
            account: account.clone(),
            namespace: namespace.to_owned(),
        };
        let need = self.places.entry(place.clone()).or_default();
        let need = need.entry(known.resource).or_default();
        need.verbs.extend(verbs);
        match name {
            "" => need.is_open = true,
            name => _ = need.names.insert(name.to_owned()),
        }
        need.is_guess |= known.is_guess;
        if group == RBAC && verbs.contains(&"patch") {
            self.hands_on(&place, object);
        }
    }

    /// What a Role or a RoleBinding gives away, its author must have or be allowed to give.
    fn hands_on(&mut self, place: &Place, object: &Value) {
        let rules = object.get("rules").and_then(Value::as_array);
        let held = self.handed_on.entry(place.clone()).or_default();
        add_new(held, rules.into_iter().flatten().cloned());
        if held.is_empty() {
            self.handed_on.remove(place);
        }
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let plural = match text("/roleRef/kind") {
            "ClusterRole" => "clusterroles",
            "Role" => "roles",
            _ => return,
        };
        let resource = Resource {
            group: RBAC.to_owned(),
            plural: plural.to_owned(),
        };
        let need = self.places.entry(place.clone()).or_default();
        need.entry(resource)
            .or_default()
            .bind
            .insert(text("/roleRef/name").to_owned());
    }
}

fn add_new<T: PartialEq>(to: &mut Vec<T>, more: impl IntoIterator<Item = T>) {
    for one in more {
        if !to.contains(&one) {
            to.push(one);
        }
    }
}

/// The group of an apiVersion.
pub(super) fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Verbs as a person writes them.
pub(super) fn in_order(verbs: &BTreeSet<&'static str>) -> Vec<&'static str> {
    ORDER.into_iter().filter(|verb| verbs.contains(verb)).collect()
}
