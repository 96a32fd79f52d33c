//! From text to tokens.

use std::ops::Range;

use crate::golang::quote::quote;
use crate::golang::unicode::{decode, decode_last, is_digit, is_letter, is_print};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    // Keywords.
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Kind {
    const fn is_keyword(self) -> bool {
        matches!(
            self,
            Self::Block
                | Self::Break
                | Self::Continue
                | Self::Dot
                | Self::Define
                | Self::Else
                | Self::End
                | Self::If
                | Self::Nil
                | Self::Range
                | Self::Template
                | Self::With
        )
    }

    fn keyword(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"." => Self::Dot,
            b"block" => Self::Block,
            b"break" => Self::Break,
            b"continue" => Self::Continue,
            b"define" => Self::Define,
            b"else" => Self::Else,
            b"end" => Self::End,
            b"if" => Self::If,
            b"range" => Self::Range,
            b"nil" => Self::Nil,
            b"template" => Self::Template,
            b"with" => Self::With,
            _ => return None,
        })
    }
}

/// A token and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: Kind,
    start: u32,
    end: u32,
    pub(super) line: u32,
}

impl Token {
    fn new(kind: Kind, span: Range<usize>, line: usize) -> Self {
        Self {
            kind,
            start: small(span.start),
            end: small(span.end),
            line: small(line),
        }
    }

    pub(super) const fn position(&self) -> u32 {
        self.start
    }

    pub(super) const fn span(&self) -> Range<u32> {
        self.start..self.end
    }

    pub(super) fn bytes<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// How messages name it; an error is told by its own message.
    pub(super) fn describe(&self, text: &[u8], message: &str) -> String {
        let bytes = self.bytes(text);
        match self.kind {
            Kind::Eof => "EOF".into(),
            Kind::Error => message.to_owned(),
            kind if kind.is_keyword() => format!("<{}>", String::from_utf8_lossy(bytes)),
            _ if bytes.len() > 10 => {
                let end: usize = crate::golang::unicode::runes(bytes)
                    .take(10)
                    .map(|(_, b)| b.len())
                    .sum();
                format!("{}...", quote(bytes.get(..end).unwrap_or(bytes)))
            }
            _ => quote(bytes),
        }
    }
}

/// Texts are far smaller than this can tell.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

const LEFT: &[u8] = b"{{";
const RIGHT: &[u8] = b"}}";

pub(super) struct Lexer<'a> {
    text: &'a [u8],
    position: usize,
    start: usize,
    line: usize,
    start_line: usize,
    parens: usize,
    inside: bool,
    /// After an error there is nothing more.
    failed: bool,
    /// What the error is.
    pub(super) message: String,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            position: 0,
            start: 0,
            line: 1,
            start_line: 1,
            parens: 0,
            inside: false,
            failed: false,
            message: String::new(),
        }
    }

    pub(super) fn next_token(&mut self) -> Token {
        if self.failed {
            return Token::new(Kind::Eof, 0..0, self.start_line);
        }
        if self.inside {
            self.inside_action()
        } else {
            self.plain_text()
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        decode(self.rest()).map(|(c, _)| c)
    }

    fn advance(&mut self) -> Option<char> {
        let (c, width) = decode(self.rest())?;
        self.position += width;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn back(&mut self) {
        if let Some((c, width)) = decode_last(self.text.get(..self.position).unwrap_or_default()) {
            self.position -= width;
            self.line -= usize::from(c == '\n');
        }
    }

    fn emit(&mut self, kind: Kind) -> Token {
        let token = Token::new(kind, self.start..self.position, self.start_line);
        self.start = self.position;
        self.start_line = self.line;
        token
    }

    /// Leaves out what was skipped without [`Lexer::advance`].
    fn ignore(&mut self) {
        self.count_lines();
        self.start = self.position;
        self.start_line = self.line;
    }

    fn count_lines(&mut self) {
        let skipped = self.text.get(self.start..self.position).unwrap_or_default();
        self.line += skipped.iter().filter(|b| **b == b'\n').count();
    }

    fn error(&mut self, message: impl Into<String>) -> Token {
        self.failed = true;
        self.message = message.into();
        Token::new(Kind::Error, self.start..self.start, self.start_line)
    }

    fn plain_text(&mut self) -> Token {
        loop {
            let Some(at) = find(self.rest(), LEFT) else {
                self.position = self.text.len();
                if self.position > self.start {
                    self.count_lines();
                    return self.emit(Kind::Text);
                }
                return self.emit(Kind::Eof);
            };
            if at > 0 {
                self.position += at;
                let after = self.text.get(self.position + LEFT.len()..).unwrap_or_default();
                let trim = if trims_left(after) {
                    let before = self.text.get(self.start..self.position).unwrap_or_default();
                    before.iter().rev().take_while(|b| is_space_byte(**b)).count()
                } else {
                    0
                };
                self.position -= trim;
                self.count_lines();
                let token = self.emit(Kind::Text);
                self.position += trim;
                self.ignore();
                if token.start < token.end {
                    return token;
                }
            }
            if let Some(token) = self.left_delim() {
                return token;
            }
        }
    }

    /// At an opening delimiter: its token, or nothing if a comment was skipped.
    fn left_delim(&mut self) -> Option<Token> {
        self.position += LEFT.len();
        let marker = if trims_left(self.rest()) { 2 } else { 0 };
        if self
            .rest()
            .get(marker..)
            .is_some_and(|rest| rest.starts_with(b"/*"))
        {
            self.position += marker;
            self.ignore();
            return self.comment();
        }
        let token = self.emit(Kind::LeftDelim);
        self.inside = true;
        self.position += marker;
        self.ignore();
        self.parens = 0;
        Some(token)
    }

    fn comment(&mut self) -> Option<Token> {
        self.position += 2;
        let Some(end) = find(self.rest(), b"*/") else {
            return Some(self.error("unclosed comment"));
        };
        self.position += end + 2;
        let Some(trim) = self.at_right_delim() else {
            return Some(self.error("comment ends before closing delimiter"));
        };
        self.position += if trim { 2 + RIGHT.len() } else { RIGHT.len() };
        if trim {
            self.skip_spaces();
        }
        self.ignore();
        None
    }

    fn skip_spaces(&mut self) {
        self.position += self.rest().iter().take_while(|b| is_space_byte(**b)).count();
    }

    /// Whether a closing delimiter stands here, and if so whether it trims.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if trims_right(rest) && rest.get(2..).is_some_and(|rest| rest.starts_with(RIGHT)) {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    fn right_delim(&mut self, trim: bool) -> Token {
        if trim {
            self.position += 2;
            self.ignore();
        }
        self.position += RIGHT.len();
        let token = self.emit(Kind::RightDelim);
        if trim {
            self.skip_spaces();
            self.ignore();
        }
        self.inside = false;
        token
    }

    fn inside_action(&mut self) -> Token {
        if let Some(trim) = self.at_right_delim() {
            if self.parens == 0 {
                return self.right_delim(trim);
            }
            return self.error("unclosed left paren");
        }
        let Some(c) = self.advance() else {
            return self.error("unclosed action");
        };
        match c {
            ' ' | '\t' | '\r' | '\n' => {
                self.back();
                self.space()
            }
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.advance() == Some('=') {
                    self.emit(Kind::Declare)
                } else {
                    self.error("expected :=")
                }
            }
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '`' => self.raw(),
            '$' => self.variable(),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '.' if self.rest().first().is_some_and(|b| !b.is_ascii_digit()) => self.field(Kind::Field),
            '.' | '+' | '-' | '0'..='9' => {
                self.back();
                self.number()
            }
            c if is_alphanumeric(c) => {
                self.back();
                self.identifier()
            }
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen)
            }
            ')' => {
                if self.parens == 0 {
                    return self.error("unexpected right paren");
                }
                self.parens -= 1;
                self.emit(Kind::RightParen)
            }
            c if c.is_ascii() && is_print(c) => self.emit(Kind::Char),
            c => self.error(format!("unrecognized character in action: {}", describe(c))),
        }
    }

    fn space(&mut self) -> Token {
        let mut count = 0;
        while self.peek().is_some_and(is_space) {
            self.advance();
            count += 1;
        }
        let before = self.text.get(self.position - 1..).unwrap_or_default();
        if trims_right(before) && before.get(2..).is_some_and(|rest| rest.starts_with(RIGHT)) {
            self.back();
            if count == 1 {
                return self.right_delim(true);
            }
        }
        self.emit(Kind::Space)
    }

    fn identifier(&mut self) -> Token {
        let mut next;
        loop {
            next = self.peek();
            if !next.is_some_and(is_alphanumeric) {
                break;
            }
            self.advance();
        }
        if !self.at_terminator() {
            return self.bad_character(next);
        }
        let word = self.text.get(self.start..self.position).unwrap_or_default();
        let kind = Kind::keyword(word).unwrap_or(match word {
            b"true" | b"false" => Kind::Bool,
            _ => Kind::Identifier,
        });
        self.emit(kind)
    }

    fn variable(&mut self) -> Token {
        if self.at_terminator() {
            return self.emit(Kind::Variable);
        }
        self.field(Kind::Variable)
    }

    /// A name after its dot or dollar sign.
    fn field(&mut self, kind: Kind) -> Token {
        if self.at_terminator() {
            return self.emit(if kind == Kind::Variable {
                Kind::Variable
            } else {
                Kind::Dot
            });
        }
        let mut next;
        loop {
            next = self.peek();
            if !next.is_some_and(is_alphanumeric) {
                break;
            }
            self.advance();
        }
        if !self.at_terminator() {
            return self.bad_character(next);
        }
        self.emit(kind)
    }

    fn bad_character(&mut self, c: Option<char>) -> Token {
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        self.error(format!("bad character {}", describe(c)))
    }

    /// Whether a name may end here.
    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(c) if is_space(c) => true,
            _ => self.rest().starts_with(RIGHT),
        }
    }

    fn quoted(&mut self, mark: char, kind: Kind, unterminated: &str) -> Token {
        loop {
            match self.advance() {
                Some('\\') => {
                    if matches!(self.advance(), None | Some('\n')) {
                        return self.error(unterminated);
                    }
                }
                None | Some('\n') => return self.error(unterminated),
                Some(c) if c == mark => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn raw(&mut self) -> Token {
        loop {
            match self.advance() {
                None => return self.error("unterminated raw quoted string"),
                Some('`') => return self.emit(Kind::RawString),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Token {
        if !self.scan_number() {
            return self.bad_number();
        }
        if matches!(self.peek(), Some('+' | '-')) {
            let imaginary = self.scan_number()
                && self.position.checked_sub(1).and_then(|at| self.text.get(at)) == Some(&b'i');
            if !imaginary {
                return self.bad_number();
            }
            return self.emit(Kind::Complex);
        }
        self.emit(Kind::Number)
    }

    fn bad_number(&mut self) -> Token {
        let text = self.text.get(self.start..self.position).unwrap_or_default();
        self.error(format!("bad number syntax: {}", quote(text)))
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.advance();
            return false;
        }
        true
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|c| valid.contains(c));
        if found {
            self.advance();
        }
        found
    }

    fn accept_run(&mut self, valid: &str) {
        while self.accept(valid) {}
    }
}

pub(super) fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

const fn is_space_byte(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_alphanumeric(c: char) -> bool {
    if c.is_ascii() {
        return c == '_' || c.is_ascii_alphanumeric();
    }
    is_letter(c) || is_digit(c)
}

const fn trims_left(text: &[u8]) -> bool {
    matches!(text, [b'-', b' ' | b'\t' | b'\r' | b'\n', ..])
}

const fn trims_right(text: &[u8]) -> bool {
    matches!(text, [b' ' | b'\t' | b'\r' | b'\n', b'-', ..])
}

/// A character as `%#U` prints it.
fn describe(c: char) -> String {
    let code = format!("U+{:04X}", u32::from(c));
    if is_print(c) {
        format!("{code} '{c}'")
    } else {
        code
    }
}
