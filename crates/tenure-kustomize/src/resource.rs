use serde_json::{Map, Value};

use crate::id::{Gvk, ResId};
use crate::meter::Meter;
use crate::packed::Packed;
use crate::shared::Shared;
use crate::written::Written;
use crate::{Error, object, schema};

/// What kustomize notes in objects of its own starts so.
pub(crate) const PREFIX: &str = "internal.config.kubernetes.io/";

/// What a generated object does to one that is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Behavior {
    #[default]
    Create,
    Merge,
    Replace,
}

/// A name that an object had.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Previous {
    kind: String,
    name: String,
    /// The effective one.
    namespace: String,
}

/// An object on its way through the build, with what kustomize remembers of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resource {
    /// Null once a patch has deleted the object.
    pub(crate) value: Packed,
    /// The file it came from, for messages.
    pub(crate) origin: String,
    previous: Vec<Previous>,
    pub(crate) prefixes: Vec<String>,
    pub(crate) suffixes: Vec<String>,
    /// The name is to end in a hash of the content.
    pub(crate) needs_hash: bool,
    pub(crate) behavior: Behavior,
    /// Names of the variables that take their value from here.
    pub(crate) variables: Vec<String>,
    pub(crate) written: Written,
    /// The name stood without quotes, so that it may be no string in the end.
    pub(crate) is_plain_name: bool,
    pub(crate) shared: Vec<Shared>,
    /// Whether a schema that the build brought says that the kind has no namespace.
    pub(crate) is_cluster_by_schema: bool,
}

impl Resource {
    pub(crate) fn new(value: Value, origin: String) -> Self {
        let mut resource = Self {
            value: value.into(),
            origin,
            ..Self::default()
        };
        resource.recall();
        resource
    }

    /// Takes over what another build has noted in the object.
    fn recall(&mut self) {
        let note = |name: &str| {
            self.annotation(&format!("{PREFIX}{name}"))
                .map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>())
                .unwrap_or_default()
        };
        let annotations = self.value.part(&["metadata", "annotations"]);
        let annotations = annotations.as_deref().and_then(Value::as_object);
        if !annotations.is_some_and(|map| map.keys().any(|key| key.starts_with(PREFIX))) {
            return;
        }
        let (names, kinds) = (note("previousNames"), note("previousKinds"));
        let (namespaces, prefixes, suffixes) =
            (note("previousNamespaces"), note("prefixes"), note("suffixes"));
        let needs_hash = note("needsHashSuffix") == ["enabled"];
        let behavior = match note("generatorBehavior").first().map(String::as_str) {
            Some("merge") => Behavior::Merge,
            Some("replace") => Behavior::Replace,
            _ => Behavior::Create,
        };
        let ids = names.into_iter().zip(kinds).zip(namespaces);
        self.previous = ids
            .map(|((name, kind), namespace)| Previous {
                kind,
                name,
                namespace,
            })
            .collect();
        (self.prefixes, self.suffixes, self.needs_hash, self.behavior) =
            (prefixes, suffixes, needs_hash, behavior);
    }

    fn text(&self, path: &[&str]) -> &str {
        self.value.text(path).unwrap_or_default()
    }

    pub(crate) fn kind(&self) -> &str {
        self.text(&["kind"])
    }

    pub(crate) fn name(&self) -> &str {
        self.text(&["metadata", "name"])
    }

    pub(crate) fn namespace(&self) -> &str {
        self.text(&["metadata", "namespace"])
    }

    pub(crate) fn api_version(&self) -> &str {
        self.text(&["apiVersion"])
    }

    pub(crate) fn gvk(&self) -> Gvk {
        Gvk::new(self.api_version(), self.kind())
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.is_cluster_kind(self.kind())
    }

    fn is_cluster_kind(&self, kind: &str) -> bool {
        schema::is_cluster(self.api_version(), kind).unwrap_or(self.is_cluster_by_schema)
    }

    /// What it is called now.
    pub(crate) fn id(&self) -> ResId {
        ResId {
            is_cluster: self.is_cluster(),
            gvk: self.gvk(),
            name: self.name().to_owned(),
            namespace: self.namespace().to_owned(),
        }
    }

    /// What it was called before, oldest first.
    pub(crate) fn previous_ids(&self) -> impl Iterator<Item = ResId> {
        let gvk = (!self.previous.is_empty()).then(|| self.gvk());
        self.previous.iter().map(move |previous| ResId {
            is_cluster: self.is_cluster_kind(&previous.kind),
            gvk: Gvk {
                kind: previous.kind.clone(),
                ..gvk.clone().unwrap_or_default()
            },
            name: previous.name.clone(),
            namespace: previous.namespace.clone(),
        })
    }

    pub(crate) fn previous_names(&self) -> impl Iterator<Item = &str> {
        self.previous.iter().map(|p| p.name.as_str())
    }

    /// What it was called first.
    pub(crate) fn original_id(&self) -> ResId {
        self.previous_ids().next().unwrap_or_else(|| self.id())
    }

    /// All ids, previous ones first.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ResId> {
        self.previous_ids().chain(std::iter::once_with(|| self.id()))
    }

    /// Keeps the id before a change. Only the first and which ones there are count, so none is kept twice.
    pub(crate) fn remember(&mut self, meter: &Meter) -> Result<(), Error> {
        let id = self.id();
        let previous = Previous {
            namespace: id.effective_namespace().to_owned(),
            kind: id.gvk.kind,
            name: id.name,
        };
        if !self.previous.contains(&previous) {
            meter.take(size_of::<Previous>() + previous.name.len() + previous.namespace.len())?;
            // nearly always the only one
            self.previous.reserve_exact(1);
            self.previous.push(previous);
        }
        Ok(())
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.value.is_empty()
    }

    pub(crate) fn set_name(&mut self, name: &str) {
        self.set_meta("name", name);
    }

    pub(crate) fn set_kind(&mut self, kind: &str) {
        self.value.edit("kind", |value| {
            if let Some(map) = value.as_object_mut() {
                map.insert("kind".into(), Value::from(kind));
            }
        });
    }

    /// None at all if it is empty.
    pub(crate) fn set_namespace(&mut self, namespace: &str) {
        if namespace.is_empty() {
            self.value
                .edit("metadata", |value| object::remove(value, "namespace"));
        } else {
            self.set_meta("namespace", namespace);
        }
    }

    fn set_meta(&mut self, field: &str, text: &str) {
        self.value.edit("metadata", |value| {
            if let Some(meta) = object::mapping(value, &["metadata"]) {
                meta.insert(field.to_owned(), Value::from(text));
            }
        });
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.value.text(&["metadata", "annotations", key])
    }

    /// The text of the scalar at a path of member names, as it was written.
    pub(crate) fn written_at(&self, path: &[&str]) -> Option<String> {
        self.written.text(&self.value.view(), path)
    }

    /// Makes strings of the members of a mapping in the metadata. Kustomize writes the whole mapping
    /// anew when it adds its notes, so nothing is shared with it any more.
    pub(crate) fn settle(&mut self, field: &str) {
        let path = ["metadata", field];
        let pointer = format!("/metadata/{field}");
        if !self.shared.is_empty() {
            Shared::part(&mut self.shared, &pointer);
        }
        let value = self.value.part(&path);
        let Some(map) = value.as_deref().and_then(Value::as_object) else {
            return;
        };
        if map.values().all(Value::is_string) && self.written.is_empty() {
            return;
        }
        let texts: Vec<(String, String)> = map
            .keys()
            .filter_map(|key| Some((key.clone(), self.written_at(&[path[0], path[1], key])?)))
            .collect();
        self.value.edit("metadata", |value| {
            if let Some(map) = object::mapping(value, &path) {
                map.extend(texts.into_iter().map(|(key, text)| (key, Value::String(text))));
            }
        });
    }

    /// Brings a change of a member that stands in several places to all of them.
    pub(crate) fn sync(&mut self) {
        if !self.shared.is_empty() {
            Shared::sync(&mut self.shared, self.value.open());
        }
    }

    /// Whether kustomize keeps notes of its own in the annotations, so that there are any.
    pub(crate) fn has_notes(&self) -> bool {
        !self.previous.is_empty()
            || !self.prefixes.is_empty()
            || !self.suffixes.is_empty()
            || self.needs_hash
            || self.behavior != Behavior::Create
    }

    /// The object is read anew from its JSON: nothing is shared, and texts are as JSON has them.
    pub(crate) fn reread(&mut self) {
        self.shared.clear();
        self.written.clear();
    }

    /// Sets an annotation; nothing takes it away, and an empty mapping with it.
    pub(crate) fn set_annotation(&mut self, key: &str, value: Option<String>) {
        self.settle("annotations");
        self.value.edit("metadata", |root| match value {
            Some(text) => {
                if let Some(map) = object::mapping(root, &["metadata", "annotations"]) {
                    map.insert(key.to_owned(), Value::String(text));
                }
            }
            None => {
                let annotations = root.pointer_mut("/metadata/annotations");
                if let Some(map) = annotations.and_then(Value::as_object_mut) {
                    map.shift_remove(key);
                }
                object::drop_empty(root, "annotations");
            }
        });
    }

    /// Takes over name, namespace and history of the object that this one is merged into or
    /// replaces, and what it has of labels and annotations beyond these.
    pub(crate) fn inherit(&mut self, old: &mut Self) {
        for field in ["labels", "annotations"] {
            self.settle(field);
            old.settle(field);
            object::underlay(self.value.open(), &old.value.view(), &["metadata", field]);
            object::drop_empty(self.value.open(), field);
        }
        self.set_name(old.name());
        self.set_namespace(old.namespace());
        // An object that came from a file has no hash, and gets none from what is merged into it.
        self.needs_hash &= old.needs_hash;
        self.previous.clone_from(&old.previous);
        self.prefixes.clone_from(&old.prefixes);
        self.suffixes.clone_from(&old.suffixes);
        self.variables.clone_from(&old.variables);
        self.origin.clone_from(&old.origin);
    }

    /// Adds the members of a field of `old` that this one lacks there, all as strings.
    pub(crate) fn merge_data(&mut self, old: &Self, field: &str) {
        let texts = |from: &Self| -> Map<String, Value> {
            let part = from.value.part(&[field]);
            let map = part.as_deref().and_then(Value::as_object);
            let keys = map.into_iter().flat_map(Map::keys);
            keys.filter_map(|key| Some((key.clone(), Value::String(from.written_at(&[field, key])?))))
                .collect()
        };
        let mut merged = texts(old);
        merged.extend(texts(self));
        let Some(map) = self.value.open().as_object_mut() else {
            return;
        };
        if merged.is_empty() {
            map.shift_remove(field);
        } else {
            map.insert(field.to_owned(), Value::Object(merged));
        }
    }
}
