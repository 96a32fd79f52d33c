//! From Go's syntax to that of the `regex` crate, with Go's errors.

use super::{class, is_digit, is_letter};

/// Largest count of a repetition, alone and multiplied with those around it.
const MOST_REPEATS: u32 = 1000;
/// Deepest nesting of groups.
const DEEPEST: usize = 1000;

/// Rewrites an expression; what is not allowed gives Go's reason and the part at fault.
pub(super) fn translate(expression: &str) -> Result<String, String> {
    let mut translator = Translator {
        whole: expression,
        rest: expression,
        out: String::with_capacity(expression.len() + 8),
        groups: Vec::new(),
        names: Vec::new(),
        flags: Flags::default(),
        operand: None,
    };
    translator.run()?;
    Ok(translator.out)
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    fold: bool,
    lines: bool,
    dot_newline: bool,
    lazy: bool,
}

/// What a repetition operator would repeat.
struct Operand<'e> {
    /// Where it starts in the output.
    start: usize,
    /// The repetition operators that it ends in.
    operator: Option<&'e str>,
    repeats: u32,
}

struct Group {
    flags: Flags,
    start: usize,
    repeats: u32,
}

struct Translator<'e> {
    whole: &'e str,
    rest: &'e str,
    out: String,
    groups: Vec<Group>,
    names: Vec<&'e str>,
    flags: Flags,
    operand: Option<Operand<'e>>,
}

fn error<T>(reason: &str, part: &str) -> Result<T, String> {
    Err(format!("{reason}: `{part}`"))
}

impl<'e> Translator<'e> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '(' => self.open()?,
                '|' => {
                    self.take(1);
                    self.out.push('|');
                    self.operand = None;
                }
                ')' => self.close()?,
                '^' | '$' => self.anchor(c),
                '.' => self.put(1, if self.flags.dot_newline { r"(?s:.)" } else { "." }),
                '[' => self.class()?,
                '*' | '+' | '?' => self.repeat_operator()?,
                '{' => self.counted()?,
                '\\' => self.backslash()?,
                c => self.literal(c, c.len_utf8()),
            }
        }
        if !self.groups.is_empty() {
            return error("missing closing )", self.whole);
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Writes an operand for so many bytes of the expression.
    fn put(&mut self, bytes: usize, text: &str) {
        self.take(bytes);
        self.operand = Some(Operand {
            start: self.out.len(),
            operator: None,
            repeats: 1,
        });
        self.out.push_str(text);
    }

    fn literal(&mut self, c: char, bytes: usize) {
        let escaped = regex_syntax::escape(c.encode_utf8(&mut [0; 4]));
        self.put(bytes, &escaped);
    }

    fn anchor(&mut self, c: char) {
        let text = match (c, self.flags.lines) {
            ('^', true) => "(?m:^)",
            ('^', false) => r"\A",
            (_, true) => "(?m:$)",
            (_, false) => r"\z",
        };
        self.put(1, text);
    }

    fn open(&mut self) -> Result<(), String> {
        if self.groups.len() >= DEEPEST {
            return error("expression nests too deeply", self.whole);
        }
        let group = Group {
            flags: self.flags,
            start: self.out.len(),
            repeats: 1,
        };
        if !self.rest.starts_with("(?") {
            self.take(1);
            self.out.push('(');
            self.groups.push(group);
            self.operand = None;
            return Ok(());
        }
        let named = ["(?P<", "(?<"]
            .into_iter()
            .find(|prefix| self.rest.starts_with(prefix));
        if let Some(prefix) = named
            && !self.rest.starts_with("(?<=")
            && !self.rest.starts_with("(?<!")
        {
            let body = self.rest.get(prefix.len()..).unwrap_or_default();
            let Some((name, _)) = body.split_once('>') else {
                return error("invalid named capture", self.rest);
            };
            let capture = self
                .rest
                .get(..prefix.len() + name.len() + 1)
                .unwrap_or(self.rest);
            let word = |c: char| c == '_' || is_letter(c) || is_digit(c);
            if name.is_empty() || !name.chars().all(word) {
                return error("invalid named capture", capture);
            }
            if self.names.contains(&name) {
                return error("duplicate capture group name", name);
            }
            self.names.push(name);
            self.take(capture.len());
            // The other side wants names to start with a letter.
            self.out.push_str(&format!("(?P<{name}>"));
            self.groups.push(group);
            self.operand = None;
            return Ok(());
        }
        self.flag_group(group)
    }

    /// `(?flags)` and `(?flags:`.
    fn flag_group(&mut self, group: Group) -> Result<(), String> {
        let mut flags = self.flags;
        let (mut negative, mut some) = (false, false);
        let mut end = 2;
        for c in self.rest.chars().skip(2) {
            end += c.len_utf8();
            let set = !negative;
            match c {
                'i' => (flags.fold, some) = (set, true),
                'm' => (flags.lines, some) = (set, true),
                's' => (flags.dot_newline, some) = (set, true),
                'U' => (flags.lazy, some) = (set, true),
                '-' if !negative => (negative, some) = (true, false),
                ':' | ')' if !negative || some => {
                    self.take(end);
                    let fold = match (flags.fold, c) {
                        (true, ':') => "(?i:",
                        (false, ':') => "(?-i:",
                        (true, _) => "(?i)",
                        (false, _) => "(?-i)",
                    };
                    self.out.push_str(fold);
                    self.flags = flags;
                    self.operand = None;
                    if c == ':' {
                        self.groups.push(group);
                    }
                    return Ok(());
                }
                _ => break,
            }
        }
        let end = if end > self.rest.len() {
            self.rest.len()
        } else {
            end
        };
        if self.rest.len() == 2 || self.rest.len() == end && !self.rest.ends_with([':', ')']) {
            return error("missing closing )", self.whole);
        }
        error(
            "invalid or unsupported Perl syntax",
            self.rest.get(..end).unwrap_or(self.rest),
        )
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(group) = self.groups.pop() else {
            return error("unexpected )", self.whole);
        };
        self.take(1);
        self.out.push(')');
        self.flags = group.flags;
        self.operand = Some(Operand {
            start: group.start,
            operator: None,
            repeats: group.repeats,
        });
        Ok(())
    }

    fn class(&mut self) -> Result<(), String> {
        let (text, length) = class::bracketed(self.rest)?;
        self.put(length, &text);
        Ok(())
    }

    fn repeat_operator(&mut self) -> Result<(), String> {
        let operator = self.rest.get(..1).unwrap_or_default();
        self.repeat(operator, operator, 1)
    }

    /// A repetition by the expression's `length` bytes, written as `text`.
    fn repeat(&mut self, operator: &'e str, text: &str, count: u32) -> Result<(), String> {
        let before = self.rest;
        self.take(operator.len());
        let lazy = self.rest.starts_with('?');
        if lazy {
            self.take(1);
        }
        let used = before.get(..before.len() - self.rest.len()).unwrap_or(before);
        let Some(operand) = &mut self.operand else {
            return error("missing argument to repetition operator", operator);
        };
        if let Some(last) = operand.operator {
            let start = self.whole.len() - before.len() - last.len();
            let end = self.whole.len() - self.rest.len();
            return error(
                "invalid nested repetition operator",
                self.whole.get(start..end).unwrap_or(used),
            );
        }
        operand.operator = Some(used);
        operand.repeats = operand.repeats.saturating_mul(count.max(1));
        if operand.repeats > MOST_REPEATS {
            return error("invalid repeat count", operator);
        }
        let repeats = operand.repeats;
        if let Some(group) = self.groups.last_mut() {
            group.repeats = group.repeats.max(repeats);
        }
        let start = operand.start;
        self.out.insert_str(start, "(?:");
        self.out.push(')');
        self.out.push_str(text);
        if lazy != self.flags.lazy {
            self.out.push('?');
        }
        Ok(())
    }

    /// `{2,5}`; braces that hold no counts stand for themselves.
    fn counted(&mut self) -> Result<(), String> {
        let Some((minimum, maximum, length)) = counts(self.rest) else {
            self.literal('{', 1);
            return Ok(());
        };
        let operator = self.rest.get(..length).unwrap_or_default();
        let too_many = |count: Option<u32>| count.is_none_or(|count| count > MOST_REPEATS);
        let bad = match maximum {
            Bound::Same => too_many(minimum),
            Bound::None => too_many(minimum),
            Bound::At(most) => too_many(minimum) || too_many(most) || minimum > most,
        };
        if bad {
            return error("invalid repeat count", operator);
        }
        let least = minimum.unwrap_or(0);
        let (text, count) = match maximum {
            Bound::Same => (format!("{{{least}}}"), least),
            Bound::None => (format!("{{{least},}}"), least),
            Bound::At(most) => {
                let most = most.unwrap_or(0);
                (format!("{{{least},{most}}}"), most)
            }
        };
        self.repeat(operator, &text, count)
    }

    fn backslash(&mut self) -> Result<(), String> {
        let Some(kind) = self.rest.chars().nth(1) else {
            return error("trailing backslash at end of expression", "");
        };
        match kind {
            'A' => self.put(2, r"\A"),
            'b' => self.put(2, r"(?-u:\b)"),
            'B' => self.put(2, r"(?-u:\B)"),
            'z' => self.put(2, r"\z"),
            'C' => return error("invalid escape sequence", r"\C"),
            'Q' => {
                let body = self.rest.get(2..).unwrap_or_default();
                let (text, length) = match body.find(r"\E") {
                    Some(end) => (body.get(..end).unwrap_or(body), end + 2),
                    None => (body, body.len()),
                };
                for c in text.chars() {
                    self.literal(c, 0);
                }
                self.take(2 + length);
            }
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                let text = format!("[{}]", class::perl(kind));
                self.put(2, &text);
            }
            'p' | 'P' => {
                let (text, length) = class::property(self.rest)?;
                self.put(length, &format!("[{text}]"));
            }
            _ => {
                let (c, length) = class::escape(self.rest)?;
                self.literal(c, length);
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Bound {
    Same,
    None,
    At(Option<u32>),
}

/// The counts of a repetition and its length; a count that is too long to read is nothing.
fn counts(text: &str) -> Option<(Option<u32>, Bound, usize)> {
    let (inside, _) = text.strip_prefix('{')?.split_once('}')?;
    let number = |digits: &str| {
        let plain = !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits.len() == 1 || !digits.starts_with('0'));
        plain.then(|| digits.parse::<u32>().ok())
    };
    let (minimum, maximum) = match inside.split_once(',') {
        None => (number(inside)?, Bound::Same),
        Some((least, "")) => (number(least)?, Bound::None),
        Some((least, most)) => (number(least)?, Bound::At(number(most)?)),
    };
    Some((minimum, maximum, inside.len() + 2))
}
