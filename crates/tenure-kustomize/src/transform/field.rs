//! Writing at the path of a field specification.

use serde_json::{Map, Value};

use crate::file::FieldSpec;
use crate::resource::Id;

/// A field specification from a table of ours: empty group, version or kind match any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) group: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) path: &'static str,
    pub(crate) create: bool,
}

impl Spec {
    pub(crate) fn selects(&self, id: &Id) -> bool {
        (self.group.is_empty() || self.group == id.group) && (self.kind.is_empty() || self.kind == id.kind)
    }
}

impl FieldSpec {
    pub(crate) fn selects(&self, id: &Id) -> bool {
        let fits = |want: &Option<String>, is: &str| want.as_deref().is_none_or(|w| w.is_empty() || w == is);
        fits(&self.group, &id.group) && fits(&self.version, &id.version) && fits(&self.kind, &id.kind)
    }
}

/// Calls `change` with every node at `path` (parts between `/`; lists are entered by themselves).
/// With `create`, missing mappings on the way and a null at its end are made.
pub(crate) fn visit<E>(
    value: &mut Value,
    path: &str,
    create: bool,
    change: &mut dyn FnMut(&mut Value) -> Result<(), E>,
) -> Result<(), E> {
    let parts = parts(path);
    walk(value, &parts, create, change)
}

/// A `\/` in a path is a slash inside a part.
fn parts(path: &str) -> Vec<String> {
    path.replace("\\/", "\0")
        .split('/')
        .filter(|p| !p.is_empty())
        .map(|p| p.replace('\0', "/"))
        .collect()
}

fn walk<E>(
    value: &mut Value,
    path: &[String],
    create: bool,
    change: &mut dyn FnMut(&mut Value) -> Result<(), E>,
) -> Result<(), E> {
    let Some((part, rest)) = path.split_first() else {
        return change(value);
    };
    match value {
        Value::Array(items) => items
            .iter_mut()
            .try_for_each(|item| walk(item, path, create, change)),
        Value::Object(map) => {
            // What is missing cannot become a list.
            if create && !part.ends_with("[]") {
                let slot = map.entry(part.clone()).or_insert(Value::Null);
                if slot.is_null() && !rest.is_empty() {
                    *slot = Value::Object(Map::new());
                }
            }
            map.get_mut(part.trim_end_matches("[]"))
                .map_or(Ok(()), |next| walk(next, rest, create, change))
        }
        _ => Ok(()),
    }
}
