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
