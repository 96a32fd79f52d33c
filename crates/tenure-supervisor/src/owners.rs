//! Which home belongs to which Tenant.

use std::collections::BTreeMap;

use serde_json::Value;
use tenure_api::Tenant;
use tenure_core::Name;

/// The Tenants as last heard.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    tenants: BTreeMap<String, Tenant>,
    /// Why a Tenant can't be read, by its name.
    unread: BTreeMap<String, String>,
}

/// A home that a Tenant names and another has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) home: Name,
    pub(crate) to: String,
}

impl Owners {
    pub(crate) fn reset(&mut self, tenants: impl IntoIterator<Item = Value>) {
        *self = Self::default();
        tenants.into_iter().for_each(|tenant| self.hear(tenant));
    }

    /// Takes a Tenant as the API server has it. One that can't be read keeps its homes, so that nobody
    /// else gets them, and runs nothing in them.
    pub(crate) fn hear(&mut self, value: Value) {
        match serde_json::from_value(value.clone()) {
            Ok(tenant) => self.apply(tenant),
            Err(error) => {
                let tenant = stub(&value);
                tracing::warn!(tenant = tenant.name(), %error, "this Tenant can't be read");
                let why = format!("the Tenant can't be read, and nothing runs for it: {error}");
                let name = tenant.name().to_owned();
                self.apply(tenant);
                self.unread.insert(name, why);
            }
        }
    }

    pub(crate) fn apply(&mut self, tenant: Tenant) {
        self.unread.remove(tenant.name());
        self.tenants.insert(tenant.name().to_owned(), tenant);
    }

    /// The status of a Tenant is ours: what was written is what it is now.
    pub(crate) fn written(&mut self, name: &str, status: tenure_api::TenantStatus) {
        if let Some(tenant) = self.tenants.get_mut(name) {
            tenant.status = Some(status);
        }
    }

    pub(crate) fn delete(&mut self, name: &str) {
        self.tenants.remove(name);
        self.unread.remove(name);
    }

    pub(crate) fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.values()
    }

    /// Why a Tenant can't be read, if it can't.
    pub(crate) fn unread(&self, name: &str) -> Option<&str> {
        self.unread.get(name).map(String::as_str)
    }

    #[cfg(test)]
    pub(crate) fn get(&self, name: &str) -> Option<&Tenant> {
        self.tenants.get(name)
    }

    /// Every home and the Tenant that has it: the oldest valid one that names it, then the first by name.
    pub(crate) fn homes(&self) -> BTreeMap<Name, &Tenant> {
        let mut tenants: Vec<_> = self
            .tenants
            .values()
            .filter(|tenant| tenant.validate().is_empty())
            .collect();
        tenants.sort_by_key(|tenant| (age(tenant), tenant.name().to_owned()));
        let mut homes = BTreeMap::new();
        for tenant in tenants {
            for home in names(tenant) {
                homes.entry(home).or_insert(tenant);
            }
        }
        homes
    }

    /// Whether any Tenant, valid or not, names this home.
    pub(crate) fn name(&self, home: &Name) -> bool {
        self.tenants()
            .any(|tenant| names(tenant).any(|name| name == *home))
    }

    /// The homes that `tenant` names and does not have.
    pub(crate) fn lost(&self, tenant: &Tenant) -> Vec<Lost> {
        let homes = self.homes();
        let other = |home: Name| {
            let owner = homes.get(&home)?;
            (owner.name() != tenant.name()).then(|| Lost {
                home,
                to: owner.name().to_owned(),
            })
        };
        names(tenant).filter_map(other).collect()
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
        let homes = owners.homes();
        let owner = homes.get(&Name::new("apps").expect("a name")).expect("an owner");
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
            .into_iter()
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
    fn a_tenant_that_is_not_valid_has_no_home() {
        let mut owners = Owners::default();
        owners.apply(tenant("bad", "2026-01-01T00:00:00Z", &["kube-system"]));
        owners.apply(tenant("good", "2026-02-01T00:00:00Z", &["team"]));
        assert_eq!(owners.homes().len(), 1);
    }
}
