use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenure_core::{DurationError, GoDuration};

use crate::{Object, OciVerification, SourceReference, SourceStatus};

/// A chart as a source, in the union of `v1` and `v1beta2`.
pub type HelmChart = Object<HelmChartSpec, HelmChartStatus>;

/// Which chart, from where, with which values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelmChartSpec {
    /// A chart's name in a repository, or a path in an artifact.
    #[serde(default)]
    pub chart: String,
    /// A version or a range; of charts in a repository only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The HelmRepository, GitRepository or Bucket of the same namespace.
    #[serde(default)]
    pub source_ref: SourceReference,
    /// How often to look, as written; see [`interval`](Self::interval).
    #[serde(default)]
    pub interval: String,
    /// `ChartVersion` or `Revision`: what makes an artifact a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile_strategy: Option<String>,
    /// Files of values that together replace the chart's own; see [`all_values_files`](Self::all_values_files).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_files: Option<Vec<String>>,
    /// `v1beta2` only: a file that goes before the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_file: Option<String>,
    /// Whether a file of values may be missing.
    #[serde(default)]
    pub ignore_missing_values_files: bool,
    /// No reconciliation while true.
    #[serde(default)]
    pub suspend: bool,
    /// Signatures to require; of charts in a registry only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<OciVerification>,
    /// `v1beta2` only; never implemented by Flux and has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_from: Option<Value>,
}

impl HelmChartSpec {
    /// How often to look.
    ///
    /// # Errors
    /// When the text is not a duration.
    pub fn interval(&self) -> Result<GoDuration, DurationError> {
        self.interval.parse()
    }

    /// The version that is asked for; any when nothing is said.
    #[must_use]
    pub fn version(&self) -> &str {
        let version = self.version.as_deref().filter(|version| !version.is_empty());
        version.unwrap_or("*")
    }

    /// The files of values, in the order in which one overrides the other.
    #[must_use]
    pub fn all_values_files(&self) -> Vec<String> {
        let first = self.values_file.iter().filter(|file| !file.is_empty());
        first.chain(self.values_files.iter().flatten()).cloned().collect()
    }
}

/// The chart that was built last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HelmChartStatus {
    /// As of every source.
    #[serde(flatten)]
    pub source: SourceStatus,
    /// The chart's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_chart_name: Option<String>,
    /// The revision of the source that it was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_source_artifact_revision: Option<String>,
    /// The files of values that were there, if some may be missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_values_files: Option<Vec<String>>,
}
