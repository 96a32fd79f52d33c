//! THE table of rights. Chart, `deploy/`, `tenants/`, documentation and the isolation tests are
//! rendered from it; nothing else in Tenure writes a Role.
//!
//! Cache, stage and fetcher have no row: they hold no token and may do nothing.

use serde_json::Value;

mod kinds;
mod objects;
mod places;
mod policy;
mod rule;
mod table;

pub use kinds::{DEFAULT_KINDS, FLUX_KINDS, shared_resource};
pub use objects::{pod_objects, release_objects, supervisor_objects, watch_objects, worker_objects};
pub use places::Places;
pub use policy::{WORKER_POLICY, worker_policies};
pub use rule::Rule;
pub use table::{
    Grant, Identity, Scope, act_as, home, minter, peer, pods, release, supervisor, table, target,
};

/// Roles, and RoleBindings of the same name, that a home has. Like the RoleBinding [`RELEASE_ROLE`] they
/// carry [`crate::WORKER_RIGHTS_FINALIZER`], so that a worker can finish in a namespace that goes away.
pub const HOME_ROLES: [&str; 3] = [TARGET_ROLE, ACT_AS_ROLE, HOME_ROLE];
/// Resource and name of what carries the finalizer in a home, in the order of release.
///
/// No Role in a home can be released last: who patches the last object needs a Role and a RoleBinding
/// that both still exist, and without its finalizer a deleted object is gone at once. So the right to
/// release is a ClusterRole, which outlives the home and, bound nowhere else, grants nothing elsewhere;
/// its RoleBinding in the home goes last, and by itself.
pub const RELEASE_ORDER: [(&str, &str); 7] = [
    ("rolebindings", TARGET_ROLE),
    ("roles", TARGET_ROLE),
    ("rolebindings", ACT_AS_ROLE),
    ("roles", ACT_AS_ROLE),
    ("rolebindings", HOME_ROLE),
    ("roles", HOME_ROLE),
    ("rolebindings", RELEASE_ROLE),
];
/// Who may take the finalizer off a home's rights: the ClusterRole, and the RoleBinding in each home.
pub const RELEASE_ROLE: &str = "tenure:release";
/// The one ServiceAccount in the workers' namespace that is no home's: no namespace has a dot in its name.
pub const RELEASE_ACCOUNT: &str = "tenure.release";
/// The worker's own reads and status writes in its home.
pub const HOME_ROLE: &str = "tenure:home";
/// Whom the worker may act as.
pub const ACT_AS_ROLE: &str = "tenure:act-as";
/// What it may do while acting; in a target the Tenant's name follows after a colon.
pub const TARGET_ROLE: &str = "tenure:target";
/// What it may read of another namespace; the Tenant's name follows after a colon.
pub const PEER_ROLE: &str = "tenure:peer";
/// The supervisor's own namespace.
pub const SUPERVISOR_ROLE: &str = "tenure:supervisor";
/// Tokens of worker identities.
pub const MINTER_ROLE: &str = "tenure:minter";
/// Workers in pods, where the platform allows them.
pub const PODS_ROLE: &str = "tenure:pods";
/// Of the supervisor in all namespaces, in mode `cluster` only.
pub const WATCH_ROLE: &str = "tenure:watch";
/// The supervisor's ServiceAccount in the system namespace.
pub const SUPERVISOR_ACCOUNT: &str = "tenure-supervisor";

/// Which impersonation rules are rendered: one or the other, because the legacy verb next to the
/// constrained ones would void them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Impersonation {
    /// Kubernetes 1.36 and later: verbs are granted one by one.
    #[default]
    Constrained,
    /// Older servers: whoever may act as an account may do all that the account may.
    Legacy,
}

/// `Kind namespace/name` of each object, for messages and tests.
#[must_use]
pub fn names(objects: &[Value]) -> Vec<String> {
    let text = |object: &Value, pointer| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    objects
        .iter()
        .map(|o| {
            format!(
                "{} {}/{}",
                text(o, "/kind"),
                text(o, "/metadata/namespace"),
                text(o, "/metadata/name")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
