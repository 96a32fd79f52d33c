use crate::resolve::needs_quotes;

/// How a string is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// What libyaml's analysis finds out about a string.
#[derive(Default)]
struct Facts {
    breaks: bool,
    indicators: bool,
    special: bool,
    leading_space: bool,
    trailing_space: bool,
    leading_break: bool,
    trailing_break: bool,
    break_space: bool,
    space_break: bool,
}

/// Chooses the style of a string value or, if `key`, of a mapping key.
pub(super) fn style(text: &str, key: bool, operators: &[&str]) -> Style {
    if text.is_empty() {
        return Style::Double;
    }
    let facts = if is_word(text) {
        Facts::default()
    } else {
        analyse(text)
    };
    let hard = facts.special || facts.space_break;
    if facts.breaks {
        let block = !hard && !facts.trailing_space && !key;
        return match (block, text.contains('\n')) {
            (true, true) => Style::Literal,
            // Breaks of other kinds alone do not ask for a block.
            (true, false) => Style::Single,
            (false, _) => Style::Double,
        };
    }
    if operators.contains(&text) || needs_quotes(text) {
        return Style::Double;
    }
    if hard {
        return Style::Double;
    }
    if facts.leading_space || facts.trailing_space || facts.indicators {
        Style::Single
    } else {
        Style::Plain
    }
}

/// Whether go-yaml writes a text as a block where it was one. It refuses blanks before breaks and
/// what it has to escape; version 3, which this is for, has nothing against tabs.
pub(crate) fn can_be_block(text: &str) -> bool {
    let facts = analyse(text);
    let special = text.chars().any(|c| c != '\t' && !printable(c));
    !special && !facts.space_break && !facts.trailing_space
}

/// Whether there is nothing in a text that an analysis would stop at, as in most texts.
fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-'))
}

fn analyse(text: &str) -> Facts {
    let mut facts = Facts {
        indicators: text.starts_with("---") || text.starts_with("..."),
        ..Facts::default()
    };
    let mut before_blank = true;
    let (mut last_space, mut last_break) = (false, false);
    let mut chars = text.chars().peekable();
    let mut first = true;
    while let Some(c) = chars.next() {
        let end = chars.peek().is_none();
        let next_blank = chars
            .peek()
            .is_none_or(|n| matches!(n, ' ' | '\t') || is_break(*n));
        facts.indicators |= indicator(c, first, before_blank, next_blank);
        facts.special |= !printable(c);
        if c == ' ' {
            facts.leading_space |= first;
            facts.trailing_space |= end;
            facts.break_space |= last_break;
            (last_space, last_break) = (true, false);
        } else if is_break(c) {
            facts.breaks = true;
            facts.leading_break |= first;
            facts.trailing_break |= end;
            facts.space_break |= last_space;
            (last_space, last_break) = (false, true);
        } else {
            (last_space, last_break) = (false, false);
        }
        before_blank = matches!(c, ' ' | '\t') || is_break(c);
        first = false;
    }
    facts
}

fn indicator(c: char, first: bool, before_blank: bool, next_blank: bool) -> bool {
    if first {
        return match c {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`' => true,
            '?' | ':' | '-' => next_blank,
            _ => false,
        };
    }
    match c {
        ':' => next_blank,
        '#' => before_blank,
        _ => false,
    }
}

pub(super) const fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What go-yaml writes as it is; tabs and the planes beyond the first are escaped.
pub(super) const fn printable(c: char) -> bool {
    matches!(c, '\n' | '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// The escape of a character inside double quotes, if it needs one.
pub(super) fn escape(c: char) -> Option<String> {
    if printable(c) && !is_break(c) && c != '"' && c != '\\' {
        return None;
    }
    let short = match c {
        '\0' => "0",
        '\u{7}' => "a",
        '\u{8}' => "b",
        '\t' => "t",
        '\n' => "n",
        '\u{b}' => "v",
        '\u{c}' => "f",
        '\r' => "r",
        '\u{1b}' => "e",
        '"' => "\"",
        '\\' => "\\",
        '\u{85}' => "N",
        '\u{2028}' => "L",
        '\u{2029}' => "P",
        _ => "",
    };
    let code = u32::from(c);
    Some(match short {
        "" if code <= 0xff => format!("\\x{code:02X}"),
        "" if code <= 0xffff => format!("\\u{code:04X}"),
        "" => format!("\\U{code:08X}"),
        short => format!("\\{short}"),
    })
}
