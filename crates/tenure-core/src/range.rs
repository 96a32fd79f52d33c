//! Ranges of versions as Masterminds' semver 3.5 reads them, which Flux and Helm use.

use std::fmt;
use std::str::FromStr;

use semver::{Prerelease, Version};

/// The longest range, in bytes.
const LONGEST: usize = 512;
/// The most alternatives.
const ALTERNATIVES: usize = 32;

/// A range of versions: comparisons joined by commas or blanks, alternatives by `||`, as
/// `>=1.0.0 <2.0.0 || ~3.1`.
///
/// A pre-release is in a range only if a comparison of the same alternative names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    text: String,
    alternatives: Vec<Vec<Comparison>>,
}

/// Why a text is not a range of versions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a range of versions, as '>=1.0.0 <2.0.0' or '1.2.x' are")]
pub struct RangeError(String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    operator: Operator,
    version: Version,
    missing: Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Tilde,
    Caret,
}

/// From where on a version is left out, or given as `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Nothing,
    Patch,
    Minor,
    All,
}

impl Range {
    /// Whether the version is in the range. Build metadata does not count.
    #[must_use]
    pub fn matches(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|all| {
            let names_pre = all.iter().any(|c| !c.version.pre.is_empty());
            (version.pre.is_empty() || names_pre) && all.iter().all(|c| c.matches(version))
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let bad = || RangeError(text.chars().take(100).collect());
        if text.len() > LONGEST || text.split("||").count() > ALTERNATIVES {
            return Err(bad());
        }
        let alternatives = text.split("||").map(|part| alternative(part).ok_or_else(bad));
        Ok(Self {
            text: text.to_owned(),
            alternatives: alternatives.collect::<Result<_, _>>()?,
        })
    }
}

impl Comparison {
    fn matches(&self, v: &Version) -> bool {
        let than = v.cmp_precedence(&self.version);
        let c = &self.version;
        match self.operator {
            Operator::Equal if self.missing == Missing::Nothing => than.is_eq(),
            Operator::Equal | Operator::Tilde => self.tilde(v),
            Operator::NotEqual => match self.missing {
                Missing::Nothing => than.is_ne(),
                Missing::Patch => (c.major, c.minor) != (v.major, v.minor) || v.pre != c.pre,
                Missing::Minor => c.major != v.major,
                Missing::All => (c.major, c.minor) != (v.major, v.minor) || than.is_ne(),
            },
            Operator::Greater => match self.missing {
                Missing::Minor => v.major > c.major,
                Missing::Patch => (v.major, v.minor) > (c.major, c.minor),
                _ => than.is_gt(),
            },
            Operator::GreaterEqual => than.is_ge(),
            Operator::Less => than.is_lt(),
            Operator::LessEqual => match self.missing {
                Missing::Nothing => than.is_le(),
                Missing::Minor => v.major <= c.major,
                _ => (v.major, v.minor) <= (c.major, c.minor),
            },
            Operator::Caret => self.caret(v),
        }
    }

    fn tilde(&self, v: &Version) -> bool {
        let c = &self.version;
        let anything = (c.major, c.minor, c.patch) == (0, 0, 0)
            && matches!(self.missing, Missing::Nothing | Missing::All);
        v.cmp_precedence(c).is_ge()
            && (anything || (v.major == c.major && (v.minor == c.minor || self.missing == Missing::Minor)))
    }

    fn caret(&self, v: &Version) -> bool {
        let c = &self.version;
        if v.cmp_precedence(c).is_lt() {
            return false;
        }
        if c.major > 0 || self.missing == Missing::Minor {
            return v.major == c.major;
        }
        if c.minor > 0 || self.missing == Missing::Patch {
            return v.major == 0 && v.minor == c.minor;
        }
        (v.major, v.minor, v.patch) == (0, 0, c.patch)
    }
}

/// Comparisons that all have to hold; at least one.
fn alternative(text: &str) -> Option<Vec<Comparison>> {
    let mut rest = text.trim_start();
    let mut all = Vec::new();
    loop {
        let (operator, after) = operator(rest)?;
        let (first, after) = version(after.trim_start())?;
        rest = after;
        match second_of_hyphen(rest).filter(|_| operator.is_none()) {
            Some(second) => {
                let (second, after) = version(second)?;
                all.push(comparison(Operator::GreaterEqual, first)?);
                all.push(comparison(Operator::LessEqual, second)?);
                rest = after;
            }
            None => all.push(comparison(operator.unwrap_or(Operator::Equal), first)?),
        }
        let next = rest.trim_start();
        let (next, separated) = match next.strip_prefix(',') {
            Some(after) => (after.trim_start(), true),
            None => (next, next.len() < rest.len()),
        };
        if next.is_empty() {
            // a comma promises another comparison
            return (!rest.contains(',')).then_some(all);
        }
        if !separated {
            return None;
        }
        rest = next;
    }
}

fn operator(text: &str) -> Option<(Option<Operator>, &str)> {
    let at = text.find(|c| !"<>=!~^".contains(c))?;
    let (operator, rest) = text.split_at(at);
    let operator = match operator {
        "" => return Some((None, rest)),
        "=" => Operator::Equal,
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        ">=" | "=>" => Operator::GreaterEqual,
        "<" => Operator::Less,
        "<=" | "=<" => Operator::LessEqual,
        "~" | "~>" => Operator::Tilde,
        "^" => Operator::Caret,
        _ => return None,
    };
    Some((Some(operator), rest))
}

/// What follows the ` - ` of `1.0 - 2.0`.
fn second_of_hyphen(text: &str) -> Option<&str> {
    let after = text.trim_start().strip_prefix('-')?;
    let blank = |s: &str| s.starts_with(char::is_whitespace);
    (blank(text) && blank(after)).then(|| after.trim_start())
}

/// The version at the start, and what follows it.
fn version(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || ".*-+".contains(c)))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn comparison(operator: Operator, text: &str) -> Option<Comparison> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let text = match text.split_once('+') {
        Some((text, build)) => {
            semver::BuildMetadata::new(build).ok().filter(|b| !b.is_empty())?;
            text
        }
        None => text,
    };
    let (numbers, pre) = match text.split_once('-') {
        Some((numbers, pre)) => (numbers, Prerelease::new(pre).ok().filter(|p| !p.is_empty())?),
        None => (text, Prerelease::EMPTY),
    };
    let mut numbers = numbers.split('.').map(number);
    let major = numbers.next()??;
    let (minor, patch) = (numbers.next(), numbers.next());
    if numbers.next().is_some() {
        return None;
    }
    let (minor, patch) = (minor.unwrap_or(Some(None))?, patch.unwrap_or(Some(None))?);
    let (missing, [major, minor, patch]) = match (major, minor, patch) {
        (None, _, _) => (Missing::All, [0, 0, 0]),
        (Some(major), None, _) => (Missing::Minor, [major, 0, 0]),
        (Some(major), Some(minor), None) => (Missing::Patch, [major, minor, 0]),
        (Some(major), Some(minor), Some(patch)) => (Missing::Nothing, [major, minor, patch]),
    };
    let mut version = Version::new(major, minor, patch);
    version.pre = pre;
    Some(Comparison {
        operator,
        version,
        missing,
    })
}

/// `Some(None)` is an `x`.
fn number(text: &str) -> Option<Option<u64>> {
    match text {
        "x" | "X" | "*" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok().map(Some),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
