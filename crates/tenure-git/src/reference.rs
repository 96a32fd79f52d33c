use std::fmt;

use serde::{Deserialize, Serialize};
use tenure_core::Revision;

/// What to follow. One of these; the precedence among a spec's fields is the controller's business.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reference {
    /// The tip of a branch.
    Branch(String),
    /// A tag, peeled to its commit.
    Tag(String),
    /// The highest tag in a range of versions.
    Semver(String),
    /// A full reference name, as `refs/pull/1/head`.
    Name(String),
    /// One commit, by all its digits.
    Commit {
        /// The commit.
        id: String,
        /// The branch it is said to be on; only named in the revision.
        branch: Option<String>,
    },
}

impl Default for Reference {
    /// Flux's: the branch `master`.
    fn default() -> Self {
        Self::Branch("master".to_owned())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) => write!(f, "branch {name:?}"),
            Self::Tag(name) => write!(f, "tag {name:?}"),
            Self::Semver(range) => write!(f, "tag in range {range:?}"),
            Self::Name(name) => write!(f, "reference {name:?}"),
            Self::Commit { id, .. } => write!(f, "commit {id:?}"),
        }
    }
}

/// Where a reference is, as the remote said when asked with one credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// As Flux writes it: `main@sha1:…`.
    pub revision: Revision,
    /// The commit's hex digits.
    pub commit: String,
    /// The branch, tag or reference name in the revision.
    pub pointer: Option<String>,
    /// Whether the remote itself named the commit. If not, only a download with the credential proves that it
    /// may be read, so [`crate::fetch`] never serves it from the object database alone.
    pub advertised: bool,
}

/// A range of versions, as far as it means the same here as in Flux: comparisons joined by commas or spaces,
/// `^`, `~`, `x` and `*`. Alternatives (`||`) and hyphen ranges are refused rather than misread.
pub(crate) fn range(text: &str) -> Result<semver::VersionReq, String> {
    if text.contains("||") || text.contains(" - ") || text.contains("!=") {
        return Err(
            "ranges with '||', ' - ' or '!=' are not supported; write comparisons joined by commas"
                .to_owned(),
        );
    }
    let mut parts: Vec<String> = Vec::new();
    let mut operator = String::new();
    for word in text.split([',', ' ']).filter(|w| !w.is_empty()) {
        if word.chars().all(|c| "<>=^~".contains(c)) {
            operator.push_str(word);
            continue;
        }
        let part = format!("{}{word}", std::mem::take(&mut operator));
        parts.push(plain(&part)?);
    }
    if parts.is_empty() || !operator.is_empty() {
        return Err("it is not a range of versions".to_owned());
    }
    semver::VersionReq::parse(&parts.join(",")).map_err(|e| format!("it is not a range of versions: {e}"))
}

/// One comparison in the `semver` crate's words, where a bare version would mean `^`.
fn plain(part: &str) -> Result<String, String> {
    let at = part.find(|c: char| !"<>=^~".contains(c)).unwrap_or(part.len());
    let (operator, version) = part.split_at(at);
    let version = version.strip_prefix('v').unwrap_or(version);
    let wild = version
        .split(['.', '-', '+'])
        .any(|p| matches!(p, "x" | "X" | "*"));
    let full = version
        .split(['-', '+'])
        .next()
        .unwrap_or_default()
        .split('.')
        .count()
        == 3;
    match operator {
        "" | "=" if wild => Ok(version.replace(['x', 'X'], "*")),
        "" | "=" if full => Ok(format!("={version}")),
        "" | "=" => Ok(format!("{version}.*")),
        "^" | "~" | ">" | ">=" | "<" | "<=" if full => Ok(format!("{operator}{version}")),
        // "~1.2" and "^1.2" mean the same in both; "> 1.2" does not
        "^" | "~" | ">=" | "<" if !wild => Ok(format!("{operator}{version}")),
        _ => Err(format!(
            "{part:?} is not a comparison that is supported; give all three numbers"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_mean_what_they_mean_in_flux() {
        for (text, inside, outside) in [
            (">=1.0.0, <2.0.0", "1.9.9", "0.2.3"),
            (">= 1.0.0 < 2.0.0", "1.0.0", "2.0.0"),
            ("1.2.3", "1.2.3", "1.2.4"),
            ("1.2", "1.2.9", "1.3.0"),
            ("1.x", "1.7.0", "2.0.0"),
            ("*", "9.9.9", "1.0.0-rc.1"),
            ("~1.2.3", "1.2.9", "1.3.0"),
            ("^1.2.3", "1.9.0", "2.0.0"),
            (">=1.0.0-0", "1.0.0-rc.1", "0.9.0"),
            ("=v1.0.0", "1.0.0", "1.0.1"),
        ] {
            let range = range(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert!(
                range.matches(&inside.parse().expect("a version")),
                "{text} takes {inside}"
            );
            assert!(
                !range.matches(&outside.parse().expect("a version")),
                "{text} leaves {outside}"
            );
        }
        for bad in [
            "",
            "1 || 2",
            "1.0 - 2.0",
            "!=1.0.0",
            ">1.2",
            "<=1.2",
            "latest",
            ">=",
        ] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
