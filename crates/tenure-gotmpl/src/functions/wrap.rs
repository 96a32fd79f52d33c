//! Wrapping lines, and what goutils does byte by byte.

use super::argument::{bytes, int, reserve};
use super::{Function, Outcome, fixed};
use crate::golang::text::index;
use crate::golang::unicode::{is_space, push};
use crate::value::{Param, Value};

const STRING: Param = Param::String;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("wrap", &[Param::Int, STRING], |_, a| {
        ok(wrap(bytes(a, 1), int(a, 0), b"\n", false))
    }),
    fixed("wrapWith", &[Param::Int, STRING, STRING], |run, a| {
        let (separator, whole) = (bytes(a, 1), bytes(a, 2));
        reserve(run, whole.len().saturating_mul(separator.len() + 1))?;
        let separator = if separator.is_empty() { b"\n" } else { separator };
        ok(wrap(whole, int(a, 0), separator, true))
    }),
    fixed("nospace", &[STRING], |_, a| ok(without_space(bytes(a, 0)))),
    fixed("initials", &[STRING], |_, a| ok(initials(bytes(a, 0)))),
];

fn ok(text: Vec<u8>) -> Outcome {
    Ok(Value::String(text.into()))
}

/// Breaks at spaces so that lines have at most `length` bytes, and inside long words if `long`.
fn wrap(text: &[u8], length: i64, separator: &[u8], long: bool) -> Vec<u8> {
    let length = usize::try_from(length).unwrap_or(1).max(1);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while text.len() - at > length {
        if text.get(at) == Some(&b' ') {
            at += 1;
            continue;
        }
        let last_space = part(at, at + length + 1).iter().rposition(|b| *b == b' ');
        if let Some(space) = last_space {
            out.extend_from_slice(part(at, at + space));
            out.extend_from_slice(separator);
            at += space + 1;
        } else if long {
            out.extend_from_slice(part(at, at + length));
            out.extend_from_slice(separator);
            at += length;
        } else if let Some(space) = index(part(at + length, text.len()), b" ") {
            out.extend_from_slice(part(at, at + length + space));
            out.extend_from_slice(separator);
            at += length + space + 1;
        } else {
            out.extend_from_slice(part(at, text.len()));
            at = text.len();
        }
    }
    out.extend_from_slice(part(at, text.len()));
    out
}

/// Every byte as a rune of its own, which is how goutils reads.
fn latin(text: &[u8]) -> impl Iterator<Item = char> {
    text.iter().map(|byte| char::from(*byte))
}

fn without_space(text: &[u8]) -> Vec<u8> {
    if !latin(text).any(is_space) {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    latin(text)
        .filter(|c| !is_space(*c))
        .for_each(|c| push(&mut out, c));
    out
}

fn initials(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut gap = true;
    for c in latin(text) {
        if is_space(c) {
            gap = true;
        } else if std::mem::take(&mut gap) {
            push(&mut out, c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap(b"abc def ghi", 7, b"\n", false), b"abc def\nghi");
        assert_eq!(wrap(b"abcdefghij kl", 4, b"\n", false), b"abcdefghij\nkl");
        assert_eq!(wrap(b"abcdefghij", 4, b"|", true), b"abcd|efgh|ij");
        assert_eq!(wrap(b"", 4, b"|", true), b"");
    }
}
