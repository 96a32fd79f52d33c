//! Values: how they are read, laid over each other, and brought into the shape templates see.

mod coalesce;
mod table;
mod yaml;

use serde_json::{Map, Number, Value};

pub use coalesce::NotATable;
pub(crate) use coalesce::{Coalescer, Defaults};
pub(crate) use table::{deep_copy, from_json_map, path_value, table, to_json_map};
pub(crate) use yaml::json_kind;
pub use yaml::{ValuesError, read_values};

/// JSON as Go's decoder gives it: every number a float64. Integers stay what `--set` makes.
pub(crate) fn as_go_json(value: Value) -> Value {
    match value {
        Value::Number(number) => number
            .as_f64()
            .and_then(Number::from_f64)
            .map_or(Value::Number(number), Value::Number),
        Value::Array(items) => Value::Array(items.into_iter().map(as_go_json).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(k, v)| (k, as_go_json(v))).collect())
        }
        other => other,
    }
}

/// A table of JSON text as Helm reads it: every number a float64.
#[must_use]
pub fn with_floats(table: Map<String, Value>) -> Map<String, Value> {
    table.into_iter().map(|(k, v)| (k, as_go_json(v))).collect()
}

/// Values as they are written: numbers that are whole are written so.
pub(crate) fn whole(table: Map<String, Value>) -> Map<String, Value> {
    fn of(value: Value) -> Value {
        match value {
            Value::Number(number) => Value::Number(integer(&number).unwrap_or(number)),
            Value::Array(items) => Value::Array(items.into_iter().map(of).collect()),
            Value::Object(members) => Value::Object(whole(members)),
            other => other,
        }
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only numbers that are whole and in range are cast"
    )]
    fn integer(number: &Number) -> Option<Number> {
        let float = number.as_f64().filter(|_| number.is_f64())?;
        // beyond this a float64 is not exact, and its exponent is what Go writes
        let whole = float.fract() == 0.0 && float.abs() < 1e15;
        whole.then(|| Number::from(float as i64))
    }
    table.into_iter().map(|(key, value)| (key, of(value))).collect()
}

/// The Go type behind a value, as `%T` prints it.
pub(crate) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Lays `over` on `base`: tables are merged, everything else is replaced, nulls included.
pub fn merge(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_merge_and_everything_else_is_replaced() {
        let mut base = json!({"a": {"b": 1, "c": [1]}, "d": 1});
        let over = json!({"a": {"b": null, "c": [2]}, "d": {"e": 1}});
        let (Some(below), Value::Object(above)) = (base.as_object_mut(), over) else {
            panic!("tables");
        };
        merge(below, above);
        assert_eq!(base, json!({"a": {"b": null, "c": [2]}, "d": {"e": 1}}));
    }
}
