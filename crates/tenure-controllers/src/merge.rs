//! The smallest JSON merge patch (RFC 7396) between two values, and status fields as JSON.

use serde_json::{Map, Value};
use tenure_api::Condition;

/// The conditions of a status; what does not decode was not written by us and is left out.
pub(crate) fn conditions_of(status: &Value) -> Vec<Condition> {
    let list = status.get("conditions").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|one| serde::Deserialize::deserialize(one).ok())
        .collect()
}

/// Sets a field of an object, or removes it.
pub(crate) fn put(object: &mut Value, field: &str, value: Option<Value>) {
    let Some(map) = object.as_object_mut() else { return };
    match value {
        Some(value) => map.insert(field.to_owned(), value),
        None => map.remove(field),
    };
}

/// The patch that turns `old` into `new`; `None` when they are equal. Lists are replaced whole, as the
/// RFC has it.
pub(crate) fn diff(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return Some(new.clone());
    };
    let mut patch = Map::new();
    for (key, value) in new {
        match old.get(key) {
            Some(before) => {
                if let Some(change) = diff(before, value) {
                    patch.insert(key.clone(), change);
                }
            }
            None if value.is_null() => {}
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    if patch.is_empty() {
        None
    } else {
        Some(Value::Object(patch))
    }
}

#[cfg(test)]
mod tests {
    use super::diff;
    use serde_json::json;

    #[test]
    fn equal_values_need_no_patch() {
        assert_eq!(diff(&json!({"a": {"b": [1]}}), &json!({"a": {"b": [1]}})), None);
    }

    #[test]
    fn what_left_is_null_and_lists_are_whole() {
        let old = json!({"keep": 1, "gone": 2, "list": [1, 2], "deep": {"x": 1, "y": 2}});
        let new = json!({"keep": 1, "list": [2], "deep": {"x": 1, "y": 3}, "new": {"z": 1}});
        assert_eq!(
            diff(&old, &new),
            Some(json!({"gone": null, "list": [2], "deep": {"y": 3}, "new": {"z": 1}}))
        );
    }
}
