//! Roles as a person would write them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::kinds;
use super::needs::{Need, Needs, Place, in_order};

/// The Roles and RoleBindings as one YAML stream, each with a comment that says for what.
pub(super) fn roles(needs: &Needs, by_name: bool) -> String {
    let mut out = String::new();
    for place in needs.places.keys() {
        let Place { account, namespace } = place;
        if !out.is_empty() {
            out.push_str("---\n");
        }
        let count: usize = needs
            .places
            .get(place)
            .map_or(0, |all| all.values().map(Need::count).sum());
        let objects = if count == 1 { "object" } else { "objects" };
        let _ = writeln!(
            out,
            "# What ServiceAccount {account} needs in namespace {namespace}, for {count} {objects}."
        );
        // Several homes may apply to one namespace with accounts of the same name.
        let name = if account.namespace == *namespace {
            account.name.clone()
        } else {
            format!("{}:{}", account.namespace, account.name)
        };
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": name, "namespace": namespace},
            "rules": rules(needs, place, by_name),
        });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}],
        });
        let _ = write!(
            out,
            "{}---\n{}",
            tenure_yaml::to_string(&role),
            tenure_yaml::to_string(&binding)
        );
    }
    out
}

/// Resources that need the same verbs share a rule; narrowed to names, each has its own.
pub(super) fn rules(needs: &Needs, place: &Place, by_name: bool) -> Vec<Value> {
    let mut shared: BTreeMap<(&str, Vec<&str>), Vec<&str>> = BTreeMap::new();
    let mut rules = Vec::new();
    let mut binds = Vec::new();
    for (resource, need) in needs.places.get(place).into_iter().flatten() {
        let (group, plural) = (resource.group.as_str(), resource.plural.as_str());
        if !need.bind.is_empty() {
            binds.push(json!({
                "apiGroups": [group], "resources": [plural], "resourceNames": need.bind, "verbs": ["bind"],
            }));
        }
        let verbs = in_order(&need.verbs);
        if verbs.is_empty() {
            continue;
        }
        if !by_name || need.is_open {
            shared.entry((group, verbs)).or_default().push(plural);
            continue;
        }
        // what is pruned is found by a list of its kind, which has no name to narrow it to
        let (wide, narrow): (Vec<&str>, Vec<&str>) = verbs
            .iter()
            .partition(|verb| **verb == "list" && verbs.contains(&"delete"));
        rules.push(json!({
            "apiGroups": [group], "resources": [plural], "resourceNames": need.names, "verbs": narrow,
        }));
        if !wide.is_empty() {
            shared.entry((group, wide)).or_default().push(plural);
        }
    }
    rules.extend(shared.into_iter().map(
        |((group, verbs), resources)| json!({"apiGroups": [group], "resources": resources, "verbs": verbs}),
    ));
    rules.extend(binds);
    rules.extend(needs.handed_on.get(place).into_iter().flatten().cloned());
    rules
}

/// What a person should know besides, a line each.
pub(super) fn remarks(needs: &Needs) -> Vec<String> {
    let mut lines: Vec<String> = needs.gaps.iter().chain(&needs.notes).cloned().collect();
    for (account, objects) in &needs.cluster {
        let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
        lines.push(format!(
            "no Role allows {account} to apply what lives in no namespace: {}. Leave it to the platform team, or bind a ClusterRole on purpose",
            objects.join(", ")
        ));
    }
    let all = needs.places.values().flat_map(BTreeMap::iter);
    let guesses: BTreeSet<String> = all
        .filter(|(_, need)| need.is_guess)
        .map(|(resource, _)| resource.word())
        .collect();
    if !guesses.is_empty() {
        lines.push(format!(
            "not known for sure: {}, as the repository has no definition of the kind, which says what it is called and whether it lives in a namespace; ask the cluster with --discover",
            Vec::from_iter(guesses).join(", ")
        ));
    }
    if !needs.handed_on.is_empty() {
        lines.push(
            "the repository has Roles: the API server lets an account create only what it may do itself, so their rules are in its own".to_owned(),
        );
    }
    lines
}

/// Kinds that are applied and that a Tenant's default list lacks.
pub(super) fn beyond(needs: &Needs) -> BTreeSet<String> {
    let all = needs.places.values().flat_map(BTreeMap::iter);
    all.filter(|(_, need)| !need.verbs.is_empty())
        .map(|(resource, _)| resource.word())
        .filter(|word| !kinds::is_default(word))
        .collect()
}

/// What the Tenant must say for [`beyond`], if there is any.
pub(super) fn kinds_remark(needs: &Needs) -> Option<String> {
    let beyond = beyond(needs);
    let beyond: Vec<&str> = beyond.iter().map(String::as_str).collect();
    (!beyond.is_empty()).then(|| {
        format!(
            "the Tenant's spec.kinds must name what is not in its default: {}. A list there replaces the default, so write all of it, or add these to what is there:\n  {}",
            beyond.join(", "),
            kinds::as_yaml(beyond.iter().copied())
        )
    })
}
