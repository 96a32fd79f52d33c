//! The expressions inside `${…}`.

use std::cell::Cell;
use std::collections::BTreeMap;

/// Expressions inside each other.
const DEEPEST: usize = 16;

/// Bytes that all expressions of one text may copy and compare.
const MOST: usize = 1 << 28;

pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) strict: bool,
}

/// Why a text cannot be expanded. No variant shows a value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum ExpressionError {
    #[error("an expression has no closing brace")]
    Unclosed,
    #[error("the expression of variable {0:?} is malformed")]
    Malformed(String),
    #[error("variable not set (strict mode): {0:?}")]
    NotSet(String),
    #[error("the result exceeds {0} bytes")]
    TooLarge(usize),
    #[error("expressions are nested more than {DEEPEST} deep")]
    TooDeep,
    #[error("the expressions copy and compare more than {MOST} bytes")]
    TooMuch,
}

type Variables<'a> = BTreeMap<&'a str, String>;

/// Replaces all expressions in `text`; `$${` stands for a literal `${`.
pub(super) fn expand(
    text: &str,
    variables: &Variables<'_>,
    limits: &Limits,
) -> Result<String, ExpressionError> {
    let mut reader = Reader {
        rest: text,
        variables,
        limits,
        depth: 0,
        spent: Cell::new(0),
    };
    let mut out = String::new();
    while let Some(at) = reader.rest.find('$') {
        let (before, from) = reader.rest.split_at(at);
        out.push_str(before);
        if let Some(rest) = from.strip_prefix("$${") {
            out.push_str("${");
            reader.rest = rest;
        } else if let Some(rest) = from.strip_prefix("${") {
            reader.rest = rest;
            let value = reader.expression()?;
            reader.fits(out.len() + value.len())?;
            out.push_str(&value);
        } else {
            out.push('$');
            reader.rest = from.get(1..).unwrap_or_default();
        }
        reader.fits(out.len())?;
    }
    reader.fits(out.len() + reader.rest.len())?;
    out.push_str(reader.rest);
    Ok(out)
}

struct Reader<'a> {
    rest: &'a str,
    variables: &'a Variables<'a>,
    limits: &'a Limits,
    depth: usize,
    /// What was copied and compared so far, in bytes.
    spent: Cell<usize>,
}

impl Reader<'_> {
    fn spend(&self, bytes: usize) -> Result<(), ExpressionError> {
        self.spent.set(self.spent.get().saturating_add(bytes));
        if self.spent.get() > MOST {
            return Err(ExpressionError::TooMuch);
        }
        Ok(())
    }

    const fn fits(&self, bytes: usize) -> Result<(), ExpressionError> {
        if bytes > self.limits.bytes {
            return Err(ExpressionError::TooLarge(self.limits.bytes));
        }
        Ok(())
    }

    /// What follows `${`, up to and with its brace.
    fn expression(&mut self) -> Result<String, ExpressionError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(ExpressionError::TooDeep);
        }
        let length = self.eat("#");
        let name = self.name();
        if name.is_empty() {
            return Err(if self.rest.contains('}') {
                ExpressionError::Malformed(name)
            } else {
                ExpressionError::Unclosed
            });
        }
        let value = if length {
            self.plain(&name).map(|v| v.len().to_string())
        } else {
            self.operator(&name)
        }?;
        if !self.eat("}") {
            return Err(if self.rest.is_empty() {
                ExpressionError::Unclosed
            } else {
                ExpressionError::Malformed(name)
            });
        }
        self.depth -= 1;
        Ok(value)
    }

    fn operator(&mut self, name: &str) -> Result<String, ExpressionError> {
        // Longer operators first: the first that fits is taken.
        for op in [":-", ":=", ":?", ":+", "="] {
            if self.eat(op) {
                let default = self.argument(&[])?;
                let value = self.variables.get(name).filter(|v| !v.is_empty());
                self.spend(value.map_or(0, String::len))?;
                return Ok(value.cloned().unwrap_or(default));
            }
        }
        for (op, case) in [
            ("^^", all_upper as fn(&str) -> String),
            ("^", first_upper),
            (",,", all_lower),
            (",", first_lower),
        ] {
            if self.eat(op) {
                return self.plain(name).map(|v| case(&v));
            }
        }
        for (op, prefix, longest) in [
            ("##", true, true),
            ("#", true, false),
            ("%%", false, true),
            ("%", false, false),
        ] {
            if self.eat(op) {
                let pattern = self.argument(&[])?;
                let value = self.plain(name)?;
                self.spend(value.len().saturating_mul(pattern.len() + 1))?;
                return Ok(trim(&value, &pattern, prefix, longest));
            }
        }
        for op in ["//", "/#", "/%", "/"] {
            if self.eat(op) {
                return self.replace(name, op);
            }
        }
        if self.eat(":") {
            self.slice(name)
        } else {
            self.plain(name)
        }
    }

    fn replace(&mut self, name: &str, op: &str) -> Result<String, ExpressionError> {
        let from = self.argument(&['/'])?;
        let to = if self.eat("/") {
            self.argument(&[])?
        } else {
            String::new()
        };
        let value = self.plain(name)?;
        Ok(match op {
            _ if from.is_empty() => value,
            "//" => {
                let growth = value.matches(&from).count().saturating_mul(to.len());
                self.fits(value.len().saturating_add(growth))?;
                self.spend(growth)?;
                value.replace(&from, &to)
            }
            "/#" => value
                .strip_prefix(&from)
                .map_or_else(|| value.clone(), |rest| format!("{to}{rest}")),
            "/%" => value
                .strip_suffix(&from)
                .map_or_else(|| value.clone(), |rest| format!("{rest}{to}")),
            _ => value.replacen(&from, &to, 1),
        })
    }

    fn slice(&mut self, name: &str) -> Result<String, ExpressionError> {
        let malformed = || ExpressionError::Malformed(name.to_owned());
        let from: i64 = self.argument(&[':'])?.trim().parse().map_err(|_| malformed())?;
        let len: Option<i64> = if self.eat(":") {
            Some(self.argument(&[])?.trim().parse().map_err(|_| malformed())?)
        } else {
            None
        };
        let value = self.plain(name)?;
        let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
        let start = if from < 0 {
            (size + from.max(-size)).max(0)
        } else {
            from.min(size)
        };
        let end = match len {
            None => size,
            Some(len) if len < 0 => (size + len.max(-size)).max(start),
            Some(len) => start.saturating_add(len).min(size),
        };
        let at = |i: i64| usize::try_from(i).unwrap_or(0);
        // Positions are bytes; inside a character there is nothing to cut.
        Ok(value.get(at(start)..at(end)).unwrap_or_default().to_owned())
    }

    fn plain(&self, name: &str) -> Result<String, ExpressionError> {
        match self.variables.get(name) {
            Some(value) => self.spend(value.len()).map(|()| value.clone()),
            None if self.limits.strict => Err(ExpressionError::NotSet(name.to_owned())),
            None => Ok(String::new()),
        }
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn name(&mut self) -> String {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name.to_owned()
    }

    /// Text up to a brace or one of `stops`, expressions in it expanded.
    fn argument(&mut self, stops: &[char]) -> Result<String, ExpressionError> {
        let mut out = String::new();
        loop {
            self.fits(out.len())?;
            if self.eat("${") {
                let value = self.expression()?;
                self.spend(value.len())?;
                out.push_str(&value);
                continue;
            }
            match self.rest.chars().next() {
                None => return Err(ExpressionError::Unclosed),
                Some(c) if c == '}' || stops.contains(&c) => return Ok(out),
                Some(c) => {
                    out.push(c);
                    self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
                }
            }
        }
    }
}

fn all_upper(text: &str) -> String {
    text.to_uppercase()
}

fn all_lower(text: &str) -> String {
    text.to_lowercase()
}

fn first_upper(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn first_lower(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

/// Takes the shortest or longest match of a glob off one end, in time linear in the product of both lengths.
fn trim(text: &str, pattern: &str, prefix: bool, longest: bool) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let mut pattern: Vec<char> = pattern.chars().collect();
    if !prefix {
        chars.reverse();
        pattern.reverse();
    }
    let Some(cut) = matched(&pattern, &chars, longest) else {
        return text.to_owned();
    };
    let mut kept = chars.split_off(cut);
    if !prefix {
        kept.reverse();
    }
    kept.into_iter().collect()
}

/// How many characters from the start a glob of `*` and `?` matches, at least or at most.
fn matched(pattern: &[char], text: &[char], longest: bool) -> Option<usize> {
    // Whether each head of the pattern matches what was read so far.
    let mut heads = vec![false; pattern.len() + 1];
    if let Some(empty) = heads.first_mut() {
        *empty = true;
    }
    let through_stars = |heads: &mut [bool]| {
        for (i, c) in pattern.iter().enumerate() {
            if *c == '*'
                && heads.get(i) == Some(&true)
                && let Some(next) = heads.get_mut(i + 1)
            {
                *next = true;
            }
        }
    };
    through_stars(&mut heads);
    let mut found = None;
    for (read, c) in text.iter().map(Some).chain([None]).enumerate() {
        if heads.last() == Some(&true) {
            found = Some(read);
            if !longest {
                break;
            }
        }
        let Some(c) = c else { break };
        let step = |i: usize, p: &char| {
            let here = heads.get(i) == Some(&true) && (*p == '?' || p == c) && *p != '*';
            here || *p == '*' && heads.get(i + 1) == Some(&true)
        };
        let mut next = vec![false];
        next.extend(pattern.iter().enumerate().map(|(i, p)| step(i, p)));
        heads = next;
        through_stars(&mut heads);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<String, ExpressionError> {
        let variables = BTreeMap::from([
            ("v", "Abc.abc.tar.gz".to_owned()),
            ("e", String::new()),
            ("w", "hello".to_owned()),
        ]);
        expand(
            text,
            &variables,
            &Limits {
                bytes: 1000,
                strict: true,
            },
        )
    }

    #[test]
    fn every_listed_expression_does_what_the_contract_says() {
        let cases = [
            ("a ${w} b", "a hello b"),
            ("${#w}", "5"),
            ("${w^}${w^^}", "HelloHELLO"),
            ("${v,}${v,,}", "abc.abc.tar.gzabc.abc.tar.gz"),
            ("${w:1}|${w:1:2}|${w:-x}|${w:9}", "ello|el|hello|"),
            (
                "${v#*.}|${v##*.}|${v%.*}|${v%%.*}",
                "abc.tar.gz|gz|Abc.abc.tar|Abc",
            ),
            ("${x:-d}|${x=d}|${x:=d}|${e:-d}|${x:?d}|${x:+d}", "d|d|d|d|d|d"),
            (
                "${w/l/L}|${w//l/L}|${w/#he/HE}|${w/%lo/LO}|${w//l}",
                "heLlo|heLLo|HEllo|helLO|heo",
            ),
            ("${x:-${w}}|${x:-a${y:-b}c}", "hello|abc"),
            ("$${w} $w $ $$", "${w} $w $ $$"),
        ];
        for (text, want) in cases {
            assert_eq!(run(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn globs_find_the_shortest_and_the_longest_match() {
        let cases = [
            ("aXbXc", "*X", true, false, "bXc"),
            ("aXbXc", "*X", true, true, "c"),
            ("aXbXc", "X*", false, false, "aXb"),
            ("aXbXc", "X*", false, true, "a"),
            ("abc", "??", true, true, "c"),
            ("abc", "*", true, false, "abc"),
            ("abc", "*", false, true, ""),
            ("abc", "b", true, true, "abc"),
            ("häß", "?ä", true, false, "ß"),
        ];
        for (text, pattern, prefix, longest, kept) in cases {
            assert_eq!(trim(text, pattern, prefix, longest), kept, "{text} {pattern}");
        }
    }

    #[test]
    fn malformed_expressions_are_errors() {
        for bad in [
            "${w",
            "${}",
            "${w-d}",
            "${w.x}",
            "${x}",
            "${w:a}",
            &"${x:-".repeat(40),
        ] {
            assert!(run(bad).is_err(), "{bad}");
        }
    }
}
