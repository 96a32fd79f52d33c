//! JSON patches, in the dialect of Go's evanphx/json-patch version 4: negative indices count from
//! the end, `replace` adds a missing member, `test` takes a missing member for null.

use serde::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::meter::Meter;

/// One operation.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Operation {
    op: String,
    path: String,
    from: Option<String>,
    #[serde(default)]
    value: Option<Value>,
}

/// Applies all operations, or fails at the first that does not fit.
pub(crate) fn apply(target: &mut Value, operations: &[Operation], meter: &Meter) -> Result<(), Error> {
    operations.iter().try_for_each(|operation| {
        meter.step()?;
        one(target, operation, meter)
    })
}

fn one(target: &mut Value, operation: &Operation, meter: &Meter) -> Result<(), Error> {
    let path = operation.path.as_str();
    let depth = path.bytes().filter(|b| *b == b'/').count();
    let value = || {
        let value = operation.value.as_ref().unwrap_or(&Value::Null);
        meter.value(value, depth).map(|()| value.clone())
    };
    let from = || {
        operation
            .from
            .as_deref()
            .ok_or_else(|| Error::invalid(format!("{} {path}: from is missing", operation.op)))
    };
    match operation.op.as_str() {
        "add" => add(target, path, value()?),
        "replace" => replace(target, path, value()?),
        "remove" => remove(target, path).map(|_| ()),
        "test" => test(target, path, operation.value.as_ref().unwrap_or(&Value::Null)),
        "copy" => {
            let found = get(target, from()?)?.ok_or_else(|| missing("copy", path))?;
            meter.value(found, depth)?;
            let found = found.clone();
            add(target, path, found)
        }
        "move" => {
            let found = remove(target, from()?)?;
            meter.fits(&found, depth)?;
            add(target, path, found)
        }
        other => Err(Error::invalid(format!("unknown operation {other:?}"))),
    }
}

fn missing(op: &str, path: &str) -> Error {
    Error::invalid(format!("{op} {path}: the path does not exist"))
}

/// The node that holds the last part of a path, and that part.
fn parent<'a>(target: &'a mut Value, op: &str, path: &str) -> Result<(&'a mut Value, String), Error> {
    let mut parts: Vec<String> = path
        .split('/')
        .skip(1)
        .map(|p| p.replace("~1", "/").replace("~0", "~"))
        .collect();
    if !path.starts_with('/') {
        return Err(missing(op, path));
    }
    let last = parts.pop().ok_or_else(|| missing(op, path))?;
    let mut at = target;
    for part in &parts {
        at = match at {
            Value::Object(map) => map.get_mut(part),
            Value::Array(items) => index(part, items.len()).and_then(|i| items.get_mut(i)),
            _ => None,
        }
        .ok_or_else(|| missing(op, path))?;
    }
    Ok((at, last))
}

/// The place in a list of `len`; negative numbers count from its end.
fn index(part: &str, len: usize) -> Option<usize> {
    let i: i64 = part.parse().ok()?;
    let len = i64::try_from(len).ok()?;
    let i = if i < 0 { i + len } else { i };
    if (0..len).contains(&i) {
        usize::try_from(i).ok()
    } else {
        None
    }
}

fn add(target: &mut Value, path: &str, value: Value) -> Result<(), Error> {
    let (at, key) = parent(target, "add", path)?;
    match at {
        Value::Object(map) => {
            map.insert(key, value);
            Ok(())
        }
        Value::Array(items) if key == "-" => {
            items.push(value);
            Ok(())
        }
        Value::Array(items) => {
            let i = index(&key, items.len() + 1).ok_or_else(|| missing("add", path))?;
            items.insert(i, value);
            Ok(())
        }
        _ => Err(missing("add", path)),
    }
}

fn replace(target: &mut Value, path: &str, value: Value) -> Result<(), Error> {
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    let (at, key) = parent(target, "replace", path)?;
    match at {
        Value::Object(map) => {
            map.insert(key, value);
            Ok(())
        }
        Value::Array(items) => {
            let slot = index(&key, items.len())
                .and_then(|i| items.get_mut(i))
                .ok_or_else(|| missing("replace", path))?;
            *slot = value;
            Ok(())
        }
        _ => Err(missing("replace", path)),
    }
}

fn remove(target: &mut Value, path: &str) -> Result<Value, Error> {
    let (at, key) = parent(target, "remove", path)?;
    match at {
        Value::Object(map) => map.shift_remove(&key).ok_or_else(|| missing("remove", path)),
        Value::Array(items) => index(&key, items.len())
            .map(|i| items.remove(i))
            .ok_or_else(|| missing("remove", path)),
        _ => Err(missing("remove", path)),
    }
}

fn get<'a>(target: &'a mut Value, path: &str) -> Result<Option<&'a Value>, Error> {
    if path.is_empty() {
        return Ok(Some(target));
    }
    let (at, key) = parent(target, "test", path)?;
    Ok(match at {
        Value::Object(map) => map.get(&key),
        Value::Array(items) => index(&key, items.len()).and_then(|i| items.get(i)),
        _ => None,
    })
}

fn test(target: &mut Value, path: &str, value: &Value) -> Result<(), Error> {
    let found = get(target, path)?;
    if found.unwrap_or(&Value::Null) == value {
        Ok(())
    } else {
        Err(Error::invalid(format!("test {path}: the value differs")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Operation, apply};
    use crate::Budget;
    use crate::meter::Meter;

    fn patched(mut target: Value, patch: Value) -> Option<Value> {
        let operations: Vec<Operation> = serde_json::from_value(patch).expect("a patch");
        apply(&mut target, &operations, &Meter::new(Budget::default()))
            .ok()
            .map(|()| target)
    }

    #[test]
    fn operations_follow_gos_dialect() {
        let cases = [
            (
                json!({"a": [1, 2]}),
                json!([{"op": "add", "path": "/a/-", "value": 3}]),
                Some(json!({"a": [1, 2, 3]})),
            ),
            (
                json!({"a": [1, 2]}),
                json!([{"op": "add", "path": "/a/-1", "value": 3}]),
                Some(json!({"a": [1, 2, 3]})),
            ),
            (
                json!({"a": [1, 2]}),
                json!([{"op": "remove", "path": "/a/-1"}]),
                Some(json!({"a": [1]})),
            ),
            (
                json!({"a": [1, 2]}),
                json!([{"op": "add", "path": "/a/3", "value": 3}]),
                None,
            ),
            (
                json!({}),
                json!([{"op": "replace", "path": "/b", "value": 1}]),
                Some(json!({"b": 1})),
            ),
            (json!({}), json!([{"op": "remove", "path": "/b"}]), None),
            (
                json!({}),
                json!([{"op": "test", "path": "/b", "value": null}]),
                Some(json!({})),
            ),
            (
                json!({}),
                json!([{"op": "add", "path": "/b/c", "value": 1}]),
                None,
            ),
            (
                json!({"a/b": 1}),
                json!([{"op": "move", "from": "/a~1b", "path": "/c"}]),
                Some(json!({"c": 1})),
            ),
        ];
        for (target, patch, want) in cases {
            assert_eq!(patched(target, patch.clone()), want, "{patch}");
        }
    }
}
