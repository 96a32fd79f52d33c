//! TOML as BurntSushi's package writes it.

use crate::error::Error;
use crate::golang::number::shortest;
use crate::golang::unicode::runes;
use crate::value::{Kind, Map, Shape, Value};

const DEPTH: usize = 200;
const NIL_ELEMENT: &str = "toml: cannot encode array with nil element";
const TOP_LEVEL: &str = "toml: top-level values must be Go maps or structs";

/// Writes a value; the error is Go's, and comes with what was written before it.
pub(crate) fn write(value: &Value, limit: usize) -> Result<String, Error> {
    let mut writer = Writer {
        out: String::new(),
        limit,
        written: false,
    };
    match value.as_map() {
        Some(map) if value.kind() == Kind::Map => writer.table(&mut Vec::new(), &map)?,
        _ => writer.top_level(value)?,
    }
    Ok(writer.out)
}

struct Writer {
    out: String,
    limit: usize,
    written: bool,
}

fn is_table(value: &Value) -> bool {
    value.kind() == Kind::Map
}

/// A list whose items are all tables, and has some.
fn is_table_list(value: &Value) -> bool {
    value
        .as_list()
        .is_some_and(|list| !list.is_empty() && list.to_vec().iter().all(is_table))
}

fn is_nil(value: &Value) -> bool {
    value.is_nil()
}

impl Writer {
    fn check(&self, depth: usize) -> Result<(), Error> {
        if depth > DEPTH {
            return Err(Error::limit("a value is nested too deeply to be encoded"));
        }
        if self.out.len() > self.limit {
            return Err(Error::limit("a text is longer than the run may make"));
        }
        Ok(())
    }

    /// A value that is no table has no name to stand under.
    fn top_level(&mut self, value: &Value) -> Result<(), Error> {
        match value {
            Value::Nil => Err("toml: cannot encode a nil value".into()),
            list if is_table_list(list) => Err(TOP_LEVEL.into()),
            other => self.element(other, 0),
        }
    }

    fn table(&mut self, path: &mut Vec<String>, map: &Map) -> Result<(), Error> {
        self.check(path.len())?;
        let entries = map.entries();
        let (tables, direct): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .partition(|(_, value)| is_table(value) || is_table_list(value));
        for (key, value) in direct {
            if is_nil(&value) {
                continue;
            }
            self.indent(path.len() + 1);
            self.out.push_str(&quoted_key(&key.to_str()));
            self.out.push_str(" = ");
            self.element(&value, 0)?;
            self.out.push('\n');
            self.written = true;
        }
        for (key, value) in tables {
            path.push(quoted_key(&key.to_str()));
            if let Some(list) = value.as_list() {
                for item in list.to_vec() {
                    self.header(path, true);
                    if let Some(map) = item.as_map() {
                        self.table(path, &map)?;
                    }
                }
            } else if let Some(map) = value.as_map()
                && !map.is_nil()
            {
                self.header(path, false);
                self.table(path, &map)?;
            }
            path.pop();
        }
        Ok(())
    }

    fn header(&mut self, path: &[String], list: bool) {
        if path.len() == 1 || list {
            self.blank();
        }
        self.indent(path.len());
        let (open, close) = if list { ("[[", "]]") } else { ("[", "]") };
        self.out.push_str(open);
        self.out.push_str(&path.join("."));
        self.out.push_str(close);
        self.out.push('\n');
        self.written = true;
    }

    /// An empty line between tables, but not at the start.
    fn blank(&mut self) {
        if self.written {
            self.out.push('\n');
        }
    }

    fn indent(&mut self, depth: usize) {
        let depth = depth.saturating_sub(1);
        self.out.extend(std::iter::repeat_n("  ", depth));
    }

    fn element(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.check(depth)?;
        match value {
            Value::Nil => return Err(NIL_ELEMENT.into()),
            Value::Bool(truth) => self.out.push_str(if *truth { "true" } else { "false" }),
            Value::Int(number) | Value::Int64(number) => self.out.push_str(&number.to_string()),
            Value::Uint8(number) => self.out.push_str(&number.to_string()),
            Value::Uint64(number) => self.out.push_str(&number.to_string()),
            Value::Float(number) => self.out.push_str(&float(*number)),
            Value::Complex(..) => return Err("unsupported type for key '': complex128".into()),
            Value::String(text) => self.out.push_str(&quoted(text.as_bytes())),
            Value::Map(map) => self.inline(map, depth)?,
            Value::Bytes(_) | Value::List(_) => self.array(value, depth)?,
            Value::Object(object) => match object.shape() {
                Shape::Map(map) => self.inline(&map, depth)?,
                Shape::List(_) => self.array(value, depth)?,
                Shape::Plain(plain) => match object.text() {
                    Some(text) if object.type_name() == "time.Duration" => {
                        self.out.push_str(&quoted(text.as_bytes()));
                    }
                    _ => self.element(&plain, depth + 1)?,
                },
                Shape::Struct(_) | Shape::Pointer(_) => match object.marshal() {
                    Some(Value::String(text)) if object.type_name() == "time.Time" => {
                        self.out.push_str(&text.to_str());
                    }
                    Some(Value::String(text)) => self.out.push_str(&quoted(text.as_bytes())),
                    _ => self.out.push_str("{}"),
                },
            },
        }
        Ok(())
    }

    fn array(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let items = value.as_list().map(|list| list.to_vec()).unwrap_or_default();
        if items.iter().any(is_nil) {
            return Err(NIL_ELEMENT.into());
        }
        self.out.push('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push_str(", ");
            }
            self.element(item, depth + 1)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn inline(&mut self, map: &Map, depth: usize) -> Result<(), Error> {
        self.out.push('{');
        let mut first = true;
        let entries = map.entries();
        let (tables, direct): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(_, value)| is_table(value));
        for (key, value) in direct.into_iter().chain(tables) {
            if is_nil(&value) {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.out.push_str(", ");
            }
            self.out.push_str(&quoted_key(&key.to_str()));
            self.out.push_str(" = ");
            self.element(&value, depth + 1)?;
        }
        self.out.push('}');
        Ok(())
    }
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let text = shortest(number);
    if text.contains(['.', 'e']) {
        text
    } else {
        text + ".0"
    }
}

fn quoted_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        quoted(key.as_bytes())
    }
}

fn quoted(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for (c, _) in runes(text) {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
