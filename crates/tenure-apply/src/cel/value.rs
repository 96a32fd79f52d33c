use std::collections::HashMap;

use cel::Value as Cel;
use serde_json::{Number, Value};

/// A JSON value as CEL has it. Whole numbers are `int`, as they are for Go, so that they can be compared
/// and added to what an expression says.
pub(super) fn convert(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => from_number(number),
        Value::String(text) => Cel::from(text.clone()),
        Value::Array(items) => Cel::from(items.iter().map(convert).collect::<Vec<_>>()),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| (key.clone(), convert(value)));
            Cel::from(entries.collect::<HashMap<_, _>>())
        }
    }
}

fn from_number(number: &Number) -> Cel {
    if let Some(whole) = number.as_i64() {
        return Cel::Int(whole);
    }
    match number.as_u64() {
        Some(large) => Cel::UInt(large),
        None => number.as_f64().map_or(Cel::Null, Cel::Float),
    }
}
