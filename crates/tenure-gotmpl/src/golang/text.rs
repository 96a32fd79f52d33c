//! Go's package `strings`, on bytes.

use super::unicode::{is_space, push, runes};

pub(crate) fn index(whole: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(whole, part)
}

pub(crate) fn contains(whole: &[u8], part: &[u8]) -> bool {
    index(whole, part).is_some()
}

/// How often the part is found; an empty one before and after every rune.
pub(crate) fn count(whole: &[u8], part: &[u8]) -> usize {
    if part.is_empty() {
        return super::unicode::count(whole) + 1;
    }
    let (mut rest, mut count) = (whole, 0);
    while let Some(at) = index(rest, part) {
        count += 1;
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    count
}

pub(crate) fn replace(whole: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(whole.len());
    if old.is_empty() {
        out.extend_from_slice(new);
        for (_, rune) in runes(whole) {
            out.extend_from_slice(rune);
            out.extend_from_slice(new);
        }
        return out;
    }
    let mut rest = whole;
    while let Some(at) = index(rest, old) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(new);
        rest = rest.get(at + old.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// `strings.SplitN`: at most `limit` parts, all if it is negative.
pub(crate) fn split<'a>(whole: &'a [u8], separator: &[u8], limit: i64) -> Vec<&'a [u8]> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if limit == 0 {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let mut rest = whole;
    if separator.is_empty() {
        for (_, rune) in runes(whole) {
            if parts.len() + 1 >= limit {
                break;
            }
            parts.push(rune);
            rest = rest.get(rune.len()..).unwrap_or_default();
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        return parts;
    }
    while parts.len() + 1 < limit
        && let Some(at) = index(rest, separator)
    {
        parts.push(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + separator.len()..).unwrap_or_default();
    }
    parts.push(rest);
    parts
}

/// Takes runes that satisfy `gone` off both ends.
fn trim_by(whole: &[u8], gone: impl Fn(char) -> bool) -> &[u8] {
    let mut rest = whole;
    while let Some((c, width)) = super::unicode::decode(rest).filter(|(c, _)| gone(*c)) {
        let _ = c;
        rest = rest.get(width..).unwrap_or_default();
    }
    while let Some((_, width)) = super::unicode::decode_last(rest).filter(|(c, _)| gone(*c)) {
        rest = rest.get(..rest.len() - width).unwrap_or_default();
    }
    rest
}

pub(crate) fn trim<'a>(whole: &'a [u8], set: &[u8]) -> &'a [u8] {
    let set: Vec<char> = runes(set).map(|(c, _)| c).collect();
    trim_by(whole, |c| set.contains(&c))
}

pub(crate) fn trim_space(whole: &[u8]) -> &[u8] {
    trim_by(whole, is_space)
}

/// `strings.Map`: every rune for another, what is not UTF-8 for U+FFFD.
pub(crate) fn map(whole: &[u8], mut change: impl FnMut(char) -> char) -> Vec<u8> {
    let mut out = Vec::with_capacity(whole.len());
    for (c, _) in runes(whole) {
        push(&mut out, change(c));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting_and_replacing() {
        assert_eq!(split(b"a,b,c", b",", -1), [b"a", b"b", b"c"]);
        assert_eq!(split(b"a,b,c", b",", 2), [&b"a"[..], b"b,c"]);
        assert_eq!(split("né".as_bytes(), b"", -1), ["n".as_bytes(), "é".as_bytes()]);
        assert_eq!(split(b"", b",", -1), [b""]);
        assert!(split(b"a", b",", 0).is_empty());
        assert_eq!(replace(b"ab", b"", b"-"), b"-a-b-");
        assert_eq!(replace(b"aaa", b"aa", b"b"), b"ba");
        assert_eq!(trim("ééaé".as_bytes(), "é".as_bytes()), b"a");
        assert_eq!((count(b"aaa", b"a"), count(b"ab", b"")), (3, 3));
    }
}
