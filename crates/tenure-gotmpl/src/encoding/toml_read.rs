//! Reading TOML.

use crate::golang::time;
use crate::value::{List, ListType, Map, Value};

/// Reads a document; the error tells of the first thing that is wrong.
pub(crate) fn read(text: &str) -> Result<Map, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        format!("toml: line {line}: {}", error.message())
    })?;
    Ok(map(&table))
}

fn map(table: &toml::Table) -> Map {
    table
        .iter()
        .map(|(key, value)| (key.as_str(), convert(value)))
        .collect()
}

fn convert(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => Value::Int64(*number),
        toml::Value::Float(number) => Value::Float(*number),
        toml::Value::Boolean(truth) => Value::Bool(*truth),
        toml::Value::Datetime(datetime) => date(datetime),
        toml::Value::Array(items) => {
            let tables = !items.is_empty() && items.iter().all(toml::Value::is_table);
            let kind = if tables { &ListType::MAPS } else { &ListType::ANY };
            Value::List(List::typed(kind, items.iter().map(convert).collect()))
        }
        toml::Value::Table(table) => map(table).into(),
    }
}

fn date(datetime: &toml::value::Datetime) -> Value {
    let text = datetime.to_string();
    let layouts = [
        "2006-01-02T15:04:05.999999999Z07:00",
        "2006-01-02T15:04:05.999999999",
        "2006-01-02",
        "15:04:05.999999999",
    ];
    let read = layouts
        .into_iter()
        .find_map(|layout| time::parse(layout, &text).ok());
    read.map_or_else(|| text.into(), Value::object)
}
