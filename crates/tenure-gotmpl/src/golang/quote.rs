//! Go's quoted strings: `strconv.Quote` and `strconv.Unquote`.

use super::unicode::{decode, is_print, push, runes};

/// The text in double quotes, as `%q` prints it.
pub(crate) fn quote(text: &[u8]) -> String {
    quote_with(text, '"', false)
}

/// The same with ASCII only, as `%+q` prints it.
pub(crate) fn quote_ascii(text: &[u8]) -> String {
    quote_with(text, '"', true)
}

/// A rune in single quotes.
pub(crate) fn quote_rune(c: char, ascii: bool) -> String {
    let mut text = Vec::new();
    push(&mut text, c);
    quote_with(&text, '\'', ascii)
}

fn quote_with(text: &[u8], mark: char, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for (c, bytes) in runes(text) {
        if let [byte] = bytes
            && !byte.is_ascii()
        {
            out.push_str(&format!("\\x{byte:02x}"));
        } else if c == mark || c == '\\' {
            out.push('\\');
            out.push(c);
        } else if if ascii {
            c.is_ascii() && is_print(c)
        } else {
            is_print(c)
        } {
            out.push(c);
        } else {
            out.push_str(&escape(c));
        }
    }
    out.push(mark);
    out
}

fn escape(c: char) -> String {
    match c {
        '\u{7}' => "\\a".into(),
        '\u{8}' => "\\b".into(),
        '\u{c}' => "\\f".into(),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        '\u{b}' => "\\v".into(),
        c if c < ' ' || c == '\u{7f}' => format!("\\x{:02x}", u32::from(c)),
        c if u32::from(c) < 0x1_0000 => format!("\\u{:04x}", u32::from(c)),
        c => format!("\\U{:08x}", u32::from(c)),
    }
}

/// Whether the text can stand in backquotes as it is.
pub(crate) fn can_backquote(text: &[u8]) -> bool {
    runes(text).all(|(c, bytes)| match bytes {
        [byte] if !byte.is_ascii() => false,
        _ => c != '\u{feff}' && c != '`' && c != '\u{7f}' && (c >= ' ' || c == '\t'),
    })
}

/// The text of a Go string literal; nothing if it is none.
pub(crate) fn unquote(literal: &[u8]) -> Option<Vec<u8>> {
    let (&mark, rest) = literal.split_first()?;
    let (&last, inner) = rest.split_last()?;
    if last != mark {
        return None;
    }
    match mark {
        b'`' => (!inner.contains(&b'`')).then(|| inner.iter().copied().filter(|b| *b != b'\r').collect()),
        b'"' => {
            let (mut out, mut left) = (Vec::with_capacity(inner.len()), inner);
            while !left.is_empty() {
                left = unquote_rune(left, b'"', &mut out)?;
            }
            Some(out)
        }
        _ => None,
    }
}

/// The rune of a character literal without its opening mark, and what follows the rune.
pub(crate) fn unquote_char(literal: &[u8]) -> Option<(u32, &[u8])> {
    let mut out = Vec::new();
    let rest = unquote_rune(literal, b'\'', &mut out)?;
    let code = match literal {
        [b'\\', b'x' | b'0'..=b'7', ..] => u32::from(*out.first()?),
        _ => u32::from(decode(&out)?.0),
    };
    Some((code, rest))
}

/// Reads one character or escape; gives what follows.
fn unquote_rune<'a>(text: &'a [u8], mark: u8, out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (&first, rest) = text.split_first()?;
    if first == mark || first == b'\n' {
        return None;
    }
    if first != b'\\' {
        let (_, width) = decode(text)?;
        let (head, tail) = text.split_at_checked(width)?;
        out.extend_from_slice(head);
        return Some(tail);
    }
    let (&kind, rest) = rest.split_first()?;
    let plain = match kind {
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' => b'\\',
        b'\'' | b'"' if kind == mark => kind,
        b'x' => {
            let (code, rest) = digits(rest, 2, 16)?;
            out.push(u8::try_from(code).ok()?);
            return Some(rest);
        }
        b'0'..=b'7' => {
            let (code, rest) = digits(text.get(1..)?, 3, 8)?;
            out.push(u8::try_from(code).ok()?);
            return Some(rest);
        }
        b'u' | b'U' => {
            let (code, rest) = digits(rest, if kind == b'u' { 4 } else { 8 }, 16)?;
            push(out, char::from_u32(code)?);
            return Some(rest);
        }
        _ => return None,
    };
    out.push(plain);
    Some(rest)
}

fn digits(text: &[u8], count: usize, radix: u32) -> Option<(u32, &[u8])> {
    let (head, rest) = text.split_at_checked(count)?;
    let mut code = 0_u32;
    for byte in head {
        code = code
            .checked_mul(radix)?
            .checked_add(char::from(*byte).to_digit(radix)?)?;
    }
    Some((code, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_and_back() {
        for (text, quoted) in [
            (&b"plain"[..], r#""plain""#),
            (b"a\"b\\c", r#""a\"b\\c""#),
            (b"\n\t\x00\x7f\x1b", r#""\n\t\x00\x7f\x1b""#),
            (b"\xff", r#""\xff""#),
            ("日\u{a0}\u{1f600}\u{feff}".as_bytes(), "\"日\\u00a0😀\\ufeff\""),
        ] {
            assert_eq!(quote(text), quoted);
            assert_eq!(unquote(quoted.as_bytes()).as_deref(), Some(text));
        }
        assert_eq!(quote_ascii("é😀".as_bytes()), r#""\u00e9\U0001f600""#);
        assert_eq!(quote_rune('\'', false), r"'\''");
    }

    #[test]
    fn literals_that_are_none() {
        for bad in [
            "\"",
            "\"\\q\"",
            "\"\\'\"",
            "\"\\ud800\"",
            "\"a\"b\"",
            "\"\\x4\"",
            "\"\\400\"",
            "`a",
        ] {
            assert_eq!(unquote(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(unquote(b"`a\r\nb\\n`").as_deref(), Some(&b"a\nb\\n"[..]));
        assert_eq!(unquote_char(b"\\n'"), Some((10, &b"'"[..])));
        assert_eq!(unquote_char(b"\\xe9'"), Some((0xe9, &b"'"[..])));
    }
}
