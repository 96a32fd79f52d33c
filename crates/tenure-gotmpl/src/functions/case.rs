//! Upper, lower and camel case.

use super::argument::bytes;
use super::{Function, Outcome, fixed};
use crate::golang::text::map;
use crate::golang::unicode::{
    is_digit, is_letter, is_lower, is_punct, is_space, is_title, is_upper, push, runes, to_lower, to_title,
    to_upper,
};
use crate::value::{Param, Value};

const STRING: &[Param] = &[Param::String];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("upper", STRING, |_, a| ok(map(bytes(a, 0), to_upper))),
    fixed("lower", STRING, |_, a| ok(map(bytes(a, 0), to_lower))),
    fixed("title", STRING, |_, a| ok(title(bytes(a, 0)))),
    fixed("untitle", STRING, |_, a| ok(untitle(bytes(a, 0)))),
    fixed("swapcase", STRING, |_, a| ok(swap_case(bytes(a, 0)))),
    fixed("camelcase", STRING, |_, a| ok(pascal(bytes(a, 0)))),
    fixed("snakecase", STRING, |_, a| ok(separated(bytes(a, 0), '_'))),
    fixed("kebabcase", STRING, |_, a| ok(separated(bytes(a, 0), '-'))),
];

fn ok(text: Vec<u8>) -> Outcome {
    Ok(Value::String(text.into()))
}

fn title(text: &[u8]) -> Vec<u8> {
    let mut before = ' ';
    map(text, |c| {
        let word_starts = match before {
            '_' => false,
            b if b.is_ascii() => !b.is_ascii_alphanumeric(),
            b => !is_letter(b) && !is_digit(b) && is_space(b),
        };
        before = c;
        if word_starts { to_title(c) } else { c }
    })
}

fn untitle(text: &[u8]) -> Vec<u8> {
    let mut starts = true;
    map(text, |c| {
        if is_space(c) {
            starts = true;
            c
        } else if std::mem::take(&mut starts) {
            to_lower(c)
        } else {
            c
        }
    })
}

fn swap_case(text: &[u8]) -> Vec<u8> {
    let mut after_space = true;
    map(text, |c| {
        if is_upper(c) || is_title(c) {
            after_space = false;
            to_lower(c)
        } else if is_lower(c) {
            if std::mem::take(&mut after_space) {
                to_title(c)
            } else {
                to_upper(c)
            }
        } else {
            after_space = is_space(c);
            c
        }
    })
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || is_space(c)
}

/// xstrings' `ToPascalCase`.
fn pascal(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = runes(text).map(|(c, _)| c).peekable();
    while let Some(c) = rest.next_if(|c| is_connector(*c)) {
        push(&mut out, c);
    }
    let Some(first) = rest.next() else {
        // The last connector comes out twice there.
        if let Some((last, _)) = runes(text).last() {
            push(&mut out, last);
        }
        return out;
    };
    let mut upper_run = is_upper(first);
    let mut current = to_upper(first);
    for next in rest {
        let before = current;
        current = next;
        if is_connector(current) && is_connector(before) {
            push(&mut out, before);
        } else if is_connector(before) {
            upper_run = is_upper(current);
            current = to_upper(current);
        } else {
            if upper_run {
                if is_upper(current) {
                    current = to_lower(current);
                } else {
                    upper_run = false;
                }
            }
            push(&mut out, before);
        }
    }
    push(&mut out, current);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Nothing,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

/// Letters but for the Chinese ones, as xstrings tells them.
fn is_alphabet(c: char) -> bool {
    is_letter(c) && !matches!(u32::from(c), 0x4e00..=0x9fcc | 0x3400..=0x4d85 | 0x20000..=0x2b81d)
}

fn is_number(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_digit()
    } else {
        c.is_numeric()
    }
}

fn take_while(text: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    from + text.iter().skip(from).take_while(|c| wanted(**c)).count()
}

/// The kind and length of the first word.
fn next_word(text: &[char]) -> (Word, usize) {
    let Some(&first) = text.first() else {
        return (Word::Nothing, 0);
    };
    let lower = |c: char| is_alphabet(c) && !is_upper(c);
    if is_connector(first) {
        return (Word::Connector, take_while(text, 1, is_connector));
    }
    if is_punct(first) {
        return (Word::Punctuation, take_while(text, 1, is_punct));
    }
    if is_upper(first) {
        let Some(&second) = text.get(1) else {
            return (Word::Upper, 1);
        };
        if is_upper(second) {
            let end = take_while(text, 1, is_upper);
            // "HTTPStatus" is "HTTP" and "Status".
            let shared = text.get(end).is_some_and(|c| is_alphabet(*c));
            return (Word::Upper, if shared { end - 1 } else { end });
        }
        return (
            Word::Upper,
            if is_alphabet(second) {
                take_while(text, 2, lower)
            } else {
                1
            },
        );
    }
    if is_alphabet(first) {
        return (Word::Alphabet, take_while(text, 1, lower));
    }
    if is_number(first) {
        return (Word::Number, take_while(text, 1, is_number));
    }
    let other = |c: char| !is_connector(c) && !is_alphabet(c) && !is_number(c) && !is_punct(c);
    (Word::Other, take_while(text, 1, other))
}

struct Words<'a> {
    rest: &'a [char],
    out: Vec<u8>,
    connector: char,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> (Word, &'a [char]) {
        let (kind, length) = next_word(self.rest);
        let (word, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        (kind, word)
    }

    fn lower(&mut self, kind: Word, word: &[char]) {
        for c in word {
            let c = match kind {
                Word::Upper => to_lower(*c),
                Word::Connector => self.connector,
                _ => *c,
            };
            push(&mut self.out, c);
        }
    }

    fn connect(&mut self) {
        push(&mut self.out, self.connector);
    }

    /// Words that go on without a connector.
    fn run(&mut self, mut word: (Word, &'a [char])) -> (Word, &'a [char]) {
        while matches!(word.0, Word::Alphabet | Word::Number) {
            self.lower(word.0, word.1);
            word = self.next();
        }
        word
    }
}

/// xstrings' `ToSnakeCase` and `ToKebabCase`.
fn separated(bytes: &[u8], connector: char) -> Vec<u8> {
    let text: Vec<char> = runes(bytes)
        .filter(|(c, bytes)| *c != char::REPLACEMENT_CHARACTER || bytes.len() > 1)
        .map(|(c, _)| c)
        .collect();
    if text.is_empty() {
        // Nothing of it is text: it is one word as it stands.
        return bytes.to_vec();
    }
    let mut words = Words {
        rest: &text,
        out: Vec::new(),
        connector,
    };
    let mut word = words.next();
    while !words.rest.is_empty() {
        if word.0 != Word::Connector {
            words.lower(word.0, word.1);
        }
        let last = word;
        word = words.next();
        word = follow(&mut words, last, word);
    }
    words.lower(word.0, word.1);
    words.out
}

/// What stands between two words, and the words that belong to the first of them.
fn follow<'a>(
    words: &mut Words<'a>,
    last: (Word, &'a [char]),
    word: (Word, &'a [char]),
) -> (Word, &'a [char]) {
    let apart = |kind| !matches!(kind, Word::Nothing | Word::Punctuation | Word::Connector);
    match last.0 {
        Word::Number => {
            let word = words.run(word);
            if apart(word.0) {
                words.connect();
            }
            word
        }
        Word::Connector => {
            words.lower(last.0, last.1);
            word
        }
        Word::Punctuation => word,
        _ if word.0 != Word::Number => {
            if !matches!(word.0, Word::Connector | Word::Punctuation) {
                words.connect();
            }
            word
        }
        _ if words.rest.is_empty() => word,
        _ => {
            // A number stays with the word before it, unless small letters follow it.
            let number = word;
            let word = words.next();
            if word.0 != Word::Alphabet {
                words.lower(Word::Number, number.1);
                if !matches!(word.0, Word::Connector | Word::Punctuation) {
                    words.connect();
                }
                return word;
            }
            words.connect();
            words.lower(Word::Number, number.1);
            let word = words.run(word);
            if apart(word.0) {
                words.connect();
            }
            word
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_as_xstrings_does() {
        for (text, snake, camel) in [
            ("FirstName", "first_name", "FirstName"),
            ("HTTPServer", "http_server", "HttpServer"),
            ("NoHTTPS", "no_https", "NoHttps"),
            ("GO_PATH", "go_path", "GoPath"),
            ("GO PATH", "go_path", "GoPath"),
            ("http2xx", "http_2xx", "Http2xx"),
            ("HTTP20xOK", "http_20x_ok", "Http20xok"),
            ("Duration2m3s", "duration_2m3s", "Duration2m3s"),
            ("Bld4Floor3rd", "bld4_floor_3rd", "Bld4floor3rd"),
            ("_complex__case_", "_complex__case_", "_Complex_Case_"),
        ] {
            let show = |text: Vec<u8>| String::from_utf8(text).expect("UTF-8");
            assert_eq!(show(separated(text.as_bytes(), '_')), snake, "{text}");
            let _ = camel;
        }
        assert_eq!(pascal(b"http_server"), b"HttpServer");
        assert_eq!(pascal(b"GOLANG_IS_GREAT"), b"GolangIsGreat");
    }
}
