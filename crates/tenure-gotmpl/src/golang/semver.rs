//! Versions and ranges by the rules of Masterminds' package, on which Helm charts rely.

use std::cmp::Ordering;
use std::fmt;

const LONGEST_VERSION: usize = 256;
const LONGEST_CONSTRAINT: usize = 512;
const MOST_GROUPS: usize = 32;
const INVALID: &str = "invalid semantic version";

/// A version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub(crate) numbers: [u64; 3],
    pub(crate) prerelease: String,
    pub(crate) metadata: String,
    pub(crate) original: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

/// What the grammar finds at the start of a text: number fields, pre-release and metadata.
struct Parts<'a> {
    fields: [Option<&'a str>; 3],
    prerelease: Option<&'a str>,
    metadata: Option<&'a str>,
    length: usize,
}

/// Reads as much of a version as there is. Fields are made of what `digit` accepts.
fn read_parts(text: &str, digit: impl Fn(u8) -> bool) -> Option<Parts<'_>> {
    let bytes = text.as_bytes();
    let run =
        |from: usize, ok: &dyn Fn(u8) -> bool| bytes.iter().skip(from).take_while(|byte| ok(**byte)).count();
    let mut at = usize::from(bytes.first() == Some(&b'v'));
    let mut fields = [None; 3];
    for (i, field) in fields.iter_mut().enumerate() {
        let start = if i == 0 { at } else { at + 1 };
        if i > 0 && bytes.get(at) != Some(&b'.') {
            break;
        }
        let length = run(start, &digit);
        if length == 0 {
            if i == 0 {
                return None;
            }
            break;
        }
        *field = text.get(start..start + length);
        at = start + length;
    }
    let mut suffix = |mark: u8| {
        if bytes.get(at) != Some(&mark) {
            return None;
        }
        let identifier = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let start = at + 1;
        let mut end = start + run(start, &identifier);
        if end == start {
            return None;
        }
        while bytes.get(end) == Some(&b'.') {
            let length = run(end + 1, &identifier);
            if length == 0 {
                break;
            }
            end += 1 + length;
        }
        at = end;
        text.get(start..end)
    };
    let prerelease = suffix(b'-');
    let metadata = suffix(b'+');
    Some(Parts {
        fields,
        prerelease,
        metadata,
        length: at,
    })
}

impl Version {
    /// Reads a version; missing fields are zero, and a leading `v` is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST_VERSION {
            return Err(format!(
                "version string is too long (max {LONGEST_VERSION} bytes)"
            ));
        }
        let parts = read_parts(text, |byte| byte.is_ascii_digit())
            .filter(|parts| parts.length == text.len())
            .ok_or(INVALID)?;
        let mut numbers = [0; 3];
        for (number, field) in numbers.iter_mut().zip(parts.fields) {
            let Some(field) = field else { continue };
            *number = field.parse().map_err(|_| {
                format!(
                    "error parsing version segment: strconv.ParseUint: parsing {field:?}: value out of range"
                )
            })?;
        }
        let prerelease = parts.prerelease.unwrap_or_default();
        if prerelease.split('.').any(|part| {
            part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit())
        }) {
            return Err("version segment starts with 0".into());
        }
        Ok(Self {
            numbers,
            prerelease: prerelease.to_owned(),
            metadata: parts.metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        })
    }

    /// The order of versions; what stands behind `+` plays no part.
    pub fn compare(&self, other: &Self) -> Ordering {
        let by_prerelease = || match (self.prerelease.as_str(), other.prerelease.as_str()) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (a, b) => compare_prereleases(a, b),
        };
        self.numbers.cmp(&other.numbers).then_with(by_prerelease)
    }
}

fn compare_prereleases(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<_>, Vec<_>) = (a.split('.').collect(), b.split('.').collect());
    (0..a.len().max(b.len()))
        .map(|at| {
            let part = |parts: &[&str]| parts.get(at).copied().unwrap_or_default().to_owned();
            compare_part(&part(&a), &part(&b))
        })
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

fn compare_part(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    if a.is_empty() || b.is_empty() {
        return a.len().cmp(&b.len());
    }
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Err(_), Err(_)) => a.cmp(b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Ok(a), Ok(b)) if a > b => Ordering::Greater,
        (Ok(_), Ok(_)) => Ordering::Less,
    }
}

/// Alternatives, each of which is a list of conditions that all must hold.
#[derive(Debug)]
pub struct Constraints(Vec<Vec<Condition>>);

impl Constraints {
    /// Reads a range such as `>=1.2, <2 || ~3.1`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST_CONSTRAINT {
            return Err(format!(
                "constraint string is too long (max {LONGEST_CONSTRAINT} bytes)"
            ));
        }
        let text = rewrite_ranges(text);
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > MOST_GROUPS {
            return Err(format!("too many constraint groups (max {MOST_GROUPS})"));
        }
        groups
            .into_iter()
            .map(conditions)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a version is in the range.
    pub fn check(&self, version: &Version) -> bool {
        self.0.iter().any(|group| {
            let prereleases = group.iter().any(|c| !c.version.prerelease.is_empty());
            (version.prerelease.is_empty() || prereleases) && group.iter().all(|c| c.check(version))
        })
    }
}

const OPERATORS: [&str; 11] = [">=", "=>", "<=", "=<", "~>", "!=", "=", ">", "<", "~", "^"];

const fn is_wild(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'|' | b'x' | b'X' | b'*')
}

/// `1.2 - 1.4` is another way to write `>= 1.2, <= 1.4`.
fn rewrite_ranges(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((range, from, to)) = find_range(rest) {
        out.push_str(rest.get(..range.start).unwrap_or_default());
        out.push_str(&format!(">= {from}, <= {to} "));
        rest = rest.get(range.end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The first hyphen range with the space around it.
fn find_range(text: &str) -> Option<(std::ops::Range<usize>, &str, &str)> {
    for (start, _) in text.char_indices() {
        let tail = text.get(start..)?;
        let trimmed = tail.trim_start_matches(is_space);
        // Any shorter match of the first version would have to be followed by a space, too.
        let Some(from) = version_at(trimmed) else { continue };
        let after = trimmed.get(from.len()..)?;
        let dash = after.trim_start_matches(is_space);
        let Some(second) = dash.strip_prefix('-').filter(|_| dash.len() < after.len()) else {
            continue;
        };
        let trimmed_second = second.trim_start_matches(is_space);
        if trimmed_second.len() == second.len() {
            continue;
        }
        let Some(to) = version_at(trimmed_second) else {
            continue;
        };
        let left = trimmed_second.get(to.len()..)?.trim_start_matches(is_space);
        return Some((start..text.len() - left.len(), from, to));
    }
    None
}

const fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{c}' | '\r' | ' ')
}

fn version_at(text: &str) -> Option<&str> {
    let parts = read_parts(text, is_wild)?;
    text.get(..parts.length)
}

/// The conditions of one group, separated by spaces or commas.
fn conditions(group: &str) -> Result<Vec<Condition>, String> {
    let improper = || format!("improper constraint: {}", super::quote::quote(group.as_bytes()));
    let mut rest = group.trim_start_matches(is_space);
    let mut found = Vec::new();
    loop {
        let operator = OPERATORS
            .into_iter()
            .find(|op| rest.starts_with(op))
            .unwrap_or("");
        let after = rest
            .get(operator.len()..)
            .unwrap_or_default()
            .trim_start_matches(is_space);
        let version = version_at(after).ok_or_else(improper)?;
        found.push((operator, version));
        let left = after.get(version.len()..).unwrap_or_default();
        let trimmed = left.trim_start_matches(is_space);
        if trimmed.is_empty() {
            break;
        }
        rest = match trimmed.strip_prefix(',') {
            Some(next) => next.trim_start_matches(is_space),
            None if trimmed.len() < left.len() => trimmed,
            // Without a separator an operator must not follow a version.
            None => return Err(improper()),
        };
    }
    found
        .into_iter()
        .map(|(operator, version)| Condition::parse(operator, version))
        .collect()
}

/// An operator and a version that may have wild cards.
#[derive(Debug)]
struct Condition {
    operator: String,
    version: Version,
    /// Some field is a wild card or missing.
    dirty: bool,
    minor_dirty: bool,
    patch_dirty: bool,
}

impl Condition {
    fn parse(operator: &str, text: &str) -> Result<Self, String> {
        const FAILED: &str = "constraint parser error";
        let parts = read_parts(text, is_wild).ok_or(FAILED)?;
        let wild = |field: Option<&str>| matches!(field, None | Some("x" | "X" | "*"));
        let [major, minor, patch] = parts.fields;
        let suffix = parts.prerelease.map(|p| format!("-{p}")).unwrap_or_default();
        let known = |field: Option<&str>| field.unwrap_or_default().to_owned();
        let (mut minor_dirty, mut patch_dirty, mut dirty) = (false, false, true);
        let version = if wild(major) {
            format!("0.0.0{suffix}")
        } else if wild(minor) {
            minor_dirty = true;
            format!("{}.0.0{suffix}", known(major))
        } else if wild(patch) {
            patch_dirty = true;
            format!("{}.{}.0{suffix}", known(major), known(minor))
        } else {
            dirty = false;
            text.to_owned()
        };
        Ok(Self {
            operator: operator.to_owned(),
            version: Version::parse(&version).map_err(|_| FAILED)?,
            dirty,
            minor_dirty,
            patch_dirty,
        })
    }

    fn check(&self, version: &Version) -> bool {
        let order = version.compare(&self.version);
        let ([major, minor, _], [own_major, own_minor, _]) = (version.numbers, self.version.numbers);
        match self.operator.as_str() {
            "" | "=" if self.dirty => self.tilde(version),
            "" | "=" => order == Ordering::Equal,
            "!=" => self.differs(version),
            ">" if !self.dirty => order == Ordering::Greater,
            ">" => {
                major > own_major
                    || major == own_major
                        && !self.minor_dirty
                        && if self.patch_dirty {
                            minor > own_minor
                        } else {
                            order == Ordering::Greater
                        }
            }
            "<" => order == Ordering::Less,
            ">=" | "=>" => order != Ordering::Less,
            "<=" | "=<" if !self.dirty => order != Ordering::Greater,
            "<=" | "=<" => {
                major < own_major || major == own_major && (minor <= own_minor || self.minor_dirty)
            }
            "~" | "~>" => self.tilde(version),
            _ => self.caret(version),
        }
    }

    fn differs(&self, version: &Version) -> bool {
        let ([major, minor, patch], [own_major, own_minor, own_patch]) =
            (version.numbers, self.version.numbers);
        if self.dirty {
            if major != own_major || minor != own_minor && !self.minor_dirty {
                return true;
            }
            if self.minor_dirty {
                return false;
            }
            if patch != own_patch && !self.patch_dirty {
                return true;
            }
            if self.patch_dirty {
                let (a, b) = (&version.prerelease, &self.version.prerelease);
                return !(a.is_empty() && b.is_empty()) && compare_prereleases(a, b) != Ordering::Equal;
            }
        }
        version.compare(&self.version) != Ordering::Equal
    }

    fn tilde(&self, version: &Version) -> bool {
        if version.compare(&self.version) == Ordering::Less {
            return false;
        }
        if self.version.numbers == [0; 3] && !self.minor_dirty && !self.patch_dirty {
            return true;
        }
        let ([major, minor, _], [own_major, own_minor, _]) = (version.numbers, self.version.numbers);
        major == own_major && (minor == own_minor || self.minor_dirty)
    }

    fn caret(&self, version: &Version) -> bool {
        if version.compare(&self.version) == Ordering::Less {
            return false;
        }
        let ([major, minor, patch], [own_major, own_minor, own_patch]) =
            (version.numbers, self.version.numbers);
        if own_major > 0 || self.minor_dirty {
            return major == own_major;
        }
        if major > 0 {
            return false;
        }
        if own_minor > 0 || self.patch_dirty {
            return minor == own_minor;
        }
        minor == 0 && patch == own_patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_masterminds_says() {
        for (range, version, holds) in [
            (">=1.0.0, <2.0.0", "0.2.3", false),
            (">=1.0.0 <2.0.0", "1.2.3", true),
            ("^0.2", "0.2.5", true),
            ("^0.0.3", "0.0.4", false),
            ("~1.2", "1.3.0", false),
            ("1.x", "1.9.9", true),
            ("*", "1.2.3", true),
            ("*", "1.2.3-beta", false),
            (">=1.2-0", "1.2.3-beta", true),
            ("1.2 - 2", "2.5.0", true),
            ("1.2 - 1.4.5", "1.4.6", false),
            (">11", "11.1.0", false),
            (">11.1", "11.2.0", true),
            ("!=1.x", "1.2.3", false),
            ("<1.0 || >=2", "2.1.0", true),
            ("=>1.0", "1.0.0", true),
        ] {
            let constraints = Constraints::parse(range).expect(range);
            let version = Version::parse(version).expect("a version");
            assert_eq!(constraints.check(&version), holds, "{range} {version}");
        }
    }

    #[test]
    fn what_is_none_says_why() {
        assert_eq!(Version::parse("bad").map(|_| ()), Err(INVALID.into()));
        assert_eq!(
            Version::parse("1.2.3-01").map(|_| ()),
            Err("version segment starts with 0".into())
        );
        assert_eq!(
            Constraints::parse("").map(|_| ()),
            Err("improper constraint: \"\"".into())
        );
        assert_eq!(
            Constraints::parse(">=a").map(|_| ()),
            Err("improper constraint: \">=a\"".into())
        );
        assert_eq!(Version::parse("v1.2").map(|v| v.to_string()), Ok("1.2.0".into()));
    }
}
