use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenure_core::{DurationError, GoDuration};

use crate::object::optional_duration;
use crate::{
    DependencyReference, KustomizationStatus, LocalObjectReference, Object, ObjectReference,
    SecretKeyReference, Selector, SourceReference,
};

/// A build of a source's directory, applied; in the union of `v1` and `v1beta2`.
pub type Kustomization = Object<KustomizationSpec, KustomizationStatus>;

/// What to build, how to apply it and as whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KustomizationSpec {
    /// What to build from.
    pub source_ref: SourceReference,
    /// Directory in the artifact; the root when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How often to apply, as written; see [`interval`](Self::interval).
    pub interval: String,
    /// Wait after a failure, as written; see [`retry_interval`](Self::retry_interval).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<String>,
    /// Longest health check, as written; see [`timeout`](Self::timeout).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Whether what left the source is deleted.
    pub prune: bool,
    /// `MirrorPrune`, `Delete`, `WaitForTermination` or `Orphan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<String>,
    /// No reconciliation while true.
    pub suspend: bool,
    /// Whether objects are recreated when an immutable field changes.
    pub force: bool,
    /// Whether everything applied is health-checked.
    pub wait: bool,
    /// What to health-check; ignored when `wait` is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_checks: Option<Vec<ObjectReference>>,
    /// CEL expressions for kinds without a known health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_exprs: Option<Vec<CustomHealthCheck>>,
    /// Kustomizations that must be ready first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Vec<DependencyReference>>,
    /// Namespace to set on everything built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_namespace: Option<String>,
    /// Prefix of every name built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_prefix: Option<String>,
    /// Suffix of every name built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_suffix: Option<String>,
    /// Labels and annotations for everything built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_metadata: Option<CommonMetadata>,
    /// Patches, appended to the file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patches: Option<Vec<Patch>>,
    /// Images to replace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<Vec<Image>>,
    /// Kustomize components, as local paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<Vec<String>>,
    /// Whether an absent component is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_missing_components: Option<bool>,
    /// `originAnnotations`, `transformerAnnotations`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_metadata: Option<Vec<String>>,
    /// Variables to substitute after the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_build: Option<PostBuild>,
    /// How to decrypt the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// ServiceAccount of the same namespace to act as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// A remote cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfigReference>,
    /// Fields left to other managers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore: Option<Vec<IgnoreRule>>,
    /// `v1beta2` only: strategic merge patches, still honoured by the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patches_strategic_merge: Option<Vec<Value>>,
    /// `v1beta2` only: JSON 6902 patches, still honoured by the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patches_json6902: Option<Vec<Json6902Patch>>,
    /// `v1beta2` only: `none`, `client` or `server`; has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<String>,
}

impl KustomizationSpec {
    /// How often to apply.
    ///
    /// # Errors
    /// When the text is not a duration.
    pub fn interval(&self) -> Result<GoDuration, DurationError> {
        self.interval.parse()
    }

    /// The wait after a failure; `None` when not set (then the interval counts).
    ///
    /// # Errors
    /// When the text is not a duration.
    pub fn retry_interval(&self) -> Result<Option<GoDuration>, DurationError> {
        optional_duration(self.retry_interval.as_deref())
    }

    /// The longest health check; `None` when not set (then the interval less 30 s, at least 30 s).
    ///
    /// # Errors
    /// When the text is not a duration.
    pub fn timeout(&self) -> Result<Option<GoDuration>, DurationError> {
        optional_duration(self.timeout.as_deref())
    }
}

/// A health expression for every object of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomHealthCheck {
    /// API version that the expressions are for.
    pub api_version: String,
    /// Kind; absent means every kind of the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// True when the object is healthy.
    pub current: String,
    /// True when it is on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<String>,
    /// True when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CommonMetadata {
    /// Annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// An inline patch and what it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Patch {
    /// Strategic merge or JSON 6902, as YAML text.
    pub patch: String,
    /// Which objects; a merge patch may name its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
}

/// A list of JSON 6902 operations and what it is for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Json6902Patch {
    /// The operations.
    pub patch: Vec<Value>,
    /// Which objects.
    pub target: Selector,
}

/// An image to replace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Image {
    /// The image's name without a tag.
    pub name: String,
    /// New name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_name: Option<String>,
    /// New tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_tag: Option<String>,
    /// New digest; wins over the tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Variable substitution after the build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostBuild {
    /// Inline variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub substitute: Option<BTreeMap<String, String>>,
    /// ConfigMaps and Secrets with variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub substitute_from: Option<Vec<SubstituteReference>>,
    /// `WithVariables` (when absent) or `Always`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub substitute_strategy: Option<String>,
}

/// Where variables come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubstituteReference {
    /// `ConfigMap` or `Secret`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether its absence is fine.
    pub optional: bool,
}

/// How to decrypt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Decryption {
    /// `sops`.
    pub provider: String,
    /// The Secret with keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Identity for a cloud's key service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
}

/// A remote cluster: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeConfigReference {
    /// A Secret with a kubeconfig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyReference>,
    /// A ConfigMap that describes workload identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<LocalObjectReference>,
}

/// Fields of applied objects that are another manager's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IgnoreRule {
    /// JSON pointers.
    pub paths: Vec<String>,
    /// Which objects; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
}
