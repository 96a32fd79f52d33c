//! Go's package `encoding/json`, reading.

use crate::golang::quote::quote_rune;
use crate::golang::unicode::{decode, push, runes};
use crate::value::{List, ListType, Map, MapType, Value};

/// Lists and maps inside each other, which in Go are 10,000.
const DEPTH: usize = 1_000;

/// Why a text was not read, and what was read before where that is kept.
type Outcome<T> = Result<T, String>;

/// Reads any value.
pub(crate) fn read(text: &[u8]) -> (Value, Option<String>) {
    if let Err(reason) = Checker::check(text) {
        return (Value::Nil, Some(reason));
    }
    let mut reader = Reader {
        rest: text,
        saved: None,
    };
    let value = reader.value();
    (value, reader.saved)
}

/// Reads a map; other values are an error, and what could be read of one is given with its error.
pub(crate) fn read_map(text: &[u8]) -> (Map, Option<String>) {
    match read(text) {
        (Value::Map(map), error) => (map, error),
        (Value::Nil, None) => (Map::nil(&MapType::ANY), None),
        (Value::Nil, error) => (Map::new(), error),
        (value, error) => {
            let wrong = wrong_type(&value, "map[string]interface {}");
            (Map::new(), error.or(Some(wrong)))
        }
    }
}

/// Reads a list.
pub(crate) fn read_list(text: &[u8]) -> (Value, Option<String>) {
    match read(text) {
        (value @ Value::List(_), error) => (value, error),
        (Value::Nil, error) => (Value::List(List::nil(&ListType::ANY)), error),
        (value, error) => {
            let wrong = wrong_type(&value, "[]interface {}");
            (Value::Nil, error.or(Some(wrong)))
        }
    }
}

/// What Go says about a value that does not fit the variable.
pub(crate) fn wrong_type(value: &Value, wanted: &str) -> String {
    let found = match value {
        Value::Bool(_) => "bool",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "number",
    };
    format!("json: cannot unmarshal {found} into Go value of type {wanted}")
}

/// Goes over the text first, as Go does, so that a syntax error anywhere leaves nothing read.
struct Checker<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Checker<'t> {
    fn check(text: &'t [u8]) -> Outcome<()> {
        let mut checker = Self { text, at: 0 };
        checker.value(0)?;
        checker.space();
        match checker.peek() {
            None => Ok(()),
            Some(_) => Err(checker.invalid("after top-level value")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The error for what stands here.
    fn invalid(&self, context: &str) -> String {
        let Some(byte) = self.peek() else {
            return "unexpected end of JSON input".into();
        };
        let shown = match byte {
            b'\'' => r"'\''".into(),
            b'"' => r#"'"'"#.into(),
            byte => quote_rune(char::from(byte), false),
        };
        format!("invalid character {shown} {context}")
    }

    fn value(&mut self, depth: usize) -> Outcome<()> {
        if depth > DEPTH {
            return Err("exceeded max depth".into());
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.invalid("looking for beginning of value")),
        }
    }

    fn word(&mut self, word: &[u8]) -> Outcome<()> {
        let name = String::from_utf8_lossy(word);
        self.at += 1;
        for letter in word.iter().skip(1) {
            if self.peek() != Some(*letter) {
                return Err(self.invalid(&format!(
                    "in literal {name} (expecting {})",
                    quote_rune(char::from(*letter), false)
                )));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Outcome<()> {
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.invalid("looking for beginning of object key string"));
            }
            self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.invalid("after object key"));
            }
            self.at += 1;
            self.value(depth + 1)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.invalid("after object key:value pair")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Outcome<()> {
        self.at += 1;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.invalid("after array element")),
            }
        }
    }

    fn string(&mut self) -> Outcome<()> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => self.at += 1,
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                                    return Err(self.invalid("in \\u hexadecimal character escape"));
                                }
                                self.at += 1;
                            }
                        }
                        _ => return Err(self.invalid("in string escape code")),
                    }
                }
                Some(byte) if byte < b' ' => return Err(self.invalid("in string literal")),
                Some(_) => self.at += 1,
                None => return Err(self.invalid("")),
            }
        }
    }

    fn number(&mut self) -> Outcome<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
            if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return Err(self.invalid("in numeric literal"));
            }
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !self.digits() {
                return Err(self.invalid("after decimal point in numeric literal"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !self.digits() {
                return Err(self.invalid("in exponent of numeric literal"));
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > start
    }
}

/// Reads a text that has been checked.
struct Reader<'t> {
    rest: &'t [u8],
    /// The first error that does not end the reading.
    saved: Option<String>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<u8> {
        while let Some((first, rest)) = self.rest.split_first() {
            if !matches!(first, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':') {
                return Some(*first);
            }
            self.rest = rest;
        }
        None
    }

    fn take(&mut self, count: usize) -> &'t [u8] {
        let (head, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, &[]));
        self.rest = rest;
        head
    }

    fn value(&mut self) -> Value {
        match self.next() {
            Some(b'{') => {
                self.take(1);
                let map = Map::new();
                while self.next() == Some(b'"') {
                    let key = self.string();
                    map.insert(key, self.value());
                }
                self.take(1);
                map.into()
            }
            Some(b'[') => {
                self.take(1);
                let mut items = Vec::new();
                while !matches!(self.next(), Some(b']') | None) {
                    items.push(self.value());
                }
                self.take(1);
                items.into()
            }
            Some(b'"') => Value::String(self.string().into()),
            Some(b't') => {
                self.take(4);
                Value::Bool(true)
            }
            Some(b'f') => {
                self.take(5);
                Value::Bool(false)
            }
            Some(b'n') => {
                self.take(4);
                Value::Nil
            }
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Value {
        let length = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        let text = String::from_utf8_lossy(self.take(length.max(1)));
        match crate::golang::number::parse_float(&text) {
            Ok(number) => Value::Float(number),
            Err(_) => {
                self.saved.get_or_insert_with(|| {
                    format!("json: cannot unmarshal number {text} into Go value of type float64")
                });
                Value::Nil
            }
        }
    }

    fn string(&mut self) -> Vec<u8> {
        self.take(1);
        let mut out = Vec::new();
        loop {
            let plain = self
                .rest
                .iter()
                .take_while(|byte| !matches!(byte, b'"' | b'\\'))
                .count();
            for (c, _) in runes(self.take(plain)) {
                push(&mut out, c);
            }
            match self.take(1) {
                b"\\" => self.escape(&mut out),
                _ => return out,
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) {
        match self.take(1) {
            b"b" => out.push(8),
            b"f" => out.push(12),
            b"n" => out.push(b'\n'),
            b"r" => out.push(b'\r'),
            b"t" => out.push(b'\t'),
            b"u" => {
                let unit = self.unit();
                let code = match unit {
                    0xd800..0xdc00 => self.low_surrogate(unit),
                    unit => Some(unit),
                };
                let c = code
                    .and_then(char::from_u32)
                    .unwrap_or(char::REPLACEMENT_CHARACTER);
                push(out, c);
            }
            other => out.extend_from_slice(other),
        }
    }

    fn unit(&mut self) -> u32 {
        let digits = self.take(4);
        std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .unwrap_or(0)
    }

    /// The second half of a pair, if it follows; otherwise nothing is taken.
    fn low_surrogate(&mut self, high: u32) -> Option<u32> {
        let before = self.rest;
        if self.take(2) == b"\\u" {
            let low = self.unit();
            if (0xdc00..0xe000).contains(&low) {
                return Some(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
        }
        self.rest = before;
        let _ = decode(before);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_gos() {
        for (text, reason) in [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            (
                "{a}",
                "invalid character 'a' looking for beginning of object key string",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("tru", "unexpected end of JSON input"),
            ("trux", "invalid character 'x' in literal true (expecting 'e')"),
            ("01", "invalid character '1' after top-level value"),
            ("'", "invalid character '\\'' looking for beginning of value"),
            ("\"\\q\"", "invalid character 'q' in string escape code"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            (
                "1e400",
                "json: cannot unmarshal number 1e400 into Go value of type float64",
            ),
        ] {
            assert_eq!(read(text.as_bytes()).1.as_deref(), Some(reason), "{text}");
        }
        assert_eq!(
            read_map(b"[1]").1.as_deref(),
            Some("json: cannot unmarshal array into Go value of type map[string]interface {}")
        );
    }

    #[test]
    fn strings_are_unescaped() {
        let (value, error) = read(br#"["\u00e9\ud83d\ude00\ud83dx\/\n"]"#);
        assert_eq!(error, None);
        let list = value.as_list().expect("a list");
        assert_eq!(
            list.get(0).and_then(|v| v.as_str().map(ToString::to_string)),
            Some("é😀\u{fffd}x/\n".into())
        );
    }
}
