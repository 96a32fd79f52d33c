//! Fields that are left to others: what is applied says of them what is there.

use std::collections::HashMap;

use serde_json::Value;

use crate::object::ObjectRef;

/// JSON pointers, by object.
pub type IgnoredFields = HashMap<ObjectRef, Vec<String>>;

/// Leaves these fields of `live` as they are: a field that another manager applies is not spoken of, so
/// that it is let go; of one that nobody else applies, the live value is kept. What is the same on both
/// sides is left alone.
pub(crate) fn leave(desired: &mut Value, live: &Value, paths: &[String], field_manager: &str) {
    for path in paths {
        let there = live.pointer(path);
        if there == desired.pointer(path) {
            continue;
        }
        match there.filter(|_| !is_applied_by_others(live, path, field_manager)) {
            Some(value) => put(desired, path, value.clone()),
            None => take(desired, path),
        }
    }
}

/// Whether another manager's server-side apply owns the field, or something in it.
fn is_applied_by_others(live: &Value, path: &str, field_manager: &str) -> bool {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    entries.into_iter().flatten().any(|entry| {
        let applies = text(entry, "operation").as_deref() == Some("Apply");
        let other = text(entry, "manager").as_deref() != Some(field_manager);
        let fields = entry.get("fieldsV1");
        applies && other && fields.is_some_and(|fields| owns(fields, live, path))
    })
}

/// Follows the path through a set of fields. Items of lists are named by a key, not by their place.
fn owns(fields: &Value, live: &Value, path: &str) -> bool {
    let (mut fields, mut live) = (fields, Some(live));
    for step in steps(path) {
        let named = fields.get(format!("f:{step}"));
        let found = named.or_else(|| {
            let item = live?.as_array()?.get(step.parse::<usize>().ok()?)?;
            let sets = fields.as_object()?.iter();
            sets.into_iter()
                .find(|(key, _)| is_of(key, item))
                .map(|(_, set)| set)
        });
        let Some(found) = found else { return false };
        live = live.and_then(|live| match live {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            other => other.get(&step),
        });
        fields = found;
    }
    true
}

/// Whether `k:{"name":"a"}` or `v:"a"` means this item.
fn is_of(key: &str, item: &Value) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    if let Some(Value::Object(keys)) = key.strip_prefix("k:").and_then(parsed) {
        return keys.iter().all(|(name, value)| item.get(name) == Some(value));
    }
    key.strip_prefix("v:").and_then(parsed).as_ref() == Some(item)
}

fn steps(path: &str) -> Vec<String> {
    let steps = path.split('/').skip(1);
    steps
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect()
}

/// Sets the field, and makes the mappings above it; a list that is too short stays as it is.
fn put(object: &mut Value, path: &str, value: Value) {
    let mut at = object;
    for step in steps(path) {
        if at.is_null() {
            *at = Value::Object(serde_json::Map::new());
        }
        at = match at {
            Value::Object(map) => map.entry(step).or_insert(Value::Null),
            Value::Array(items) => match step.parse::<usize>().ok().and_then(|place| items.get_mut(place)) {
                Some(item) => item,
                None => return,
            },
            _ => return,
        };
    }
    *at = value;
}

fn take(object: &mut Value, path: &str) {
    let Some((parent, _)) = path.rsplit_once('/') else {
        return;
    };
    let Some(last) = steps(path).pop() else { return };
    match object.pointer_mut(parent) {
        Some(Value::Object(map)) => drop(map.remove(&last)),
        Some(Value::Array(items)) => {
            if let Some(place) = last.parse::<usize>().ok().filter(|place| *place < items.len()) {
                items.remove(place);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn left(desired: Value, live: Value, path: &str) -> Value {
        let mut desired = desired;
        leave(&mut desired, &live, &[path.to_owned()], "m");
        desired
    }

    fn managed(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"managedFields": [{"manager": manager, "operation": operation, "fieldsV1": fields}]})
    }

    #[test]
    fn what_nobody_else_applies_keeps_its_live_value() {
        let fields = json!({"f:data": {"f:a": {}}});
        for (manager, operation) in [("someone", "Update"), ("m", "Apply")] {
            let live = json!({"metadata": managed(manager, operation, fields.clone()), "data": {"a": "2"}});
            assert_eq!(
                left(json!({"data": {"a": "1", "b": "1"}}), live, "/data/a"),
                json!({"data": {"a": "2", "b": "1"}})
            );
        }
        let live = json!({"metadata": {}, "spec": {"replicas": 3}});
        assert_eq!(
            left(json!({}), live, "/spec/replicas"),
            json!({"spec": {"replicas": 3}}),
            "adopted"
        );
        assert_eq!(
            left(json!({"data": {"a": "1"}}), json!({"data": {}}), "/data/a"),
            json!({"data": {}}),
            "removed by hand"
        );
    }

    #[test]
    fn what_another_manager_applies_is_let_go() {
        let live = json!({"metadata": managed("hpa", "Apply", json!({"f:spec": {"f:replicas": {}}})), "spec": {"replicas": 5}});
        assert_eq!(
            left(json!({"spec": {"replicas": 2}}), live.clone(), "/spec/replicas"),
            json!({"spec": {}})
        );
        assert_eq!(
            left(json!({"spec": {"replicas": 5}}), live.clone(), "/spec/replicas"),
            json!({"spec": {"replicas": 5}}),
            "it is the same"
        );
        assert_eq!(
            left(json!({"spec": {"replicas": 2}}), live, "/spec"),
            json!({}),
            "a field in it is another's"
        );
    }

    #[test]
    fn items_of_lists_and_escaped_names_are_found() {
        let item = |image: &str| json!({"spec": {"containers": [{"name": "side", "image": image}]}});
        let fields = json!({"f:spec": {"f:containers": {"k:{\"name\":\"side\"}": {"f:image": {}}}}});
        let mut live = item("b");
        live["metadata"] = managed("updater", "Apply", fields);
        assert_eq!(
            left(item("a"), live, "/spec/containers/0/image"),
            json!({"spec": {"containers": [{"name": "side"}]}})
        );
        let labels = |value: &str| json!({"metadata": {"labels": {"a/b": value}}});
        assert_eq!(
            left(labels("1"), labels("2"), "/metadata/labels/a~1b"),
            labels("2")
        );
    }
}
