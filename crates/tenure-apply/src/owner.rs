use serde_json::{Map, Value};

const GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// Whose objects these are. Two labels on every object say so, and only they allow a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Name of the owning object.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// What a label or annotation of an object asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// `reconcile: disabled` or `ssa: Ignore`: neither apply nor delete.
    Skip,
    /// `ssa: IfNotPresent`: create, never change.
    IfNotPresent,
    /// `ssa: Merge`: leave the fields of others alone.
    Merge,
    /// `force: enabled`: recreate when a field cannot be changed.
    Force,
    /// `prune: disabled`: never delete.
    KeepOnPrune,
}

impl Owner {
    /// The two labels, as key and value.
    #[must_use]
    pub fn labels(&self) -> [(String, String); 2] {
        [
            (format!("{GROUP}/name"), self.name.clone()),
            (format!("{GROUP}/namespace"), self.namespace.clone()),
        ]
    }

    /// The selector that finds this owner's objects.
    #[must_use]
    pub fn selector(&self) -> String {
        self.labels()
            .map(|(key, value)| format!("{key}={value}"))
            .join(",")
    }

    /// Whether the object carries both labels.
    #[must_use]
    pub fn owns(&self, object: &Value) -> bool {
        let labels = object.pointer("/metadata/labels");
        self.labels().iter().all(|(key, value)| {
            labels.and_then(|labels| labels.get(key)).and_then(Value::as_str) == Some(value)
        })
    }

    /// Puts both labels on the object.
    pub fn mark(&self, object: &mut Value) {
        let Some(object) = object.as_object_mut() else {
            return;
        };
        let Some(labels) = child(object, "metadata").and_then(|metadata| child(metadata, "labels")) else {
            return;
        };
        for (key, value) in self.labels() {
            labels.insert(key, value.into());
        }
    }
}

/// The map under `key`, made when it is absent or null.
fn child<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    let value = map.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

impl Marker {
    /// Whether the object carries it, as label or annotation, in any case.
    #[must_use]
    pub fn on(self, object: &Value) -> bool {
        let wanted: &[(&str, &str)] = match self {
            Self::Skip => &[("reconcile", "disabled"), ("ssa", "ignore")],
            Self::IfNotPresent => &[("ssa", "ifnotpresent")],
            Self::Merge => &[("ssa", "merge")],
            Self::Force => &[("force", "enabled")],
            Self::KeepOnPrune => &[("prune", "disabled")],
        };
        ["/metadata/labels", "/metadata/annotations"]
            .iter()
            .filter_map(|path| object.pointer(path))
            .any(|map| {
                wanted.iter().any(|(key, value)| {
                    let found = map.get(format!("{GROUP}/{key}")).and_then(Value::as_str);
                    found.is_some_and(|found| found.eq_ignore_ascii_case(value))
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_labels_make_an_owner() {
        let owner = Owner {
            name: "app".into(),
            namespace: "a".into(),
        };
        let mut object = json!({"metadata": {"labels": null}});
        assert!(!owner.owns(&object));
        owner.mark(&mut object);
        assert!(owner.owns(&object));
        assert!(
            !Owner {
                namespace: "b".into(),
                ..owner.clone()
            }
            .owns(&object)
        );
        assert!(
            !Owner {
                name: "b".into(),
                ..owner
            }
            .owns(&object)
        );
    }

    #[test]
    fn markers_are_read_in_any_case_from_labels_and_annotations() {
        let with = |place: &str, key: &str, value: &str| json!({"metadata": {place: {format!("{GROUP}/{key}"): value}}});
        for (object, marker) in [
            (with("labels", "ssa", "IGNORE"), Marker::Skip),
            (with("annotations", "reconcile", "Disabled"), Marker::Skip),
            (with("annotations", "ssa", "IfNotPresent"), Marker::IfNotPresent),
            (with("labels", "ssa", "Merge"), Marker::Merge),
            (with("annotations", "force", "enabled"), Marker::Force),
            (with("labels", "prune", "disabled"), Marker::KeepOnPrune),
        ] {
            assert!(marker.on(&object), "{object}");
            assert!(!marker.on(&json!({"metadata": {"labels": {"ssa": "ignore"}}})));
        }
        assert!(!Marker::Skip.on(&with("labels", "ssa", "Override")));
    }
}
