use std::sync::Arc;

use parking_lot::RwLock;
use serde_json::Value;
use std::collections::HashMap;
use tenure_core::{Name, ObjectKey};

/// The home's Flux objects as last seen: listed once when the worker wakes, refreshed by what it reads
/// and by the answers to what it writes. Status is written by the worker alone, so what is here is
/// current without a request.
#[derive(Debug, Default)]
pub struct Snapshot(RwLock<HashMap<ObjectKey, Arc<Value>>>);

impl Snapshot {
    /// Replaces everything of `kind`.
    pub fn reset(&self, kind: &str, objects: Vec<Value>) {
        let mut map = self.0.write();
        map.retain(|key, _| key.kind != kind);
        for object in objects {
            if let Some(key) = key_of(kind, &object) {
                map.insert(key, Arc::new(object));
            }
        }
    }

    /// The object as last seen.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Value>> {
        self.0.read().get(key).cloned()
    }

    /// Whether the object as last seen is that of `resource_version` or a later one. Versions of one object rise
    /// (KEP-5504); one that is no number is only like itself.
    #[must_use]
    pub fn has_seen(&self, key: &ObjectKey, resource_version: &str) -> bool {
        let Some(object) = self.get(key).filter(|_| !resource_version.is_empty()) else {
            return false;
        };
        let held = object
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str);
        let number = |text: &str| text.parse::<u64>().ok();
        held.is_some_and(|held| {
            held == resource_version
                || number(held)
                    .zip(number(resource_version))
                    .is_some_and(|(held, said)| held >= said)
        })
    }

    /// Takes a newer state.
    pub fn put(&self, key: ObjectKey, object: Value) {
        self.0.write().insert(key, Arc::new(object));
    }

    /// Forgets an object.
    pub fn remove(&self, key: &ObjectKey) {
        self.0.write().remove(key);
    }

    /// All objects of a kind.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> Vec<(ObjectKey, Arc<Value>)> {
        self.0
            .read()
            .iter()
            .filter(|(key, _)| key.kind == kind)
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    /// How many objects are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.read().len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The key of an object of `kind`; `None` when its name is no name.
#[must_use]
pub fn key_of(kind: &str, object: &Value) -> Option<ObjectKey> {
    let name = Name::new(object.pointer("/metadata/name")?.as_str()?).ok()?;
    Some(ObjectKey {
        kind: kind.to_owned(),
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_as_new_as_was_said_need_not_be_read_again() {
        let snapshot = Snapshot::default();
        let key = ObjectKey {
            kind: "Kustomization".into(),
            name: Name::new("app").expect("valid"),
        };
        assert!(!snapshot.has_seen(&key, "7"), "it is not known");
        snapshot.put(
            key.clone(),
            json!({"metadata": {"name": "app", "resourceVersion": "10"}}),
        );
        for (said, seen) in [
            ("9", true),
            ("10", true),
            ("11", false),
            ("", false),
            ("x", false),
        ] {
            assert_eq!(snapshot.has_seen(&key, said), seen, "{said}");
        }
    }
}
