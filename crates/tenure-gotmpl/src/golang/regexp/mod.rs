//! Go's regular expressions: RE2's syntax, run by the `regex` crate.

mod class;
mod translate;

use regex::bytes::{Captures, Regex, RegexBuilder};

use super::unicode::{decode, is_digit, is_letter};

/// A compiled expression.
#[derive(Debug)]
pub struct Regexp(Regex);

impl Regexp {
    /// Compiles an expression that may take so many bytes.
    ///
    /// # Errors
    /// What is wrong with the expression, in Go's words where there are such.
    pub fn compile(expression: &str, size: usize) -> Result<Self, String> {
        let failed = |reason: &str| format!("error parsing regexp: {reason}");
        let translated = translate::translate(expression).map_err(|error| failed(&error))?;
        RegexBuilder::new(&translated)
            .size_limit(size)
            .dfa_size_limit(size)
            .nest_limit(1_100)
            .build()
            .map(Self)
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => failed(&format!("expression too large: `{expression}`")),
                _ => failed(&format!("invalid or unsupported Perl syntax: `{expression}`")),
            })
    }

    /// Whether the expression is found somewhere in the text.
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    pub(crate) fn find<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        self.0.find(text).map(|found| found.as_bytes())
    }

    /// At most `limit` matches, all if it is negative.
    pub(crate) fn find_all<'t>(&self, text: &'t [u8], limit: i64) -> Vec<&'t [u8]> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.0
            .find_iter(text)
            .take(limit)
            .map(|found| found.as_bytes())
            .collect()
    }

    /// Every match replaced by a template with `$1` and `${name}`, or by the text as it is.
    pub(crate) fn replace(&self, text: &[u8], by: &[u8], literal: bool, limit: usize) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(text.len());
        let mut last = 0;
        for captures in self.0.captures_iter(text) {
            let Some(whole) = captures.get(0) else { continue };
            out.extend_from_slice(text.get(last..whole.start()).unwrap_or_default());
            if literal {
                out.extend_from_slice(by);
            } else {
                self.expand(&captures, by, &mut out);
            }
            last = whole.end();
            if out.len() > limit {
                return None;
            }
        }
        out.extend_from_slice(text.get(last..).unwrap_or_default());
        Some(out)
    }

    fn expand(&self, captures: &Captures<'_>, template: &[u8], out: &mut Vec<u8>) {
        let mut rest = template;
        while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
            out.extend_from_slice(rest.get(..at).unwrap_or_default());
            rest = rest.get(at + 1..).unwrap_or_default();
            if let Some(after) = rest.strip_prefix(b"$") {
                out.push(b'$');
                rest = after;
                continue;
            }
            let Some((name, after)) = reference(rest) else {
                out.push(b'$');
                continue;
            };
            rest = after;
            let group = match number(name) {
                Some(number) => captures.get(number),
                None => self
                    .0
                    .capture_names()
                    .enumerate()
                    .find(|(_, known)| known.is_some_and(|known| known.as_bytes() == name))
                    .and_then(|(at, _)| captures.get(at)),
            };
            out.extend_from_slice(group.map(|group| group.as_bytes()).unwrap_or_default());
        }
        out.extend_from_slice(rest);
    }

    /// The parts between the matches, at most `limit`.
    pub(crate) fn split<'t>(&self, text: &'t [u8], limit: i64) -> Option<Vec<&'t [u8]>> {
        if limit == 0 {
            return None;
        }
        if !self.0.as_str().is_empty() && text.is_empty() {
            return Some(vec![b""]);
        }
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut parts = Vec::new();
        let (mut begin, mut end) = (0, 0);
        for found in self.0.find_iter(text).take(most) {
            if parts.len() + 1 >= most {
                break;
            }
            end = found.start();
            if found.end() != 0 {
                parts.push(text.get(begin..end).unwrap_or_default());
            }
            begin = found.end();
        }
        if end != text.len() {
            parts.push(text.get(begin..).unwrap_or_default());
        }
        Some(parts)
    }
}

/// The name of a group after its dollar sign, with or without braces.
fn reference(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"{");
    let text = inner.unwrap_or(text);
    let mut length = 0;
    while let Some((c, width)) = decode(text.get(length..).unwrap_or_default()) {
        if c != '_' && !is_letter(c) && !is_digit(c) {
            break;
        }
        length += width;
    }
    let (name, rest) = text
        .split_at_checked(length)
        .filter(|(name, _)| !name.is_empty())?;
    match inner {
        Some(_) => Some((name, rest.strip_prefix(b"}")?)),
        None => Some((name, rest)),
    }
}

/// A name that is a number, without leading zeros.
fn number(name: &[u8]) -> Option<usize> {
    if name.len() > 1 && name.first() == Some(&b'0') || name.len() > 9 {
        return None;
    }
    std::str::from_utf8(name)
        .ok()
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|name| name.parse().ok())
}

/// The text with everything escaped that means something in an expression.
pub(crate) fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if b"\\.+*?()|[]{}^$".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(expression: &str) -> Regexp {
        Regexp::compile(expression, 1 << 20).expect(expression)
    }

    fn strings(parts: Vec<&[u8]>) -> Vec<String> {
        parts
            .into_iter()
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect()
    }

    #[test]
    fn classes_are_ascii_and_dollar_is_the_end() {
        assert!(!compile(r"\d").is_match("٣".as_bytes()));
        assert!(!compile(r"^\w$").is_match("é".as_bytes()));
        assert!(compile(r"(?i)é").is_match("É".as_bytes()));
        assert!(!compile("a$").is_match(b"a\n"));
        assert!(compile("(?m)a$").is_match(b"a\nb"));
        assert!(!compile("a.b").is_match(b"a\nb"));
        assert!(compile(r"\pL\x41[[:digit:]]\Q.*\E").is_match("éA1.*".as_bytes()));
        assert!(compile(r"a{,2}").is_match(b"a{,2}"));
    }

    #[test]
    fn replacing_and_splitting() {
        let replace = |e: &str, text: &str, by: &str| {
            let out = compile(e).replace(text.as_bytes(), by.as_bytes(), false, 1 << 20);
            String::from_utf8(out.expect("short")).expect("UTF-8")
        };
        assert_eq!(replace("a(x*)b", "-ab-axxb-", "${1}W"), "-W-xxW-");
        assert_eq!(replace("a(x*)b", "-ab-axxb-", "$1W"), "---");
        assert_eq!(replace("(?P<n>b)", "abc", "<$n$$>"), "a<b$>c");
        assert_eq!(replace("x*", "abc", "-"), "-a-b-c-");
        assert_eq!(replace("[^a-z0-9-_.]+", "v1.2-a_b@c", ""), "v1.2-a_bc");
        assert_eq!(
            strings(compile("a*").split(b"abaabaccadaaae", 5).expect("parts")),
            ["", "b", "b", "c", "cadaaae"]
        );
        assert_eq!(
            strings(compile("").split(b"abc", -1).expect("parts")),
            ["a", "b", "c"]
        );
        assert_eq!(strings(compile("a").find_all(b"aaa", 2)), ["a", "a"]);
    }

    #[test]
    fn what_is_no_expression_says_why() {
        for (expression, reason) in [
            ("(?=x)", "invalid or unsupported Perl syntax: `(?=`"),
            ("a(", "missing closing ): `a(`"),
            ("a)", "unexpected ): `a)`"),
            ("[a", "missing closing ]: `[a`"),
            ("*a", "missing argument to repetition operator: `*`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("\\", "trailing backslash at end of expression: ``"),
            (r"\1", r"invalid escape sequence: `\1`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
        ] {
            let error = Regexp::compile(expression, 1 << 20).map(|_| ());
            assert_eq!(
                error,
                Err(format!("error parsing regexp: {reason}")),
                "{expression}"
            );
        }
    }
}
