//! Character classes and escapes.

fn error<T>(reason: &str, part: &str) -> Result<T, String> {
    Err(format!("{reason}: `{part}`"))
}

/// The inside of a class for `\d` and its like, which know ASCII only.
pub(super) const fn perl(kind: char) -> &'static str {
    match kind {
        'd' => "0-9",
        'D' => "^0-9",
        's' => r"\t\n\x0C\r ",
        'S' => r"^\t\n\x0C\r ",
        'w' => "0-9A-Za-z_",
        _ => "^0-9A-Za-z_",
    }
}

const POSIX: &[(&str, &str)] = &[
    ("alnum", "0-9A-Za-z"),
    ("alpha", "A-Za-z"),
    ("ascii", r"\x00-\x7F"),
    ("blank", r"\t "),
    ("cntrl", r"\x00-\x1F\x7F"),
    ("digit", "0-9"),
    ("graph", "!-~"),
    ("lower", "a-z"),
    ("print", " -~"),
    ("punct", r"!-/:-@\[-`{-~"),
    ("space", r"\t\n\x0B\x0C\r "),
    ("upper", "A-Z"),
    ("word", "0-9A-Za-z_"),
    ("xdigit", "0-9A-Fa-f"),
];

/// A class in brackets: how it is written there, and its length here.
pub(super) fn bracketed(text: &str) -> Result<(String, usize), String> {
    let mut out = String::from("[");
    let mut at = 1;
    let rest = |at: usize| text.get(at..).unwrap_or_default();
    if rest(at).starts_with('^') {
        out.push('^');
        at += 1;
    }
    let mut first = true;
    loop {
        let here = rest(at);
        let Some(c) = here.chars().next() else {
            return error("missing closing ]", text);
        };
        if c == ']' && !first {
            out.push(']');
            return Ok((out, at + 1));
        }
        first = false;
        if here.starts_with("[:")
            && let Some(end) = here.find(":]")
        {
            let name = here.get(..end + 2).unwrap_or(here);
            out.push_str(&posix(name)?);
            at += name.len();
            continue;
        }
        if let Some(kind) = here.strip_prefix('\\').and_then(|rest| rest.chars().next()) {
            match kind {
                'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                    out.push_str(&format!("[{}]", perl(kind)));
                    at += 2;
                    continue;
                }
                'p' | 'P' => {
                    let (property, length) = property(here)?;
                    out.push_str(&property);
                    at += length;
                    continue;
                }
                _ => {}
            }
        }
        let (low, length) = character(here, text)?;
        let mut end = at + length;
        let mut high = low;
        if rest(end).starts_with('-') && rest(end).len() > 1 && !rest(end).starts_with("-]") {
            let (upper, length) = character(rest(end + 1), text)?;
            end += 1 + length;
            high = upper;
            if high < low {
                return error("invalid character class range", text.get(at..end).unwrap_or(here));
            }
        }
        out.push_str(&format!(
            "\\x{{{:X}}}-\\x{{{:X}}}",
            u32::from(low),
            u32::from(high)
        ));
        at = end;
    }
}

fn posix(name: &str) -> Result<String, String> {
    let inner = name.trim_start_matches("[:").trim_end_matches(":]");
    let (negated, inner) = match inner.strip_prefix('^') {
        Some(inner) => ("^", inner),
        None => ("", inner),
    };
    match POSIX.iter().find(|(known, _)| *known == inner) {
        Some((_, members)) => Ok(format!("[{negated}{members}]")),
        None => error("invalid character class range", name),
    }
}

/// One character of a class.
fn character(text: &str, class: &str) -> Result<(char, usize), String> {
    match text.chars().next() {
        None => error("missing closing ]", class),
        Some('\\') => escape(text),
        Some(c) => Ok((c, c.len_utf8())),
    }
}

/// `\pL` or `\p{Greek}`.
pub(super) fn property(text: &str) -> Result<(String, usize), String> {
    let body = text.get(2..).unwrap_or_default();
    let Some(c) = body.chars().next() else {
        return error("invalid character class range", text);
    };
    let (name, length) = if c == '{' {
        let Some((name, _)) = body.get(1..).unwrap_or_default().split_once('}') else {
            return error("invalid character class range", text);
        };
        (name, 2 + name.len() + 2)
    } else {
        (body.get(..c.len_utf8()).unwrap_or(body), 2 + c.len_utf8())
    };
    let whole = text.get(..length).unwrap_or(text);
    let upper = text.starts_with(r"\P");
    let (negated, name) = match name.strip_prefix('^') {
        Some(name) => (!upper, name),
        None => (upper, name),
    };
    if name == "Any" {
        return Ok((
            if negated {
                r"[^\x00-\x{10FFFF}]"
            } else {
                r"\x00-\x{10FFFF}"
            }
            .into(),
            length,
        ));
    }
    // Go knows categories by their short names and scripts by their long ones.
    let category = name.len() <= 2 && name.starts_with(|c: char| c.is_ascii_uppercase());
    let script = name.len() > 2 && name.starts_with(|c: char| c.is_ascii_uppercase()) && !name.contains('=');
    let kind = if category { "gc" } else { "sc" };
    let written = format!("\\{}{{{kind}={name}}}", if negated { 'P' } else { 'p' });
    if !(category || script) || regex::Regex::new(&written).is_err() {
        return error("invalid character class range", whole);
    }
    Ok((written, length))
}

/// An escaped character and the length of its escape.
pub(super) fn escape(text: &str) -> Result<(char, usize), String> {
    let mut chars = text.chars();
    chars.next();
    let Some(c) = chars.next() else {
        return error("trailing backslash at end of expression", "");
    };
    let shown = text.get(..1 + c.len_utf8()).unwrap_or(text);
    let plain = match c {
        '1'..='7'
            if !text
                .get(2..)
                .is_some_and(|t| t.starts_with(|c| ('0'..='7').contains(&c))) =>
        {
            return error("invalid escape sequence", shown);
        }
        '0'..='7' => {
            let digits = text
                .bytes()
                .skip(1)
                .take(3)
                .take_while(|b| (b'0'..=b'7').contains(b))
                .count();
            let code = u32::from_str_radix(text.get(1..=digits).unwrap_or("0"), 8).unwrap_or(0);
            return Ok((char::from_u32(code).unwrap_or('\0'), 1 + digits));
        }
        'x' => return hexadecimal(text),
        'a' => '\u{7}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
        _ => return error("invalid escape sequence", shown),
    };
    Ok((plain, 1 + plain_width(c)))
}

const fn plain_width(c: char) -> usize {
    c.len_utf8()
}

fn hexadecimal(text: &str) -> Result<(char, usize), String> {
    let body = text.get(2..).unwrap_or_default();
    if let Some(inner) = body.strip_prefix('{') {
        let digits = inner.bytes().take_while(u8::is_ascii_hexdigit).count();
        let closed = inner.as_bytes().get(digits) == Some(&b'}');
        let code = u32::from_str_radix(inner.get(..digits).unwrap_or_default(), 16).ok();
        return match code.and_then(char::from_u32).filter(|_| closed) {
            Some(c) => Ok((c, 3 + digits + 1)),
            None => {
                let end = (3 + digits + 1).min(text.len());
                error("invalid escape sequence", text.get(..end).unwrap_or(text))
            }
        };
    }
    let code = body
        .get(..2)
        .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    match code.and_then(char::from_u32) {
        Some(c) => Ok((c, 4)),
        None => {
            let end = (2 + body.chars().take(2).map(char::len_utf8).sum::<usize>()).min(text.len());
            error("invalid escape sequence", text.get(..end).unwrap_or(text))
        }
    }
}
