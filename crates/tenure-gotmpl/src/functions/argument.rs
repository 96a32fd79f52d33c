//! Arguments as Rust types. The caller has checked them, so that the fallbacks are never seen.

use std::borrow::Cow;

use crate::error::Error;
use crate::exec::Run;
use crate::format;
use crate::value::{List, ListType, Map, MapType, Str, Value};

/// What Go says about a nil that it follows.
pub(super) const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

pub(super) fn any(arguments: &[Value], at: usize) -> Value {
    arguments.get(at).cloned().unwrap_or_default()
}

pub(super) fn bytes(arguments: &[Value], at: usize) -> &[u8] {
    match arguments.get(at) {
        Some(Value::String(text)) => text.as_bytes(),
        _ => &[],
    }
}

pub(super) fn text(arguments: &[Value], at: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes(arguments, at))
}

pub(super) fn str(arguments: &[Value], at: usize) -> Str {
    match arguments.get(at) {
        Some(Value::String(text)) => text.clone(),
        _ => Str::default(),
    }
}

pub(super) fn int(arguments: &[Value], at: usize) -> i64 {
    match arguments.get(at) {
        Some(Value::Int(number) | Value::Int64(number)) => *number,
        _ => 0,
    }
}

pub(super) fn map(arguments: &[Value], at: usize) -> Map {
    match arguments.get(at) {
        Some(Value::Map(map)) => map.clone(),
        _ => Map::nil(&MapType::ANY),
    }
}

pub(super) fn list(arguments: &[Value], at: usize) -> List {
    match arguments.get(at) {
        Some(Value::List(list)) => list.clone(),
        _ => List::nil(&ListType::ANY),
    }
}

/// Arguments from `at` on.
pub(super) fn rest(arguments: &[Value], at: usize) -> &[Value] {
    arguments.get(at..).unwrap_or_default()
}

/// sprig's `strval`: a string as it is, anything else as `%v`.
pub(super) fn strval(run: &Run<'_>, value: &Value) -> Result<Str, Error> {
    match value {
        Value::String(text) | Value::Bytes(text) => Ok(text.clone()),
        Value::Object(object) => match object.text() {
            Some(text) => Ok(text),
            None => format::plain(value, run.text_limit()).map(Str::from),
        },
        _ => format::plain(value, run.text_limit()).map(Str::from),
    }
}

/// sprig's `strslice`: the strings of a list without its nils, or the one string of anything else.
pub(super) fn strings(run: &mut Run<'_>, value: &Value) -> Result<Vec<Str>, Error> {
    if let Some(list) = value.as_list() {
        run.steps(u64::try_from(list.len()).unwrap_or(u64::MAX))?;
        return list
            .to_vec()
            .iter()
            .filter(|item| !matches!(item, Value::Nil))
            .map(|item| strval(run, item))
            .collect();
    }
    match value {
        Value::Nil => Ok(Vec::new()),
        other => Ok(vec![strval(run, other)?]),
    }
}

/// Puts texts together, within the budget of the run.
pub(super) fn join(run: &mut Run<'_>, separator: &[u8], parts: &[Str]) -> Result<Value, Error> {
    let size: usize = parts.iter().map(|part| part.len() + separator.len()).sum();
    reserve(run, size)?;
    let mut out = Vec::with_capacity(size);
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(separator);
        }
        out.extend_from_slice(part.as_bytes());
    }
    Ok(Value::String(out.into()))
}

/// Refuses to make a text of so many bytes if the run may not.
pub(super) fn reserve(run: &Run<'_>, bytes: usize) -> Result<(), Error> {
    if bytes > run.text_limit() {
        return Err(Error::limit("a text is longer than the run may make"));
    }
    Ok(())
}
