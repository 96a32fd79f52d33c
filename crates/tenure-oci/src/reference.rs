use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};
use tenure_core::{Digest, Range, Revision};

use crate::OciError;

/// The largest compiled filter, in bytes: an expression may name large repetitions.
const FILTER: usize = 1 << 20;

/// What to follow. One of these; the precedence among a spec's fields is the controller's business.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reference {
    /// A tag.
    Tag(String),
    /// The highest tag in a range of versions.
    Semver {
        /// The range.
        range: String,
        /// A regular expression: only tags that it finds count.
        filter: Option<String>,
        /// A tag's `_` stands for the `+` of a version, as Helm pushes charts.
        underscore_is_plus: bool,
    },
    /// One manifest.
    Digest(Digest),
}

impl Default for Reference {
    /// Flux's: the tag `latest`.
    fn default() -> Self {
        Self::Tag("latest".to_owned())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, "tag {tag:?}"),
            Self::Semver {
                range, filter: None, ..
            } => write!(f, "tag in range {range:?}"),
            Self::Semver {
                range,
                filter: Some(filter),
                ..
            } => write!(f, "tag in range {range:?} that matches {filter:?}"),
            Self::Digest(digest) => write!(f, "digest {digest}"),
        }
    }
}

/// Where a reference is, as the registry said when asked with one credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// As Flux writes it: `latest@sha256:…`, or the digest alone.
    pub revision: Revision,
    /// The digest of the manifest, or of the index of manifests.
    pub digest: Digest,
    /// The tag in the revision.
    pub tag: Option<String>,
}

impl Resolved {
    pub(crate) fn new(tag: Option<&str>, digest: Digest) -> Result<Self, OciError> {
        let text = match tag {
            Some(tag) => format!("{tag}@{digest}"),
            None => digest.to_string(),
        };
        let revision = text.parse().map_err(|e| OciError::Local {
            what: "writing a revision".to_owned(),
            message: format!("{e}"),
        })?;
        Ok(Self {
            revision,
            digest,
            tag: tag.map(ToOwned::to_owned),
        })
    }
}

/// Picks the tag of the highest version.
pub(crate) struct Picker {
    range: Range,
    filter: Option<Regex>,
    underscore_is_plus: bool,
}

impl Picker {
    pub(crate) fn new(
        range: &str,
        filter: Option<&str>,
        underscore_is_plus: bool,
    ) -> Result<Self, String> {
        let filter = filter.filter(|f| !f.is_empty()).map(|filter| {
            regex::RegexBuilder::new(filter)
                .size_limit(FILTER)
                .build()
                .map_err(|_| format!("the filter {filter:?} is not a regular expression"))
        });
        Ok(Self {
            range: range.parse().map_err(|e| format!("{e}"))?,
            filter: filter.transpose()?,
            underscore_is_plus,
        })
    }

    /// The tag, if any is in the range. Of versions that differ in build metadata only, the last by its text.
    pub(crate) fn pick<'a>(&self, tags: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        tags.filter(|tag| self.filter.as_ref().is_none_or(|f| f.is_match(tag)))
            .filter_map(|tag| Some((self.version(tag)?, tag)))
            .filter(|(version, _)| self.range.matches(version))
            .max_by(|a, b| a.cmp(b))
            .map(|(_, tag)| tag)
    }

    fn version(&self, tag: &str) -> Option<semver::Version> {
        let text = tag.strip_prefix('v').unwrap_or(tag);
        if self.underscore_is_plus {
            semver::Version::parse(&text.replace('_', "+")).ok()
        } else {
            semver::Version::parse(text).ok()
        }
    }
}

/// Whether registries take it as a tag; it becomes a part of a URL.
pub(crate) fn is_tag(tag: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=128).contains(&tag.len()) && tag.bytes().all(plain) && !tag.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick<'a>(range: &str, filter: Option<&str>, plus: bool, tags: &[&'a str]) -> Option<&'a str> {
        Picker::new(range, filter, plus)
            .unwrap_or_else(|e| panic!("{e}"))
            .pick(tags.iter().copied())
    }

    #[test]
    fn the_highest_version_in_the_range_wins() {
        let tags = ["latest", "v1.9.0", "1.10.0", "2.0.0", "1.11.0-rc.1", "1.2", "x1.99.0"];
        assert_eq!(pick("1.x", None, false, &tags), Some("1.10.0"));
        assert_eq!(pick(">=1.0.0-0 <2", None, false, &tags), Some("1.11.0-rc.1"));
        assert_eq!(pick("1.x", Some("^v"), false, &tags), Some("v1.9.0"));
        assert_eq!(pick("3.x", None, false, &tags), None);
    }

    #[test]
    fn a_filter_looks_at_the_tag_before_the_range_does() {
        let tags = ["6.0.0-rc.1", "6.0.0-rc.2", "6.0.0-beta.9", "5.0.0"];
        assert_eq!(
            pick(">=0.0.0-0", Some(".*-rc.*"), false, &tags),
            Some("6.0.0-rc.2")
        );
    }

    #[test]
    fn charts_have_their_plus_as_an_underscore() {
        let tags = ["1.0.0_b1", "1.0.0_b2", "0.9.0"];
        assert_eq!(pick("*", None, true, &tags), Some("1.0.0_b2"));
        assert_eq!(pick("*", None, false, &tags), Some("0.9.0"));
    }

    #[test]
    fn what_can_never_match_is_told_from_what_does_not() {
        assert!(Picker::new("latest", None, false).is_err());
        assert!(Picker::new("*", Some("("), false).is_err());
        assert!(Picker::new("*", Some("(a{900}){900}"), false).is_err(), "it would fill memory");
    }

    #[test]
    fn a_tag_cannot_be_a_path_or_a_query() {
        for good in ["latest", "v1.0_2-x", "_a"] {
            assert!(is_tag(good), "{good}");
        }
        for bad in ["", "a/b", "..", "a?b", "a#b", "-a", "a b", "a@b", "a:b", &"x".repeat(129)] {
            assert!(!is_tag(bad), "{bad}");
        }
    }
}
