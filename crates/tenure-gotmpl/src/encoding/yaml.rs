//! YAML as `sigs.k8s.io/yaml` and go-yaml write and read it.

use serde_json::{Map as JsonMap, Number, Value as Json};
use tenure_yaml::{EmitOptions, Options, Reason};

use super::json_read::wrong_type;
use crate::error::Error;
use crate::value::{Field, Kind, Map, Shape, Value};

/// Levels that are written.
const DEPTH: usize = 200;

/// Why a value has no YAML form.
pub(crate) enum Unwritable {
    /// The error of Go's encoder.
    Go(String),
    /// The run may not make so much of it.
    Limit(Error),
}

/// Writes a value as `toYaml` does, in at most so many bytes.
pub(crate) fn write(value: &Value, limit: usize) -> Result<String, Unwritable> {
    let json = Converter::new(limit, false).json(value, 0)?;
    Ok(tenure_yaml::to_string_with(&json, &EmitOptions::helm()))
}

/// Writes a value as `toYamlPretty` does: lists are indented, numbers keep their types.
pub(crate) fn write_pretty(value: &Value, limit: usize) -> Result<String, Unwritable> {
    let json = Converter::new(limit, true).json(value, 0)?;
    Ok(tenure_yaml::to_string_with(&json, &EmitOptions::helm_pretty()))
}

struct Converter {
    left: usize,
    /// Straight to YAML, not by way of JSON.
    direct: bool,
}

/// What a YAML reader refuses, so that what was written as JSON first does not come out.
fn is_unreadable(text: &str) -> bool {
    text.contains(
        |c| matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'),
    )
}

impl Converter {
    const fn new(left: usize, direct: bool) -> Self {
        Self { left, direct }
    }

    fn text(&mut self, text: &crate::value::Str) -> Result<String, Unwritable> {
        self.spend(text.len())?;
        let text = text.to_string();
        if !self.direct && is_unreadable(&text) {
            return Err(Unwritable::Go("yaml: control characters are not allowed".into()));
        }
        Ok(text)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Unwritable> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Unwritable::Limit(Error::limit(
                "a text is longer than the run may make",
            ))),
        }
    }

    fn json(&mut self, value: &Value, depth: usize) -> Result<Json, Unwritable> {
        if depth > DEPTH {
            return Err(Unwritable::Limit(Error::limit(
                "a value is nested too deeply to be encoded",
            )));
        }
        self.spend(8)?;
        Ok(match value {
            Value::Nil => Json::Null,
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Int(number) | Value::Int64(number) => Json::from(*number),
            Value::Uint8(number) => Json::from(*number),
            Value::Uint64(number) => Json::from(*number),
            Value::Float(number) if self.direct => Number::from_f64(*number).map_or(Json::Null, Json::Number),
            Value::Float(number) => float(*number)?,
            Value::Complex(..) => return Err(Unwritable::Go("json: unsupported type: complex128".into())),
            Value::String(text) => Json::String(self.text(text)?),
            Value::Bytes(bytes) => {
                use base64::Engine as _;
                self.spend(bytes.len())?;
                Json::String(base64::engine::general_purpose::STANDARD.encode(bytes.as_bytes()))
            }
            Value::List(list) if list.is_nil() && self.direct => Json::Array(Vec::new()),
            Value::List(list) if list.is_nil() => Json::Null,
            Value::List(list) if list.kind().element == Kind::Uint8 => Json::Null,
            Value::List(list) => {
                let items = list.to_vec();
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.json(item, depth + 1)).collect();
                Json::Array(items?)
            }
            Value::Map(map) => self.map(map, depth)?,
            Value::Object(object) => match object.marshal() {
                Some(value) => self.json(&value, depth + 1)?,
                None => match object.shape() {
                    Shape::Struct(fields) | Shape::Pointer(fields) => self.fields(&fields, depth)?,
                    Shape::Map(map) => self.map(&map, depth)?,
                    Shape::List(list) => self.json(&Value::List(list), depth + 1)?,
                    Shape::Plain(value) => self.json(&value, depth + 1)?,
                },
            },
        })
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<Json, Unwritable> {
        if map.is_nil() && self.direct {
            return Ok(Json::Object(JsonMap::new()));
        }
        if map.is_nil() {
            return Ok(Json::Null);
        }
        let mut members = JsonMap::new();
        for (key, value) in map.entries() {
            members.insert(self.text(&key)?, self.json(&value, depth + 1)?);
        }
        Ok(Json::Object(members))
    }

    fn fields(&mut self, fields: &[Field], depth: usize) -> Result<Json, Unwritable> {
        let mut members = JsonMap::new();
        for field in fields {
            if field.json.is_empty() || field.omit_empty && !field.value.is_true() {
                continue;
            }
            members.insert(field.json.to_owned(), self.json(&field.value, depth + 1)?);
        }
        Ok(Json::Object(members))
    }
}

/// A float by way of JSON, where whole numbers lose their point.
#[expect(clippy::cast_possible_truncation, reason = "whole and small enough")]
fn float(number: f64) -> Result<Json, Unwritable> {
    const WHOLE: f64 = 9_223_372_036_854_775_808.0;
    if number.fract() == 0.0 && number.abs() < WHOLE {
        return Ok(Json::from(number as i64));
    }
    match Number::from_f64(number) {
        Some(number) => Ok(Json::Number(number)),
        None => Err(Unwritable::Go(format!(
            "error marshaling into JSON: json: unsupported value: {}",
            crate::golang::number::shortest(number)
        ))),
    }
}

/// Reads a document of any type, with Go's error.
fn read(text: &[u8]) -> Result<Value, String> {
    read_yaml(text).map(|json| Value::from_json(&json))
}

/// Reads the first document of a text as Kubernetes' YAML package does. Integers stay integers.
///
/// # Errors
/// When the text is malformed, with Go's message as far as it is known.
pub fn read_yaml(text: &[u8]) -> Result<Json, String> {
    if starts_with_tab(text) {
        return Err(format!(
            "error converting YAML to JSON: yaml: {}",
            "found character that cannot start any token"
        ));
    }
    let options = Options::helm().last_wins();
    match tenure_yaml::parse(text, &options) {
        Ok(documents) => Ok(documents
            .into_iter()
            .next()
            .map_or(Json::Null, |document| document.value)),
        Err(error) => Err(format!("error converting YAML to JSON: {}", reason(&error))),
    }
}

/// Whether the first line with anything on it is indented with a tab, which only some readers let pass.
fn starts_with_tab(text: &[u8]) -> bool {
    let blank = |line: &&[u8]| line.iter().all(|byte| matches!(byte, b' ' | b'\r'));
    let first = text.split(|byte| *byte == b'\n').find(|line| !blank(line));
    first.is_some_and(|line| line.iter().find(|byte| **byte != b' ') == Some(&b'\t'))
}

/// Reads a map, as `fromYaml` does.
pub(crate) fn read_map(text: &[u8]) -> Result<Map, String> {
    const TYPE: &str = "map[string]interface {}";
    match read(text)? {
        Value::Map(map) => Ok(map),
        Value::Nil => Ok(Map::new()),
        other => Err(wrong(&other, TYPE)),
    }
}

/// Reads a list, as `fromYamlArray` does.
pub(crate) fn read_list(text: &[u8]) -> Result<Value, String> {
    match read(text)? {
        list @ Value::List(_) => Ok(list),
        Value::Nil => Ok(Vec::new().into()),
        other => Err(wrong(&other, "[]interface {}")),
    }
}

fn wrong(value: &Value, wanted: &str) -> String {
    format!(
        "error unmarshaling JSON: while decoding JSON: {}",
        wrong_type(value, wanted)
    )
}

/// The words of go-yaml for what is wrong.
fn reason(error: &tenure_yaml::Error) -> String {
    let line = error.location.line;
    let at = |text: &str| {
        if line > 1 {
            format!("yaml: line {line}: {text}")
        } else {
            format!("yaml: {text}")
        }
    };
    match &error.reason {
        Reason::Syntax(text) => at(syntax(text)),
        Reason::NotFinite(".inf") => "json: unsupported value: +Inf".into(),
        Reason::NotFinite("-.inf") => "json: unsupported value: -Inf".into(),
        Reason::NotFinite(_) => "json: unsupported value: NaN".into(),
        Reason::NotUtf8 => "yaml: control characters are not allowed".into(),
        other => at(&other.to_string()),
    }
}

/// The message without the part that says what was being read.
fn without_context(text: &str) -> &str {
    match text.split_once(", ") {
        Some((context, rest)) if context.starts_with("while ") => rest,
        _ => text,
    }
}

/// go-yaml's message for that of the scanner.
fn syntax(text: &str) -> &str {
    const WORDS: &[(&str, &str)] = &[
        (
            "mapping values are not allowed",
            "mapping values are not allowed in this context",
        ),
        (
            "cannot start any token",
            "found character that cannot start any token",
        ),
        ("tab", "found character that cannot start any token"),
        ("simple key expect", "could not find expected ':'"),
        ("while scanning a quoted scalar", "found unexpected end of stream"),
    ];
    WORDS
        .iter()
        .find(|(ours, _)| text.contains(ours))
        .map_or_else(|| without_context(text), |(_, gos)| gos)
}
