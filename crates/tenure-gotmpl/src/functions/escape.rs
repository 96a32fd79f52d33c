//! Escaping for HTML, JavaScript and URLs.

use super::{Function, Outcome, variadic};
use crate::error::Error;
use crate::exec::Run;
use crate::format;
use crate::golang::unicode::{is_print, runes};
use crate::value::{Param, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("html", &[], Param::Any, |run, arguments| {
        escaped(run, arguments, html)
    }),
    variadic("js", &[], Param::Any, |run, arguments| {
        escaped(run, arguments, js)
    }),
    variadic("urlquery", &[], Param::Any, |run, arguments| {
        escaped(run, arguments, crate::golang::url::query_escape)
    }),
];

fn escaped(run: &mut Run<'_>, arguments: &[Value], escape: fn(&[u8]) -> Vec<u8>) -> Outcome {
    let text = printed(run, arguments)?;
    Ok(Value::String(escape(&text).into()))
}

/// The arguments as `print` shows them, and nil as templates do.
fn printed(run: &Run<'_>, arguments: &[Value]) -> Result<Vec<u8>, Error> {
    if let [Value::String(text)] = arguments {
        return Ok(text.as_bytes().to_vec());
    }
    let shown: Vec<Value> = arguments
        .iter()
        .map(|argument| match argument {
            Value::Nil => "<no value>".into(),
            other => other.clone(),
        })
        .collect();
    format::sprint(&shown, run.text_limit())
}

fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        let escaped: &[u8] = match byte {
            0 => "\u{fffd}".as_bytes(),
            b'"' => b"&#34;",
            b'\'' => b"&#39;",
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            plain => std::slice::from_ref(plain),
        };
        out.extend_from_slice(escaped);
    }
    out
}

fn js(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for (c, bytes) in runes(text) {
        let escaped = match c {
            '\\' => r"\\".into(),
            '\'' => r"\'".into(),
            '"' => "\\\"".into(),
            '<' | '>' | '&' | '=' => format!("\\u{:04X}", u32::from(c)),
            c if c < ' ' => format!("\\u{:04X}", u32::from(c)),
            c if c.is_ascii() || is_print(c) => {
                out.extend_from_slice(bytes);
                continue;
            }
            c => format!("\\u{:04X}", u32::from(c)),
        };
        out.extend_from_slice(escaped.as_bytes());
    }
    out
}
