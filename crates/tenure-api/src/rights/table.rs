use super::kinds::by_group;
use super::{
    ACT_AS_ROLE, DEFAULT_KINDS, FLUX_KINDS, HOME_ROLE, HOME_ROLES, Impersonation, MINTER_ROLE, PEER_ROLE,
    PODS_ROLE, RELEASE_ROLE, Rule, SUPERVISOR_ROLE, TARGET_ROLE, shared_resource,
};
use crate::{ISSUER_KEYS, KUSTOMIZE_GROUP, Peer, Profile, SOURCE_GROUP, TENURE_GROUP, Tenant};

const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
/// What the worker does while acting. No get, create or update: server-side apply and a list by name
/// suffice, and an exec over WebSocket is a get.
const ACTING_VERBS: [&str; 4] = ["list", "watch", "patch", "delete"];

/// Who holds a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The supervisor's ServiceAccount.
    Supervisor,
    /// A home's ServiceAccount in the workers' namespace.
    Worker,
    /// The ServiceAccount that releases the rights of a home at its end.
    Release,
    /// The source cache: no token.
    Cache,
    /// The parent of the workers: no token.
    Stage,
    /// The cache's sandboxed child: no token.
    Fetcher,
}

/// In which namespaces it counts. There is no cluster scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The system namespace.
    System,
    /// The workers' namespace.
    Workers,
    /// The worker's own home.
    Home,
    /// The worker's home and the Tenant's targets.
    HomeAndTargets,
    /// Another namespace that consents.
    Peer,
    /// Nowhere.
    Nowhere,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub identity: Identity,
    /// The Role's name; empty when there is none.
    pub role: &'static str,
    /// Where.
    pub scope: Scope,
    /// What.
    pub rules: Vec<Rule>,
    /// Why, in one sentence.
    pub why: &'static str,
}

/// The whole table as it is for one Tenant, whose first home and first peer stand for all.
#[must_use]
pub fn table(tenant: &Tenant, impersonation: Impersonation) -> Vec<Grant> {
    let first = tenant.spec.namespaces.first().map_or("", String::as_str);
    let mut grants = vec![supervisor(), minter(), home(tenant, first)];
    grants.extend(act_as(tenant, first, impersonation));
    grants.extend(target(tenant, impersonation));
    if let Some(first) = tenant.spec.peers.first() {
        grants.push(peer(&[first]));
    }
    grants.push(release());
    let nothing = |identity, why| Grant {
        identity,
        role: "",
        scope: Scope::Nowhere,
        rules: Vec::new(),
        why,
    };
    grants.push(nothing(
        Identity::Cache,
        "The cache checks callers by a mounted key file and never asks the cluster.",
    ));
    grants.push(nothing(
        Identity::Stage,
        "The stage forks workers, which get their tokens over the lifeline.",
    ));
    grants.push(nothing(
        Identity::Fetcher,
        "The fetcher parses foreign bytes and needs nothing else.",
    ));
    grants
}

/// The supervisor in the system namespace.
#[must_use]
pub fn supervisor() -> Grant {
    let rules = vec![
        Rule::new(&[TENURE_GROUP], &["tenants"], &["get", "list", "watch"]),
        Rule::new(&[TENURE_GROUP], &["tenants/status"], &["patch"]),
        Rule::new(
            &[TENURE_GROUP],
            &["artifacts"],
            &["list", "create", "patch", "delete"],
        ),
        Rule::new(
            &["coordination.k8s.io"],
            &["leases"],
            &["get", "list", "watch", "create", "patch", "delete"],
        ),
        Rule::new(&["", "events.k8s.io"], &["events"], &["create", "patch"]),
        Rule::new(&[""], &["configmaps"], &["get", "patch"]).named(&[ISSUER_KEYS]),
    ];
    Grant {
        identity: Identity::Supervisor,
        role: SUPERVISOR_ROLE,
        scope: Scope::System,
        rules,
        why: "It knows who the tenants are, says how they fare, shares the work by Leases and keeps the cache's keys current.",
    }
}

/// The supervisor in all namespaces, in mode `cluster`.
pub(super) fn watch() -> Vec<Rule> {
    let watched = FLUX_KINDS
        .iter()
        .filter(|(group, _)| [SOURCE_GROUP, KUSTOMIZE_GROUP].contains(group));
    let of_group = |(group, kinds): &(&str, &[(&str, bool)])| {
        let plurals: Vec<&str> = kinds.iter().map(|(plural, _)| *plural).collect();
        Rule::new(&[*group], &plurals, &["list", "watch"])
    };
    watched.map(of_group).collect()
}

/// The supervisor in the workers' namespace.
#[must_use]
pub fn minter() -> Grant {
    let rules = vec![
        Rule::new(&[""], &["serviceaccounts"], &["get", "list", "watch"]),
        Rule::new(&[""], &["serviceaccounts/token"], &["create"]),
    ];
    Grant {
        identity: Identity::Supervisor,
        role: MINTER_ROLE,
        scope: Scope::Workers,
        rules,
        why: "It mints the short-lived tokens of worker identities, which is its only power over tenants.",
    }
}

/// The supervisor in the workers' namespace, besides, where workers may be pods.
#[must_use]
pub fn pods() -> Grant {
    Grant {
        identity: Identity::Supervisor,
        role: PODS_ROLE,
        scope: Scope::Workers,
        rules: vec![Rule::new(
            &[""],
            &["pods"],
            &["create", "get", "list", "watch", "delete"],
        )],
        why: "It starts workers in pods of their own and ends them, where the platform allows that level.",
    }
}

/// A worker's own rights in its home.
#[must_use]
pub fn home(tenant: &Tenant, home: &str) -> Grant {
    let mut rules = Vec::new();
    for (group, kinds) in FLUX_KINDS {
        let plain: Vec<_> = kinds.iter().map(|(kind, _)| (*kind).to_owned()).collect();
        let status: Vec<_> = kinds
            .iter()
            .filter(|(_, has)| *has)
            .map(|(kind, _)| format!("{kind}/status"))
            .collect();
        rules.push(Rule::new(&[group], &plain, &["get", "list", "watch", "patch"]));
        rules.push(Rule::new(&[group], &status, &["patch"]));
    }
    rules.push(Rule::new(&[SOURCE_GROUP], &["helmcharts"], &["create", "delete"]));
    rules.push(Rule::new(&[""], &["serviceaccounts"], &["get"]));
    rules.push(Rule::new(&[""], &["namespaces"], &["get"]).named(&[home]));
    rules.push(Rule::new(
        &["", "events.k8s.io"],
        &["events"],
        &["create", "patch"],
    ));
    if tenant.spec.profile == Profile::Compat {
        let verbs: &[&str] = if tenant.spec.watch_secrets {
            &["get", "list", "watch"]
        } else {
            &["get"]
        };
        rules.push(Rule::new(&[""], &["secrets", "configmaps"], verbs));
    }
    Grant {
        identity: Identity::Worker,
        role: HOME_ROLE,
        scope: Scope::Home,
        rules,
        why: "It reads its home's Flux objects and what they name, and writes their status and events.",
    }
}

/// Whom a worker may act as; `None` when the home has no ServiceAccount of the Tenant.
#[must_use]
pub fn act_as(tenant: &Tenant, home: &str, impersonation: Impersonation) -> Option<Grant> {
    let accounts = tenant
        .spec
        .service_accounts
        .iter()
        .filter(|account| account.namespace == home);
    let accounts: Vec<_> = accounts.map(|account| account.name.as_str()).collect();
    let (group, verb) = match impersonation {
        Impersonation::Constrained => ("authentication.k8s.io", "impersonate:serviceaccount"),
        Impersonation::Legacy => ("", "impersonate"),
    };
    // An empty list of names would mean every ServiceAccount.
    (!accounts.is_empty()).then(|| Grant {
        identity: Identity::Worker,
        role: ACT_AS_ROLE,
        scope: Scope::Home,
        rules: vec![Rule::new(&[group], &["serviceaccounts"], &[verb]).named(&accounts)],
        why: "It acts as the Tenant's named ServiceAccounts and as nobody else.",
    })
}

/// What a worker may do while acting; `None` with legacy impersonation, which has no such bound.
#[must_use]
pub fn target(tenant: &Tenant, impersonation: Impersonation) -> Option<Grant> {
    if impersonation == Impersonation::Legacy {
        return None;
    }
    let groups = match &tenant.spec.kinds {
        Some(kinds) => by_group(kinds.iter().map(String::as_str)),
        None => by_group(DEFAULT_KINDS.iter().copied()),
    };
    let verbs = ACTING_VERBS.map(|verb| format!("impersonate-on:serviceaccount:{verb}"));
    let verbs: Vec<_> = verbs.iter().map(String::as_str).collect();
    let rules: Vec<_> = groups
        .iter()
        .map(|(group, resources)| Rule::new(&[group.as_str()], resources, &verbs))
        .collect();
    (!rules.is_empty()).then_some(Grant {
        identity: Identity::Worker,
        role: TARGET_ROLE,
        scope: Scope::HomeAndTargets,
        rules,
        why: "It bounds what acting is good for; the ServiceAccount's own Role must allow it as well.",
    })
}

/// What the workers of a Tenant may read in one other namespace.
#[must_use]
pub fn peer(peers: &[&Peer]) -> Grant {
    let rule = |peer: &&Peer| {
        let (group, resource) = shared_resource(&peer.kind)?;
        Some(Rule::new(&[group], &[resource], &["get", "list", "watch"]).named(&[&peer.name]))
    };
    Grant {
        identity: Identity::Worker,
        role: PEER_ROLE,
        scope: Scope::Peer,
        rules: peers.iter().filter_map(rule).collect(),
        why: "It waits for, or builds from, one object of a namespace that consents.",
    }
}

/// Who takes the finalizer off a home's rights, once its last object is gone or its Tenant is. Not the
/// worker: its account may be deleted together with its rights.
#[must_use]
pub fn release() -> Grant {
    let names: Vec<_> = HOME_ROLES.into_iter().chain([RELEASE_ROLE]).collect();
    Grant {
        identity: Identity::Release,
        role: RELEASE_ROLE,
        scope: Scope::Home,
        rules: vec![Rule::new(&[RBAC_GROUP], &["roles", "rolebindings"], &["get", "patch"]).named(&names)],
        why: "It lets go of these objects when they are deleted and nobody needs them any more; a ClusterRole, bound in homes alone.",
    }
}
