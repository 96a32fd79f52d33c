//! The built-in definitions: a compact text, indexed once, of which a definition is parsed when a field of
//! it is asked for.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

static INDEX: LazyLock<Index> = LazyLock::new(|| Index::read(include_str!("builtin.txt")));

/// A type's apiVersion and kind.
type Gvk = (&'static str, &'static str);

struct Index {
    definitions: Vec<Line>,
    /// The first of the definitions that a custom schema does not hide.
    always: usize,
    by_type: HashMap<Gvk, usize>,
    cluster: HashMap<Gvk, bool>,
}

struct Line {
    package: &'static str,
    name: &'static str,
    fields: &'static str,
    /// The same by name, once one was asked for.
    by_name: OnceLock<HashMap<&'static str, &'static str>>,
}

impl Line {
    fn field(&self, name: &str) -> Option<Type> {
        let by_name = self.by_name.get_or_init(|| {
            self.fields
                .split(' ')
                .filter_map(|f| f.split_once('='))
                .rev()
                .collect()
        });
        by_name.get(name).map(|text| Type::read(text))
    }
}

impl Index {
    fn read(text: &'static str) -> Self {
        let mut index = Self {
            definitions: Vec::new(),
            always: usize::MAX,
            by_type: HashMap::new(),
            cluster: HashMap::new(),
        };
        let mut package = "";
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
            if let Some(name) = head.strip_prefix('@') {
                package = name;
            } else if head == "%always" {
                index.always = index.definitions.len();
            } else if package.is_empty() {
                index
                    .cluster
                    .extend(rest.split_once(',').map(|gvk| (gvk, head == "c")));
            } else {
                index.define(package, head, rest);
            }
        }
        index
    }

    fn define(&mut self, package: &'static str, name: &'static str, mut fields: &'static str) {
        while let Some(rest) = fields.strip_prefix('=') {
            let (gvk, more) = rest.split_once(' ').unwrap_or((rest, ""));
            let id = self.definitions.len();
            self.by_type.extend(gvk.split_once(',').map(|gvk| (gvk, id)));
            fields = more;
        }
        self.definitions.push(Line {
            package,
            name,
            fields,
            by_name: OnceLock::new(),
        });
    }
}

/// A definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(usize);

/// The type of a field, as the text writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// A scalar, or anything else of which no parts are known.
    Leaf,
    /// An object with the fields of a definition.
    Object(Id),
    /// A list, and what comes after its `[`.
    List(&'static str),
    /// A map, and what comes after its `{`.
    Map(&'static str),
}

impl Type {
    fn read(text: &'static str) -> Self {
        match text.split_at_checked(1) {
            Some(("[", rest)) => Self::List(rest),
            Some(("{", rest)) => Self::Map(rest),
            _ => text.parse().map_or(Self::Leaf, |id| Self::Object(Id(id))),
        }
    }

    pub(super) fn field(self, name: &str) -> Option<Self> {
        match self {
            Self::Object(id) => INDEX.definitions.get(id.0)?.field(name),
            Self::Map(values) => Some(Self::read(values)),
            Self::Leaf | Self::List(_) => None,
        }
    }

    pub(super) fn elements(self) -> Option<Self> {
        match self {
            Self::List(rest) => Some(Self::read(rest.split_once('!').map_or(rest, |(of, _)| of))),
            _ => None,
        }
    }

    pub(super) fn merge_keys(self) -> Option<Vec<&'static str>> {
        match self {
            Self::List(rest) => {
                let (_, keys) = rest.split_once('!')?;
                Some(keys.split(',').filter(|k| !k.is_empty()).collect())
            }
            _ => None,
        }
    }
}

impl Id {
    /// The package and the name that together are the definition's.
    pub(super) fn name(self) -> Option<String> {
        let line = INDEX.definitions.get(self.0)?;
        Some(format!("{}.{}", line.package, line.name))
    }
}

/// The definition of an object; with `few`, of those only that a custom schema does not hide.
pub(super) fn object(api_version: &str, kind: &str, few: bool) -> Option<Id> {
    let id = *INDEX.by_type.get(&(api_version, kind))?;
    (!few || id >= INDEX.always).then_some(Id(id))
}

/// The definition of a full name, under the same condition.
pub(super) fn named(name: &str, few: bool) -> Option<Id> {
    let (package, name) = name.rsplit_once('.')?;
    let from = if few { INDEX.always } else { 0 };
    let lines = INDEX.definitions.iter().enumerate().skip(from);
    let mut hits = lines.filter(|(_, line)| line.name == name && line.package == package);
    hits.next().map(|(id, _)| Id(id))
}

/// Whether the objects have no namespace; nothing if the kind is not in kyaml's table.
pub(crate) fn is_cluster(api_version: &str, kind: &str) -> Option<bool> {
    INDEX.cluster.get(&(api_version, kind)).copied()
}
