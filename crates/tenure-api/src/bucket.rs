use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object::scheduled;
use crate::{LocalObjectReference, Object, SourceStatus};

/// A bucket of an object store as a source, in the union of `v1` and `v1beta2`.
pub type Bucket = Object<BucketSpec, BucketStatus>;

/// Which bucket, how often to look and with which Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketSpec {
    /// `generic`, `aws`, `gcp` or `azure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The bucket.
    #[serde(default)]
    pub bucket_name: String,
    /// The store's host, with an optional port.
    #[serde(default)]
    pub endpoint: String,
    /// Where short-lived keys come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sts: Option<BucketSts>,
    /// Whether the store speaks plain http.
    #[serde(default)]
    pub insecure: bool,
    /// The store's region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Only keys that start so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The Secret with credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Identity for workload identity; not for `generic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// The Secret with the store's authority and a client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// The Secret with a proxy's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// How often to look, as written; see [`interval`](Self::interval).
    #[serde(default)]
    pub interval: String,
    /// Longest download, as written; see [`timeout`](Self::timeout).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Ignore rules in gitignore syntax, after the bucket's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore: Option<String>,
    /// No reconciliation while true.
    #[serde(default)]
    pub suspend: bool,
    /// `v1beta2` only; never implemented by Flux and has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_from: Option<Value>,
}

scheduled!(BucketSpec);

/// A service that changes one credential for short-lived keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BucketSts {
    /// `aws` or `ldap`.
    pub provider: String,
    /// Its URL.
    pub endpoint: String,
    /// The Secret with user and password; `ldap` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// The Secret with its authority and a client certificate; `ldap` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
}

/// What was downloaded last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BucketStatus {
    /// As of every source.
    #[serde(flatten)]
    pub source: SourceStatus,
    /// `spec.ignore` of the artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_ignore: Option<String>,
}
