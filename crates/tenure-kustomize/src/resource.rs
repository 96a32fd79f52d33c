use serde_json::Value;

use crate::{object, scope};

/// Which object, at one moment of the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Id {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
}

impl Id {
    pub(crate) fn is_cluster(&self) -> bool {
        scope::is_cluster(&self.group, &self.kind)
    }

    /// The namespace that counts: none and `default` are the same.
    pub(crate) fn effective_namespace(&self) -> &str {
        match self.namespace.as_str() {
            _ if self.is_cluster() => "",
            "" => "default",
            ns => ns,
        }
    }

    /// The same object as far as a cluster is concerned; the version does not matter.
    pub(crate) fn same_object(&self, other: &Self) -> bool {
        self.group == other.group
            && self.kind == other.kind
            && self.name == other.name
            && self.effective_namespace() == other.effective_namespace()
    }

    pub(crate) fn shown(&self) -> String {
        let ns = if self.namespace.is_empty() {
            String::new()
        } else {
            format!("{}/", self.namespace)
        };
        let group = if self.group.is_empty() {
            String::new()
        } else {
            format!(".{}", self.group)
        };
        format!("{}{group} {ns}{}", self.kind, self.name)
    }
}

/// An object on its way through the build.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) value: Value,
    /// The file it came from.
    pub(crate) origin: String,
    /// Its earlier ids, oldest first.
    pub(crate) previous: Vec<Id>,
    pub(crate) prefixes: Vec<String>,
    pub(crate) suffixes: Vec<String>,
    /// The name is to end in a hash of the content.
    pub(crate) needs_hash: bool,
}

impl Resource {
    pub(crate) const fn new(value: Value, origin: String) -> Self {
        Self {
            value,
            origin,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            needs_hash: false,
        }
    }

    pub(crate) fn id(&self) -> Id {
        let field = |path: &[&str]| object::text(&self.value, path).unwrap_or_default().to_owned();
        let api_version = field(&["apiVersion"]);
        let (group, version) = api_version
            .split_once('/')
            .map_or(("", api_version.as_str()), |(g, v)| (g, v));
        Id {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: field(&["kind"]),
            name: field(&["metadata", "name"]),
            namespace: field(&["metadata", "namespace"]),
        }
    }

    /// Remembers the id before a change.
    pub(crate) fn remember(&mut self) {
        let id = self.id();
        if !self.previous.contains(&id) {
            self.previous.push(id);
        }
    }

    /// Whether any id it has or had satisfies `test`.
    pub(crate) fn any_id(&self, test: impl Fn(&Id) -> bool) -> bool {
        test(&self.id()) || self.previous.iter().any(test)
    }

    pub(crate) fn set_name(&mut self, name: &str) {
        if let Some(meta) = object::mapping(&mut self.value, &["metadata"]) {
            meta.insert("name".into(), Value::String(name.to_owned()));
        }
    }
}
