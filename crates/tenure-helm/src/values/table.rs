use serde_json::{Map as JsonMap, Number, Value as Json};
use tenure_gotmpl::{List, Map, Value};

/// The table at a dotted path; the error names the part that is missing or no table.
pub(crate) fn table(values: &Map, path: &str) -> Result<Map, String> {
    path.split('.').try_fold(values.clone(), |table, name| {
        table
            .get(name)
            .as_ref()
            .and_then(Value::as_map)
            .ok_or_else(|| format!("{name:?} is not a table"))
    })
}

/// The value at a dotted path, if there is one that is no table.
pub(crate) fn path_value(values: &Map, path: &str) -> Option<Value> {
    let (above, name) = match path.rsplit_once('.') {
        Some((above, name)) => (table(values, above).ok()?, name),
        None => (values.clone(), path),
    };
    above.get(name).filter(|value| !matches!(value, Value::Map(_)))
}

/// JSON as templates see it: floats are float64, integers int64.
pub(crate) fn from_json_map(members: &JsonMap<String, Json>) -> Map {
    members
        .iter()
        .map(|(key, value)| (key.as_str(), Value::from_json_with_integers(value)))
        .collect()
}

/// The way back, for values that came from JSON and were only rearranged.
pub(crate) fn to_json_map(table: &Map) -> JsonMap<String, Json> {
    table
        .entries()
        .iter()
        .map(|(key, value)| (key.to_str().into_owned(), to_json(value)))
        .collect()
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(number) | Value::Int64(number) => Json::from(*number),
        Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::String(text) => Json::String(text.to_str().into_owned()),
        Value::List(list) => Json::Array(list.to_vec().iter().map(to_json).collect()),
        Value::Map(table) => Json::Object(to_json_map(table)),
        _ => Json::Null,
    }
}

/// A copy that shares no table and no list with the original.
pub(crate) fn deep_copy(table: &Map) -> Map {
    table
        .entries()
        .into_iter()
        .map(|(key, value)| (key, deep(value)))
        .collect()
}

fn deep(value: Value) -> Value {
    match value {
        Value::Map(table) => Value::Map(deep_copy(&table)),
        Value::List(list) => Value::List(List::new(list.to_vec().into_iter().map(deep).collect())),
        other => other,
    }
}
