//! Small helpers on untyped objects.

use serde_json::{Map, Value};

use crate::Error;

/// The node that one step of a path leads to: a member's name, or a place in a list.
pub(crate) fn step<'a>(value: &'a Value, part: &str) -> Option<&'a Value> {
    match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        value => value.get(part),
    }
}

/// Leads a JSON pointer on to a member or a place in a list.
pub(crate) fn point_at(pointer: &mut String, part: &str) {
    pointer.push('/');
    for c in part.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// The string at a path of member names.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter()
        .try_fold(value, |v, key| v.get(key))
        .and_then(Value::as_str)
}

/// The mapping at a path of member names, made if it is missing; nothing if something else is there.
pub(crate) fn mapping<'a>(value: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    let mut at = value;
    for key in path {
        let map = at.as_object_mut()?;
        if !map.contains_key(*key) {
            make_room(map, 1);
        }
        let next = map.entry(*key).or_insert_with(|| Value::Object(Map::new()));
        if next.is_null() {
            *next = Value::Object(Map::new());
        }
        at = next;
    }
    at.as_object_mut()
}

/// Largest mapping that is kept without spare room. Larger ones grow by doubling, as adding to them one
/// by one would cost the square of their size.
const EXACT: usize = 32;

/// Makes room for a few more members and no more than that. A mapping that grows by itself doubles, and
/// a build holds thousands of small ones that get a label or two.
pub(crate) fn make_room(map: &mut Map<String, Value>, more: usize) {
    if more == 0 || map.len() + more > EXACT {
        return;
    }
    let mut roomy = Map::with_capacity(map.len() + more);
    roomy.extend(std::mem::take(map));
    *map = roomy;
}

/// A copy without spare room, which a mapping's own clone has.
pub(crate) fn copy(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(copy).collect()),
        Value::Object(members) => {
            let mut map = Map::with_capacity(members.len());
            map.extend(members.iter().map(|(key, value)| (key.clone(), copy(value))));
            Value::Object(map)
        }
        scalar => scalar.clone(),
    }
}

/// Adds the members of `base` at `path` that `value` lacks there.
pub(crate) fn underlay(value: &mut Value, base: &Value, path: &[&str]) {
    let Some(base) = path
        .iter()
        .try_fold(base, |v, key| v.get(key))
        .and_then(Value::as_object)
        .filter(|m| !m.is_empty())
    else {
        return;
    };
    if let Some(map) = mapping(value, path) {
        for (key, value) in base {
            map.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// Takes a member out of the metadata.
pub(crate) fn remove(value: &mut Value, field: &str) {
    if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.shift_remove(field);
    }
}

/// Takes an empty or null mapping out of the metadata.
pub(crate) fn drop_empty(value: &mut Value, field: &str) {
    if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        let empty = meta
            .get(field)
            .is_some_and(|v| v.is_null() || v.as_object().is_some_and(Map::is_empty));
        if empty {
            meta.shift_remove(field);
        }
    }
}

/// A scalar as Go's default formatting prints it.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Number(n) => Some(match n.as_f64() {
            Some(f) if n.is_f64() => tenure_yaml::go_float(f),
            _ => n.to_string(),
        }),
        _ => None,
    }
}

/// A scalar's text, with null as YAML writes it.
pub(crate) fn scalar_or_null(value: &Value) -> Option<String> {
    if value.is_null() {
        Some("null".to_owned())
    } else {
        scalar(value)
    }
}

/// Puts `text` where a scalar stands and leaves that scalar's type, so that a number stays one.
/// Nothing is changed and false returned if the text is none of that type.
pub(crate) fn set_text(scalar: &mut Value, text: &str) -> bool {
    let read =
        || tenure_yaml::parse_one(text.as_bytes(), &tenure_yaml::Options::kustomize()).unwrap_or(Value::Null);
    let new = match scalar {
        Value::Bool(_) => Some(read()).filter(Value::is_boolean),
        // A float is no integer, but an integer is a float.
        Value::Number(old) => {
            let whole = !old.is_f64();
            let is_float = |text: &str| text.contains(['.', 'e', 'E']) && !text.starts_with("0x");
            Some(read()).filter(|new| new.is_number() && !(whole && is_float(text)))
        }
        Value::Null => Some(read()).filter(Value::is_null),
        _ => Some(Value::from(text)),
    };
    new.map(|new| *scalar = new).is_some()
}

/// Refuses a key that is something else than a string where it stands without quotes. Kustomize
/// writes the keys that it adds so, and cannot read them again.
pub(crate) fn plain_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || tenure_yaml::is_text(key, tenure_yaml::Dialect::V3) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the key {key:?} is not read as a string by kustomize, which drops its quotes; use another"
    )))
}

/// A text as YAML reads it where it stands without quotes, if that is a scalar.
pub(crate) fn plain(text: &str) -> Value {
    match tenure_yaml::parse_one(text.as_bytes(), &tenure_yaml::Options::kustomize()) {
        Ok(value) if !value.is_object() && !value.is_array() => value,
        _ => Value::from(text),
    }
}

/// Whether a string must have stood in quotes, as it would be something else without.
pub(crate) fn is_quoted(text: &str) -> bool {
    text.is_empty() || plain(text) != *text
}

/// Puts `text` in the place of a scalar, as kustomize does: it is read anew, but what stood in quotes
/// still does.
pub(crate) fn reset(node: &mut Value, text: &str) {
    *node = match node {
        Value::String(old) if is_quoted(old) => Value::from(text),
        _ => plain(text),
    };
}
