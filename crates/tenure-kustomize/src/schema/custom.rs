//! A schema that a kustomization brings along: an OpenAPI v2 document, kept as it was read.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::Error;

/// Bytes of a reference.
const REFERENCE: usize = 1000;

/// How many references to references are followed.
const HOPS: usize = 64;

#[derive(Debug)]
pub(super) struct Custom {
    definitions: Map<String, Value>,
    by_type: HashMap<(String, String), String>,
    cluster: HashMap<(String, String), bool>,
}

impl Custom {
    pub(super) fn read(document: &Value) -> Result<Self, Error> {
        let empty = Map::new();
        let root = match document {
            Value::Object(map) => map,
            Value::Null => &empty,
            _ => return Err(Error::invalid("an OpenAPI schema must be a mapping")),
        };
        let part = |name: &str| match root.get(name) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(_) => Err(Error::invalid(format!(
                "{name} of an OpenAPI schema must be a mapping"
            ))),
        };
        let mut custom = Self {
            definitions: part("definitions")?,
            by_type: HashMap::new(),
            cluster: HashMap::new(),
        };
        for (name, definition) in &custom.definitions {
            check(definition)
                .map_err(|e| Error::invalid(format!("definition {name} of an OpenAPI schema: {e}")))?;
            for entry in definition
                .get(GVK)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                if let Some(gvk) = gvk(entry)? {
                    custom.by_type.insert(gvk, name.clone());
                }
            }
        }
        for (path, item) in &part("paths")? {
            let entry = item.get("get").and_then(|get| get.get(GVK));
            let Some(gvk) = entry.map(gvk).transpose()?.flatten() else {
                continue;
            };
            let cluster = custom.cluster.entry(gvk).or_insert(true);
            *cluster &= !path.contains("namespaces/{namespace}");
        }
        Ok(custom)
    }

    pub(super) fn object(&self, api_version: &str, kind: &str) -> Option<&Value> {
        let name = self.by_type.get(&(api_version.to_owned(), kind.to_owned()))?;
        self.named(name)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Value> {
        self.definitions.get(name)
    }

    pub(super) fn is_cluster(&self, api_version: &str, kind: &str) -> Option<bool> {
        let gvk = (api_version.to_owned(), kind.to_owned());
        self.cluster.get(&gvk).copied()
    }
}

const GVK: &str = "x-kubernetes-group-version-kind";

/// The apiVersion and kind that the extension names.
fn gvk(entry: &Value) -> Result<Option<(String, String)>, Error> {
    let Some(map) = entry.as_object() else {
        return Ok(None);
    };
    let text = |key| map.get(key).and_then(Value::as_str);
    let (Some(version), Some(kind)) = (text("version"), text("kind")) else {
        return Err(Error::invalid(format!(
            "{GVK} of an OpenAPI schema needs version and kind"
        )));
    };
    let api_version = match text("group") {
        None | Some("") => version.to_owned(),
        Some(group) => format!("{group}/{version}"),
    };
    Ok(Some((api_version, kind.to_owned())))
}

/// Refuses what is no schema, so that a mistake does not quietly turn merging into replacing. The tool
/// refuses it, too, though not before it needs the schema.
fn check(schema: &Value) -> Result<(), String> {
    let map = schema.as_object().ok_or("a schema must be a mapping")?;
    for (key, value) in map {
        let sound = match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    check(property).map_err(|e| format!("{name}: {e}"))?;
                }
                true
            }
            ("additionalProperties" | "items", Value::Object(_)) => check(value).map(|()| true)?,
            ("properties" | "type", Value::Null) => true,
            ("type" | LIST_MAP_KEYS, Value::Array(texts)) => texts.iter().all(Value::is_string),
            ("type" | STRATEGY | MERGE_KEY, value) => value.is_string(),
            ("$ref", Value::String(text)) if text.len() > REFERENCE => {
                return Err(format!("a reference is longer than {REFERENCE} bytes"));
            }
            ("properties" | LIST_MAP_KEYS, _) => false,
            _ => true,
        };
        if !sound {
            return Err(format!("{key} has the wrong type"));
        }
    }
    Ok(())
}

const STRATEGY: &str = "x-kubernetes-patch-strategy";
const MERGE_KEY: &str = "x-kubernetes-patch-merge-key";
const LIST_MAP_KEYS: &str = "x-kubernetes-list-map-keys";

/// Where a schema's `$ref` points to: a definition's name, and the way on inside of it.
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) way: Vec<String>,
}

/// The reference that the schema is, if it is one; only its fragment counts.
pub(super) fn reference(schema: &Value) -> Option<Reference> {
    let text = schema.get("$ref")?.as_str().filter(|t| !t.is_empty())?;
    let fragment = text.split_once('#').map_or("", |(_, f)| f);
    let mut way = fragment
        .split('/')
        .map(|p| p.replace("~1", "/").replace("~0", "~"));
    let start = [way.next(), way.next()];
    let name = way.next().unwrap_or_default();
    let sound = start == [Some(String::new()), Some("definitions".to_owned())];
    let name = if sound { name } else { String::new() };
    Some(Reference {
        name,
        way: way.collect(),
    })
}

/// Follows `reference` and what it leads to, until a schema stands by itself.
pub(super) fn follow<T>(mut at: T, next: impl Fn(&T) -> Option<Option<T>>) -> Option<T> {
    for _ in 0..HOPS {
        match next(&at) {
            None => return Some(at),
            Some(target) => at = target?,
        }
    }
    None
}

pub(super) fn step<'a>(schema: &'a Value, way: &[String]) -> Option<&'a Value> {
    way.iter().try_fold(schema, |at, part| at.get(part.as_str()))
}

pub(super) fn field<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let own = schema.get("properties").and_then(|p| p.get(name));
    own.or_else(|| schema.get("additionalProperties").filter(|a| a.is_object()))
}

pub(super) fn elements(schema: &Value) -> Option<&Value> {
    let array = match schema.get("type")? {
        Value::String(t) => t == "array",
        Value::Array(types) => types.len() == 1 && types.iter().all(|t| t == "array"),
        _ => false,
    };
    schema.get("items").filter(|items| array && items.is_object())
}

pub(super) fn merge_keys(schema: &Value) -> Option<Vec<&str>> {
    let strategy = schema.get(STRATEGY)?.as_str()?;
    if !strategy.split(',').any(|s| s == "merge") {
        return None;
    }
    let list = schema.get(LIST_MAP_KEYS).and_then(Value::as_array);
    let one = schema.get(MERGE_KEY).and_then(Value::as_str);
    Some(match list {
        Some(keys) => keys.iter().filter_map(Value::as_str).collect(),
        None => one.into_iter().collect(),
    })
}
