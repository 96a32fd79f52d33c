use serde_json::{Map, Value};

use super::SetError;
use crate::values::{as_go_json, go_type};

const MAX_INDEX: i64 = 65_536;
const MAX_NAMES: usize = 30;
/// Helm has no such bound; it keeps `a[0][0]…` from using up the stack.
const MAX_LISTS: usize = 100;

/// How values are written.
#[derive(Clone, Copy)]
pub(super) enum Syntax<'a> {
    Typed,
    Text,
    File(&'a dyn Fn(&str) -> Result<String, String>),
    Json,
    Literal,
}

/// Why the parser stopped. The end of the line ends a key early without being a fault.
enum Stop {
    End,
    Fault(String),
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Fault(text)
    }
}

/// One line, read from the left.
pub(super) struct Parser<'a> {
    rest: &'a str,
    syntax: Syntax<'a>,
    lists: usize,
}

impl<'a> Parser<'a> {
    pub(super) const fn new(line: &'a str, syntax: Syntax<'a>) -> Self {
        Self {
            rest: line,
            syntax,
            lists: 0,
        }
    }

    pub(super) fn run(mut self, values: &mut Map<String, Value>) -> Result<(), SetError> {
        loop {
            match self.key(values, 0) {
                Ok(()) => {}
                Err(Stop::End) => return Ok(()),
                Err(Stop::Fault(text)) => return Err(SetError(text)),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        Some(c)
    }

    /// What comes before the first of `stops`, and which it is; nothing at the end of the line.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        while let Some(c) = self.next() {
            if stops.contains(&c) {
                return (text, Some(c));
            }
            if c == '\\' && !matches!(self.syntax, Syntax::Literal) {
                match self.next() {
                    Some(escaped) => text.push(escaped),
                    None => break,
                }
            } else {
                text.push(c);
            }
        }
        (text, None)
    }

    fn key(&mut self, data: &mut Map<String, Value>, names: usize) -> Result<(), Stop> {
        let stops: &[char] = match self.syntax {
            Syntax::Literal => &['=', '[', '.'],
            _ => &['=', '[', ',', '.'],
        };
        let (key, stop) = self.until(stops);
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None => Err(format!("key {key:?} has no value").into()),
            Some('[') => {
                let index = self.index()?;
                let mut list = match data.get_mut(&key) {
                    Some(held) => as_list(held.take())?,
                    None => Vec::new(),
                };
                let done = self.item(&mut list, index, names);
                put(data, &key, Value::Array(list));
                done
            }
            Some('=') => self.value_of(data, &key),
            Some('.') => {
                if names + 1 > MAX_NAMES {
                    return Err(format!(
                        "value name nested level is greater than maximum supported nested level of {MAX_NAMES}"
                    )
                    .into());
                }
                let mut inner = match data.get_mut(&key) {
                    Some(held) => as_table(held.take())?,
                    None => Map::new(),
                };
                let done = self.key(&mut inner, names + 1);
                if done.is_ok() && inner.is_empty() {
                    return Err(format!("key map {key:?} has no value").into());
                }
                if !inner.is_empty() {
                    put(data, &key, Value::Object(inner));
                }
                done
            }
            Some(_) => {
                put(data, &key, Value::from(""));
                Err(format!("key {key:?} has no value (cannot end with ,)").into())
            }
        }
    }

    /// The value behind `=`.
    fn value_of(&mut self, data: &mut Map<String, Value>, key: &str) -> Result<(), Stop> {
        let at_end = self.rest.is_empty();
        let value = self.value()?;
        put(data, key, value);
        if at_end && !matches!(self.syntax, Syntax::Json | Syntax::Literal) {
            return Err(Stop::End);
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Value, Stop> {
        match self.syntax {
            Syntax::Literal => return Ok(Value::from(std::mem::take(&mut self.rest))),
            Syntax::Json => return self.json(),
            _ => {}
        }
        if self.rest.is_empty() {
            return Ok(Value::from(""));
        }
        if let Some(rest) = self.rest.strip_prefix('{') {
            self.rest = rest;
            return self.list();
        }
        let (text, _) = self.until(&[',']);
        self.typed(text)
    }

    fn json(&mut self) -> Result<Value, Stop> {
        if self.blank() {
            return Ok(Value::Null);
        }
        let mut stream = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        let value = match stream.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(error.to_string().into()),
            None => return Err(Stop::End),
        };
        self.rest = self.rest.get(stream.byte_offset()..).unwrap_or_default();
        self.blank();
        Ok(as_go_json(value))
    }

    /// Skips spaces and one comma; whether nothing else came before it or the end.
    fn blank(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(',') {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => self.rest.is_empty(),
        }
    }

    fn list(&mut self) -> Result<Value, Stop> {
        let mut list = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            if stop.is_none() {
                return Err("list must terminate with '}'".to_owned().into());
            }
            list.push(self.typed(text)?);
            if stop == Some('}') {
                self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                return Ok(Value::Array(list));
            }
        }
    }

    fn index(&mut self) -> Result<i64, Stop> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(Stop::End);
        }
        text.parse().map_err(|_| {
            Stop::Fault(format!(
                "error parsing index: strconv.Atoi: parsing {text:?}: invalid syntax"
            ))
        })
    }

    /// What follows `]`.
    fn item(&mut self, list: &mut Vec<Value>, index: i64, names: usize) -> Result<(), Stop> {
        if index < 0 {
            return Err(format!("negative {index} index not allowed").into());
        }
        self.lists += 1;
        if self.lists > MAX_LISTS {
            return Err(format!("more than {MAX_LISTS} indices").into());
        }
        let (key, stop) = self.until(&['[', '.', '=']);
        if !key.is_empty() {
            return Err(format!("unexpected data at end of array index: {}", runes(&key)).into());
        }
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let value = match stop {
            None => return Err(Stop::End),
            Some('=') => self.value()?,
            Some('[') => {
                let next = self.index()?;
                let mut inner = match list.get_mut(at).map(Value::take) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(held) => as_list(held)?,
                };
                self.item(&mut inner, next, names)?;
                Value::Array(inner)
            }
            Some(_) => {
                let mut inner = match list.get_mut(at).map(Value::take) {
                    Some(Value::Object(inner)) => inner,
                    _ => Map::new(),
                };
                self.key(&mut inner, names)?;
                Value::Object(inner)
            }
        };
        self.lists -= 1;
        if index > MAX_INDEX {
            return Err(
                format!("index of {index} is greater than maximum supported index of {MAX_INDEX}").into(),
            );
        }
        if list.len() <= at {
            list.resize(at + 1, Value::Null);
        }
        if let Some(slot) = list.get_mut(at) {
            *slot = value;
        }
        Ok(())
    }

    fn typed(&self, text: String) -> Result<Value, Stop> {
        match self.syntax {
            Syntax::Typed => Ok(typed(text)),
            Syntax::File(read) => Ok(Value::from(read(&text)?)),
            _ => Ok(Value::from(text)),
        }
    }
}

fn typed(text: String) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::from(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::from(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    if text == "0" {
        return Value::from(0);
    }
    if !text.starts_with('0')
        && let Ok(number) = text.parse::<i64>()
    {
        return Value::from(number);
    }
    Value::from(text)
}

/// A key without a name is read and dropped.
fn put(data: &mut Map<String, Value>, key: &str, value: Value) {
    if !key.is_empty() {
        data.insert(key.to_owned(), value);
    }
}

fn as_list(value: Value) -> Result<Vec<Value>, Stop> {
    match value {
        Value::Array(list) => Ok(list),
        other => Err(wrong_type(&other, "[]interface {}")),
    }
}

fn as_table(value: Value) -> Result<Map<String, Value>, Stop> {
    match value {
        Value::Object(table) => Ok(table),
        other => Err(wrong_type(&other, "map[string]interface {}")),
    }
}

fn wrong_type(value: &Value, wanted: &str) -> Stop {
    Stop::Fault(format!(
        "unable to parse key: interface conversion: interface {{}} is {}, not {wanted}",
        go_type(value)
    ))
}

/// Characters as Go's `%q` prints a slice of them.
fn runes(text: &str) -> String {
    let quoted: Vec<String> = text.chars().map(|c| format!("{c:?}")).collect();
    format!("[{}]", quoted.join(" "))
}
