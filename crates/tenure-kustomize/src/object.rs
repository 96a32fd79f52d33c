//! Small helpers on untyped objects.

use serde_json::{Map, Value};

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
        let next = map.entry(*key).or_insert_with(|| Value::Object(Map::new()));
        if next.is_null() {
            *next = Value::Object(Map::new());
        }
        at = next;
    }
    at.as_object_mut()
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
