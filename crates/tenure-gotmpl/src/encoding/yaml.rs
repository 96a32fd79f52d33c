//! YAML as `sigs.k8s.io/yaml` and go-yaml write and read it.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Number, Value as Json};
use tenure_yaml::{EmitOptions, Options, Reason, Tree, View};

use super::json_read::wrong_type;
use crate::error::Error;
use crate::template::Texts;
use crate::value::{Field, Kind, Map, Shape, Str, Value};

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
    let node = Converter::new(limit, false).node(value, 0)?;
    Ok(tenure_yaml::to_string_with(&node, &EmitOptions::helm()))
}

/// Writes a value as `toYamlPretty` does: lists are indented, numbers keep their types.
pub(crate) fn write_pretty(value: &Value, limit: usize) -> Result<String, Unwritable> {
    let node = Converter::new(limit, true).node(value, 0)?;
    Ok(tenure_yaml::to_string_with(&node, &EmitOptions::helm_pretty()))
}

/// A value as it is to be written. Its texts are those of the value.
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    /// UTF-8.
    Text(Str),
    List(Vec<Self>),
    Map(Vec<(Str, Self)>),
}

impl Tree for Node {
    fn view(&self) -> View<'_, Self> {
        match self {
            Self::Null => View::Null,
            Self::Bool(truth) => View::Bool(*truth),
            Self::Number(number) => View::Number(number),
            Self::Text(text) => View::Text(utf8(text)),
            Self::List(items) => View::List(items),
            Self::Map(members) => View::Map(members.iter().map(|(key, node)| (utf8(key), node)).collect()),
        }
    }
}

fn utf8(text: &Str) -> &str {
    std::str::from_utf8(text.as_bytes()).unwrap_or_default()
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

    fn text(&mut self, text: Str) -> Result<Str, Unwritable> {
        self.spend(text.len())?;
        let shown = text.to_str();
        if !self.direct && is_unreadable(&shown) {
            return Err(Unwritable::Go("yaml: control characters are not allowed".into()));
        }
        Ok(match shown {
            Cow::Borrowed(_) => text,
            Cow::Owned(replaced) => replaced.into(),
        })
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

    fn node(&mut self, value: &Value, depth: usize) -> Result<Node, Unwritable> {
        if depth > DEPTH {
            return Err(Unwritable::Limit(Error::limit(
                "a value is nested too deeply to be encoded",
            )));
        }
        self.spend(8)?;
        Ok(match value {
            Value::Nil => Node::Null,
            Value::Bool(truth) => Node::Bool(*truth),
            Value::Int(number) | Value::Int64(number) => Node::Number((*number).into()),
            Value::Uint8(number) => Node::Number((*number).into()),
            Value::Uint64(number) => Node::Number((*number).into()),
            Value::Float(number) if self.direct => Number::from_f64(*number).map_or(Node::Null, Node::Number),
            Value::Float(number) => float(*number)?,
            Value::Complex(..) => return Err(Unwritable::Go("json: unsupported type: complex128".into())),
            Value::String(text) => Node::Text(self.text(text.clone())?),
            Value::Bytes(bytes) => {
                use base64::Engine as _;
                self.spend(bytes.len())?;
                Node::Text(
                    base64::engine::general_purpose::STANDARD
                        .encode(bytes.as_bytes())
                        .into(),
                )
            }
            Value::List(list) if list.is_nil() && self.direct => Node::List(Vec::new()),
            Value::List(list) if list.is_nil() => Node::Null,
            Value::List(list) if list.kind().element == Kind::Uint8 => Node::Null,
            Value::List(list) => {
                let items = list.to_vec();
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.node(item, depth + 1)).collect();
                Node::List(items?)
            }
            Value::Map(map) => self.map(map, depth)?,
            Value::Object(object) => match object.marshal() {
                Some(value) => self.node(&value, depth + 1)?,
                None => match object.shape() {
                    Shape::Struct(fields) | Shape::Pointer(fields) => self.fields(&fields, depth)?,
                    Shape::Map(map) => self.map(&map, depth)?,
                    Shape::List(list) => self.node(&Value::List(list), depth + 1)?,
                    Shape::Plain(value) => self.node(&value, depth + 1)?,
                },
            },
        })
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<Node, Unwritable> {
        if map.is_nil() && self.direct {
            return Ok(Node::Map(Vec::new()));
        }
        if map.is_nil() {
            return Ok(Node::Null);
        }
        let mut members = Vec::with_capacity(map.len());
        let mut replaced = false;
        map.each(|key, value| {
            let text = self.text(key.clone())?;
            replaced |= text != *key;
            members.push((text, self.node(value, depth + 1)?));
            Ok::<_, Unwritable>(())
        })?;
        if replaced {
            members = once_each(members);
        }
        Ok(Node::Map(members))
    }

    fn fields(&mut self, fields: &[Field], depth: usize) -> Result<Node, Unwritable> {
        let mut members = Vec::new();
        for field in fields {
            if field.json.is_empty() || field.omit_empty && !field.value.is_true() {
                continue;
            }
            members.push((field.json.into(), self.node(&field.value, depth + 1)?));
        }
        Ok(Node::Map(members))
    }
}

/// Members under keys that may have become the same: the first one's place, the last one's value.
fn once_each(members: Vec<(Str, Node)>) -> Vec<(Str, Node)> {
    let mut places = HashMap::new();
    let mut kept: Vec<(Str, Node)> = Vec::with_capacity(members.len());
    for (key, node) in members {
        let place = *places.entry(key.clone()).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(held) => held.1 = node,
            None => kept.push((key, node)),
        }
    }
    kept
}

/// A float by way of JSON, where whole numbers lose their point.
#[expect(clippy::cast_possible_truncation, reason = "whole and small enough")]
fn float(number: f64) -> Result<Node, Unwritable> {
    const WHOLE: f64 = 9_223_372_036_854_775_808.0;
    if number.fract() == 0.0 && number.abs() < WHOLE {
        return Ok(Node::Number((number as i64).into()));
    }
    match Number::from_f64(number) {
        Some(number) => Ok(Node::Number(number)),
        None => Err(Unwritable::Go(format!(
            "error marshaling into JSON: json: unsupported value: {}",
            crate::golang::number::shortest(number)
        ))),
    }
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
pub(crate) fn read_map(texts: &Texts, text: &Str) -> Result<Map, String> {
    const TYPE: &str = "map[string]interface {}";
    match texts.read(text, read_yaml)? {
        Value::Map(map) => Ok(map),
        Value::Nil => Ok(Map::new()),
        other => Err(wrong(&other, TYPE)),
    }
}

/// Reads a list, as `fromYamlArray` does.
pub(crate) fn read_list(texts: &Texts, text: &Str) -> Result<Value, String> {
    match texts.read(text, read_yaml)? {
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
