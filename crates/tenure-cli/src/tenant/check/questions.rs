//! What the walls and doors of a Tenant are, as questions about who may do what.

use std::collections::BTreeSet;

use serde_json::Value;
use tenure_api::rights::{Impersonation, worker_objects};
use tenure_api::{TENURE_GROUP, Tenant, WORKERS_NAMESPACE};

use super::super::access::{Deed, Who};

/// The verb of servers before 1.36: it lends all that somebody may, and beside the constrained ones it voids them.
const LEGACY: &str = "impersonate";

/// The installation's own namespaces.
pub(super) struct Own<'a> {
    pub(super) system: &'a str,
    pub(super) workers: &'a str,
}

/// What is asked: somebody may, or may not, do something.
pub(super) struct Question {
    pub(super) who: Who,
    verb: String,
    group: String,
    resource: String,
    name: Option<String>,
    namespace: String,
    pub(super) may: bool,
}

impl Question {
    fn new(who: &Who, may: bool, verb: &str, group: &str, resource: &str, namespace: &str) -> Self {
        Self {
            who: who.clone(),
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            name: None,
            namespace: namespace.to_owned(),
            may,
        }
    }

    fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    pub(super) fn deed(&self) -> Deed<'_> {
        Deed {
            verb: &self.verb,
            group: &self.group,
            resource: &self.resource,
            name: self.name.as_deref(),
            namespace: &self.namespace,
        }
    }
}

pub(super) fn questions(
    tenant: &Tenant,
    others: &[&Tenant],
    impersonation: Impersonation,
    own: &Own<'_>,
) -> Vec<Question> {
    let workers = tenant
        .spec
        .namespaces
        .iter()
        .map(|home| Who::new(own.workers, home));
    let workers: Vec<Who> = workers.collect();
    let accounts = tenant.spec.service_accounts.iter();
    let accounts: Vec<Who> = accounts.map(|a| Who::new(&a.namespace, &a.name)).collect();
    let mut all = doors(tenant, impersonation, own);
    let is_home_of_another = |namespace: &str| {
        !tenant.spec.namespaces.iter().any(|home| home == namespace)
            && others
                .iter()
                .any(|other| other.spec.namespaces.iter().any(|home| home == namespace))
    };
    for question in &mut all {
        // A Tenant that names it as a target asks for a door that nobody may have.
        question.may =
            !(question.verb.starts_with("impersonate-on:") && is_home_of_another(&question.namespace));
    }
    for worker in &workers {
        all.extend(own_walls(worker));
        if impersonation == Impersonation::Constrained {
            all.extend(tenant.spec.service_accounts.iter().map(|account| {
                Question::new(worker, false, LEGACY, "", "serviceaccounts", &account.namespace)
                    .named(&account.name)
            }));
        }
    }
    for who in workers.iter().chain(&accounts) {
        all.extend(walls(who, tenant, others, own));
    }
    all
}

/// What the Tenant's rights allow the workers, rule by rule.
fn doors(tenant: &Tenant, impersonation: Impersonation, own: &Own<'_>) -> Vec<Question> {
    let objects = worker_objects(tenant, impersonation);
    let text = |o: &Value, p: &str| {
        o.pointer(p)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let list = |rule: &Value, field: &str| -> Vec<String> {
        let items = rule.get(field).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut all = Vec::new();
    for role in objects.iter().filter(|o| text(o, "/kind") == "Role") {
        let (namespace, name) = (text(role, "/metadata/namespace"), text(role, "/metadata/name"));
        let bound = objects.iter().filter(|o| {
            text(o, "/kind") == "RoleBinding"
                && text(o, "/metadata/namespace") == namespace
                && text(o, "/roleRef/name") == name
        });
        let subjects = bound.flat_map(|b| b.get("subjects").and_then(Value::as_array).into_iter().flatten());
        for subject in subjects {
            let namespace_of = match text(subject, "/namespace") {
                workers if workers == WORKERS_NAMESPACE => own.workers.to_owned(),
                other => other,
            };
            let who = Who::new(&namespace_of, &text(subject, "/name"));
            for rule in role.get("rules").and_then(Value::as_array).into_iter().flatten() {
                let names = list(rule, "resourceNames");
                for group in list(rule, "apiGroups") {
                    for resource in list(rule, "resources") {
                        for verb in list(rule, "verbs") {
                            let question = Question::new(&who, true, &verb, &group, &resource, &namespace);
                            match names.as_slice() {
                                [] => all.push(question),
                                names => all.extend(names.iter().map(|name| {
                                    Question::new(&who, true, &verb, &group, &resource, &namespace)
                                        .named(name)
                                })),
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

/// What a worker may not do by itself, even at home: it acts as the tenant or not at all.
fn own_walls(worker: &Who) -> Vec<Question> {
    let home = worker.name.as_str();
    let deeds = [
        ("create", "", "serviceaccounts/token"),
        ("create", "", "pods/exec"),
        ("get", "", "pods/exec"),
        ("create", "", "pods"),
        ("patch", "apps", "deployments"),
        ("patch", "", "secrets"),
        ("delete", "", "secrets"),
        ("create", "rbac.authorization.k8s.io", "rolebindings"),
        (LEGACY, "", "serviceaccounts"),
        (LEGACY, "", "users"),
        (LEGACY, "", "groups"),
    ];
    let ask = |(verb, group, resource): (&str, &str, &str)| {
        Question::new(worker, false, verb, group, resource, home)
    };
    deeds.into_iter().map(ask).collect()
}

/// What neither a worker nor an account may do: anything in the whole cluster, in the system's namespaces, or at another
/// tenant's.
fn walls(who: &Who, tenant: &Tenant, others: &[&Tenant], own: &Own<'_>) -> Vec<Question> {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let everywhere = [
        ("*", "*", "*"),
        ("list", "", "secrets"),
        ("list", "", "configmaps"),
        ("patch", "", "namespaces"),
        ("patch", "", "nodes"),
        (LEGACY, "", "users"),
        (LEGACY, "", "groups"),
        (LEGACY, "", "serviceaccounts"),
        (
            "impersonate:serviceaccount",
            "authentication.k8s.io",
            "serviceaccounts",
        ),
        ("create", RBAC, "clusterrolebindings"),
        ("escalate", RBAC, "clusterroles"),
        ("bind", RBAC, "clusterroles"),
        ("escalate", RBAC, "roles"),
    ];
    let there = [
        ("get", "", "secrets"),
        ("list", "", "secrets"),
        ("patch", "", "configmaps"),
        ("patch", "apps", "deployments"),
        ("create", "", "pods"),
        ("create", "", "serviceaccounts/token"),
        ("patch", "kustomize.toolkit.fluxcd.io", "kustomizations"),
        ("patch", "source.toolkit.fluxcd.io", "gitrepositories"),
        ("create", RBAC, "rolebindings"),
        (LEGACY, "", "serviceaccounts"),
        (LEGACY, "", "users"),
        (LEGACY, "", "groups"),
    ];
    let ask = |namespace: &str, (verb, group, resource): (&str, &str, &str)| {
        Question::new(who, false, verb, group, resource, namespace)
    };
    let mut all: Vec<Question> = everywhere.into_iter().map(|deed| ask("", deed)).collect();
    all.push(ask("", (LEGACY, "", "groups")).named("system:masters"));
    let is_own_home = |namespace: &str| tenant.spec.namespaces.iter().any(|own| own == namespace);
    let is_shared = |namespace: &str| tenant.spec.targets.iter().any(|own| own == namespace);
    let homes = others.iter().flat_map(|other| &other.spec.namespaces);
    let targets = others.iter().flat_map(|other| &other.spec.targets);
    let behind: BTreeSet<&str> = homes
        .chain(targets.filter(|target| !is_shared(target)))
        .map(String::as_str)
        .chain(["kube-system", own.system, own.workers])
        .filter(|namespace| !is_own_home(namespace))
        .collect();
    for namespace in behind {
        all.extend(there.into_iter().map(|deed| ask(namespace, deed)));
    }
    all.push(ask(own.system, ("patch", TENURE_GROUP, "tenants")));
    let accounts = others.iter().flat_map(|other| &other.spec.service_accounts);
    for account in accounts.filter(|account| !is_own_home(&account.namespace)) {
        for (verb, group) in [
            ("impersonate:serviceaccount", "authentication.k8s.io"),
            (LEGACY, ""),
        ] {
            all.push(ask(&account.namespace, (verb, group, "serviceaccounts")).named(&account.name));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tenant(name: &str, home: &str, targets: &[&str]) -> Tenant {
        let value = json!({
            "apiVersion": "tenure.dev/v1alpha1", "kind": "Tenant",
            "metadata": {"name": name, "namespace": tenure_api::SYSTEM_NAMESPACE},
            "spec": {
                "namespaces": [home], "targets": targets,
                "serviceAccounts": [{"namespace": home, "name": "deployer"}],
            },
        });
        serde_json::from_value(value).expect("a Tenant")
    }

    fn asked(tenant: &Tenant, others: &[&Tenant], impersonation: Impersonation) -> Vec<Question> {
        let installed = Own {
            system: tenure_api::SYSTEM_NAMESPACE,
            workers: WORKERS_NAMESPACE,
        };
        questions(tenant, others, impersonation, &installed)
    }

    /// Whether somebody is asked about it, with that answer expected.
    fn has(all: &[Question], who: &str, deed: &str, may: bool) -> bool {
        all.iter()
            .any(|q| q.may == may && q.who.user().ends_with(who) && q.deed().to_string() == deed)
    }

    const WORKER: &str = ":tenure-workers:home-a";
    const ACCOUNT: &str = ":home-a:deployer";

    #[test]
    fn another_tenants_home_is_behind_a_wall_and_ones_own_behind_a_door() {
        let (own, other) = (tenant("a", "home-a", &[]), tenant("b", "home-b", &[]));
        let all = asked(&own, &[&other], Impersonation::Constrained);
        let any = |may: bool, namespace: &str, resource: &str| {
            all.iter()
                .any(|q| q.may == may && q.namespace == namespace && q.resource == resource)
        };
        assert!(any(true, "home-a", "kustomizations"));
        assert!(any(false, "home-b", "kustomizations"));
        assert!(any(false, "home-b", "serviceaccounts"));
        assert!(!any(true, "home-b", "kustomizations"));
        assert!(any(false, "", "secrets"), "a list of all Secrets");
    }

    #[test]
    fn the_older_impersonation_beside_the_constrained_one_is_a_breach() {
        let (own, other) = (tenant("a", "home-a", &[]), tenant("b", "home-b", &[]));
        let all = asked(&own, &[&other], Impersonation::Constrained);
        for deed in [
            "impersonate serviceaccounts in home-a",
            "impersonate users in home-a",
            "impersonate groups in home-a",
            "impersonate serviceaccounts deployer in home-a",
            "impersonate serviceaccounts in home-b",
            "impersonate users in home-b",
            "impersonate groups in home-b",
            "impersonate serviceaccounts deployer in home-b",
            "impersonate groups in the whole cluster",
            "impersonate groups system:masters in the whole cluster",
        ] {
            assert!(has(&all, WORKER, deed, false), "{deed}");
        }
        let constrained =
            "impersonate:serviceaccount serviceaccounts.authentication.k8s.io deployer in home-a";
        assert!(has(&all, WORKER, constrained, true));
        assert!(
            !has(&all, ACCOUNT, "impersonate serviceaccounts in home-a", false),
            "an account at home may have what ClusterRole edit has"
        );
    }

    #[test]
    fn the_older_impersonation_alone_is_for_the_tenants_accounts_by_name() {
        let (own, other) = (tenant("a", "home-a", &[]), tenant("b", "home-b", &[]));
        let all = asked(&own, &[&other], Impersonation::Legacy);
        let named = "impersonate serviceaccounts deployer in home-a";
        assert!(has(&all, WORKER, named, true) && !has(&all, WORKER, named, false));
        for deed in [
            "impersonate serviceaccounts in home-a",
            "impersonate serviceaccounts deployer in home-b",
        ] {
            assert!(has(&all, WORKER, deed, false), "{deed}");
        }
    }

    #[test]
    fn a_target_that_is_another_tenants_home_is_behind_its_wall() {
        let (own, other) = (tenant("a", "home-a", &["home-b"]), tenant("b", "home-b", &[]));
        let all = asked(&own, &[&other], Impersonation::Constrained);
        for who in [WORKER, ACCOUNT] {
            assert!(has(&all, who, "get secrets in home-b", false), "{who}");
        }
        let acting = "impersonate-on:serviceaccount:patch deployments.apps in home-b";
        assert!(has(&all, WORKER, acting, false) && !has(&all, WORKER, acting, true));
    }

    #[test]
    fn a_target_of_another_tenant_is_behind_a_wall_unless_it_is_shared() {
        let (own, other) = (
            tenant("a", "home-a", &["common"]),
            tenant("b", "home-b", &["common", "alone"]),
        );
        let all = asked(&own, &[&other], Impersonation::Constrained);
        assert!(has(&all, ACCOUNT, "get secrets in alone", false));
        assert!(!has(&all, ACCOUNT, "get secrets in common", false));
    }

    #[test]
    fn nothing_is_to_be_allowed_and_refused() {
        let own = tenant("a", "home-a", &["home-b", "common", "home-a"]);
        let others = [
            tenant("b", "home-b", &["common", "home-a"]),
            tenant("c", "home-a", &["home-b"]),
        ];
        let others: Vec<&Tenant> = others.iter().collect();
        for impersonation in [Impersonation::Constrained, Impersonation::Legacy] {
            let all = asked(&own, &others, impersonation);
            for door in all.iter().filter(|q| q.may) {
                let wall = all
                    .iter()
                    .find(|q| !q.may && q.who == door.who && q.deed() == door.deed());
                assert!(wall.is_none(), "{}", door.deed());
            }
        }
    }
}
