//! What is bound to accounts in the cluster, and what they use.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube::Client;
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::catalog::Catalog;
use super::needs::Account;

/// What a cluster grants, as far as it concerns some accounts.
#[derive(Debug, Default)]
pub(super) struct InForce {
    pub(super) bindings: Vec<Binding>,
    /// Resources in the inventories of the Kustomizations that act as an account.
    pub(super) used: BTreeMap<Account, BTreeSet<String>>,
}

/// A RoleBinding or a ClusterRoleBinding.
#[derive(Debug)]
pub(super) struct Binding {
    /// None for a ClusterRoleBinding.
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) role: String,
    pub(super) subjects: Vec<Subject>,
    pub(super) rules: Vec<PolicyRule>,
}

impl Binding {
    /// How an account gets it, if it does: nothing for the ServiceAccount itself, else the group or user in words.
    pub(super) fn reaches(&self, account: &Account) -> Option<String> {
        let ways = self.subjects.iter().filter_map(|subject| way(subject, account));
        ways.min_by_key(String::len)
    }
}

fn way(subject: &Subject, account: &Account) -> Option<String> {
    let name = subject.name.as_str();
    let is_it = match subject.kind.as_str() {
        "ServiceAccount" => {
            return (name == account.name
                && subject.namespace.as_deref() == Some(account.namespace.as_str()))
            .then(String::new);
        }
        "Group" => {
            ["system:serviceaccounts", "system:authenticated"].contains(&name)
                || name.strip_prefix("system:serviceaccounts:") == Some(account.namespace.as_str())
        }
        "User" => name == format!("system:serviceaccount:{}:{}", account.namespace, account.name),
        _ => false,
    };
    is_it.then(|| format!(" through {} {name}", subject.kind))
}

/// Kubernetes binds some of its own to all who log in: discovery, and reviews of oneself.
fn is_kubernetes_own(name: &str, labels: &BTreeMap<String, String>) -> bool {
    name.starts_with("system:") && labels.contains_key("kubernetes.io/bootstrapping")
}

/// Asks the cluster.
pub(super) async fn read(
    client: &Client,
    accounts: &BTreeSet<&Account>,
    catalog: &Catalog,
) -> anyhow::Result<InForce> {
    let everything = ListParams::default();
    let narrow = Api::<RoleBinding>::all(client.clone())
        .list(&everything)
        .await
        .context("failed to list rolebindings in all namespaces")?;
    let wide = Api::<ClusterRoleBinding>::all(client.clone())
        .list(&everything)
        .await
        .context("failed to list clusterrolebindings")?;
    let narrow = narrow
        .items
        .into_iter()
        .map(|b| (b.metadata, b.role_ref, b.subjects));
    let wide = wide
        .items
        .into_iter()
        .map(|b| (b.metadata, b.role_ref, b.subjects));
    let mut in_force = InForce::default();
    for (metadata, role, subjects) in wide.chain(narrow) {
        let name = metadata.name.unwrap_or_default();
        if is_kubernetes_own(&name, &metadata.labels.unwrap_or_default()) {
            continue;
        }
        let mut binding = Binding {
            namespace: metadata.namespace,
            name,
            role: format!("{} {}", role.kind, role.name),
            subjects: subjects.unwrap_or_default(),
            rules: Vec::new(),
        };
        if accounts.iter().any(|account| binding.reaches(account).is_some()) {
            binding.rules = rules(client, binding.namespace.as_deref(), &role).await?;
            in_force.bindings.push(binding);
        }
    }
    for account in accounts {
        let used = used(client, account, catalog).await?;
        in_force.used.insert((*account).clone(), used);
    }
    Ok(in_force)
}

async fn rules(client: &Client, namespace: Option<&str>, role: &RoleRef) -> anyhow::Result<Vec<PolicyRule>> {
    let rules = match namespace.filter(|_| role.kind != "ClusterRole") {
        None => {
            let found = Api::<ClusterRole>::all(client.clone()).get_opt(&role.name).await;
            found.map(|role| role.and_then(|role| role.rules))
        }
        Some(namespace) => {
            let roles = Api::<Role>::namespaced(client.clone(), namespace);
            let found = roles.get_opt(&role.name).await;
            found.map(|role| role.and_then(|role| role.rules))
        }
    };
    let rules = rules.with_context(|| format!("failed to get {} {}", role.kind, role.name))?;
    Ok(rules.unwrap_or_default())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_what_is_bound_to_itself_to_its_user_and_to_its_groups() {
        let account = Account {
            namespace: "apps".to_owned(),
            name: "deployer".to_owned(),
        };
        let reaches = |kind: &str, namespace: Option<&str>, name: &str| {
            let subject = Subject {
                kind: kind.to_owned(),
                name: name.to_owned(),
                namespace: namespace.map(str::to_owned),
                api_group: None,
            };
            way(&subject, &account)
        };
        assert_eq!(
            reaches("ServiceAccount", Some("apps"), "deployer").as_deref(),
            Some("")
        );
        assert_eq!(reaches("ServiceAccount", Some("other"), "deployer"), None);
        for group in [
            "system:serviceaccounts",
            "system:serviceaccounts:apps",
            "system:authenticated",
        ] {
            let way = reaches("Group", None, group).expect("it is in the group");
            assert_eq!(way, format!(" through Group {group}"));
        }
        assert_eq!(reaches("Group", None, "system:serviceaccounts:other"), None);
        assert_eq!(reaches("Group", None, "system:masters"), None);
        assert!(reaches("User", None, "system:serviceaccount:apps:deployer").is_some());
    }

    #[test]
    fn what_kubernetes_binds_itself_is_known_by_name_and_label() {
        let label = BTreeMap::from([(
            "kubernetes.io/bootstrapping".to_owned(),
            "rbac-defaults".to_owned(),
        )]);
        assert!(is_kubernetes_own("system:discovery", &label));
        assert!(!is_kubernetes_own("everybody", &label));
        assert!(!is_kubernetes_own("system:everybody", &BTreeMap::new()));
    }
}
