use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::number::{float_value, integer, yaml_float};
use crate::{Dialect, Reason, timestamp};

/// What a plain scalar without a tag is.
pub(crate) enum Plain {
    /// A value that is not a string.
    Value(Value),
    /// A timestamp, in RFC 3339.
    Timestamp(String),
    /// A float that JSON cannot carry.
    NotFinite(&'static str),
    /// The text itself.
    Text,
}

/// Resolves a plain scalar as the dialect does.
pub(crate) fn plain(text: &str, dialect: Dialect) -> Plain {
    if let Some(word) = word(text, dialect) {
        return word;
    }
    match text.as_bytes().first() {
        Some(b'0'..=b'9' | b'+' | b'-') => numeric(text),
        Some(b'.') => yaml_float(text)
            .and_then(float_value)
            .map_or(Plain::Text, Plain::Value),
        _ => Plain::Text,
    }
}

/// Whether a text stays a string where it is written without quotes.
#[must_use]
pub fn is_text(text: &str, dialect: Dialect) -> bool {
    text != "<<" && matches!(plain(text, dialect), Plain::Text)
}

fn word(text: &str, dialect: Dialect) -> Option<Plain> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Value(Value::Null),
        "true" | "True" | "TRUE" => Plain::Value(Value::Bool(true)),
        "false" | "False" | "FALSE" => Plain::Value(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => Plain::NotFinite(".nan"),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Plain::NotFinite(".inf"),
        "-.inf" | "-.Inf" | "-.INF" => Plain::NotFinite("-.inf"),
        _ if dialect == Dialect::V2 => Plain::Value(Value::Bool(old_bool(text)?)),
        _ => return None,
    })
}

/// The booleans of YAML 1.1 that version 1.2 dropped.
pub(crate) fn old_bool(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn numeric(text: &str) -> Plain {
    if let Some(time) = timestamp::rfc3339(text) {
        return Plain::Timestamp(time);
    }
    let joined = text.replace('_', "");
    if let Some(number) = integer(&joined) {
        return Plain::Value(Value::Number(number));
    }
    yaml_float(&joined)
        .and_then(float_value)
        .map_or(Plain::Text, Plain::Value)
}

/// The value of a scalar with a core tag such as `!!int`.
pub(crate) fn tagged(text: &str, tag: &str, is_plain: bool, dialect: Dialect) -> Result<Value, Reason> {
    let bad = || Reason::BadTag {
        value: text.chars().take(40).collect(),
        tag: format!("!!{tag}"),
    };
    match (tag, plain(text, dialect)) {
        ("str", _) => Ok(Value::String(text.to_owned())),
        ("binary", _) => {
            let joined: String = text.split_whitespace().collect();
            let bytes = STANDARD.decode(joined).map_err(|_| bad())?;
            String::from_utf8(bytes).map(Value::String).map_err(|_| bad())
        }
        ("null", Plain::Value(Value::Null)) => Ok(Value::Null),
        ("bool", Plain::Value(v @ Value::Bool(_))) => Ok(v),
        ("int", Plain::Value(Value::Number(n))) if !n.is_f64() => Ok(Value::Number(n)),
        ("float", Plain::Value(v @ Value::Number(_))) => Ok(v),
        ("timestamp", Plain::Timestamp(time)) => Ok(Value::String(time)),
        ("int" | "float" | "bool" | "null" | "timestamp", _) => Err(bad()),
        (_, Plain::Value(v)) if is_plain && tag.is_empty() => Ok(v),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Whether Go would have to quote `text` for it to stay a string, in either dialect.
pub(crate) fn needs_quotes(text: &str) -> bool {
    !matches!(plain(text, Dialect::V2), Plain::Text) || base60(text)
}

/// `12:30:45`-like numbers, which YAML 1.1 reads in base 60.
fn base60(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or("");
    let head = first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let mut any = false;
    let tail = parts.all(|p| {
        any = true;
        let b = p.as_bytes();
        (b.len() == 1 || b.len() == 2 && b.first().is_some_and(|d| *d <= b'5'))
            && b.iter().all(u8::is_ascii_digit)
    });
    head && tail && any && fraction.is_none_or(|f| f.bytes().all(|b| b.is_ascii_digit() || b == b'_'))
}
