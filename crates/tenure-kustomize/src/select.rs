use regex::{Regex, RegexBuilder};

use crate::Error;
use crate::file::Selector;
use crate::id::{Gvk, ResId};
use crate::meter::{Meter, exceeded};
use crate::resource::Resource;

/// The compiled sizes that a pattern may have, in bytes, and how long a text each may be held against:
/// the time of a match is their product.
const SIZES: [(usize, usize); 3] = [(16 << 10, 1 << 20), (128 << 10, 64 << 10), (1 << 20, 8 << 10)];

/// A pattern with a bound on what it costs to match.
pub(crate) enum Pattern {
    /// Nothing but this text.
    Exactly(String),
    Regex {
        regex: Regex,
        longest: usize,
    },
}

impl Pattern {
    /// One that must match all of a text.
    fn whole(text: &str) -> Result<Self, Error> {
        let inner = text.strip_prefix('^').unwrap_or(text);
        let inner = inner.strip_suffix('$').unwrap_or(inner);
        if inner
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_/:@".contains(&b))
        {
            return Ok(Self::Exactly(inner.to_owned()));
        }
        pattern(&format!("^(?:{inner})$"))
    }

    pub(crate) fn is_match(&self, text: &str) -> Result<bool, Error> {
        match self {
            Self::Exactly(wanted) => Ok(text == wanted),
            Self::Regex { longest, .. } if text.len() > *longest => Err(exceeded(
                "bytes of text for a pattern of this size",
                *longest as u128,
            )),
            Self::Regex { regex, .. } => Ok(regex.is_match(text)),
        }
    }

    /// Bytes that it may take.
    fn size(&self) -> usize {
        match self {
            Self::Exactly(text) => text.len(),
            Self::Regex { longest, .. } => SIZES.iter().find(|s| s.1 == *longest).map_or(0, |s| s.0),
        }
    }
}

/// A pattern that may match anywhere.
pub(crate) fn pattern(text: &str) -> Result<Pattern, Error> {
    let mut last = None;
    for (size, longest) in SIZES {
        let made = RegexBuilder::new(text)
            .size_limit(size)
            .dfa_size_limit(size)
            .build();
        match made {
            Ok(regex) => return Ok(Pattern::Regex { regex, longest }),
            Err(error @ regex::Error::CompiledTooBig(_)) => last = Some(error),
            Err(error) => return Err(bad(text, &error)),
        }
    }
    Err(last.map_or_else(|| Error::invalid("bad pattern"), |error| bad(text, &error)))
}

fn bad(text: &str, error: &regex::Error) -> Error {
    Error::invalid(format!("bad pattern {text:?}: {error}"))
}

/// A selector ready for use.
pub(crate) struct Matcher {
    group: Option<Pattern>,
    version: Option<Pattern>,
    kind: Option<Pattern>,
    name: Option<Pattern>,
    namespace: Option<Pattern>,
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
}

impl Matcher {
    pub(crate) fn new(selector: &Selector, meter: &Meter) -> Result<Self, Error> {
        meter.check()?;
        let made = Self::read(selector)?;
        let patterns = [
            &made.group,
            &made.version,
            &made.kind,
            &made.name,
            &made.namespace,
        ];
        let size = patterns.into_iter().flatten().map(Pattern::size).sum();
        meter.take(size)?;
        Ok(made)
    }

    fn read(selector: &Selector) -> Result<Self, Error> {
        let anchored = |text: &Option<String>| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => Pattern::whole(text).map(Some),
        };
        Ok(Self {
            group: anchored(&selector.group)?,
            version: anchored(&selector.version)?,
            kind: anchored(&selector.kind)?,
            name: anchored(&selector.name)?,
            namespace: anchored(&selector.namespace)?,
            labels: requirements(selector.label_selector.as_deref().unwrap_or_default())?,
            annotations: requirements(selector.annotation_selector.as_deref().unwrap_or_default())?,
        })
    }

    /// Whether the object, by its first or its present name and namespace, and its labels and
    /// annotations match.
    pub(crate) fn matches(&self, resource: &Resource) -> Result<bool, Error> {
        let api_version = resource.api_version();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let first = resource
            .previous_names()
            .next()
            .unwrap_or_else(|| resource.name());
        let name = self.name.as_ref();
        if !self.fits_parts(group, version, resource.kind())?
            || !(fits(name, first)? || fits(name, resource.name())?)
            || !self.fits_metadata(resource)
        {
            return Ok(false);
        }
        let namespace = |id: &ResId| fits(self.namespace.as_ref(), id.effective_namespace());
        Ok(self.namespace.is_none() || namespace(&resource.original_id())? || namespace(&resource.id())?)
    }

    /// Whether one id matches, its namespace as it is written.
    pub(crate) fn matches_id(&self, id: &ResId) -> Result<bool, Error> {
        Ok(self.fits_gvk(&id.gvk)?
            && fits(self.name.as_ref(), &id.name)?
            && fits(self.namespace.as_ref(), &id.namespace)?)
    }

    fn fits_gvk(&self, gvk: &Gvk) -> Result<bool, Error> {
        self.fits_parts(&gvk.group, &gvk.version, &gvk.kind)
    }

    fn fits_parts(&self, group: &str, version: &str, kind: &str) -> Result<bool, Error> {
        Ok(fits(self.kind.as_ref(), kind)?
            && fits(self.group.as_ref(), group)?
            && fits(self.version.as_ref(), version)?)
    }

    /// Whether labels and annotations match.
    pub(crate) fn fits_metadata(&self, resource: &Resource) -> bool {
        self.labels.iter().all(|r| r.holds(resource, "labels"))
            && self.annotations.iter().all(|r| r.holds(resource, "annotations"))
    }

    /// Whether it asks for labels or annotations.
    pub(crate) fn asks_metadata(&self) -> bool {
        !self.labels.is_empty() || !self.annotations.is_empty()
    }

    /// Whether it asks for anything of an id.
    pub(crate) fn asks_id(&self) -> bool {
        [
            &self.group,
            &self.version,
            &self.kind,
            &self.name,
            &self.namespace,
        ]
        .into_iter()
        .any(Option::is_some)
    }
}

fn fits(pattern: Option<&Pattern>, text: &str) -> Result<bool, Error> {
    pattern.map_or(Ok(true), |p| p.is_match(text))
}

/// One part of a label selector.
struct Requirement {
    key: String,
    test: Test,
}

enum Test {
    Exists,
    Missing,
    In(Vec<String>),
    NotIn(Vec<String>),
}

impl Requirement {
    fn holds(&self, resource: &Resource, field: &str) -> bool {
        let value = resource.written_at(&["metadata", field, &self.key]);
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::In(values) => value.is_some_and(|v| values.contains(&v)),
            Test::NotIn(values) => value.is_none_or(|v| !values.contains(&v)),
        }
    }
}

fn requirements(text: &str) -> Result<Vec<Requirement>, Error> {
    split(text)
        .into_iter()
        .filter(|p| !p.is_empty())
        .map(requirement)
        .collect()
}

/// At commas outside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0_usize, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text.get(from..at).unwrap_or_default().trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(from..).unwrap_or_default().trim());
    parts
}

fn requirement(text: &str) -> Result<Requirement, Error> {
    let made = |key: &str, test| {
        let key = key.trim();
        if key.is_empty() || key.contains([' ', '(', ')', '=', '!']) {
            Err(Error::invalid(format!("bad selector {text:?}")))
        } else {
            Ok(Requirement {
                key: key.to_owned(),
                test,
            })
        }
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, value)) = text.split_once("!=") {
        return made(key, Test::NotIn(one(value)));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return made(key, Test::In(one(value)));
    }
    if let Some((head, list)) = text.strip_suffix(')').and_then(|t| t.split_once('(')) {
        let values = list.split(',').map(|v| v.trim().to_owned()).collect();
        return match head.trim().rsplit_once(' ') {
            Some((key, "in")) => made(key, Test::In(values)),
            Some((key, "notin")) => made(key, Test::NotIn(values)),
            _ => Err(Error::invalid(format!("bad selector {text:?}"))),
        };
    }
    match text.strip_prefix('!') {
        Some(key) => made(key, Test::Missing),
        None => made(text, Test::Exists),
    }
}
