//! Signatures: collected by the cache, verified here, with what the home trusts.

use jiff::Timestamp;
use serde_json::Value;
use tenure_api::{self as condition, ConditionStatus, OciVerification, reasons};
use tenure_core::Digest;

use super::plan::Refusal;
use super::trust::Trust;
use super::{At, Failure};
use crate::merge::conditions_of;
use crate::{Effects, Resolved, SourceRequest, Wanted};

/// Refuses what is wished for and not built yet: said aloud, never skipped.
pub(crate) fn supported(wish: &OciVerification) -> Result<(), Refusal> {
    let secret = wish.secret_ref.is_some();
    match wish.provider.as_str() {
        "" | "cosign" if secret || wish.trusted_root_secret_ref.is_some() => Ok(()),
        "" | "cosign" => Err(Refusal {
            reason: reasons::FEATURE_GATE_DISABLED,
            message: "spec.verify without secretRef needs a trustedRootSecretRef, which an OCIRepository may have: the \
                      public root of trust is not fetched from the network"
                .to_owned(),
            limit: None,
        }),
        "notation" if secret => Ok(()),
        "notation" => Err(Refusal::unsupported("verify.provider notation without secretRef")),
        _ => Err(Refusal::unsupported("verify.provider other than cosign and notation")),
    }
}

/// Whether this revision was verified for this generation.
pub(crate) fn before(object: &Value, revision: &str) -> bool {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let status = object.get("status").unwrap_or(&Value::Null);
    let same = status.pointer("/artifact/revision").and_then(Value::as_str) == Some(revision);
    let conditions = conditions_of(status);
    let verified = condition::get(&conditions, condition::SOURCE_VERIFIED);
    same && verified
        .is_some_and(|one| one.status == ConditionStatus::True && one.observed_generation == generation)
}

/// Whether somebody whom the wish trusts has signed what was found; `request` is the question that found it. False where
/// a policy of notation lets it pass and vouches for nothing.
///
/// # Errors
/// Who has not, in Flux's words.
pub(crate) async fn verify(
    wish: &OciVerification,
    request: &SourceRequest,
    resolved: &Resolved,
    effects: &Effects,
) -> Result<bool, Failure> {
    let provider = match wish.provider.as_str() {
        "" => "cosign",
        provider => provider,
    };
    let failed = |error: String| Failure {
        at: At::Verify,
        ..Failure::fetching(
            reasons::VERIFICATION_ERROR,
            format!("failed to verify the signature using provider '{provider}': {error}"),
        )
    };
    let what = format!("the signature of {}", resolved.revision);
    let trust = Trust::read(wish, &what, effects).await.map_err(failed)?;
    let digest: Digest = resolved
        .revision
        .hash()
        .parse()
        .map_err(|_| failed(format!("'{}' names no manifest", resolved.revision)))?;
    let Wanted::Oci(wanted) = &request.wanted else {
        return Err(failed("it is in no registry".to_owned()));
    };
    let signed = SourceRequest {
        signatures: true,
        ..request.clone()
    };
    let found = effects.resolve(&signed).await.map_err(|failure| Failure {
        retry: failure.retry,
        cache_down: failure.cache_down,
        ..failed(failure.message)
    })?;
    if found.revision.hash() != resolved.revision.hash() {
        return Err(failed("it moved while it was verified".to_owned()));
    }
    let artifact = wanted.repository.to_string();
    trust
        .vouches(digest, &artifact, &found.signatures, Timestamp::now())
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_revision_is_verified_once_for_each_generation() {
        let object = |generation: i64, status: &str, revision: &str| {
            json!({"metadata": {"generation": generation}, "status": {
                "artifact": {"revision": revision},
                "conditions": [{
                    "type": "SourceVerified", "status": status, "reason": "Succeeded", "message": "m",
                    "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 2,
                }],
            }})
        };
        assert!(before(&object(2, "True", "v1@sha256:1"), "v1@sha256:1"));
        assert!(!before(&object(3, "True", "v1@sha256:1"), "v1@sha256:1"));
        assert!(!before(&object(2, "False", "v1@sha256:1"), "v1@sha256:1"));
        assert!(!before(&object(2, "True", "v1@sha256:2"), "v1@sha256:1"));
        assert!(!before(&json!({}), "v1@sha256:1"));
    }

    #[test]
    fn what_can_not_be_verified_yet_is_refused_and_not_skipped() {
        let keyed = OciVerification {
            provider: "cosign".into(),
            secret_ref: Some(tenure_api::LocalObjectReference { name: "keys".into() }),
            ..OciVerification::default()
        };
        assert_eq!(supported(&keyed), Ok(()));
        let notation = OciVerification {
            provider: "notation".into(),
            ..keyed.clone()
        };
        assert_eq!(supported(&notation), Ok(()));
        let rooted = OciVerification {
            secret_ref: None,
            trusted_root_secret_ref: keyed.secret_ref.clone(),
            ..keyed.clone()
        };
        assert_eq!(supported(&rooted), Ok(()));
        let provider = |provider: &str| OciVerification {
            provider: provider.into(),
            ..OciVerification::default()
        };
        for (wish, part) in [
            (provider("cosign"), "spec.verify without secretRef"),
            (
                provider("notation"),
                "spec.verify.provider notation without secretRef",
            ),
            (provider("other"), "spec.verify.provider other"),
        ] {
            let refusal = supported(&wish).expect_err("not supported");
            assert!(refusal.message.contains(part), "{}", refusal.message);
        }
    }
}
