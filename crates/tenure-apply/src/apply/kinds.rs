use std::borrow::Cow;

use serde_json::Value;
use tenure_kube::{Discovery, ResourceInfo};

use super::{Item, Placed};
use crate::report::ApplyError;

/// The kinds that can be applied: those served, and those that this very apply defines.
pub(crate) struct Kinds<'a> {
    served: &'a Discovery,
    defined: Discovery,
    learned: Vec<ResourceInfo>,
}

impl<'a> Kinds<'a> {
    pub(crate) fn new(served: &'a Discovery) -> Self {
        Self {
            served,
            defined: Discovery::default(),
            learned: Vec::new(),
        }
    }

    /// Finds the kind of every item, and refuses what lacks a namespace.
    pub(crate) fn place(&self, items: Vec<Item>) -> Result<Vec<Placed>, ApplyError> {
        items.into_iter().map(|item| self.place_one(item)).collect()
    }

    fn place_one(&self, item: Item) -> Result<Placed, ApplyError> {
        let Item {
            at,
            mut desired,
            wanted,
        } = item;
        let api_version = at.api_version();
        let found = self.served.resolve(&api_version, &at.kind);
        let Some(info) = found.or_else(|| self.defined.resolve(&api_version, &at.kind)) else {
            return Err(ApplyError::NoSuchKind { object: at.into() });
        };
        let mut at = at;
        if info.namespaced && at.namespace.is_empty() {
            return Err(ApplyError::NoNamespace { object: at.into() });
        }
        if !info.namespaced && !at.namespace.is_empty() {
            at.namespace.clear();
            if let Some(metadata) = desired.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("namespace");
            }
        }
        Ok(Placed {
            at,
            desired,
            wanted,
            info,
        })
    }

    /// Served and defined kinds together.
    pub(crate) fn all(&self) -> Cow<'a, Discovery> {
        if self.learned.is_empty() {
            return Cow::Borrowed(self.served);
        }
        let mut all = self.served.clone();
        self.learned.iter().cloned().for_each(|info| all.insert(info));
        Cow::Owned(all)
    }

    /// Whether the kind is known only by its definition: the server may need a moment to serve it.
    pub(crate) fn is_new(&self, info: &ResourceInfo) -> bool {
        self.served.resolve(&info.api_version(), &info.kind).is_none()
    }

    /// Adds the kinds of a CustomResourceDefinition.
    pub(crate) fn learn(&mut self, object: &Value) {
        let text = |path: &str| {
            object
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        if text("/kind") != "CustomResourceDefinition" {
            return;
        }
        let versions = object
            .pointer("/spec/versions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for version in versions.filter(|v| v.get("served").and_then(Value::as_bool) == Some(true)) {
            let info = ResourceInfo {
                group: text("/spec/group"),
                version: version
                    .get("name")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                plural: text("/spec/names/plural"),
                kind: text("/spec/names/kind"),
                namespaced: text("/spec/scope") == "Namespaced",
            };
            self.learned.push(info.clone());
            self.defined.insert(info);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ObjectRef;
    use serde_json::json;

    #[test]
    fn a_kind_defined_by_the_same_apply_is_known() {
        let served = Discovery::default();
        let mut kinds = Kinds::new(&served);
        let desired =
            json!({"apiVersion": "x.dev/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "n"}});
        let item = || Item {
            at: ObjectRef::of(&desired),
            desired: desired.clone(),
            wanted: String::new(),
        };
        assert!(matches!(
            kinds.place(vec![item()]),
            Err(ApplyError::NoSuchKind { .. })
        ));
        kinds.learn(
            &json!({"kind": "CustomResourceDefinition", "spec": {"group": "x.dev", "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"}, "versions": [{"name": "v1", "served": true}]}}),
        );
        let placed = kinds.place(vec![item()]).expect("known now");
        assert!(
            placed
                .iter()
                .all(|p| p.info.plural == "things" && kinds.is_new(&p.info))
        );
        let bare = Item {
            at: ObjectRef {
                namespace: String::new(),
                ..ObjectRef::of(&desired)
            },
            desired: desired.clone(),
            wanted: String::new(),
        };
        let error = kinds
            .place(vec![bare])
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert!(error.starts_with("Thing/a namespace not specified"), "{error}");
    }
}
