//! The expressions inside `${…}`.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::glob::trim;

/// Stands for the value of a variable that is no text: whatever uses it fails.
pub const NO_TEXT: &str = "\0";

/// Expressions inside each other.
const DEEPEST: usize = 16;

/// Bytes that all expressions of one text may copy and compare.
const MOST: usize = 1 << 28;

pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) strict: bool,
}

/// Why a text cannot be expanded. No variant shows a value.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub(super) enum ExpressionError {
    #[error("an expression has no closing brace")]
    Unclosed,
    #[error("the expression of variable {0:?} is malformed")]
    Malformed(String),
    #[error("variable not set (strict mode): {0:?}")]
    NotSet(String),
    #[error("the value of variable {0:?} is no text")]
    NoText(String),
    #[error("the result exceeds {0} bytes")]
    TooLarge(usize),
    #[error("expressions are nested more than {DEEPEST} deep")]
    TooDeep,
    #[error("the expressions copy and compare more than {MOST} bytes")]
    TooMuch,
}

type Variables<'a> = BTreeMap<&'a str, String>;

/// Replaces all expressions in `text`; of two dollar signs one is left, which begins no expression.
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
        if let Some(rest) = from.strip_prefix("$$") {
            out.push('$');
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
            return Err(self.malformed(&name));
        }
        self.depth -= 1;
        Ok(value)
    }

    fn operator(&mut self, name: &str) -> Result<String, ExpressionError> {
        // Longer operators first: the first that fits is taken.
        for op in [":-", ":=", ":?", ":+", "="] {
            if self.eat(op) {
                let default = self.default()?;
                return match self.variables.contains_key(name) {
                    true => self.plain(name).map(|v| if v.is_empty() { default } else { v }),
                    false => Ok(default),
                };
            }
        }
        for (op, case) in [
            ("^^", all_upper as fn(&str) -> String),
            ("^,", str::to_owned),
            (",^", str::to_owned),
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
                let pattern = self.argument(name, |c| c != '}', false)?;
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
        let from = self.argument(name, |c| c != '/', true)?;
        if !self.eat("/") {
            return Err(self.malformed(name));
        }
        self.rest = self.rest.trim_start_matches('/');
        let to = match self.rest.starts_with('}') {
            true => None,
            false => Some(self.argument(name, |c| c != '}', true)?),
        };
        let value = self.plain(name)?;
        Ok(match (op, to) {
            // as with Flux, what is at one end can't be replaced by nothing
            ("/#" | "/%", None) => value,
            ("/#", Some(to)) => value
                .strip_prefix(&from)
                .map_or_else(|| value.clone(), |rest| format!("{to}{rest}")),
            ("/%", Some(to)) => value
                .strip_suffix(&from)
                .map_or_else(|| value.clone(), |rest| format!("{rest}{to}")),
            ("//", to) => {
                let to = to.unwrap_or_default();
                let growth = value.matches(&from).count().saturating_mul(to.len());
                self.fits(value.len().saturating_add(growth))?;
                self.spend(growth)?;
                value.replace(&from, &to)
            }
            (_, to) => value.replacen(&from, &to.unwrap_or_default(), 1),
        })
    }

    /// As with Flux, nothing is cut where a position is no number.
    fn slice(&mut self, name: &str) -> Result<String, ExpressionError> {
        let from = self.argument(name, |c| c != ':' && c != '}', false)?;
        let len = if self.eat(":") {
            self.rest = self.rest.trim_start_matches(':');
            Some(self.argument(name, |c| c != '}', false)?)
        } else {
            None
        };
        let value = self.plain(name)?;
        let (from, len) = (from.parse::<i64>(), len.map(|len| len.parse::<i64>()).transpose());
        let (Ok(from), Ok(len)) = (from, len) else {
            return Ok(value);
        };
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
            Some(value) if value.contains(NO_TEXT) => Err(ExpressionError::NoText(name.to_owned())),
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
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name.to_owned()
    }

    /// What stands in for a value: text up to the brace, expressions in it expanded.
    fn default(&mut self) -> Result<String, ExpressionError> {
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
                Some('}') => return Ok(out),
                Some(c) => {
                    out.push(c);
                    self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
                }
            }
        }
    }

    /// One expression, or some accepted characters that stand before the next one. With `escapes`, slashes,
    /// backslashes and dollar signs are taken as they are after what escapes them.
    fn argument(
        &mut self,
        name: &str,
        accepted: fn(char) -> bool,
        escapes: bool,
    ) -> Result<String, ExpressionError> {
        if self.eat("${") {
            let value = self.expression()?;
            return self.spend(value.len()).map(|()| value);
        }
        let mut out = String::new();
        while !self.rest.starts_with("${") {
            self.fits(out.len())?;
            let escaped = ["$$", "\\/", "\\\\"]
                .iter()
                .any(|pair| self.rest.starts_with(pair));
            let skipped = usize::from(escapes && escaped);
            let rest = self.rest.get(skipped..).unwrap_or_default();
            let Some(c) = rest.chars().next().filter(|c| skipped > 0 || accepted(*c)) else {
                break;
            };
            out.push(c);
            self.rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        match out.is_empty() {
            true => Err(self.malformed(name)),
            false => Ok(out),
        }
    }

    fn malformed(&self, name: &str) -> ExpressionError {
        match self.rest.is_empty() {
            true => ExpressionError::Unclosed,
            false => ExpressionError::Malformed(name.to_owned()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<String, ExpressionError> {
        let variables = BTreeMap::from([
            ("v", "Abc.abc.tar.gz".to_owned()),
            ("e", String::new()),
            ("w", "hello".to_owned()),
            ("p", r"a/b\c".to_owned()),
            ("d", "a$b".to_owned()),
            ("l", "l".to_owned()),
            ("n", NO_TEXT.to_owned()),
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
                "${w/l/L}|${w//l/L}|${w/#he/HE}|${w/%lo/LO}|${w//l/}",
                "heLlo|heLLo|HEllo|helLO|heo",
            ),
            ("${x:-${w}}|${x:-a${y:-b}c}", "hello|abc"),
            ("$${w} $w $ $$", "${w} $w $ $"),
        ];
        for (text, want) in cases {
            assert_eq!(run(text).as_deref(), Ok(want), "{text}");
        }
    }

    /// All of it as Flux's envsubst v1.7.0 does it.
    #[test]
    fn what_looks_odd_is_as_with_flux() {
        let cases = [
            ("$$${w}|$$$${w}|$$$$$|{$$}", "$hello|$${w}|$$$|{$}"),
            (r"${p//\//-}|${p//\\/-}|${p/\//\\}", r"a-b\c|a/b-c|a\b\c"),
            (r"${p/\//\}|${p//\/b/-}", r"a\b\c|a-\c"),
            ("${d/$$/x}|${d/$b/x}|${w/l/$$}|${w/l/$$$}", "axb|ax|he$lo|he$$lo"),
            ("${w/l/a}b/c}|${w/he}/c}", "healob/c}|hello"),
            ("${w//l//L}|${w//l//}|${w/${l}/L}", "heLLo|heo|heLlo"),
            ("${w//${e}/-}|${w/${e}/-}", "-h-e-l-l-o-|-hello"),
            ("${w/#he/}|${w/%lo/}", "hello|hello"),
            (
                "${w: -2}|${w:x}|${w:1:x}|${w:x:1}|${w:${e}}",
                "hello|hello|hello|hello|hello",
            ),
            ("${w:1::2}|${w:1:2:3}|${w:${x:-1}:2}", "el|hello|el"),
            ("${w#*}|${w%*}|${w##*}|${w%%*}", "ello|hell||"),
            (
                r"${w#[a-h]}|${w#[^a-h]}|${w#\h}|${v%[x-z]}",
                r"ello|hello|ello|Abc.abc.tar.gz",
            ),
            ("${w^,}|${w,^}|${\u{fc}:-x}|${1:-x}", "hello|hello|x|x"),
            ("${x:-$$}|${x:-$${w}}|${x:-{}}", "$$|$hello|{}"),
            (r"${x:-a\/b}|${x:=}|${x:?}", r"a\/b||"),
        ];
        for (text, want) in cases {
            assert_eq!(run(text).as_deref(), Ok(want), "{text}");
        }
        for bad in [
            "${w//l}",
            "${w/l}",
            "${w///x}",
            "${w/x${l}/L}",
            "${w/l/x${l}}",
            "${w/l/${l}x}",
            "${w:}",
            "${w::2}",
            "${w:1:}",
            "${w:1${e}}",
            "${w#}",
            "${w%%}",
            "${w#h${l}}",
            "${w^^^}",
            "${w }",
            "${#w:1}",
        ] {
            assert!(run(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_value_that_is_no_text_is_an_error_only_where_it_is_used() {
        let error = ExpressionError::NoText("n".into());
        for text in ["${n}", "${n:-x}", "${#n}"] {
            assert_eq!(run(text), Err(error.clone()), "{text}");
        }
    }

    #[test]
    fn malformed_expressions_are_errors() {
        for bad in ["${w", "${}", "${w-d}", "${w.x}", "${x}", &"${x:-".repeat(40)] {
            assert!(run(bad).is_err(), "{bad}");
        }
    }
}
