//! Where transformers look: field specifications, by default and as a build adds to them.

mod crds;
mod spec;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::Value;

pub(crate) use crds::from_crds;
use spec::order;
pub(crate) use spec::{FieldSpec, merge_all, merge_one, rank, sort_text, standard_rank};

use crate::meter::exceeded;
use crate::{Error, Reason, decode};

/// Kinds that names may refer to.
const KINDS: usize = 2000;

/// Names that stand in other objects: of which kind, and where.
#[derive(Debug, Clone)]
pub(crate) struct NameReference {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) referrers: Vec<FieldSpec>,
}

/// The field specifications of one kustomization. `merge` keeps them in kustomize's order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    lists: BTreeMap<&'static str, Vec<FieldSpec>>,
    pub(crate) names: Vec<NameReference>,
}

/// The lists of a configuration file, `nameReference` apart.
const LISTS: [&str; 10] = [
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "templateLabels",
    "commonAnnotations",
    "varReference",
    "images",
    "replicas",
];

static DEFAULT: LazyLock<Arc<Config>> = LazyLock::new(|| {
    let mut config = Config::default();
    config.absorb_defaults(include_str!("defaults.txt"));
    config.sort();
    Arc::new(config)
});

impl Config {
    /// What kustomize has built in.
    pub(crate) fn standard() -> Arc<Self> {
        Arc::clone(&DEFAULT)
    }

    pub(crate) fn list(&self, name: &str) -> &[FieldSpec] {
        self.lists.get(name).map_or(&[], Vec::as_slice)
    }

    /// Both; an error if they disagree on whether a field is to be created.
    pub(crate) fn merge(this: &Arc<Self>, other: &Arc<Self>) -> Result<Arc<Self>, Error> {
        if Arc::ptr_eq(this, other) || other.is_empty() {
            return Ok(Arc::clone(this));
        }
        if this.is_empty() && Arc::ptr_eq(other, &DEFAULT) {
            return Ok(Arc::clone(other));
        }
        // From nothing too: a specification for any kind goes where one for a kind came before.
        let mut merged = Self::clone(this);
        for (name, specs) in &other.lists {
            merge_all(merged.lists.entry(name).or_default(), specs)
                .map_err(|e| e.in_field((*name).to_owned()))?;
        }
        for reference in &other.names {
            merged.add_names(reference)?;
        }
        merged.sort();
        Ok(Arc::new(merged))
    }

    /// The content of a file that `configurations` names.
    pub(crate) fn parse(value: &Value) -> Result<Self, Error> {
        let mut config = Self::default();
        let Some(map) = value.as_object() else {
            return if value.is_null() {
                Ok(config)
            } else {
                Err(Error::invalid("a transformer configuration must be a mapping"))
            };
        };
        for (key, value) in map {
            if let Some(name) = LISTS.iter().find(|l| l.eq_ignore_ascii_case(key)) {
                known(value, &["group", "version", "kind", "path", "create"]).map_err(|e| e.in_field(key))?;
                let specs: Vec<FieldSpec> = decode::list(value).map_err(|e| e.in_field(key))?;
                merge_all(config.lists.entry(name).or_default(), &specs)?;
            } else if key.eq_ignore_ascii_case("nameReference") {
                known(value, &["group", "version", "kind", "fieldSpecs"]).map_err(|e| e.in_field(key))?;
                for entry in value.as_array().into_iter().flatten() {
                    let own: FieldSpec = decode::one(entry).map_err(|e| e.in_field(key))?;
                    let referrers = decode::member(entry, "fieldSpecs");
                    known(referrers, &["group", "version", "kind", "path", "create"])
                        .map_err(|e| e.in_field(key))?;
                    let referrers = decode::list(referrers).map_err(|e| e.in_field(key))?;
                    config.add_names(&NameReference {
                        group: own.group,
                        version: own.version,
                        kind: own.kind,
                        referrers,
                    })?;
                }
            } else {
                let fields = [&LISTS[..], &["nameReference"]].concat().join(", ");
                return Err(Error::new(Reason::Invalid(format!(
                    "unknown field; a configuration has {fields}"
                )))
                .in_field(key));
            }
        }
        config.sort();
        Ok(config)
    }

    fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.names.is_empty()
    }

    fn add(&mut self, list: &'static str, spec: FieldSpec) -> Result<(), Error> {
        merge_one(self.lists.entry(list).or_default(), spec)
    }

    fn add_names(&mut self, new: &NameReference) -> Result<(), Error> {
        let same =
            |n: &&mut NameReference| n.group == new.group && n.version == new.version && n.kind == new.kind;
        let count = self.names.len();
        match self.names.iter_mut().find(same) {
            Some(old) => merge_all(&mut old.referrers, &new.referrers),
            None if count >= KINDS => Err(exceeded("kinds in nameReference", KINDS as u128)),
            None => {
                self.names.push(new.clone());
                Ok(())
            }
        }
    }

    fn sort(&mut self) {
        for specs in self.lists.values_mut() {
            specs.sort_by_key(|s| order(&s.group, &s.version, &s.kind));
        }
        self.names.sort_by_key(|n| order(&n.group, &n.version, &n.kind));
    }

    /// The table beside this file, whose format it explains.
    fn absorb_defaults(&mut self, table: &str) {
        let any = |word: &str| {
            if word == "-" {
                String::new()
            } else {
                word.to_owned()
            }
        };
        let mut list = None;
        for line in table.lines().filter(|l| !l.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            match (line.strip_prefix('['), words.as_slice()) {
                (Some(_), [_, kind, group, version]) => {
                    list = None;
                    self.names.push(NameReference {
                        kind: any(kind),
                        group: any(group),
                        version: any(version.trim_end_matches(']')),
                        referrers: Vec::new(),
                    });
                }
                (Some(name), _) => {
                    list = LISTS.into_iter().find(|l| *l == name.trim_end_matches(']'));
                }
                (None, [kind, group, version, create, path]) => {
                    let spec = FieldSpec {
                        kind: any(kind),
                        group: any(group),
                        version: any(version),
                        path: (*path).to_owned(),
                        create: *create == "create",
                    };
                    match (list, self.names.last_mut()) {
                        (Some(list), _) => self.lists.entry(list).or_default().push(spec),
                        (None, Some(names)) => names.referrers.push(spec),
                        (None, None) => {}
                    }
                }
                _ => {}
            }
        }
    }
}

/// Refuses members that no entry of the list has.
fn known(list: &Value, names: &[&str]) -> Result<(), Error> {
    let entries = list.as_array().into_iter().flatten().filter_map(Value::as_object);
    let mut keys = entries.flat_map(serde_json::Map::keys);
    match keys.find(|key| !names.iter().any(|name| name.eq_ignore_ascii_case(key))) {
        None => Ok(()),
        Some(key) => Err(Error::invalid(format!(
            "unknown field {key:?}; an entry has {}",
            names.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_table_is_read_whole() {
        let config = Config::standard();
        let lines = include_str!("defaults.txt")
            .lines()
            .filter(|l| !l.starts_with(['#', '[']))
            .count();
        let listed: usize = config.lists.values().map(Vec::len).sum();
        let referrers: usize = config.names.iter().map(|n| n.referrers.len()).sum();
        assert_eq!(listed + referrers, lines);
        assert_eq!(config.list("replicas").len(), 4);
    }
}
