//! How many objects a home may hold.

use std::collections::BTreeMap;

use serde_json::Value;
use tenure_api::{Limit, reasons};
use tenure_core::ObjectKey;

use super::run::{Failure, Step};
use crate::{Effects, Snapshot};

/// Claims `new` objects for a Kustomization that has held `old`. Others are begun before its status says so: until then the
/// claim counts.
///
/// # Errors
/// The home would hold more than the Tenant allows. To hold less than before is never refused.
pub(super) fn claim(key: &ObjectKey, old: usize, new: usize, effects: &Effects) -> Result<(), Failure> {
    let limit = usize::try_from(effects.home.max_objects).unwrap_or(usize::MAX);
    if limit == 0 {
        return Ok(());
    }
    let mut claims = effects.claims.lock();
    let total = new + others(key, &effects.snapshot, &claims);
    if total <= limit || new < old {
        claims.insert(key.clone(), new);
        return Ok(());
    }
    let message = format!(
        "the home '{}' would hold {total} objects, the Tenant '{}' allows {limit}; raise the Tenant's spec.limits.objects or apply fewer",
        effects.home.namespace, effects.home.tenant
    );
    Err(Failure::new(Step::Building, reasons::RESOURCE_EXHAUSTED, message).over(Limit::Objects))
}

/// What the other Kustomizations hold, or are about to.
fn others(key: &ObjectKey, snapshot: &Snapshot, claims: &BTreeMap<ObjectKey, usize>) -> usize {
    let held = |object: &Value| {
        object
            .pointer("/status/inventory/entries")
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    };
    let all = snapshot.of_kind("Kustomization").into_iter();
    all.filter(|(other, _)| other != key)
        .map(|(other, object)| held(&object).max(claims.get(&other).copied().unwrap_or_default()))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(name: &str) -> ObjectKey {
        ObjectKey {
            kind: "Kustomization".into(),
            name: name.parse().expect("a name"),
        }
    }

    #[test]
    fn what_is_claimed_counts_before_a_status_says_so() {
        let snapshot = Snapshot::default();
        for (name, held) in [("a", 0), ("b", 2), ("c", 3)] {
            let entries: Vec<_> = (0..held).map(|_| json!({})).collect();
            snapshot.put(key(name), json!({"status": {"inventory": {"entries": entries}}}));
        }
        let claims = BTreeMap::from([(key("b"), 8), (key("c"), 1), (key("gone"), 5)]);
        assert_eq!(others(&key("a"), &snapshot, &BTreeMap::new()), 5);
        assert_eq!(others(&key("a"), &snapshot, &claims), 8 + 3);
        assert_eq!(others(&key("b"), &snapshot, &claims), 3);
    }
}
