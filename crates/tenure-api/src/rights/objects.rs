use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::table::{self, Grant};
use super::{Impersonation, RELEASE_ACCOUNT, RELEASE_ROLE, SUPERVISOR_ACCOUNT, WATCH_ROLE};
use crate::{SYSTEM_NAMESPACE, TENANT_LABEL, Tenant, WORKER_RIGHTS_FINALIZER, WORKERS_NAMESPACE};

/// What the installation grants the supervisor: its ServiceAccount, and a Role and RoleBinding in each of
/// its two namespaces.
#[must_use]
pub fn supervisor_objects() -> Vec<Value> {
    let subject = [(SYSTEM_NAMESPACE, SUPERVISOR_ACCOUNT)];
    let part_of = json!({crate::PART_OF: "tenure"});
    let mut objects = vec![account(SYSTEM_NAMESPACE, SUPERVISOR_ACCOUNT, &part_of)];
    for (namespace, grant) in [
        (SYSTEM_NAMESPACE, table::supervisor()),
        (WORKERS_NAMESPACE, table::minter()),
    ] {
        objects.extend(bound(
            &grant,
            &Place {
                namespace,
                name: grant.role,
                labels: &part_of,
                keep: false,
            },
            &subject,
        ));
    }
    objects
}

/// What workers in pods add: the supervisor may make and delete pods in the workers' namespace.
#[must_use]
pub fn pod_objects() -> Vec<Value> {
    let grant = table::pods();
    let part_of = json!({crate::PART_OF: "tenure"});
    let place = Place {
        namespace: WORKERS_NAMESPACE,
        name: grant.role,
        labels: &part_of,
        keep: false,
    };
    bound(&grant, &place, &[(SYSTEM_NAMESPACE, SUPERVISOR_ACCOUNT)])
}

/// Who releases the rights of homes: a ServiceAccount, and a ClusterRole that [`worker_objects`] binds in
/// each home and that nothing binds for the cluster.
#[must_use]
pub fn release_objects() -> Vec<Value> {
    let part_of = json!({crate::PART_OF: "tenure"});
    vec![
        account(WORKERS_NAMESPACE, RELEASE_ACCOUNT, &part_of),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": RELEASE_ROLE, "labels": part_of},
            "rules": table::release().rules,
        }),
    ]
}

/// What mode `cluster` adds: the supervisor may list and watch Flux objects in all namespaces. RBAC knows no right to metadata
/// alone; that the supervisor asks for nothing else is what the tests hold it to.
#[must_use]
pub fn watch_objects() -> Vec<Value> {
    let part_of = json!({crate::PART_OF: "tenure"});
    let group = "rbac.authorization.k8s.io";
    vec![
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRole",
            "metadata": {"name": WATCH_ROLE, "labels": part_of},
            "rules": table::watch(),
        }),
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding",
            "metadata": {"name": WATCH_ROLE, "labels": part_of},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": WATCH_ROLE},
            "subjects": [{"kind": "ServiceAccount", "name": SUPERVISOR_ACCOUNT, "namespace": SYSTEM_NAMESPACE}],
        }),
    ]
}

/// Everything that onboards a Tenant besides the Tenant itself and the tenant's own ServiceAccounts and
/// Roles: for each home a worker identity and its Roles, for each target and peer the one Role that the
/// workers need there. A list without order; applying it twice changes nothing.
#[must_use]
pub fn worker_objects(tenant: &Tenant, impersonation: Impersonation) -> Vec<Value> {
    let labels = json!({TENANT_LABEL: tenant.name()});
    let workers: Vec<_> = tenant
        .spec
        .namespaces
        .iter()
        .map(|home| (WORKERS_NAMESPACE, home.as_str()))
        .collect();
    let target = table::target(tenant, impersonation);
    let mut objects = Vec::new();
    for home in &tenant.spec.namespaces {
        objects.push(account(WORKERS_NAMESPACE, home, &labels));
        let own = [(WORKERS_NAMESPACE, home.as_str())];
        let grants = [
            Some(table::home(tenant, home)),
            table::act_as(tenant, home, impersonation),
            target.clone(),
        ];
        for grant in grants.into_iter().flatten() {
            let place = Place {
                namespace: home,
                name: grant.role,
                labels: &labels,
                keep: true,
            };
            objects.extend(bound(&grant, &place, &own));
        }
        objects.push(released_by(home, &labels));
    }
    // A target may be shared, so the Role's name says whose it is. A home has its Role already.
    let elsewhere = tenant
        .spec
        .targets
        .iter()
        .filter(|target| !is_only_home(tenant, target));
    for (namespace, grant) in elsewhere.filter_map(|namespace| Some((namespace, target.as_ref()?))) {
        objects.extend(shared(grant, namespace, tenant, &labels, &workers));
    }
    let mut peers: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for peer in &tenant.spec.peers {
        peers.entry(&peer.namespace).or_default().push(peer);
    }
    for (namespace, peers) in peers {
        objects.extend(shared(&table::peer(&peers), namespace, tenant, &labels, &workers));
    }
    objects
}

/// Whether the only worker that applies there has its right from being at home.
fn is_only_home(tenant: &Tenant, namespace: &str) -> bool {
    tenant.spec.namespaces.iter().map(String::as_str).eq([namespace])
}

fn shared(
    grant: &Grant,
    namespace: &str,
    tenant: &Tenant,
    labels: &Value,
    workers: &[(&str, &str)],
) -> Vec<Value> {
    let name = format!("{}:{}", grant.role, tenant.name());
    bound(
        grant,
        &Place {
            namespace,
            name: &name,
            labels,
            keep: false,
        },
        workers,
    )
}

fn account(namespace: &str, name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "automountServiceAccountToken": false,
    })
}

fn released_by(home: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {
            "name": RELEASE_ROLE, "namespace": home, "labels": labels, "finalizers": [WORKER_RIGHTS_FINALIZER],
        },
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": RELEASE_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": RELEASE_ACCOUNT, "namespace": WORKERS_NAMESPACE}],
    })
}

struct Place<'a> {
    namespace: &'a str,
    name: &'a str,
    labels: &'a Value,
    /// Whether it must outlive the other objects of a terminating namespace.
    keep: bool,
}

fn bound(grant: &Grant, place: &Place<'_>, subjects: &[(&str, &str)]) -> Vec<Value> {
    let mut metadata = json!({"name": place.name, "namespace": place.namespace, "labels": place.labels});
    if place.keep {
        metadata["finalizers"] = json!([WORKER_RIGHTS_FINALIZER]);
    }
    let subjects: Vec<_> = subjects
        .iter()
        .map(|(namespace, name)| json!({"kind": "ServiceAccount", "name": name, "namespace": namespace}))
        .collect();
    vec![
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": metadata.clone(), "rules": grant.rules,
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": place.name},
            "subjects": subjects,
        }),
    ]
}
