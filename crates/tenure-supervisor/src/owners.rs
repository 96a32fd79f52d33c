//! Which home belongs to which Tenant.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tenure_api::Tenant;
use tenure_core::Name;

/// The Tenants as last heard. Who has which home is worked out when one of them changes, not when somebody asks: a Tenant's
/// status changes all the time.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    tenants: BTreeMap<String, Known>,
    /// Why a Tenant can't be read, by its name.
    unread: BTreeMap<String, String>,
    /// The Tenant that has each home.
    owners: BTreeMap<Name, String>,
    /// Homes that any Tenant names, valid or not.
    named: BTreeSet<Name>,
    /// The workers' namespace, whatever it is called here: nobody's home or target.
    workers: Option<Name>,
}

#[derive(Debug)]
struct Known {
    tenant: Tenant,
    valid: bool,
    names: Vec<Name>,
}

/// A namespace that a Tenant names and that is another's home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) home: Name,
    pub(crate) to: String,
}

impl Owners {
    pub(crate) fn new(workers: Name) -> Self {
        Self {
            workers: Some(workers),
            ..Self::default()
        }
    }

    pub(crate) fn reset(&mut self, tenants: impl IntoIterator<Item = Value>) {
        *self = Self {
            workers: self.workers.take(),
            ..Self::default()
        };
        for tenant in tenants {
            self.take(tenant);
        }
        self.settle();
    }

    /// Takes a Tenant as the API server has it. One that can't be read keeps its homes, so that nobody
    /// else gets them, and runs nothing in them. Says whether more than its status has changed.
    pub(crate) fn hear(&mut self, value: Value) -> bool {
        let changed = self.take(value);
        if changed {
            self.settle();
        }
        changed
    }

    fn take(&mut self, value: Value) -> bool {
        let (tenant, unread) = match serde_json::from_value(value.clone()) {
            Ok(tenant) => (tenant, None),
            Err(error) => {
                let tenant = stub(&value);
                tracing::warn!(tenant = tenant.name(), %error, "this Tenant can't be read");
                let why = format!("the Tenant can't be read, and nothing runs for it: {error}");
                (tenant, Some(why))
            }
        };
        let unread = unread.or_else(|| self.taken(&tenant));
        self.put(tenant, unread)
    }

    fn taken(&self, tenant: &Tenant) -> Option<String> {
        let workers = self.workers.as_ref()?;
        let mut named = tenant.spec.namespaces.iter().chain(&tenant.spec.targets);
        named.any(|name| name == workers.as_str()).then(|| {
            format!("'{workers}' is the workers' namespace, which no tenant may have: take it out of spec.namespaces and spec.targets")
        })
    }

    fn put(&mut self, tenant: Tenant, unread: Option<String>) -> bool {
        let name = tenant.name().to_owned();
        let mut known = Known {
            valid: unread.is_none() && tenant.validate().is_empty(),
            names: names(&tenant)
                .filter(|home| !tenant.is_reserved(home.as_str()) && self.workers.as_ref() != Some(home))
                .collect(),
            tenant,
        };
        // it keeps its homes, as a typo is no reason to give them to another, and runs nothing in them
        known.tenant.spec.suspend |= !known.valid;
        let before = match unread {
            Some(why) => self.unread.insert(name.clone(), why),
            None => self.unread.remove(&name),
        };
        let readable = before.is_some() != self.unread.contains_key(&name);
        let old = self.tenants.get(&name);
        let changed = readable || old.is_none_or(|old| known.differs(old));
        self.tenants.insert(name, known);
        changed
    }

    #[cfg(test)]
    pub(crate) fn apply(&mut self, tenant: Tenant) {
        self.put(tenant, None);
        self.settle();
    }

    /// The status of a Tenant is ours: what was written is what it is now.
    pub(crate) fn written(&mut self, name: &str, status: tenure_api::TenantStatus) {
        if let Some(known) = self.tenants.get_mut(name) {
            known.tenant.status = Some(status);
        }
    }

    pub(crate) fn delete(&mut self, name: &str) {
        self.tenants.remove(name);
        self.unread.remove(name);
        self.settle();
    }

    pub(crate) fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.values().map(|known| &known.tenant)
    }

    /// Why a Tenant can't be read, if it can't.
    pub(crate) fn unread(&self, name: &str) -> Option<&str> {
        self.unread.get(name).map(String::as_str)
    }

    #[cfg(test)]
    pub(crate) fn get(&self, name: &str) -> Option<&Tenant> {
        self.tenants.get(name).map(|known| &known.tenant)
    }

    /// Gives each home to the oldest Tenant that names it, then to the first by name.
    fn settle(&mut self) {
        let mut all: Vec<_> = self.tenants.values().collect();
        all.sort_by_cached_key(|known| (age(&known.tenant), known.tenant.name().to_owned()));
        self.owners.clear();
        for known in all {
            for home in &known.names {
                let owner = || known.tenant.name().to_owned();
                self.owners.entry(home.clone()).or_insert_with(owner);
            }
        }
        let all = self.tenants.values().flat_map(|known| &known.names);
        self.named = all.cloned().collect();
    }

    /// Every home and the Tenant that has it.
    pub(crate) fn homes(&self) -> impl Iterator<Item = (&Name, &Tenant)> {
        let owner = |name: &String| self.tenants.get(name).map(|known| &known.tenant);
        self.owners
            .iter()
            .filter_map(move |(home, name)| Some((home, owner(name)?)))
    }

    /// The Tenant that has a home.
    pub(crate) fn of(&self, home: &Name) -> Option<&Tenant> {
        let name = self.owners.get(home)?;
        self.tenants.get(name).map(|known| &known.tenant)
    }

    /// Whether any Tenant, valid or not, names this home.
    pub(crate) fn name(&self, home: &Name) -> bool {
        self.named.contains(home)
    }

    /// The homes that `tenant` names and does not have.
    pub(crate) fn lost(&self, tenant: &Tenant) -> Vec<Lost> {
        self.others(tenant, names(tenant))
    }

    /// The targets of `tenant` that are homes of others.
    pub(crate) fn strays(&self, tenant: &Tenant) -> Vec<Lost> {
        let targets = tenant.spec.targets.iter();
        self.others(tenant, targets.filter_map(|name| Name::new(name).ok()))
    }

    fn others(&self, tenant: &Tenant, homes: impl Iterator<Item = Name>) -> Vec<Lost> {
        let other = |home: Name| {
            let owner = self.owners.get(&home)?;
            (owner != tenant.name()).then(|| Lost {
                home,
                to: owner.clone(),
            })
        };
        homes.filter_map(other).collect()
    }
}

impl Known {
    /// Whether more than the status is another.
    fn differs(&self, other: &Self) -> bool {
        let of = |known: &Self| {
            let metadata = &known.tenant.metadata;
            (
                known.valid,
                known.names.clone(),
                metadata.generation,
                metadata.uid.clone(),
            )
        };
        of(self) != of(other)
    }
}

/// What is certain of a Tenant that can't be read: its metadata and the namespaces it names.
fn stub(value: &Value) -> Tenant {
    let metadata = value.get("metadata").cloned().unwrap_or_default();
    let names = value.pointer("/spec/namespaces").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    let spec = tenure_api::TenantSpec {
        namespaces: names.map(str::to_owned).collect(),
        suspend: true,
        ..Default::default()
    };
    Tenant {
        api_version: String::new(),
        kind: String::new(),
        metadata: serde_json::from_value(metadata).unwrap_or_default(),
        spec,
        status: None,
    }
}

fn names(tenant: &Tenant) -> impl Iterator<Item = Name> + '_ {
    tenant
        .spec
        .namespaces
        .iter()
        .filter_map(|name| Name::new(name).ok())
}

/// A Tenant without a time was never stored; it is the youngest.
fn age(tenant: &Tenant) -> (bool, Option<String>) {
    let created = tenant
        .metadata
        .creation_timestamp
        .as_ref()
        .map(|time| time.0.to_string());
    (created.is_none(), created)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_cant_be_read_keeps_its_homes_and_runs_nothing() {
        let mut owners = Owners::default();
        owners.apply(tenant("young", "2026-02-01T00:00:00Z", &["apps"]));
        owners.hear(serde_json::json!({
            "metadata": {"name": "old", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"namespaces": ["apps"], "targets": {"not": "a list"}},
        }));
        let (_, owner) = owners.homes().next().expect("an owner");
        assert_eq!((owner.name(), owner.spec.suspend), ("old", true));
        assert!(
            owners
                .unread("old")
                .is_some_and(|why| why.contains("can't be read"))
        );
        owners.hear(serde_json::json!({"metadata": {"name": "old"}, "spec": {"namespaces": ["apps"]}}));
        assert_eq!(owners.unread("old"), None);
    }

    fn tenant(name: &str, created: &str, homes: &[&str]) -> Tenant {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": name, "creationTimestamp": created},
            "spec": {"namespaces": homes},
        }))
        .expect("a tenant")
    }

    #[test]
    fn the_workers_namespace_is_nobodys_whatever_it_is_called() {
        let mut owners = Owners::new("hands".parse().expect("a name"));
        owners
            .hear(serde_json::json!({"metadata": {"name": "a"}, "spec": {"namespaces": ["hands", "apps"]}}));
        let homes: Vec<_> = owners
            .homes()
            .map(|(home, owner)| (home.as_str(), owner.spec.suspend))
            .collect();
        assert_eq!(homes, [("apps", true)]);
        assert!(owners.unread("a").is_some_and(|why| why.contains("'hands'")));
        owners.hear(serde_json::json!({"metadata": {"name": "a"}, "spec": {"namespaces": ["apps"]}}));
        assert_eq!(owners.unread("a"), None);
    }

    #[test]
    fn the_oldest_tenant_has_a_home_and_the_loser_is_told() {
        let mut owners = Owners::default();
        for tenant in [
            tenant("a-young", "2026-02-01T00:00:00Z", &["shared", "mine"]),
            tenant("z-old", "2026-01-01T00:00:00Z", &["shared"]),
        ] {
            owners.apply(tenant);
        }
        let homes: Vec<_> = owners
            .homes()
            .map(|(h, t)| (h.to_string(), t.name().to_owned()))
            .collect();
        assert_eq!(
            homes,
            [
                ("mine".into(), "a-young".into()),
                ("shared".into(), "z-old".into())
            ]
        );
        let young = owners.get("a-young").expect("known").clone();
        let lost: Vec<_> = owners
            .lost(&young)
            .into_iter()
            .map(|l| (l.home.to_string(), l.to))
            .collect();
        assert_eq!(lost, [("shared".to_owned(), "z-old".to_owned())]);

        owners.delete("z-old");
        assert!(
            owners.lost(&young).is_empty(),
            "it gets the home when the older one goes"
        );
    }

    #[test]
    fn a_change_of_the_status_changes_nothing_of_who_has_what() {
        let mut owners = Owners::default();
        let with = |generation: i64, status: &str| {
            serde_json::json!({
                "metadata": {"name": "a", "uid": "u", "generation": generation}, "spec": {"namespaces": ["apps"]},
                "status": {"phase": status},
            })
        };
        assert!(owners.hear(with(1, "Dormant")), "it is new");
        assert!(!owners.hear(with(1, "Failing")));
        let phase = owners
            .get("a")
            .and_then(|tenant| tenant.status.as_ref()?.phase.clone());
        assert_eq!(phase.as_deref(), Some("Failing"), "it is known all the same");
        assert!(owners.hear(with(2, "Failing")));
    }

    #[test]
    fn a_tenant_that_is_not_valid_keeps_its_homes_but_none_of_the_clusters_and_runs_nothing() {
        let mut owners = Owners::default();
        owners.apply(tenant("good", "2026-02-01T00:00:00Z", &["team"]));
        let mut bad = tenant("bad", "2026-01-01T00:00:00Z", &["kube-system", "team"]);
        bad.spec.limits.memory = Some("0".to_owned());
        owners.apply(bad);
        let homes: Vec<_> = owners
            .homes()
            .map(|(home, owner)| (home.as_str(), owner.name(), owner.spec.suspend))
            .collect();
        assert_eq!(homes, [("team", "bad", true)]);
    }
}
