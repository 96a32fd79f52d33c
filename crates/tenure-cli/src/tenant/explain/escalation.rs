//! Roles and RoleBindings that would give more than their author holds.
//!
//! The API server says so in words of its own (`ConfirmNoEscalation` and `CompactString`@kubernetes): `user "…"
//! (groups=[…]) is attempting to grant RBAC permissions not currently held:`, and a line for each missing rule.

use std::fmt::Write as _;

use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::Client;

use super::super::access::{Deed, Who, allowed};

const SAID: &str = " is attempting to grant RBAC permissions not currently held";
const RBAC: &str = "rbac.authorization.k8s.io";

/// One object that was refused for what it gives away.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Escalation {
    pub(super) user: String,
    /// `roles` or `rolebindings`, or what counts for the whole cluster.
    resource: String,
    name: String,
    /// As far as the message says it.
    namespace: Option<String>,
    /// What the user does not hold.
    rules: Vec<PolicyRule>,
}

/// All that a message has.
pub(super) fn escalations(message: &str) -> Vec<Escalation> {
    let parts = message
        .match_indices(SAID)
        .filter_map(|(at, _)| Some((message.get(..at)?, message.get(at + SAID.len()..)?)));
    parts
        .filter_map(|(before, after)| escalation(before, after))
        .collect()
}

fn escalation(before: &str, after: &str) -> Option<Escalation> {
    let (before, user) = before.rsplit_once("user \"")?;
    let (user, _) = user.split_once('"')?;
    let (before, name) = before
        .trim_end()
        .strip_suffix("\" is forbidden:")?
        .rsplit_once('"')?;
    let resource = before.split_whitespace().next_back()?;
    let (resource, _) = resource.split_once('.').unwrap_or((resource, ""));
    // `Role/namespace/name dry-run failed (Forbidden): …`
    let places = before.split_whitespace().rev();
    let namespace = places.filter_map(|word| place(word, name)).next();
    Some(Escalation {
        user: user.to_owned(),
        resource: resource.to_owned(),
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        rules: rules(after),
    })
}

fn place<'a>(word: &'a str, name: &str) -> Option<&'a str> {
    let (kind, rest) = word.split_once('/')?;
    let (namespace, own) = rest.split_once('/')?;
    (["Role", "RoleBinding"].contains(&kind) && own.trim_end_matches(':') == name).then_some(namespace)
}

fn rules(text: &str) -> Vec<PolicyRule> {
    let mut rules = Vec::new();
    let mut rest = text.trim_start_matches(':').trim_start();
    while let Some((rule, after)) = rest.strip_prefix('{').and_then(rule) {
        rules.push(rule);
        rest = after.trim_start();
    }
    rules
}

/// `APIGroups:["" "apps"], Resources:["pods"], Verbs:["get"]}`, and what comes after.
fn rule(mut text: &str) -> Option<(PolicyRule, &str)> {
    let mut rule = PolicyRule::default();
    loop {
        let (field, rest) = text.split_once(":[")?;
        let (words, rest) = words(rest)?;
        match field {
            "APIGroups" => rule.api_groups = Some(words),
            "Resources" => rule.resources = Some(words),
            "ResourceNames" => rule.resource_names = Some(words),
            "NonResourceURLs" => rule.non_resource_urls = Some(words),
            "Verbs" => rule.verbs = words,
            _ => return None,
        }
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((rule, rest));
        }
        text = rest.strip_prefix(", ")?;
    }
}

/// Quoted words up to the bracket that closes them. No name in RBAC has a character that Go would escape.
fn words(mut text: &str) -> Option<(Vec<String>, &str)> {
    let mut words = Vec::new();
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix(']') {
            return Some((words, rest));
        }
        let (word, rest) = text.strip_prefix('"')?.split_once('"')?;
        words.push(word.to_owned());
        text = rest;
    }
}

impl Escalation {
    /// What must be held, or allowed. Another cluster is not asked.
    pub(super) async fn explained(&self, client: &Client, is_remote: bool) -> anyhow::Result<String> {
        if !is_remote && self.is_allowed_by_now(client).await? {
            return Ok(format!(
                "{}.\nThat was so when it was tried. It is allowed by now; the next try will pass.\n",
                self.said()
            ));
        }
        Ok(self.advice(is_remote))
    }

    fn said(&self) -> String {
        format!(
            "{} may not make {} \"{}\", which gives more than it holds itself",
            self.user, self.resource, self.name
        )
    }

    async fn is_allowed_by_now(&self, client: &Client) -> anyhow::Result<bool> {
        let (Some(who), Some(namespace)) = (Who::of_user(&self.user), self.namespace.as_deref()) else {
            return Ok(false);
        };
        let deeds = self.deeds(namespace);
        for deed in &deeds {
            if !allowed(client, &who, *deed).await? {
                return Ok(false);
            }
        }
        Ok(!deeds.is_empty())
    }

    /// All that the missing rules allow; none of it can be asked about if one is not for objects.
    fn deeds<'a>(&'a self, namespace: &'a str) -> Vec<Deed<'a>> {
        if self.rules.iter().any(|rule| rule.non_resource_urls.is_some()) {
            return Vec::new();
        }
        let mut deeds = Vec::new();
        for rule in &self.rules {
            let names: Vec<Option<&str>> = match rule.resource_names.as_deref() {
                None | Some([]) => vec![None],
                Some(names) => names.iter().map(|name| Some(name.as_str())).collect(),
            };
            for group in rule.api_groups.iter().flatten() {
                for resource in rule.resources.iter().flatten() {
                    for verb in &rule.verbs {
                        deeds.extend(names.iter().map(|name| Deed {
                            verb,
                            group,
                            resource,
                            name: *name,
                            namespace,
                        }));
                    }
                }
            }
        }
        deeds
    }

    pub(super) fn advice(&self, is_remote: bool) -> String {
        let mut text = format!("{}.\n", self.said());
        if self.resource.starts_with("cluster") {
            text.push_str("No Role can allow that: it counts for the whole cluster. Leave the object to the platform team.\n");
            return text;
        }
        let namespace = self.namespace.as_deref().unwrap_or("the object's namespace");
        let who = match Who::of_user(&self.user) {
            Some(who) => format!("ServiceAccount {}/{}", who.namespace, who.name),
            None => self.user.clone(),
        };
        let cluster = if is_remote { " of that cluster" } else { "" };
        let _ = write!(
            text,
            "Let it hold the same: add these rules to a Role in {namespace}{cluster} that is bound to {who}.\n\n{}\n",
            self.missing()
        );
        let (which, rule) = match self.resource.as_str() {
            "rolebindings" => (
                "bind a role whose rights it lacks, best with the role's name in resourceNames",
                format!(
                    "- apiGroups: [\"{RBAC}\"]\n  resources: [\"roles\", \"clusterroles\"]\n  verbs: [\"bind\"]\n"
                ),
            ),
            _ => (
                "write Roles with rights that it lacks, which is all that there is in the namespace",
                format!("- apiGroups: [\"{RBAC}\"]\n  resources: [\"roles\"]\n  verbs: [\"escalate\"]\n"),
            ),
        };
        let _ = write!(text, "Or allow it to {which}:\n\n{rule}");
        text
    }

    fn missing(&self) -> String {
        let mut text = String::new();
        for rule in &self.rules {
            let fields = [
                ("apiGroups", rule.api_groups.as_deref()),
                ("resources", rule.resources.as_deref()),
                ("resourceNames", rule.resource_names.as_deref()),
                ("nonResourceURLs", rule.non_resource_urls.as_deref()),
                ("verbs", Some(rule.verbs.as_slice())),
            ];
            let fields = fields.iter().filter_map(|(field, words)| {
                let words: Vec<String> = (*words)?.iter().map(|word| format!("{word:?}")).collect();
                Some(format!("{field}: [{}]", words.join(", ")))
            });
            let _ = writeln!(text, "- {}", Vec::from_iter(fields).join("\n  "));
        }
        match text.as_str() {
            "" => "# the API server's message, which is cut, no longer says which\n".to_owned(),
            _ => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAYS: &str = "Role/prod/reader dry-run failed (Forbidden): roles.rbac.authorization.k8s.io \"reader\" is forbidden: user \"system:serviceaccount:apps:deployer\" (groups=[\"system:serviceaccounts\" \"system:serviceaccounts:apps\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\" \"list\"]}\n{APIGroups:[\"apps\"], Resources:[\"deployments\"], ResourceNames:[\"web\"], Verbs:[\"get\"]}\n";

    fn only(message: &str) -> Escalation {
        let all = escalations(message);
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().expect("there is one")
    }

    #[test]
    fn who_gives_what_where_is_read_off_the_servers_message() {
        let found = only(SAYS);
        assert_eq!(found.user, "system:serviceaccount:apps:deployer");
        assert_eq!(
            (
                found.resource.as_str(),
                found.name.as_str(),
                found.namespace.as_deref()
            ),
            ("roles", "reader", Some("prod"))
        );
        let deeds: Vec<String> = found.deeds("prod").iter().map(ToString::to_string).collect();
        assert_eq!(
            deeds,
            [
                "get pods in prod",
                "list pods in prod",
                "get deployments.apps web in prod"
            ]
        );
    }

    #[test]
    fn the_account_must_hold_it_or_may_be_let_escalate() {
        let text = only(SAYS).advice(false);
        for part in [
            "a Role in prod that is bound to ServiceAccount apps/deployer",
            "- apiGroups: [\"\"]\n  resources: [\"pods\"]\n  verbs: [\"get\", \"list\"]\n",
            "  resources: [\"deployments\"]\n  resourceNames: [\"web\"]\n  verbs: [\"get\"]\n",
            "verbs: [\"escalate\"]",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let binding = SAYS
            .replace("Role/", "RoleBinding/")
            .replace("roles.rbac", "rolebindings.rbac");
        let text = only(&binding).advice(false);
        assert!(text.contains("verbs: [\"bind\"]"), "{text}");
        assert!(text.contains("a Role in prod "), "{text}");
    }

    #[test]
    fn a_message_that_was_cut_names_what_it_still_has() {
        let cut = SAYS.split_once(", ResourceNames").expect("is there").0;
        assert_eq!(only(cut).rules.len(), 1);
        let cut = SAYS.split_once(":\n{").expect("is there").0;
        assert!(only(cut).advice(false).contains("no longer says which"));
    }

    #[test]
    fn what_counts_for_the_whole_cluster_is_the_platform_teams() {
        let all = SAYS
            .replace("Role/prod/", "ClusterRole/")
            .replace("roles.rbac", "clusterroles.rbac");
        let text = only(&all).advice(false);
        assert!(text.contains("platform team"), "{text}");
    }
}
