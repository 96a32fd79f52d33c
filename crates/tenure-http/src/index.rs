//! A repository's list of charts, read as Helm reads it.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenure_core::{Digest, Range};
use tenure_yaml::{Limits, Options, parse_one};

use crate::{HttpError, Missing};

/// Nodes of YAML for each byte of the limit: an index has one for every few.
const BYTES_PER_NODE: u64 = 6;

/// What is in a repository.
#[derive(Clone, Debug)]
pub struct Index {
    remote: String,
    digest: Digest,
    json: Value,
    entries: BTreeMap<String, Vec<ChartVersion>>,
}

/// One version of a chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartVersion {
    /// The chart's name.
    pub name: String,
    /// Its version, as it is written.
    pub version: String,
    /// Where its archive lies; relative to the repository, or whole.
    #[serde(default)]
    pub urls: Vec<String>,
    /// The SHA-256 of its archive, if the index says it.
    #[serde(default)]
    pub digest: Option<String>,
    /// When it was added.
    #[serde(default)]
    pub created: Option<String>,
}

impl Index {
    /// Reads `index.yaml`, which may be JSON. Versions that are not understood are left out, as in Helm.
    ///
    /// # Errors
    /// [`HttpError::Malformed`].
    pub fn parse(remote: &str, text: &[u8]) -> Result<Self, HttpError> {
        let malformed = |message: String| HttpError::Malformed {
            remote: remote.to_owned(),
            message,
        };
        let json = match serde_json::from_slice(text) {
            Ok(json) => json,
            Err(_) => {
                let nodes = (text.len() as u64 / BYTES_PER_NODE).max(10_000);
                let limits = Limits {
                    nodes: usize::try_from(nodes).unwrap_or(usize::MAX),
                    ..Limits::default()
                };
                parse_one(text, &Options::helm().with_limits(limits))
                    .map_err(|e| malformed(format!("its index is not YAML: {e}")))?
            }
        };
        let versioned = json
            .get("apiVersion")
            .and_then(Value::as_str)
            .is_some_and(|v| !v.is_empty());
        if !versioned {
            return Err(malformed("its index has no apiVersion".to_owned()));
        }
        let listed = json.get("entries").and_then(Value::as_object);
        let entries = listed.into_iter().flatten().map(|(name, versions)| {
            let versions = versions.as_array().into_iter().flatten();
            let read = versions.filter_map(|v| ChartVersion::deserialize(v).ok());
            (name.clone(), read.filter(|v| v.name == *name).collect())
        });
        Ok(Self {
            remote: remote.to_owned(),
            digest: Digest::of(text),
            entries: entries.collect(),
            json,
        })
    }

    /// The digest of the bytes that were downloaded: the revision.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The index as JSON: the artifact.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        self.json.to_string().into_bytes()
    }

    /// The names of its charts.
    pub fn charts(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The version that is written exactly so, else the highest in the range; `""` is any that is no pre-release.
    /// Of versions that differ in build metadata only, the one that was added last.
    ///
    /// # Errors
    /// [`HttpError::NotFound`], or [`HttpError::InvalidReference`] when `wanted` is neither.
    pub fn select(&self, chart: &str, wanted: &str) -> Result<&ChartVersion, HttpError> {
        let missing = |what| HttpError::NotFound {
            remote: self.remote.clone(),
            what,
        };
        let versions = self
            .entries
            .get(chart)
            .ok_or_else(|| missing(Missing::Chart(chart.to_owned())))?;
        if let Some(exact) = versions.iter().find(|v| v.version == wanted) {
            return Ok(exact);
        }
        let range = if wanted.is_empty() { "*" } else { wanted };
        let range: Range = range.parse().map_err(|error| HttpError::InvalidReference {
            remote: self.remote.clone(),
            message: format!("the version of chart {chart:?}: {error}"),
        })?;
        versions
            .iter()
            .filter_map(|v| Some((v.parsed()?, v)))
            .filter(|(version, _)| range.matches(version))
            .max_by(|(a, x), (b, y)| a.cmp_precedence(b).then_with(|| x.added().cmp(&y.added())))
            .map(|(_, v)| v)
            .ok_or_else(|| missing(Missing::Version(chart.to_owned(), wanted.to_owned())))
    }
}

impl ChartVersion {
    fn parsed(&self) -> Option<Version> {
        Version::parse(self.version.strip_prefix('v').unwrap_or(&self.version)).ok()
    }

    fn added(&self) -> Option<jiff::Timestamp> {
        self.created.as_deref()?.parse().ok()
    }

    /// The digest of the archive, where the index gives one.
    #[must_use]
    pub fn sha256(&self) -> Option<Digest> {
        let hex = self.digest.as_deref()?.trim_start_matches("sha256:");
        format!("sha256:{}", hex.to_ascii_lowercase()).parse().ok()
    }
}

#[cfg(test)]
mod tests;
