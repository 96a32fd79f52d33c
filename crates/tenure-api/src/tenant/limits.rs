use std::time::Duration;

use serde::{Deserialize, Serialize};
use tenure_core::{DurationError, GoDuration};

/// A Tenant's budgets; absent means the installation's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Memory of a worker, as a Kubernetes quantity; see [`memory_bytes`](Self::memory_bytes).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Objects reconciled at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Objects that the Kustomizations of a home may hold together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<u32>,
    /// Largest artifact, as a Kubernetes quantity; see [`artifact_bytes`](Self::artifact_bytes).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_size: Option<String>,
    /// What the source cache downloads for a home within an hour, as a Kubernetes quantity; see
    /// [`fetch_bytes`](Self::fetch_bytes).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch_per_hour: Option<String>,
    /// Objects that fail and have not changed are tried again so often in a minute, all of a home together; 300 if absent.
    /// One that is Ready counts a tenth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries_per_minute: Option<u32>,
    /// How many of a Kustomization's objects, in percent, one pass may delete without a person's
    /// confirmation; 50 if absent, and 100 never asks for a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune_share: Option<u32>,
    /// From how many objects on the share counts; 10 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune_objects: Option<u32>,
    /// How long a home that goes away waits for objects elsewhere that can't be deleted, as a duration;
    /// 10 minutes if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offboarding_grace: Option<String>,
    /// How long one build may take, as a duration; 60 s if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub render_time: Option<String>,
    /// TCP ports that a worker may connect to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress_ports: Option<Vec<u16>>,
}

/// Why a string is not a size.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a size such as 64Mi, 1Gi or 500M")]
pub struct QuantityError(String);

impl Limits {
    /// Memory of a worker in bytes.
    ///
    /// # Errors
    /// When the text is not a size.
    pub fn memory_bytes(&self) -> Result<Option<u64>, QuantityError> {
        self.memory.as_deref().map(bytes).transpose()
    }

    /// How long a home that goes away waits.
    ///
    /// # Errors
    /// When the text is not a duration.
    pub fn offboarding_grace(&self) -> Result<Option<Duration>, DurationError> {
        duration(self.offboarding_grace.as_deref())
    }

    /// How long one build may take.
    ///
    /// # Errors
    /// When the text is not a duration.
    pub fn render_time(&self) -> Result<Option<Duration>, DurationError> {
        duration(self.render_time.as_deref())
    }

    /// Largest artifact in bytes.
    ///
    /// # Errors
    /// When the text is not a size.
    pub fn artifact_bytes(&self) -> Result<Option<u64>, QuantityError> {
        self.artifact_size.as_deref().map(bytes).transpose()
    }

    /// What is downloaded for a home within an hour, in bytes.
    ///
    /// # Errors
    /// When the text is not a size.
    pub fn fetch_bytes(&self) -> Result<Option<u64>, QuantityError> {
        self.fetch_per_hour.as_deref().map(bytes).transpose()
    }
}

fn duration(text: Option<&str>) -> Result<Option<Duration>, DurationError> {
    let parsed = text.map(str::parse::<GoDuration>);
    Ok(parsed.transpose()?.map(|duration| duration.as_duration()))
}

/// The whole numbers among Kubernetes' quantities: nobody limits memory to half a byte.
fn bytes(text: &str) -> Result<u64, QuantityError> {
    let bad = || QuantityError(text.chars().take(40).collect());
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let scale: u64 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return Err(bad()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(scale))
        .ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn a_size_is_a_whole_number_with_a_unit() {
        for (text, expected) in [
            ("0", 0),
            ("64Mi", 64 << 20),
            ("1Gi", 1 << 30),
            ("500M", 500_000_000),
            ("7", 7),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for bad in ["", "Mi", "1.5Gi", "-1", "1m", "99999999999Gi", "1 Gi"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
