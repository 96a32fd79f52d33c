//! The name suffix that makes a generated object's name change with its content.

use serde_json::{Value, json};
use tenure_core::Digest;

use super::Transform;
use crate::Error;
use crate::resmap::ResMap;
use crate::schema::Schemas;

/// Appends the hash to the names of generated objects.
pub(crate) struct Hash;

impl Transform for Hash {
    fn apply(&self, all: &mut ResMap, _: &Schemas) -> Result<(), Error> {
        let meter = all.meter();
        for mut resource in all.iter_mut().filter(|r| r.needs_hash) {
            meter.check()?;
            let hash = suffix(&resource.value.view(), resource.kind());
            resource.remember(&meter)?;
            let name = format!("{}-{hash}", resource.name());
            meter.take(name.len())?;
            resource.set_name(&name);
        }
        Ok(())
    }
}

/// The name is no part of the content, so that a prefix does not change the hash.
fn suffix(value: &Value, kind: &str) -> String {
    let field = |key: &str| value.get(key).cloned().unwrap_or_else(|| Value::from(""));
    let content = match kind {
        "ConfigMap" if value.get("binaryData").is_some_and(Value::is_object) => {
            json!({"binaryData": field("binaryData"), "data": field("data"), "kind": kind, "name": ""})
        }
        "ConfigMap" => json!({"data": field("data"), "kind": kind, "name": ""}),
        "Secret" if value.get("stringData").is_some_and(Value::is_object) => {
            json!({"data": field("data"), "kind": kind, "name": "", "stringData": field("stringData"), "type": field("type")})
        }
        "Secret" => json!({"data": field("data"), "kind": kind, "name": "", "type": field("type")}),
        _ => value.clone(),
    };
    Digest::of(go_json(&content).as_bytes())
        .hex()
        .chars()
        .take(10)
        .map(readable)
        .collect()
}

/// No vowels and no digits that look like letters.
const fn readable(c: char) -> char {
    match c {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        c => c,
    }
}

/// JSON as Go's encoder writes it: keys sorted, `<`, `>`, `&` and line separators escaped.
pub(super) fn go_json(value: &Value) -> String {
    escaped(sorted(value).to_string())
}

/// The same, indented by two spaces.
pub(super) fn go_json_indented(value: &Value) -> String {
    escaped(format!("{:#}", sorted(value)))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by(|a, b| a.0.cmp(b.0));
            Value::Object(members.into_iter().map(|(k, v)| (k.clone(), sorted(v))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn escaped(text: String) -> String {
    let escapes = [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ];
    escapes.iter().fold(text, |text, (c, escape)| {
        if text.contains(*c) {
            text.replace(*c, escape)
        } else {
            text
        }
    })
}
