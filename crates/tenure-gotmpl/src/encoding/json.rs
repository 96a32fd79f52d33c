//! Go's package `encoding/json`, writing.

use crate::error::Error;
use crate::golang::number::format_float;
use crate::golang::unicode::runes;
use crate::value::{Field, List, Map, Shape, Value};

/// Levels that are written; Go looks for circles beyond 1,000.
const DEPTH: usize = 500;

/// How to write.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// One member a line, two spaces a level.
    pub(crate) pretty: bool,
    /// Escape `<`, `>` and `&`.
    pub(crate) html: bool,
}

/// Writes a value, in at most so many bytes.
pub(crate) fn write(value: &Value, style: Style, limit: usize) -> Result<Vec<u8>, Error> {
    let mut writer = Writer {
        out: Vec::new(),
        style,
        limit,
        depth: 0,
    };
    writer.value(value)?;
    Ok(writer.out)
}

/// A float as JSON writes it, or nothing for infinities and NaN.
pub(crate) fn float(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format_float(number, 'e', None);
        // e-09 is written e-9.
        return Some(match text.split_once("e-0") {
            Some((mantissa, digit)) => format!("{mantissa}e-{digit}"),
            None => text,
        });
    }
    Some(format_float(number, 'f', None))
}

struct Writer {
    out: Vec<u8>,
    style: Style,
    limit: usize,
    depth: usize,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn value(&mut self, value: &Value) -> Result<(), Error> {
        if self.out.len() > self.limit {
            return Err(Error::limit("a text is longer than the run may make"));
        }
        match value {
            Value::Nil => self.put(b"null"),
            Value::Bool(true) => self.put(b"true"),
            Value::Bool(false) => self.put(b"false"),
            Value::Int(number) | Value::Int64(number) => self.put(number.to_string().as_bytes()),
            Value::Uint8(number) => self.put(number.to_string().as_bytes()),
            Value::Uint64(number) => self.put(number.to_string().as_bytes()),
            Value::Float(number) => match float(*number) {
                Some(text) => self.put(text.as_bytes()),
                None => {
                    let shown = crate::golang::number::shortest(*number);
                    return Err(format!("json: unsupported value: {shown}").into());
                }
            },
            Value::Complex(..) => return Err("json: unsupported type: complex128".into()),
            Value::String(text) => self.string(text.as_bytes()),
            Value::Bytes(bytes) => self.base64(bytes.as_bytes()),
            Value::List(list) => self.list(list)?,
            Value::Map(map) => self.map(map)?,
            Value::Object(object) => match object.marshal() {
                Some(value) => self.value(&value)?,
                None => match object.shape() {
                    Shape::Struct(fields) | Shape::Pointer(fields) => self.fields(&fields)?,
                    Shape::Map(map) => self.map(&map)?,
                    Shape::List(list) => self.list(&list)?,
                    Shape::Plain(value) => self.value(&value)?,
                },
            },
        }
        Ok(())
    }

    fn base64(&mut self, bytes: &[u8]) {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        self.string(text.as_bytes());
    }

    fn enter(&mut self, bracket: u8) -> Result<(), Error> {
        if self.depth >= DEPTH {
            return Err(Error::limit("a value is nested too deeply to be encoded"));
        }
        self.depth += 1;
        self.out.push(bracket);
        Ok(())
    }

    fn leave(&mut self, bracket: u8, empty: bool) {
        self.depth -= 1;
        if !empty {
            self.line();
        }
        self.out.push(bracket);
    }

    fn line(&mut self) {
        if self.style.pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + self.depth * 2, b' ');
        }
    }

    fn separate(&mut self, at: usize) {
        if at > 0 {
            self.out.push(b',');
        }
        self.line();
    }

    fn list(&mut self, list: &List) -> Result<(), Error> {
        if list.is_nil() {
            self.put(b"null");
            return Ok(());
        }
        if list.kind().element == crate::value::Kind::Uint8 {
            let bytes: Vec<u8> = list
                .to_vec()
                .iter()
                .map(|item| if let Value::Uint8(byte) = item { *byte } else { 0 })
                .collect();
            self.base64(&bytes);
            return Ok(());
        }
        self.enter(b'[')?;
        for at in 0..list.len() {
            self.separate(at);
            self.value(&list.get(at).unwrap_or_default())?;
        }
        self.leave(b']', list.is_empty());
        Ok(())
    }

    fn member(&mut self, at: usize, key: &[u8], value: &Value) -> Result<(), Error> {
        self.separate(at);
        self.string(key);
        self.put(if self.style.pretty { b": " } else { b":" });
        self.value(value)
    }

    fn map(&mut self, map: &Map) -> Result<(), Error> {
        if map.is_nil() {
            self.put(b"null");
            return Ok(());
        }
        self.enter(b'{')?;
        let mut count = 0;
        map.each(|key, value| {
            self.member(count, key.as_bytes(), value)?;
            count += 1;
            Ok::<_, Error>(())
        })?;
        self.leave(b'}', count == 0);
        Ok(())
    }

    fn fields(&mut self, fields: &[Field]) -> Result<(), Error> {
        self.enter(b'{')?;
        let shown = fields
            .iter()
            .filter(|field| !field.json.is_empty() && (!field.omit_empty || field.value.is_true()));
        let mut count = 0;
        for field in shown {
            self.member(count, field.json.as_bytes(), &field.value)?;
            count += 1;
        }
        self.leave(b'}', count == 0);
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        let html = self.style.html;
        let is_plain = |byte: &u8| match *byte {
            b'"' | b'\\' => false,
            b'<' | b'>' | b'&' => !html,
            byte => matches!(byte, b' '..=b'~'),
        };
        self.out.push(b'"');
        let plain = text.iter().take_while(|byte| is_plain(byte)).count();
        let (plain, rest) = text.split_at(plain);
        self.put(plain);
        for (c, bytes) in runes(rest) {
            match c {
                '"' => self.put(b"\\\""),
                '\\' => self.put(b"\\\\"),
                '\u{8}' => self.put(b"\\b"),
                '\u{c}' => self.put(b"\\f"),
                '\n' => self.put(b"\\n"),
                '\r' => self.put(b"\\r"),
                '\t' => self.put(b"\\t"),
                c if c < ' ' || html && matches!(c, '<' | '>' | '&') => {
                    self.put(format!("\\u{:04x}", u32::from(c)).as_bytes());
                }
                '\u{2028}' | '\u{2029}' => self.put(format!("\\u{:04x}", u32::from(c)).as_bytes()),
                char::REPLACEMENT_CHARACTER if bytes.len() == 1 => self.put(b"\\ufffd"),
                _ => self.put(bytes),
            }
        }
        self.out.push(b'"');
    }
}
