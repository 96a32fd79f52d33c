use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenure_controllers::{FailureCounts, WrittenObjects};
use tenure_kube::Discovery;

/// What one worker leaves behind for the next one of its home. The supervisor keeps it as bytes; a
/// memo that is lost or unreadable costs requests, never correctness.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Memo {
    /// Format; another one is thrown away.
    version: u32,
    /// What the API server serves.
    pub(crate) discovery: Option<Discovery>,
    /// Failures in a row.
    #[serde(default)]
    pub(crate) failures: FailureCounts,
    /// What Kustomizations have written.
    #[serde(default)]
    pub(crate) written: WrittenObjects,
    /// When the worker's own rights were last looked at.
    #[serde(default)]
    pub(crate) looked: Option<Timestamp>,
}

const VERSION: u32 = 2;

impl Memo {
    pub(crate) fn new(
        discovery: Option<Discovery>,
        failures: FailureCounts,
        written: WrittenObjects,
        looked: Option<Timestamp>,
    ) -> Self {
        Self {
            version: VERSION,
            discovery,
            failures,
            written,
            looked,
        }
    }

    pub(crate) fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes)
            .ok()
            .filter(|memo: &Self| memo.version == VERSION)
            .unwrap_or_default()
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_of_another_kind_is_no_memo() {
        for bytes in [&b""[..], b"{", b"\xff\xff", br#"{"version":99,"discovery":null}"#] {
            assert!(Memo::read(bytes).discovery.is_none());
        }
        assert_eq!(
            Memo::read(&Memo::new(None, FailureCounts::default(), WrittenObjects::default(), None).write())
                .version,
            VERSION
        );
    }
}
