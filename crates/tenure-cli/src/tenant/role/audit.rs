//! What is granted, beside what is needed and what was used.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::rbac::v1::PolicyRule;

use super::in_force::InForce;
use super::needs::{Account, Needs, Place};

/// A rule in force, and what it is held by.
struct Granted<'a> {
    by: String,
    rule: &'a PolicyRule,
}

/// Whose Roles are compared: the one account that was asked about, and all that the repository acts as.
pub(super) fn accounts<'a>(needs: &'a Needs, default: &'a Account) -> BTreeSet<&'a Account> {
    let places = needs.places.keys().map(|place| &place.account);
    places.chain(needs.cluster.keys()).chain([default]).collect()
}

/// The findings and the conclusion, a line each.
pub(super) fn audit(needs: &Needs, default: &Account, in_force: &InForce) -> Vec<String> {
    let mut lines = Vec::new();
    for account in accounts(needs, default) {
        lines.extend(of_account(needs, account, in_force));
    }
    let cluster = needs.cluster.iter().map(|(account, objects)| {
        let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
        format!(
            "{account} applies what lives in no namespace: {}",
            objects.join(", ")
        )
    });
    let not_compared: Vec<String> = needs.gaps.iter().cloned().chain(cluster).collect();
    match (lines.is_empty(), not_compared.is_empty()) {
        (true, true) => lines.push("The Roles in force allow what is needed and no more.".to_owned()),
        (false, true) => {}
        (is_empty, false) => {
            if is_empty {
                lines.push("Of what was compared, nothing is missing and nothing is too much.".to_owned());
            }
            lines.push("The audit is incomplete, as this was not compared:".to_owned());
            lines.extend(not_compared.iter().map(|what| format!("  {what}")));
        }
    }
    lines
}

fn of_account(needs: &Needs, account: &Account, in_force: &InForce) -> Vec<String> {
    let mut lines = Vec::new();
    let mut everywhere: Vec<Granted<'_>> = Vec::new();
    let mut granted: BTreeMap<&str, Vec<Granted<'_>>> = BTreeMap::new();
    for binding in &in_force.bindings {
        let Some(way) = binding.reaches(account) else {
            continue;
        };
        let by = format!("{}{way}", binding.role);
        let held = match &binding.namespace {
            Some(namespace) => granted.entry(namespace).or_default(),
            None => {
                let or = match needs.cluster.contains_key(account) {
                    true => ", but what lives in no namespace takes one",
                    false => "",
                };
                lines.push(format!(
                    "{account}: ClusterRoleBinding {} gives {by} in every namespace; a RoleBinding in those that need it is narrower{or}",
                    binding.name
                ));
                &mut everywhere
            }
        };
        held.extend(binding.rules.iter().map(|rule| Granted { by: by.clone(), rule }));
    }
    let nothing_used = BTreeSet::new();
    let used = in_force.used.get(account).unwrap_or(&nothing_used);
    let places = needs.places.keys().filter(|place| place.account == *account);
    let namespaces: BTreeSet<&str> = places
        .map(|place| place.namespace.as_str())
        .chain(granted.keys().copied())
        .collect();
    for namespace in namespaces {
        let place = Place {
            account: account.clone(),
            namespace: namespace.to_owned(),
        };
        let held = granted.get(namespace).map_or(&[][..], Vec::as_slice);
        lines.extend(missing(needs, &place, held.iter().chain(&everywhere)));
        lines.extend(surplus(needs, &place, held, used));
    }
    lines
}

fn missing<'a>(
    needs: &Needs,
    place: &Place,
    held: impl Iterator<Item = &'a Granted<'a>> + Clone,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (resource, need) in needs.places.get(place).into_iter().flatten() {
        let allowed = |verb: &str, name: Option<&str>| {
            held.clone().any(|g| {
                has(g.rule.api_groups.as_deref(), &resource.group)
                    && has(g.rule.resources.as_deref(), &resource.plural)
                    && has(Some(&g.rule.verbs), verb)
                    && names_fit(g.rule, name)
            })
        };
        let lacks = |verb: &&&str| {
            !need.names.iter().all(|name| allowed(verb, Some(name))) || (need.is_open && !allowed(verb, None))
        };
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

/// What may go; with something left uncounted, what perhaps may.
fn surplus(needs: &Needs, place: &Place, held: &[Granted<'_>], used: &BTreeSet<String>) -> Vec<String> {
    let is_certain = needs.gaps.is_empty();
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
                        true if is_certain => format!("{who} has a wildcard, {} on {word}, and nothing of it is needed", rule.verbs.join(", ")),
                        true => format!("{who} has a wildcard, {} on {word}, and nothing that was counted needs it", rule.verbs.join(", ")),
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
                let verdict = match is_certain {
                    true => "need not allow",
                    false => "allows what nothing that was counted needs:",
                };
                lines.push(format!("{who} {verdict} {} on {word}{still}", extra.join(", ")));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use k8s_openapi::api::rbac::v1::Subject;
    use serde_json::json;

    use super::super::catalog::Catalog;
    use super::super::in_force::Binding;
    use super::super::needs::APPLY;
    use super::*;

    fn deployer() -> Account {
        Account {
            namespace: "apps".to_owned(),
            name: "deployer".to_owned(),
        }
    }

    /// Applies a ConfigMap in `apps`, and nothing else.
    fn one_map() -> Needs {
        let mut needs = Needs::default();
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}});
        needs.object(&Catalog::default(), &deployer(), Some("apps"), &map, &APPLY);
        needs
    }

    fn binding(namespace: Option<&str>, subject: (&str, &str), resources: &str, verbs: &[&str]) -> Binding {
        let (kind, name) = subject;
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Binding {
            namespace: namespace.map(str::to_owned),
            name: "b".to_owned(),
            role: "ClusterRole r".to_owned(),
            subjects: vec![Subject {
                kind: kind.to_owned(),
                name: name.to_owned(),
                namespace: (kind == "ServiceAccount").then(|| "apps".to_owned()),
                api_group: None,
            }],
            rules: vec![PolicyRule {
                api_groups: Some(words(&[if resources == "*" { "*" } else { "" }])),
                resources: Some(words(&[resources])),
                verbs: words(verbs),
                ..PolicyRule::default()
            }],
        }
    }

    const ITSELF: (&str, &str) = ("ServiceAccount", "deployer");
    const NO_MORE: &str = "The Roles in force allow what is needed and no more.";

    fn said(needs: &Needs, bindings: Vec<Binding>) -> String {
        let in_force = InForce {
            bindings,
            used: BTreeMap::new(),
        };
        audit(needs, &deployer(), &in_force).join("\n")
    }

    #[test]
    fn what_is_needed_and_no_more_is_well() {
        let exact = binding(Some("apps"), ITSELF, "configmaps", &APPLY);
        assert_eq!(said(&one_map(), vec![exact]), NO_MORE);
        let more = binding(Some("apps"), ITSELF, "secrets", &["get"]);
        let text = said(&one_map(), vec![more]);
        assert!(
            text.contains("missing create, list, patch, watch on configmaps"),
            "{text}"
        );
        assert!(text.contains("need not allow get on secrets"), "{text}");
    }

    #[test]
    fn an_account_for_which_nothing_was_counted_is_audited_all_the_same() {
        let mut needs = Needs::default();
        needs.gaps.push("HelmRelease apps/web is not counted".to_owned());
        let text = said(&needs, vec![binding(Some("apps"), ITSELF, "*", &["*"])]);
        assert!(
            text.contains("apps/deployer in apps: ClusterRole r has a wildcard"),
            "{text}"
        );
        assert!(text.contains("The audit is incomplete"), "{text}");
    }

    #[test]
    fn with_something_left_uncounted_nothing_is_certain() {
        let mut needs = one_map();
        needs.gaps.push("HelmRelease apps/web is not counted".to_owned());
        let exact = || binding(Some("apps"), ITSELF, "configmaps", &APPLY);
        let text = said(&needs, vec![exact()]);
        assert!(!text.contains(NO_MORE), "{text}");
        assert!(
            text.ends_with(
                "The audit is incomplete, as this was not compared:\n  HelmRelease apps/web is not counted"
            ),
            "{text}"
        );
        let text = said(
            &needs,
            vec![exact(), binding(Some("apps"), ITSELF, "secrets", &["get"])],
        );
        assert!(!text.contains("need not allow"), "{text}");
        assert!(
            text.contains("nothing that was counted needs: get on secrets"),
            "{text}"
        );
    }

    #[test]
    fn what_lives_in_no_namespace_is_not_compared() {
        let mut needs = Needs::default();
        let objects = BTreeSet::from(["Namespace n (namespaces)".to_owned()]);
        needs.cluster.insert(deployer(), objects);
        let text = said(&needs, Vec::new());
        assert!(!text.contains(NO_MORE), "{text}");
        assert!(
            text.contains("incomplete") && text.contains("Namespace n"),
            "{text}"
        );
    }

    #[test]
    fn what_is_held_in_the_whole_cluster_is_held_and_is_wide() {
        let text = said(&one_map(), vec![binding(None, ITSELF, "configmaps", &APPLY)]);
        assert!(!text.contains("missing"), "{text}");
        assert!(
            text.contains("ClusterRoleBinding b gives ClusterRole r in every namespace"),
            "{text}"
        );
    }

    #[test]
    fn what_is_held_through_a_group_is_named_with_the_group() {
        let group = ("Group", "system:serviceaccounts:apps");
        for namespace in [None, Some("apps")] {
            let text = said(&one_map(), vec![binding(namespace, group, "*", &["*"])]);
            assert!(
                text.contains("through Group system:serviceaccounts:apps"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_rule_for_names_is_not_enough_for_what_gets_its_name_later() {
        let mut needs = Needs::default();
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {}});
        needs.object(&Catalog::default(), &deployer(), Some("apps"), &secret, &APPLY);
        let mut named = binding(Some("apps"), ITSELF, "secrets", &APPLY);
        named.rules[0].resource_names = Some(vec!["a".to_owned()]);
        assert!(said(&needs, vec![named]).contains("missing create"));
    }
}
