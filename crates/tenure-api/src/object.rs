use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use tenure_core::{DurationError, GoDuration};

/// One object of the API: what every kind has in common.
///
/// Fields that this version does not know are ignored, so an object written for a newer schema still
/// decodes. What can't be read at all is that one object's error, never the list's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object<Spec, Status> {
    /// Group and version as served; empty in items of a list.
    #[serde(default)]
    pub api_version: String,
    /// The kind; empty in items of a list.
    #[serde(default)]
    pub kind: String,
    /// Name, namespace, generation, finalizers and the rest.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: Spec,
    /// What is.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

fn none<T>() -> Option<T> {
    None
}

impl<Spec, Status> Object<Spec, Status> {
    /// `metadata.name`, empty when absent.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// `metadata.namespace`, empty when absent.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// `metadata.generation`, 0 when absent.
    #[must_use]
    pub fn generation(&self) -> i64 {
        self.metadata.generation.unwrap_or_default()
    }

    /// An annotation's value.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// Whether deletion was asked for.
    #[must_use]
    pub fn is_being_deleted(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Whether Flux's finalizer is on it.
    #[must_use]
    pub fn has_finalizer(&self) -> bool {
        self.metadata
            .finalizers
            .iter()
            .flatten()
            .any(|finalizer| finalizer == crate::FINALIZER)
    }
}

/// Reads an optional duration field; empty counts as absent, as in Flux.
pub(crate) fn optional_duration(text: Option<&str>) -> Result<Option<GoDuration>, DurationError> {
    text.filter(|text| !text.is_empty()).map(str::parse).transpose()
}

/// `spec.interval` and `spec.timeout` of a source, read.
macro_rules! scheduled {
    ($spec:ty) => {
        impl $spec {
            /// How often to look.
            ///
            /// # Errors
            /// When the text is not a duration.
            pub fn interval(&self) -> Result<tenure_core::GoDuration, tenure_core::DurationError> {
                self.interval.parse()
            }

            /// The longest fetch; `None` when not set.
            ///
            /// # Errors
            /// When the text is not a duration.
            pub fn timeout(&self) -> Result<Option<tenure_core::GoDuration>, tenure_core::DurationError> {
                $crate::object::optional_duration(self.timeout.as_deref())
            }
        }
    };
}
pub(crate) use scheduled;
