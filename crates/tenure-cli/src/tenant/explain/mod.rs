//! `tenure tenant explain`: what an object was refused, and the whole rule that would allow it.

mod escalation;

use std::collections::BTreeMap;

use anyhow::Context as _;
use kube::Client;
use serde_json::Value;
use tenure_api::rights::{ACT_AS_ROLE, HOME_ROLE, TARGET_ROLE};
use tenure_kube::RoleRule;

use super::access::{Deed, Who, allowed};
use super::kinds;
use escalation::{Escalation, escalations};

/// Flags of `tenure tenant explain`.
#[derive(clap::Args)]
pub struct Args {
    /// The object, as KIND/NAME: kustomization/web, gitrepository/web
    object: String,
    /// The home that it lives in
    #[arg(short, long)]
    namespace: String,
    /// The kubeconfig's context
    #[arg(long)]
    context: Option<String>,
}

/// Kinds by the names that people give them: group, kind and resource.
const KINDS: [(&[&str], &str, &str, &str); 6] = [
    (
        &["kustomization", "kustomizations", "ks"],
        "kustomize.toolkit.fluxcd.io",
        "Kustomization",
        "kustomizations",
    ),
    (
        &["gitrepository", "gitrepositories", "gitrepo"],
        "source.toolkit.fluxcd.io",
        "GitRepository",
        "gitrepositories",
    ),
    (
        &["ocirepository", "ocirepositories", "ocirepo"],
        "source.toolkit.fluxcd.io",
        "OCIRepository",
        "ocirepositories",
    ),
    (
        &["helmrepository", "helmrepositories", "helmrepo"],
        "source.toolkit.fluxcd.io",
        "HelmRepository",
        "helmrepositories",
    ),
    (
        &["helmchart", "helmcharts", "hc"],
        "source.toolkit.fluxcd.io",
        "HelmChart",
        "helmcharts",
    ),
    (
        &["bucket", "buckets"],
        "source.toolkit.fluxcd.io",
        "Bucket",
        "buckets",
    ),
];
/// What a worker does as the tenant, and what the tenant's account needs for it.
const VERBS: [&str; 5] = ["list", "watch", "create", "patch", "delete"];

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    crate::runtime()?.block_on(answer(args))
}

async fn answer(args: Args) -> anyhow::Result<()> {
    let (kind, name) = args
        .object
        .split_once('/')
        .with_context(|| format!("{:?} must be KIND/NAME", args.object))?;
    let wanted = kind.to_lowercase();
    let (_, group, kind, plural) = KINDS
        .iter()
        .find(|(names, ..)| names.contains(&wanted.as_str()))
        .with_context(|| format!("{kind:?} is no kind that a worker reconciles"))?;
    let client = crate::cluster::client(args.context).await?;
    let api = crate::cluster::api(&client, group, "v1", kind, plural, Some(&args.namespace));
    let object = api
        .get(name)
        .await
        .with_context(|| format!("failed to get {kind} '{}/{name}'", args.namespace))?;
    let conditions = object
        .data
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let conditions: Vec<Value> = conditions.cloned().unwrap_or_default();
    let is_remote = is_remote(&object.data);
    let (rules, escalations) = (refused(&conditions), escalating(&conditions));
    if rules.is_empty() && escalations.is_empty() {
        crate::say(&format!(
            "{kind} '{}/{name}': nothing was refused. {}",
            args.namespace,
            ready(&conditions)
        ));
        return Ok(());
    }
    for rule in rules {
        crate::say(&match is_remote && !is_local(&rule, &args.namespace) {
            true => remote(&rule),
            false => explained(&client, &rule, &args.namespace).await?,
        });
    }
    for escalation in escalations {
        if is_remote {
            crate::say(REMOTE);
        }
        crate::say(&escalation.explained(&client, is_remote).await?);
    }
    Ok(())
}

const REMOTE: &str = "This object applies to the cluster that its spec.kubeConfig leads to. It is that cluster that refused, and the one that must be asked and changed.";

/// Whether the object applies to another cluster, about which this one knows nothing.
fn is_remote(object: &Value) -> bool {
    object.pointer("/spec/kubeConfig").is_some_and(|v| !v.is_null())
}

/// Of an object for another cluster only what its worker itself does is done in this one.
fn is_local(rule: &RoleRule, home: &str) -> bool {
    Who::of_user(&rule.user).is_some_and(|who| who.name == home && who.namespace != home)
}

fn remote(rule: &RoleRule) -> String {
    let place = match &rule.namespace {
        Some(namespace) => format!("--namespace {namespace}"),
        None => "--all-namespaces".to_owned(),
    };
    format!(
        "{rule}.\n{REMOTE} With a kubeconfig for it:\n\n  kubectl auth can-i {} {} {place} --as {}\n\nThere, {}",
        rule.verb,
        word(rule),
        rule.user,
        rule.advice()
    )
}

/// What the API server refused, by what the conditions say; each once.
fn refused(conditions: &[Value]) -> Vec<RoleRule> {
    let mut found: BTreeMap<String, RoleRule> = BTreeMap::new();
    for message in conditions.iter().filter_map(|c| c.get("message")?.as_str()) {
        let starts: Vec<usize> = message.match_indices("User \"").map(|(at, _)| at).collect();
        for at in starts {
            if let Some(rule) = message.get(at..).and_then(RoleRule::from_message) {
                found.insert(rule.to_string(), rule);
            }
        }
    }
    found.into_values().collect()
}

/// What the API server refused since it would give away more than its author holds; each once.
fn escalating(conditions: &[Value]) -> Vec<Escalation> {
    let mut found: Vec<Escalation> = Vec::new();
    for message in conditions.iter().filter_map(|c| c.get("message")?.as_str()) {
        for escalation in escalations(message) {
            if !found.contains(&escalation) {
                found.push(escalation);
            }
        }
    }
    found
}

fn ready(conditions: &[Value]) -> String {
    let is_ready = |c: &&Value| c.get("type").and_then(Value::as_str) == Some("Ready");
    match conditions.iter().find(is_ready) {
        Some(condition) => {
            let text = |field: &str| condition.get(field).and_then(Value::as_str).unwrap_or_default();
            format!(
                "Ready is {}, {}: {}",
                text("status"),
                text("reason"),
                text("message")
            )
        }
        None => "It has no condition Ready yet".to_owned(),
    }
}

async fn explained(client: &Client, rule: &RoleRule, home: &str) -> anyhow::Result<String> {
    let Some(who) = Who::of_user(&rule.user) else {
        return Ok(format!("{rule}\n{}", rule.advice()));
    };
    let Some(namespace) = rule.namespace.as_deref() else {
        return Ok(format!(
            "{rule}.\nNo Role can allow that: it counts for the whole cluster. Leave the object to the platform team.\n"
        ));
    };
    // the tenant's accounts live in its home, the worker's does not
    if who.namespace != home {
        return Ok(workers(rule, &who, namespace));
    }
    let mut missing = Vec::new();
    for verb in VERBS {
        let deed = Deed {
            verb,
            group: &rule.api_group,
            resource: &rule.resource,
            name: None,
            namespace,
        };
        if !allowed(client, &who, deed).await? {
            missing.push(verb);
        }
    }
    // What was refused may have been allowed since.
    if missing.is_empty() {
        return Ok(format!(
            "{rule}.\nThat was so when it was tried. It is allowed by now; the next try will pass.\n"
        ));
    }
    Ok(format!(
        "{rule}.\nAdd this rule to a Role in {namespace} that is bound to ServiceAccount {}/{}. To apply, wait for and prune this kind, it lacks all of it:\n\n- apiGroups: [\"{}\"]\n  resources: [\"{}\"]\n  verbs: [{}]\n",
        who.namespace,
        who.name,
        rule.api_group,
        rule.resource,
        missing.join(", ")
    ))
}

/// A worker's Roles follow from the Tenant, so what is missing is a word in the Tenant.
fn workers(rule: &RoleRule, who: &Who, namespace: &str) -> String {
    let home = &who.name;
    let word = word(rule);
    let cure = if rule.verb.starts_with("impersonate-on:") {
        let kinds = match kinds::is_default(&word) {
            true => format!(
                "add {word} there if the Tenant has that list, whose default has it, or {namespace} to spec.targets"
            ),
            false => format!(
                "add {word} there, or {namespace} to spec.targets. If the Tenant has no such list yet, it has a default, which a list replaces. The whole of it is then:\n\n  {}\n\n",
                kinds::as_yaml([word.as_str()])
            ),
        };
        format!("Its Role {TARGET_ROLE} in {namespace} holds the Tenant's spec.kinds: {kinds}")
    } else if rule.verb.starts_with("impersonate") {
        let name = rule.resource_name.as_deref().unwrap_or("the account");
        format!(
            "Its Role {ACT_AS_ROLE} in {namespace} holds the Tenant's spec.serviceAccounts: add {{namespace: {namespace}, name: {name}}} there"
        )
    } else {
        format!("Its Role {HOME_ROLE} in {home} is not there or not as the Tenant says")
    };
    format!(
        "{rule}.\nThat is the worker of home {home}. {}Then render its rights anew and apply them:\n\n  tenure tenant rights --file tenant.yaml | kubectl apply -f -\n",
        if cure.ends_with('\n') {
            cure
        } else {
            format!("{cure}. ")
        }
    )
}

/// The resource, as a Tenant's `spec.kinds` has it.
fn word(rule: &RoleRule) -> String {
    match rule.api_group.as_str() {
        "" => rule.resource.clone(),
        group => format!("{}.{group}", rule.resource),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const REFUSED: &str = r#"Deployment/default/web dry-run failed (Forbidden): deployments.apps "web" is forbidden: User "system:serviceaccount:apps:web" cannot patch resource "deployments" in API group "apps" in the namespace "default""#;

    #[test]
    fn each_refusal_is_found_once() {
        let twice = json!([
            {"type": "Ready", "message": REFUSED},
            {"type": "Reconciling", "message": format!("{REFUSED}\n{}", REFUSED.replace("patch", "list"))},
        ]);
        let rules = refused(twice.as_array().expect("a list"));
        let verbs: Vec<&str> = rules.iter().map(|rule| rule.verb.as_str()).collect();
        assert_eq!(verbs, ["list", "patch"]);
    }

    #[test]
    fn a_workers_missing_right_is_a_word_in_the_tenant() {
        let message = r#"User "system:serviceaccount:tenure-workers:apps" cannot impersonate-on:serviceaccount:patch resource "proxies" in API group "example.org" in the namespace "prod""#;
        let rule = RoleRule::from_message(message).expect("a refusal");
        let who = Who::of_user(&rule.user).expect("an account");
        let text = workers(&rule, &who, "prod");
        assert!(
            text.contains("spec.kinds: add proxies.example.org there"),
            "{text}"
        );
    }

    #[test]
    fn a_list_of_kinds_replaces_the_default_so_all_of_it_is_printed() {
        let message = r#"User "system:serviceaccount:tenure-workers:apps" cannot impersonate-on:serviceaccount:patch resource "proxies" in API group "example.org" in the namespace "prod""#;
        let rule = RoleRule::from_message(message).expect("a refusal");
        let who = Who::of_user(&rule.user).expect("an account");
        let text = workers(&rule, &who, "prod");
        assert!(
            text.contains("kinds: [configmaps, ") && text.contains(", proxies.example.org]"),
            "{text}"
        );
        let of_default = message
            .replace("proxies", "configmaps")
            .replace("example.org", "");
        let rule = RoleRule::from_message(&of_default).expect("a refusal");
        let text = workers(&rule, &who, "prod");
        assert!(!text.contains("kinds: ["), "{text}");
        assert!(text.contains("whose default has it"), "{text}");
    }

    #[test]
    fn what_a_role_would_give_away_is_refused_too() {
        let message = "Role/a/r dry-run failed (Forbidden): roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"system:serviceaccount:a:b\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\"]}";
        let twice =
            json!([{"type": "Ready", "message": message}, {"type": "Reconciling", "message": message}]);
        let conditions = twice.as_array().expect("a list");
        assert!(refused(conditions).is_empty());
        assert_eq!(escalating(conditions).len(), 1);
    }

    #[test]
    fn another_cluster_must_be_asked_itself() {
        assert!(is_remote(
            &json!({"spec": {"kubeConfig": {"secretRef": {"name": "k"}}}})
        ));
        assert!(!is_remote(&json!({"spec": {}})));
        let rule = RoleRule::from_message(REFUSED).expect("a refusal");
        assert!(!is_local(&rule, "apps"));
        let text = remote(&rule);
        assert!(text.contains("spec.kubeConfig"), "{text}");
        assert!(
            text.contains("kubectl auth can-i patch deployments.apps --namespace default --as system:serviceaccount:apps:web"),
            "{text}"
        );
        let own = RoleRule::from_message(
            &REFUSED.replace("serviceaccount:apps:web", "serviceaccount:tenure-workers:apps"),
        );
        assert!(is_local(&own.expect("a refusal"), "apps"));
    }
}
