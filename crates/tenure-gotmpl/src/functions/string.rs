//! Strings.

use super::argument::{any, bytes, int, join, reserve, strings, strval};
use super::{Function, Outcome, fixed, variadic};
use crate::error::Error;
use crate::exec::Run;
use crate::format;
use crate::golang::quote::quote;
use crate::golang::text::{contains, count, replace, split, trim, trim_space};
use crate::value::{Map, MapType, Param, Str, Value};

const STRING: Param = Param::String;
const ANY: Param = Param::Any;
const INT: Param = Param::Int;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("trim", &[STRING], |_, a| ok(trim_space(bytes(a, 0)))),
    fixed("trimAll", &[STRING, STRING], |_, a| {
        ok(trim(bytes(a, 1), bytes(a, 0)))
    }),
    fixed("trimall", &[STRING, STRING], |_, a| {
        ok(trim(bytes(a, 1), bytes(a, 0)))
    }),
    fixed("trimSuffix", &[STRING, STRING], |_, a| {
        let whole = bytes(a, 1);
        ok(whole.strip_suffix(bytes(a, 0)).unwrap_or(whole))
    }),
    fixed("trimPrefix", &[STRING, STRING], |_, a| {
        let whole = bytes(a, 1);
        ok(whole.strip_prefix(bytes(a, 0)).unwrap_or(whole))
    }),
    fixed("contains", &[STRING, STRING], |_, a| {
        Ok(Value::Bool(contains(bytes(a, 1), bytes(a, 0))))
    }),
    fixed("hasPrefix", &[STRING, STRING], |_, a| {
        Ok(Value::Bool(bytes(a, 1).starts_with(bytes(a, 0))))
    }),
    fixed("hasSuffix", &[STRING, STRING], |_, a| {
        Ok(Value::Bool(bytes(a, 1).ends_with(bytes(a, 0))))
    }),
    fixed("replace", &[STRING, STRING, STRING], |run, a| {
        let (old, new, whole) = (bytes(a, 0), bytes(a, 1), bytes(a, 2));
        reserve(
            run,
            whole
                .len()
                .saturating_add(count(whole, old).saturating_mul(new.len())),
        )?;
        Ok(Value::String(replace(whole, old, new).into()))
    }),
    fixed("repeat", &[INT, STRING], repeat),
    fixed("indent", &[INT, STRING], |run, a| {
        indent(run, b"", int(a, 0), bytes(a, 1))
    }),
    fixed("nindent", &[INT, STRING], |run, a| {
        indent(run, b"\n", int(a, 0), bytes(a, 1))
    }),
    fixed("trunc", &[INT, STRING], |_, a| {
        ok(truncated(bytes(a, 1), int(a, 0)))
    }),
    fixed("substr", &[INT, INT, STRING], substring),
    fixed("plural", &[STRING, STRING, INT], |_, a| {
        Ok(any(a, usize::from(int(a, 2) != 1)))
    }),
    fixed("toString", &[ANY], |run, a| {
        Ok(Value::String(strval(run, &any(a, 0))?))
    }),
    fixed("toStrings", &[ANY], |run, a| match any(a, 0) {
        list @ Value::List(_) if list.type_name() == "[]string" => Ok(list),
        other => Ok(Value::strings(strings(run, &other)?)),
    }),
    fixed("join", &[STRING, ANY], |run, a| {
        let parts = strings(run, &any(a, 1))?;
        join(run, bytes(a, 0), &parts)
    }),
    fixed("split", &[STRING, STRING], |_, a| {
        Ok(numbered(split(bytes(a, 1), bytes(a, 0), -1)))
    }),
    fixed("splitn", &[STRING, INT, STRING], |_, a| {
        Ok(numbered(split(bytes(a, 2), bytes(a, 0), int(a, 1))))
    }),
    fixed("splitList", &[STRING, STRING], |run, a| {
        run.charge(count(bytes(a, 1), bytes(a, 0)).saturating_mul(64))?;
        Ok(Value::strings(split(bytes(a, 1), bytes(a, 0), -1)))
    }),
    variadic("quote", &[], ANY, |run, a| {
        quoted(run, a, |run, value| {
            Ok(quote(strval(run, value)?.as_bytes()).into())
        })
    }),
    variadic("squote", &[], ANY, |run, a| {
        quoted(run, a, |run, value| {
            let text = format::plain(value, run.text_limit())?;
            Ok([b"'", text.as_slice(), b"'"].concat().into())
        })
    }),
    variadic("cat", &[], ANY, cat),
    fixed("abbrev", &[INT, STRING], |_, a| {
        let (width, whole) = (int(a, 0), bytes(a, 1));
        if width < 4 {
            ok(whole)
        } else {
            Ok(Value::String(abbreviate(whole, 0, width).into()))
        }
    }),
    fixed("abbrevboth", &[INT, INT, STRING], |_, a| {
        let (left, right, whole) = (int(a, 0), int(a, 1), bytes(a, 2));
        if right < 4 || left > 0 && right < 7 {
            return ok(whole);
        }
        Ok(Value::String(abbreviate(whole, left, right).into()))
    }),
];

fn ok(text: &[u8]) -> Outcome {
    Ok(Value::String(text.into()))
}

fn repeat(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let (times, whole) = (int(a, 0), bytes(a, 1));
    let Ok(times) = usize::try_from(times) else {
        return Err("strings: negative Repeat count".into());
    };
    let size = times
        .checked_mul(whole.len())
        .ok_or("strings: Repeat output length overflow")?;
    reserve(run, size)?;
    Ok(Value::String(whole.repeat(times).into()))
}

fn indent(run: &mut Run<'_>, before: &[u8], spaces: i64, whole: &[u8]) -> Outcome {
    let Ok(spaces) = usize::try_from(spaces) else {
        return Err("strings: negative Repeat count".into());
    };
    let lines = memchr::memchr_iter(b'\n', whole).count() + 1;
    reserve(run, lines.saturating_mul(spaces).saturating_add(whole.len()))?;
    let pad = vec![b' '; spaces];
    let mut out = Vec::with_capacity(before.len() + whole.len() + lines * spaces);
    out.extend_from_slice(before);
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', whole)
        .map(|at| at + 1)
        .chain([whole.len()])
    {
        out.extend_from_slice(&pad);
        out.extend_from_slice(whole.get(start..end).unwrap_or_default());
        start = end;
    }
    Ok(Value::String(out.into()))
}

/// The first or, if negative, the last so many bytes.
fn truncated(whole: &[u8], count: i64) -> &[u8] {
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        let start = whole.len().saturating_sub(size);
        return whole.get(start..).unwrap_or(whole);
    }
    whole.get(..size).unwrap_or(whole)
}

fn substring(_: &mut Run<'_>, a: &[Value]) -> Outcome {
    let (start, end, whole) = (int(a, 0), int(a, 1), bytes(a, 2));
    let length = i64::try_from(whole.len()).unwrap_or(i64::MAX);
    let out = |message: String| Error::plain(format!("runtime error: slice bounds out of range {message}"));
    let at = |position: i64| usize::try_from(position).unwrap_or(0);
    if start < 0 {
        if end < 0 || end > length {
            let shown = if end < 0 {
                format!("[:{end}]")
            } else {
                format!("[:{end}] with length {length}")
            };
            return Err(out(shown));
        }
        return ok(whole.get(..at(end)).unwrap_or_default());
    }
    if end < 0 || end > length {
        return match whole.get(at(start)..) {
            Some(part) => ok(part),
            None => Err(out(format!("[{start}:{length}]"))),
        };
    }
    if start > end {
        return Err(out(format!("[{start}:{end}]")));
    }
    ok(whole.get(at(start)..at(end)).unwrap_or_default())
}

/// Parts under the keys `_0`, `_1` and so on.
fn numbered(parts: Vec<&[u8]>) -> Value {
    let map = Map::typed(&MapType::STRING);
    for (at, part) in parts.into_iter().enumerate() {
        map.insert(format!("_{at}"), Str::from(part));
    }
    map.into()
}

/// Each argument that is not nil, put into marks.
fn quoted(
    run: &mut Run<'_>,
    arguments: &[Value],
    mark: impl Fn(&Run<'_>, &Value) -> Result<Str, Error>,
) -> Outcome {
    let mut parts = Vec::new();
    for value in arguments.iter().filter(|value| !matches!(value, Value::Nil)) {
        let part = mark(run, value)?;
        run.charge(part.len())?;
        parts.push(part);
    }
    join(run, b" ", &parts)
}

fn cat(run: &mut Run<'_>, a: &[Value]) -> Outcome {
    let given: Vec<Value> = a.iter().filter(|v| !matches!(v, Value::Nil)).cloned().collect();
    let format = vec!["%v"; given.len()].join(" ");
    Ok(Value::String(
        format::sprintf(format.as_bytes(), &given, run.text_limit())?.into(),
    ))
}

/// goutils' `AbbreviateFull`, for widths that its caller has checked.
fn abbreviate(whole: &[u8], offset: i64, width: i64) -> Vec<u8> {
    const MARK: &[u8] = b"...";
    let length = i64::try_from(whole.len()).unwrap_or(i64::MAX);
    if whole.is_empty() || width < 4 {
        return Vec::new();
    }
    if length <= width {
        return whole.to_vec();
    }
    let cut = |from: i64, to: i64| {
        let range = usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0);
        whole.get(range).unwrap_or_default()
    };
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return [cut(0, width - 3), MARK].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + width - 3 < length {
        return [MARK, &abbreviate(cut(offset, length), 0, width - 3)].concat();
    }
    [MARK, cut(length - (width - 3), length)].concat()
}
