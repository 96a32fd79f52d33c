//! What go-yaml v3 makes of a folded scalar that it writes and reads again.

use crate::emit::can_be_block;
use crate::{Options, parse_one};

/// The text of a folded scalar after it was written once more, if that is another text.
///
/// The writer (`yaml_emitter_write_folded_scalar`@v3.0.4) doubles every break after a line that
/// starts with no blank. It should not where the next line is indented further, but it looks at the
/// first character of the text instead of the next one.
pub(crate) fn rewritten(text: &str) -> Option<String> {
    let inner = text.strip_suffix('\n').unwrap_or(text);
    if !inner.contains('\n') || !can_be_block(text) {
        return None;
    }
    let first = text.trim_start_matches('\n').chars().next();
    let doubles = first.is_some_and(|c| !matches!(c, ' ' | '\t'));
    let mut out = String::from("a: >");
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    if !text.ends_with('\n') {
        out.push('-');
    } else if text.ends_with("\n\n") {
        out.push('+');
    }
    out.push('\n');
    let (mut breaks, mut blank) = (true, true);
    for c in text.chars() {
        if c == '\n' {
            if !breaks && !blank && doubles {
                out.push('\n');
            }
            breaks = true;
        } else {
            if breaks {
                out.push_str("  ");
                blank = matches!(c, ' ' | '\t');
            }
            breaks = false;
        }
        out.push(c);
    }
    if breaks {
        // The next key follows; here it only ends the scalar.
        out.push_str("b:\n");
    }
    let read = parse_one(out.as_bytes(), &Options::kustomize()).ok()?;
    let new = read.get("a")?.as_str()?;
    (new != text).then(|| new.to_owned())
}

#[cfg(test)]
mod tests {
    use super::rewritten;

    #[test]
    fn a_break_before_an_indented_line_becomes_two() {
        let cases = [
            ("one\n  two\nthree\n", Some("one\n\n  two\nthree\n")),
            ("\nabc\n def\n", Some("\nabc\n\n def\n")),
            (" abc\ndef\nghi\n", Some(" abc\ndef ghi\n")),
            ("a b\n\n\n", Some("a b\n\n\n\n")),
            ("one\n\n", Some("one\n\n\n")),
            ("x\n\ny\n  z\n\nw", Some("x\n\ny\n\n  z\n\nw")),
            ("a\nb\n", None),
            ("a \nb\n", None),
            ("a", None),
        ];
        for (text, want) in cases {
            assert_eq!(rewritten(text).as_deref(), want, "{text:?}");
        }
    }
}
