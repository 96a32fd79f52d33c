use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenure_core::{DurationError, GoDuration};

use crate::object::optional_duration;
use crate::{LocalObjectReference, Object, SourceStatus};

/// A repository of Helm charts as a source, in the union of `v1` and `v1beta2`.
pub type HelmRepository = Object<HelmRepositorySpec, HelmRepositoryStatus>;

/// What [`HelmRepositorySpec::kind`] says of charts in a registry.
const OCI: &str = "oci";

/// Where the charts are, how often to look and with which Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelmRepositorySpec {
    /// `http`, `https` or `oci` URL; may hold credentials, so parse it before printing.
    #[serde(default)]
    pub url: String,
    /// `default` or `oci`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// How often to look, as written; see [`interval`](Self::interval).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Longest download, as written; see [`timeout`](Self::timeout).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// The Secret with credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// The Secret with the server's authority and a client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Whether hosts to which the index leads are shown the credentials too.
    #[serde(default)]
    pub pass_credentials: bool,
    /// Whether a registry may speak plain http; `oci` only.
    #[serde(default)]
    pub insecure: bool,
    /// `generic`, `aws`, `azure` or `gcp`; `oci` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// No reconciliation while true.
    #[serde(default)]
    pub suspend: bool,
    /// Never implemented by Flux and has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_from: Option<Value>,
}

impl HelmRepositorySpec {
    /// Whether the charts are in a registry.
    #[must_use]
    pub fn is_oci(&self) -> bool {
        self.kind.as_deref() == Some(OCI)
    }

    /// How often to look; `None` when not set.
    ///
    /// # Errors
    /// When the text is not a duration.
    pub fn interval(&self) -> Result<Option<GoDuration>, DurationError> {
        optional_duration(self.interval.as_deref())
    }

    /// The longest download; `None` when not set.
    ///
    /// # Errors
    /// When the text is not a duration.
    pub fn timeout(&self) -> Result<Option<GoDuration>, DurationError> {
        optional_duration(self.timeout.as_deref())
    }
}

/// The index that was downloaded last; nothing for charts in a registry.
pub type HelmRepositoryStatus = SourceStatus;
