use std::fmt::Write as _;

use super::order::compare;
use super::scalar::{Style, escape, is_break, style};
use super::{EmitOptions, Tree, View};
use crate::number::{go_float, go_general_float};

/// Keys longer than this are written with `?`, as in libyaml.
const LONGEST_SIMPLE_KEY: usize = 128;

pub(super) struct Writer<'a> {
    options: &'a EmitOptions,
    out: &'a mut String,
    column: usize,
    /// A kept trailing line break is the last thing written.
    open_ended: bool,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(options: &'a EmitOptions, out: &'a mut String) -> Self {
        Self {
            options,
            out,
            column: 0,
            open_ended: false,
        }
    }

    pub(super) fn document(mut self, value: &impl Tree) {
        match value.view() {
            View::Map(map) if !map.is_empty() => self.mapping(map, 0, true),
            View::List(list) if !list.is_empty() => self.sequence(list, 0, true),
            other => self.leaf(&other, 0, false),
        }
        self.end_line();
        if self.open_ended && self.options.ends_open_text {
            self.out.push_str("...\n");
        }
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn end_line(&mut self) {
        if self.column > 0 {
            self.out.push('\n');
            self.column = 0;
        }
    }

    fn indent(&mut self, indent: usize) {
        self.end_line();
        const BLANKS: &str = "                                ";
        let mut left = indent;
        while left > 0 {
            let part = left.min(BLANKS.len());
            self.out.push_str(BLANKS.get(..part).unwrap_or_default());
            left -= part;
        }
        self.column = indent;
    }

    /// Members at column `indent`; the first one goes on the current line if `inline`.
    fn mapping<T: Tree>(&mut self, mut members: Vec<(&str, &T)>, indent: usize, inline: bool) {
        if self.options.sort {
            members.sort_by(|a, b| compare(a.0, b.0));
        }
        for (i, (key, value)) in members.into_iter().enumerate() {
            if i > 0 || !inline {
                self.indent(indent);
            }
            if key.len() <= LONGEST_SIMPLE_KEY && !key.contains(is_break) {
                self.string(key, indent, true);
                self.put(":");
                self.open_ended = false;
                self.member(value, indent);
            } else {
                self.put("? ");
                self.string(key, indent, false);
                self.indent(indent);
                self.put(":");
                self.open_ended = false;
                self.inline_member(value, indent);
            }
        }
    }

    /// The value of a key that is marked with `?`: it starts on the line of its colon.
    fn inline_member(&mut self, value: &impl Tree, indent: usize) {
        self.put(" ");
        match value.view() {
            View::Map(map) if !map.is_empty() => self.mapping(map, indent + 2, true),
            View::List(list) if !list.is_empty() => self.sequence(list, indent + 2, true),
            other => self.leaf(&other, indent, false),
        }
    }

    fn member(&mut self, value: &impl Tree, indent: usize) {
        match value.view() {
            View::Map(map) if !map.is_empty() => self.mapping(map, indent + 2, false),
            View::List(list) if !list.is_empty() => {
                let at = if self.options.indent_lists {
                    indent + 2
                } else {
                    indent
                };
                self.sequence(list, at, false);
            }
            other => {
                self.put(" ");
                self.leaf(&other, indent, false);
            }
        }
    }

    fn sequence(&mut self, list: &[impl Tree], indent: usize, inline: bool) {
        for (i, item) in list.iter().enumerate() {
            if i > 0 || !inline {
                self.indent(indent);
            }
            self.put("- ");
            self.open_ended = false;
            match item.view() {
                View::Map(map) if !map.is_empty() => self.mapping(map, indent + 2, true),
                View::List(inner) if !inner.is_empty() => self.sequence(inner, indent + 2, true),
                other => self.leaf(&other, indent, false),
            }
        }
    }

    fn leaf<T>(&mut self, value: &View<'_, T>, indent: usize, key: bool) {
        match value {
            View::Null => self.put("null"),
            View::Bool(true) => self.put("true"),
            View::Bool(false) => self.put("false"),
            View::Number(n) => match n.as_f64() {
                Some(f) if n.is_f64() && self.options.exponents => self.put(&go_general_float(f)),
                Some(f) if n.is_f64() => self.put(&go_float(f)),
                _ => {
                    let before = self.out.len();
                    write!(self.out, "{n}").ok();
                    self.column += self.out.len() - before;
                }
            },
            View::Text(text) => self.string(text, indent, key),
            View::List(_) => self.put("[]"),
            View::Map(_) => self.put("{}"),
        }
    }

    fn string(&mut self, text: &str, indent: usize, key: bool) {
        match style(text, key, self.options.operators) {
            Style::Plain => self.folded(text, indent + 2, key, false),
            Style::Single => {
                self.put("'");
                self.folded(text, indent + 2, key, true);
                self.put("'");
            }
            Style::Double => self.double(text, indent + 2, key),
            Style::Literal => self.literal(text, indent + 2),
        }
    }

    fn too_wide(&self, key: bool) -> bool {
        !key && self.options.width.is_some_and(|w| self.column > w)
    }

    /// Plain and single-quoted text: a single space beyond the width becomes a line break.
    fn folded(&mut self, text: &str, indent: usize, key: bool, quoted: bool) {
        if !text.contains([' ', '\'']) {
            self.put(text);
            return;
        }
        let mut last_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let next_space = chars.peek().is_some_and(|(_, n)| *n == ' ');
            let inner = !quoted || at > 0 && chars.peek().is_some();
            if c == ' ' && !last_space && inner && !next_space && self.too_wide(key) {
                self.indent(indent);
            } else if c == '\'' && quoted {
                self.put("''");
            } else {
                self.out.push(c);
                self.column += 1;
            }
            last_space = c == ' ';
        }
    }

    fn double(&mut self, text: &str, indent: usize, key: bool) {
        self.put("\"");
        let mut last_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let inner = at > 0 && chars.peek().is_some();
            if c == ' ' && !last_space && inner && self.too_wide(key) {
                self.indent(indent);
                if chars.peek().is_some_and(|(_, n)| *n == ' ') {
                    self.put("\\");
                }
            } else if let Some(escaped) = escape(c) {
                self.put(&escaped);
            } else {
                self.out.push(c);
                self.column += 1;
            }
            last_space = c == ' ';
        }
        self.put("\"");
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with([' ', '\n']) {
            self.put("2");
        }
        self.open_ended = false;
        if !text.ends_with('\n') {
            self.put("-");
        } else if text == "\n" || text.ends_with("\n\n") {
            self.put("+");
            self.open_ended = true;
        }
        let body = text.strip_suffix('\n').unwrap_or(text);
        self.end_line();
        for line in body.split('\n') {
            if !line.is_empty() {
                self.indent(indent);
                self.put(line);
            }
            self.out.push('\n');
            self.column = 0;
        }
    }
}
