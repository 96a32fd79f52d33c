use serde_json::{Map, Value};

use crate::id::{Gvk, ResId};
use crate::meter::Meter;
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
    pub(crate) value: Value,
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
    /// Whether a schema that the build brought says that the kind has no namespace.
    pub(crate) is_cluster_by_schema: bool,
}

impl Resource {
    pub(crate) fn new(value: Value, origin: String) -> Self {
        let mut resource = Self {
            value,
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
        let annotations = self
            .value
            .pointer("/metadata/annotations")
            .and_then(Value::as_object);
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
        object::text(&self.value, path).unwrap_or_default()
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
            self.previous.push(previous);
        }
        Ok(())
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.value.is_null() || self.value.as_object().is_some_and(Map::is_empty)
    }

    pub(crate) fn set_name(&mut self, name: &str) {
        self.set_meta("name", name);
    }

    pub(crate) fn set_kind(&mut self, kind: &str) {
        if let Some(map) = self.value.as_object_mut() {
            map.insert("kind".into(), Value::from(kind));
        }
    }

    /// None at all if it is empty.
    pub(crate) fn set_namespace(&mut self, namespace: &str) {
        if !namespace.is_empty() {
            self.set_meta("namespace", namespace);
        } else if let Some(meta) = self.value.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.shift_remove("namespace");
        }
    }

    fn set_meta(&mut self, field: &str, text: &str) {
        if let Some(meta) = object::mapping(&mut self.value, &["metadata"]) {
            meta.insert(field.to_owned(), Value::from(text));
        }
    }

    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        object::text(&self.value, &["metadata", "annotations", key])
    }

    /// Sets an annotation; nothing takes it away, and an empty mapping with it.
    pub(crate) fn set_annotation(&mut self, key: &str, value: Option<String>) {
        match value {
            Some(text) => {
                if let Some(map) = object::mapping(&mut self.value, &["metadata", "annotations"]) {
                    map.insert(key.to_owned(), Value::String(text));
                }
            }
            None => {
                if let Some(map) = self
                    .value
                    .pointer_mut("/metadata/annotations")
                    .and_then(Value::as_object_mut)
                {
                    map.shift_remove(key);
                }
                object::drop_empty(&mut self.value, "annotations");
            }
        }
    }

    /// Takes over name, namespace and history of the object that this one is merged into or
    /// replaces, and what it has of labels and annotations beyond these.
    pub(crate) fn inherit(&mut self, old: &Self) {
        for field in ["labels", "annotations"] {
            object::underlay(&mut self.value, &old.value, &["metadata", field]);
        }
        self.set_name(old.name());
        self.set_namespace(old.namespace());
        self.previous.clone_from(&old.previous);
        self.prefixes.clone_from(&old.prefixes);
        self.suffixes.clone_from(&old.suffixes);
        self.variables.clone_from(&old.variables);
        self.origin.clone_from(&old.origin);
    }
}
