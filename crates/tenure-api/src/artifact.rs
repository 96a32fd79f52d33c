use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a source offers to appliers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Artifact {
    /// Path in the store.
    pub path: String,
    /// Where Flux's clients download it.
    pub url: String,
    /// Human-readable revision, see [`tenure_core::Revision`].
    pub revision: String,
    /// `<algorithm>:<hex>` of the stored file; see [`tenure_core::Digest`].
    pub digest: String,
    /// RFC 3339, in seconds.
    pub last_update_time: String,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Free annotations, such as the origin's revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}
