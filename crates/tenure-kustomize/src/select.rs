use regex::{Regex, RegexBuilder};

use crate::Error;
use crate::file::Selector;
use crate::id::{Gvk, ResId};
use crate::resource::Resource;

/// The compiled size that a pattern from a kustomization may have, in bytes.
const PATTERN_SIZE: usize = 1 << 20;

/// A pattern with a bound on its compiled size.
pub(crate) fn pattern(text: &str) -> Result<Regex, Error> {
    RegexBuilder::new(text)
        .size_limit(PATTERN_SIZE)
        .dfa_size_limit(PATTERN_SIZE)
        .build()
        .map_err(|e| Error::invalid(format!("bad pattern {text:?}: {e}")))
}

/// A selector ready for use.
pub(crate) struct Matcher {
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
    labels: Vec<Requirement>,
    annotations: Vec<Requirement>,
}

impl Matcher {
    pub(crate) fn new(selector: &Selector) -> Result<Self, Error> {
        let anchored = |text: &Option<String>| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => {
                let inner = text.strip_prefix('^').unwrap_or(text);
                let inner = inner.strip_suffix('$').unwrap_or(inner);
                pattern(&format!("^(?:{inner})$")).map(Some)
            }
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
    pub(crate) fn matches(&self, resource: &Resource) -> bool {
        let (first, now) = (resource.original_id(), resource.id());
        let fits = |pattern: &Option<Regex>, text: &str| pattern.as_ref().is_none_or(|p| p.is_match(text));
        let namespace = |id: &ResId| fits(&self.namespace, id.effective_namespace());
        self.fits_gvk(&now.gvk)
            && (namespace(&first) || namespace(&now))
            && (fits(&self.name, &first.name) || fits(&self.name, &now.name))
            && self.fits_metadata(resource)
    }

    /// Whether one id matches, its namespace as it is written.
    pub(crate) fn matches_id(&self, id: &ResId) -> bool {
        let fits = |pattern: &Option<Regex>, text: &str| pattern.as_ref().is_none_or(|p| p.is_match(text));
        self.fits_gvk(&id.gvk) && fits(&self.name, &id.name) && fits(&self.namespace, &id.namespace)
    }

    fn fits_gvk(&self, gvk: &Gvk) -> bool {
        let fits = |pattern: &Option<Regex>, text: &str| pattern.as_ref().is_none_or(|p| p.is_match(text));
        fits(&self.group, &gvk.group) && fits(&self.version, &gvk.version) && fits(&self.kind, &gvk.kind)
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
