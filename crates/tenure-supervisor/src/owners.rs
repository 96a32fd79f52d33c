//! Which home belongs to which Tenant.

use std::collections::BTreeMap;

use tenure_api::Tenant;
use tenure_core::Name;

/// The Tenants as last heard.
#[derive(Debug, Default)]
pub(crate) struct Owners(BTreeMap<String, Tenant>);

/// A home that a Tenant names and another has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) home: Name,
    pub(crate) to: String,
}

impl Owners {
    pub(crate) fn reset(&mut self, tenants: impl IntoIterator<Item = Tenant>) {
        self.0 = tenants
            .into_iter()
            .map(|tenant| (tenant.name().to_owned(), tenant))
            .collect();
    }

    pub(crate) fn apply(&mut self, tenant: Tenant) {
        self.0.insert(tenant.name().to_owned(), tenant);
    }

    pub(crate) fn delete(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(crate) fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.0.values()
    }

    #[cfg(test)]
    pub(crate) fn get(&self, name: &str) -> Option<&Tenant> {
        self.0.get(name)
    }

    /// Every home and the Tenant that has it: the oldest valid one that names it, then the first by name.
    pub(crate) fn homes(&self) -> BTreeMap<Name, &Tenant> {
        let mut tenants: Vec<_> = self
            .0
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
        owners.reset([
            tenant("a-young", "2026-02-01T00:00:00Z", &["shared", "mine"]),
            tenant("z-old", "2026-01-01T00:00:00Z", &["shared"]),
        ]);
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
