//! Strategic merge of untyped objects.

use serde_json::{Map, Value};

use super::merge_keys::{is_built_in, is_set, keys};
use crate::Error;

/// What is left of a node after merging.
type Merged = Option<Value>;

/// Merges `patch` into `target`; nothing is left if the patch deletes it.
pub(crate) fn object(_: &crate::schema::Schemas, target: Value, patch: &Value) -> Result<Merged, Error> {
    let gvk = crate::id::Gvk::new(
        crate::object::text(patch, &["apiVersion"]).unwrap_or_default(),
        "",
    );
    let (group, kind) = (
        gvk.group.as_str(),
        crate::object::text(patch, &["kind"]).unwrap_or_default(),
    );
    let merge = Merge {
        kind: if is_built_in(group) { kind } else { "\0" },
        known: is_built_in(group),
    };
    merge.node(target, patch, "", "")
}

struct Merge<'a> {
    kind: &'a str,
    known: bool,
}

fn directive(patch: &Map<String, Value>) -> Result<Option<&str>, Error> {
    match patch.get("$patch") {
        None => Ok(None),
        Some(Value::String(s)) if ["delete", "replace", "merge"].contains(&s.as_str()) => Ok(Some(s)),
        Some(other) => Err(Error::invalid(format!(
            "unknown $patch directive {other}; use delete, replace or merge"
        ))),
    }
}

impl Merge<'_> {
    fn node(&self, target: Value, patch: &Value, parent: &str, field: &str) -> Result<Merged, Error> {
        match (target, patch) {
            (_, Value::Null) => Ok(None),
            (Value::Object(map), Value::Object(patch)) => self.mapping(map, patch, field),
            (Value::Array(items), Value::Array(patch)) => self
                .list(items, patch, parent, field)
                .map(|l| Some(Value::Array(l))),
            (_, patch) => self.fresh(patch),
        }
    }

    /// A patch's node where there is nothing to merge with: directives and nulls go.
    fn fresh(&self, patch: &Value) -> Result<Merged, Error> {
        match patch {
            Value::Null => Ok(None),
            Value::Object(map) => {
                if directive(map)? == Some("delete") {
                    return Ok(None);
                }
                let mut out = Map::new();
                for (key, value) in map.iter().filter(|(k, _)| !is_directive(k)) {
                    if let Some(value) = self.fresh(value)? {
                        out.insert(key.clone(), value);
                    }
                }
                Ok(Some(Value::Object(out)))
            }
            Value::Array(items) => {
                let marker = |v: &&Value| {
                    v.as_object()
                        .is_some_and(|m| m.len() == 1 && m.contains_key("$patch"))
                };
                let mut out = Vec::new();
                for item in items.iter().filter(|v| !marker(v)) {
                    out.extend(if item.is_null() {
                        Some(Value::Null)
                    } else {
                        self.fresh(item)?
                    });
                }
                Ok(Some(Value::Array(out)))
            }
            other => Ok(Some(other.clone())),
        }
    }

    fn mapping(
        &self,
        mut target: Map<String, Value>,
        patch: &Map<String, Value>,
        field: &str,
    ) -> Result<Merged, Error> {
        match directive(patch)? {
            Some("delete") => return Ok(None),
            Some("replace") => return self.fresh(&Value::Object(patch.clone())),
            _ => {}
        }
        if let Some(keep) = patch.get("$retainKeys") {
            let keep = keep
                .as_array()
                .ok_or_else(|| Error::invalid("$retainKeys must be a list"))?;
            target.retain(|k, _| keep.iter().any(|v| v.as_str() == Some(k)));
        }
        for (key, value) in patch {
            if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
                let gone = value.as_array().cloned().unwrap_or_default();
                if let Some(items) = target.get_mut(list).and_then(Value::as_array_mut) {
                    items.retain(|v| !gone.contains(v));
                }
            }
            if is_directive(key) {
                continue;
            }
            let merged = match target.get_mut(key).map(Value::take) {
                Some(old) => self.node(old, value, field, key)?,
                None => self.fresh(value)?,
            };
            match merged {
                Some(value) => target.insert(key.clone(), value),
                None => target.shift_remove(key),
            };
        }
        for (key, order) in patch
            .iter()
            .filter_map(|(k, v)| Some((k.strip_prefix("$setElementOrder/")?, v.as_array()?)))
        {
            if let Some(items) = target.get_mut(key).and_then(Value::as_array_mut) {
                self.reorder(items, order, field, key);
            }
        }
        Ok(Some(Value::Object(target)))
    }

    fn keys(&self, parent: &str, field: &str) -> Option<&'static [&'static str]> {
        if self.known {
            keys(self.kind, parent, field)
        } else {
            None
        }
    }

    fn list(
        &self,
        target: Vec<Value>,
        patch: &[Value],
        parent: &str,
        field: &str,
    ) -> Result<Vec<Value>, Error> {
        let replace = patch.iter().any(|p| {
            p.as_object()
                .is_some_and(|m| m.len() == 1 && m.get("$patch").and_then(Value::as_str) == Some("replace"))
        });
        let whole = || {
            self.fresh(&Value::Array(patch.to_vec())).map(|v| {
                v.and_then(|v| if let Value::Array(l) = v { Some(l) } else { None })
                    .unwrap_or_default()
            })
        };
        if replace {
            return whole();
        }
        if self.known && is_set(parent, field) {
            let mut out = patch.to_vec();
            out.extend(target.into_iter().filter(|v| !patch.contains(v)));
            return Ok(out);
        }
        match self.keys(parent, field) {
            Some(keys) => self.by_key(target, patch, keys, field),
            None => whole(),
        }
    }

    /// The patch's elements first, in its order, then the rest, as kustomize arranges them.
    fn by_key(
        &self,
        target: Vec<Value>,
        patch: &[Value],
        keys: &[&str],
        field: &str,
    ) -> Result<Vec<Value>, Error> {
        let mut rest: Vec<Option<Value>> = target.into_iter().map(Some).collect();
        let mut out = Vec::new();
        for item in patch {
            if keys.iter().all(|k| item.get(k).is_none()) {
                return Err(Error::invalid(format!(
                    "an element of {field} in a patch has no {}",
                    keys.join(", ")
                )));
            }
            let slot = rest
                .iter_mut()
                .find(|old| old.as_ref().is_some_and(|old| same(old, item, keys)));
            let merged = match slot.and_then(Option::take) {
                Some(Value::Object(old)) => self.node(Value::Object(old), item, "", field)?,
                _ => self.fresh(item)?,
            };
            out.extend(merged);
        }
        out.extend(rest.into_iter().flatten());
        Ok(out)
    }

    fn reorder(&self, items: &mut [Value], order: &[Value], parent: &str, field: &str) {
        let keys = self.keys(parent, field);
        let rank = |item: &Value| {
            let hit = |o: &Value| keys.map_or(o == item, |keys| same(o, item, keys));
            order.iter().position(hit).unwrap_or(order.len())
        };
        items.sort_by_key(rank);
    }
}

fn is_directive(key: &str) -> bool {
    key == "$patch"
        || key == "$retainKeys"
        || key.starts_with("$setElementOrder/")
        || key.starts_with("$deleteFromPrimitiveList/")
}

/// Whether two list elements are the same by their keys; a key that both lack does not count.
fn same(a: &Value, b: &Value, keys: &[&str]) -> bool {
    let text = |v: &Value, key: &str| {
        v.get(key)
            .and_then(crate::object::scalar)
            .or_else(|| (key == "protocol").then(|| "TCP".to_owned()))
    };
    keys.iter().all(|key| text(a, key) == text(b, key))
}
