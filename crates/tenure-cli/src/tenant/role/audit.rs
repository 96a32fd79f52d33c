//! What is granted, beside what is needed and what was used.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt as _};
use serde_json::Value;

use super::catalog::Catalog;
use super::needs::{Account, Needs, Place};

/// A rule in force, and the Role that holds it.
struct Granted {
    by: String,
    rule: PolicyRule,
}

/// The findings, a line each.
pub(super) async fn audit(client: &Client, needs: &Needs, catalog: &Catalog) -> anyhow::Result<Vec<String>> {
    let accounts: BTreeSet<&Account> = needs.places.keys().map(|place| &place.account).collect();
    let bindings = Api::<RoleBinding>::all(client.clone())
        .list(&ListParams::default())
        .await
        .context("failed to list rolebindings in all namespaces")?;
    let cluster = Api::<ClusterRoleBinding>::all(client.clone())
        .list(&ListParams::default())
        .await
        .context("failed to list clusterrolebindings")?;
    let mut lines = Vec::new();
    for account in accounts {
        let of = |subjects: &Option<Vec<Subject>>| subjects.iter().flatten().any(|s| is(s, account));
        for binding in cluster.items.iter().filter(|b| of(&b.subjects)) {
            if let Some(subject) = binding.subjects.iter().flatten().find(|s| is(s, account))
                && subject.kind == "ServiceAccount"
            {
                lines.push(format!(
                    "{account}: ClusterRoleBinding {} gives ClusterRole {} in every namespace; a RoleBinding in those that need it is narrower",
                    binding.name_any(),
                    binding.role_ref.name
                ));
            }
        }
        let used = used(client, account, catalog).await?;
        let mut granted: BTreeMap<String, Vec<Granted>> = BTreeMap::new();
        for binding in bindings.items.iter().filter(|b| of(&b.subjects)) {
            let namespace = binding.namespace().unwrap_or_default();
            let rules = rules(client, &namespace, &binding.role_ref).await?;
            granted.entry(namespace).or_default().extend(rules);
        }
        let places = needs.places.keys().filter(|place| place.account == *account);
        let namespaces: BTreeSet<&String> = places
            .map(|place| &place.namespace)
            .chain(granted.keys())
            .collect();
        for namespace in namespaces {
            let place = Place {
                account: account.clone(),
                namespace: namespace.clone(),
            };
            let held = granted.get(namespace).map_or(&[][..], Vec::as_slice);
            lines.extend(missing(needs, &place, held));
            lines.extend(surplus(needs, &place, held, &used));
        }
    }
    Ok(lines)
}

/// Whether a subject is the account, or a group that it is in.
fn is(subject: &Subject, account: &Account) -> bool {
    match subject.kind.as_str() {
        "ServiceAccount" => {
            subject.name == account.name && subject.namespace.as_deref() == Some(account.namespace.as_str())
        }
        "Group" => {
            subject.name == "system:serviceaccounts"
                || subject.name == format!("system:serviceaccounts:{}", account.namespace)
        }
        "User" => subject.name == format!("system:serviceaccount:{}:{}", account.namespace, account.name),
        _ => false,
    }
}

async fn rules(client: &Client, namespace: &str, role: &RoleRef) -> anyhow::Result<Vec<Granted>> {
    let by = format!("{} {}", role.kind, role.name);
    let rules = if role.kind == "ClusterRole" {
        let found = Api::<ClusterRole>::all(client.clone()).get_opt(&role.name).await;
        found.map(|role| role.and_then(|role| role.rules))
    } else {
        let found = Api::<Role>::namespaced(client.clone(), namespace)
            .get_opt(&role.name)
            .await;
        found.map(|role| role.and_then(|role| role.rules))
    };
    let rules = rules
        .with_context(|| format!("failed to get {by}"))?
        .unwrap_or_default();
    Ok(rules
        .into_iter()
        .map(|rule| Granted { by: by.clone(), rule })
        .collect())
}

/// Resources in the inventories of the Kustomizations that act as the account.
async fn used(client: &Client, account: &Account, catalog: &Catalog) -> anyhow::Result<BTreeSet<String>> {
    let api = crate::cluster::api(
        client,
        "kustomize.toolkit.fluxcd.io",
        "v1",
        "Kustomization",
        "kustomizations",
        Some(&account.namespace),
    );
    let all = api
        .list(&ListParams::default())
        .await
        .with_context(|| format!("failed to list kustomizations in '{}'", account.namespace))?;
    let mut used = BTreeSet::new();
    for object in all.items {
        let acts_as = object
            .data
            .pointer("/spec/serviceAccountName")
            .and_then(Value::as_str);
        if acts_as.is_some_and(|name| name != account.name) {
            continue;
        }
        let entries = object
            .data
            .pointer("/status/inventory/entries")
            .and_then(Value::as_array);
        for id in entries
            .into_iter()
            .flatten()
            .filter_map(|e| e.get("id")?.as_str())
        {
            // namespace_name_group_kind; neither group nor kind has an underscore
            let mut parts = id.rsplitn(3, '_');
            if let (Some(kind), Some(of)) = (parts.next(), parts.next()) {
                used.insert(catalog.find(of, kind).resource.word());
            }
        }
    }
    Ok(used)
}

fn missing(needs: &Needs, place: &Place, held: &[Granted]) -> Vec<String> {
    let mut lines = Vec::new();
    for (resource, need) in needs.places.get(place).into_iter().flatten() {
        let allowed = |verb: &str, name: Option<&str>| {
            held.iter().any(|g| {
                has(g.rule.api_groups.as_deref(), &resource.group)
                    && has(g.rule.resources.as_deref(), &resource.plural)
                    && has(Some(&g.rule.verbs), verb)
                    && names_fit(&g.rule, name)
            })
        };
        let lacks = |verb: &&&str| !need.names.iter().all(|name| allowed(verb, Some(name)));
        let verbs: Vec<&str> = need.verbs.iter().filter(|v| lacks(v)).copied().collect();
        if !verbs.is_empty() {
            lines.push(format!(
                "{} in {}: missing {} on {}",
                place.account,
                place.namespace,
                verbs.join(", "),
                resource.word()
            ));
        }
        for role in need.bind.iter().filter(|role| !allowed("bind", Some(role))) {
            lines.push(format!(
                "{} in {}: missing bind on {} {role}, unless it holds all that this allows",
                place.account, place.namespace, resource.plural
            ));
        }
    }
    lines
}

/// What may go.
fn surplus(needs: &Needs, place: &Place, held: &[Granted], used: &BTreeSet<String>) -> Vec<String> {
    let needed = needs.places.get(place);
    let handed_on = needs.handed_on.get(place).map_or(&[][..], Vec::as_slice);
    let mut lines = Vec::new();
    for Granted { by, rule } in held {
        if handed_on
            .iter()
            .any(|own| serde_json::to_value(rule).is_ok_and(|rule| rule == *own))
        {
            continue;
        }
        let (groups, resources) = (rule.api_groups.as_deref(), rule.resources.as_deref());
        for of in groups.into_iter().flatten() {
            for plural in resources.into_iter().flatten() {
                let is_wide = of == "*" || plural == "*" || rule.verbs.iter().any(|verb| verb == "*");
                let wanted = needed.into_iter().flatten().filter(|(resource, _)| {
                    (of == "*" || *of == resource.group) && (plural == "*" || *plural == resource.plural)
                });
                let mut verbs = BTreeSet::new();
                for (_, need) in wanted {
                    verbs.extend(need.verbs.iter().copied());
                    verbs.extend((!need.bind.is_empty()).then_some("bind"));
                }
                let word = if of.is_empty() {
                    plural.clone()
                } else {
                    format!("{plural}.{of}")
                };
                let who = format!("{} in {}: {by}", place.account, place.namespace);
                if is_wide {
                    let verbs: Vec<&str> = verbs.into_iter().collect();
                    lines.push(match verbs.is_empty() {
                        true => format!("{who} has a wildcard, {} on {word}, and nothing of it is needed", rule.verbs.join(", ")),
                        false => format!("{who} has a wildcard, {} on {word}, of which the Role printed without --audit is all that is needed", rule.verbs.join(", ")),
                    });
                    continue;
                }
                let extra: Vec<&str> = rule
                    .verbs
                    .iter()
                    .map(String::as_str)
                    .filter(|v| !verbs.contains(v))
                    .collect();
                if extra.is_empty() {
                    continue;
                }
                let still = if used.contains(&word) && verbs.is_empty() {
                    "; objects of that kind are still in an inventory, so let them be pruned first"
                } else {
                    ""
                };
                lines.push(format!(
                    "{who} need not allow {} on {word}{still}",
                    extra.join(", ")
                ));
            }
        }
    }
    lines
}

fn has(list: Option<&[String]>, wanted: &str) -> bool {
    list.into_iter().flatten().any(|one| one == "*" || one == wanted)
}

fn names_fit(rule: &PolicyRule, name: Option<&str>) -> bool {
    match rule.resource_names.as_deref() {
        None | Some([]) => true,
        Some(names) => name.is_some_and(|name| names.iter().any(|one| one == name)),
    }
}

/// Learns the kinds that the cluster serves.
pub(super) async fn discover(client: &Client, catalog: &mut Catalog) -> anyhow::Result<()> {
    let found = kube::discovery::Discovery::new(client.clone())
        .run()
        .await
        .context("failed to ask the cluster which kinds it serves")?;
    for served in found.groups() {
        for (resource, capabilities) in served.recommended_resources() {
            let is_namespaced = capabilities.scope == kube::discovery::Scope::Namespaced;
            catalog.add(&resource.group, &resource.kind, &resource.plural, is_namespaced);
        }
    }
    Ok(())
}
