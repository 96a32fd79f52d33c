//! Values: those of the chart, then the user's, then those set one by one.

use serde_json::Value as Json;
use tenure_gotmpl::{Map, Value};
use tenure_yaml::Options;

/// The values of a case.
pub(crate) fn of(case: &Json) -> Result<Map, String> {
    let chart = read(case["values"].as_str().unwrap_or_default())?;
    let user = read(case["user_values"].as_str().unwrap_or_default())?;
    for (key, typed) in [("set", true), ("set_string", false)] {
        for text in case[key]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
        {
            set(&user, text, typed)?;
        }
    }
    for text in case["set_json"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
    {
        set_json(&user, text)?;
    }
    overlay(&chart, &user);
    drop_nulls(&chart);
    Ok(chart)
}

fn read(text: &str) -> Result<Map, String> {
    let json = tenure_yaml::parse_one(text.as_bytes(), &Options::helm().last_wins())
        .map_err(|error| error.to_string())?;
    Ok(Value::from_json(&json).as_map().unwrap_or_default())
}

fn drop_nulls(map: &Map) {
    for (key, value) in map.entries() {
        match value {
            Value::Nil => drop(map.remove(key.as_bytes())),
            Value::Map(inner) => drop_nulls(&inner),
            _ => {}
        }
    }
}

fn overlay(under: &Map, over: &Map) {
    for (key, value) in over.entries() {
        match (under.get(key.as_bytes()), &value) {
            (_, Value::Nil) => {
                under.remove(key.as_bytes());
            }
            (Some(Value::Map(below)), Value::Map(above)) => overlay(&below, above),
            _ => {
                under.insert(key, value);
            }
        }
    }
}

/// `a.b=c,d=e`, with plain names only.
fn set(values: &Map, text: &str, typed: bool) -> Result<(), String> {
    let mut depth = 0;
    let parts = text.split(|c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    });
    for part in parts {
        let (path, value) = part
            .split_once('=')
            .ok_or_else(|| format!("failed parsing --set data: key {part:?} has no value"))?;
        let value = match value.strip_prefix('{').and_then(|list| list.strip_suffix('}')) {
            Some(list) => list
                .split(',')
                .map(|item| scalar(item, typed))
                .collect::<Vec<_>>()
                .into(),
            None => scalar(value, typed),
        };
        put(values, path, value);
    }
    Ok(())
}

fn scalar(text: &str, typed: bool) -> Value {
    match text {
        "true" if typed => true.into(),
        "false" if typed => false.into(),
        "null" if typed => Value::Nil,
        text if typed && (text == "0" || !text.starts_with('0')) => {
            text.parse().map_or_else(|_| text.into(), Value::Int64)
        }
        text => text.into(),
    }
}

fn put(values: &Map, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            values.insert(path, value);
        }
        Some((first, rest)) => {
            let inner = values
                .get(first)
                .and_then(|value| value.as_map())
                .unwrap_or_default();
            put(&inner, rest, value);
            values.insert(first, inner);
        }
    }
}

fn set_json(values: &Map, text: &str) -> Result<(), String> {
    let failed = |_| format!("failed parsing --set-json data {text}");
    if text.starts_with('{') {
        let json: Json = serde_json::from_str(text).map_err(failed)?;
        overlay(values, &Value::from_json(&json).as_map().unwrap_or_default());
        return Ok(());
    }
    let (path, json) = text.split_once('=').unwrap_or((text, "null"));
    let json: Json = serde_json::from_str(json).map_err(failed)?;
    put(values, path, Value::from_json(&json));
    Ok(())
}
