//! Signatures: collected by the cache, verified here, with the keys of the home.

use std::collections::BTreeMap;

use serde_json::Value;
use tenure_api::{self as condition, ConditionStatus, OciVerification, reasons};
use tenure_core::{Digest, Secret};
use tenure_verify::PublicKey;
use tenure_verify::cosign::{self, Candidate};

use super::plan::Refusal;
use super::{At, Failure, named};
use crate::merge::conditions_of;
use crate::{Effects, Resolved, SourceRequest};

/// How the name of a public key's entry ends in a Secret.
const KEY: &str = ".pub";

/// Refuses what is wished for and not built yet: said aloud, never skipped.
pub(crate) fn supported(wish: &OciVerification) -> Result<(), Refusal> {
    match wish.provider.as_str() {
        "" | "cosign" if wish.secret_ref.is_some() => Ok(()),
        "" | "cosign" => Err(Refusal::unsupported("verify without secretRef")),
        _ => Err(Refusal::unsupported("verify.provider other than cosign")),
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

/// Whether one of the keys of the wish has signed what was found; `request` is the question that found it.
///
/// # Errors
/// Who has not, in Flux's words.
pub(crate) async fn verify(
    wish: &OciVerification,
    request: &SourceRequest,
    resolved: &Resolved,
    effects: &Effects,
) -> Result<(), Failure> {
    let failed = |error: String| Failure {
        at: At::Verify,
        ..Failure::fetching(
            reasons::VERIFICATION_ERROR,
            format!("failed to verify the signature using provider 'cosign': {error}"),
        )
    };
    let name = wish.secret_ref.as_ref().map(|secret| secret.name.clone());
    let name = name.unwrap_or_default();
    let what = format!("the signature of {}", resolved.revision);
    let data = named(effects, &name, what, "that end in '.pub'").await;
    let data = data.map_err(|failure| failed(failure.message))?;
    let keys = keys(&name, &data).map_err(failed)?;
    let digest: Digest = resolved
        .revision
        .hash()
        .parse()
        .map_err(|_| failed(format!("'{}' names no manifest", resolved.revision)))?;
    let signed = SourceRequest {
        signatures: true,
        ..request.clone()
    };
    let found = effects
        .sources
        .resolve(&signed)
        .await
        .map_err(|failure| Failure {
            retry: failure.retry,
            cache_down: failure.cache_down,
            ..failed(failure.message)
        })?;
    if found.revision.hash() != resolved.revision.hash() {
        return Err(failed("it moved while it was verified".to_owned()));
    }
    let candidates: Vec<_> = found
        .signatures
        .iter()
        .map(|signature| Candidate {
            media_type: &signature.media_type,
            annotations: &signature.annotations,
            payload: &signature.payload,
        })
        .collect();
    cosign::verify(digest, &candidates, &keys).map_err(|error| failed(error.to_string()))?;
    Ok(())
}

fn keys(name: &str, data: &BTreeMap<String, Secret>) -> Result<Vec<PublicKey>, String> {
    let entries = data.iter().filter(|(entry, _)| entry.ends_with(KEY));
    let keys = entries.map(|(entry, pem)| {
        PublicKey::from_pem(entry, pem.expose())
            .map_err(|error| format!("the Secret '{name}' can't be used: {error}"))
    });
    keys.collect()
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
        for (wish, part) in [
            (
                OciVerification {
                    secret_ref: None,
                    ..keyed.clone()
                },
                "spec.verify without secretRef",
            ),
            (
                OciVerification {
                    provider: "notation".into(),
                    ..keyed
                },
                "spec.verify.provider",
            ),
        ] {
            let refusal = supported(&wish).expect_err("not yet");
            assert!(refusal.message.contains(part), "{}", refusal.message);
        }
    }

    #[test]
    fn only_what_ends_in_pub_is_a_key_and_one_that_is_none_is_named() {
        let data = |name: &str| BTreeMap::from([(name.to_owned(), Secret::from("CANARY".to_owned()))]);
        assert_eq!(keys("keys", &data("note")).expect("none").len(), 0);
        let error = keys("keys", &data("cosign.pub")).expect_err("no key");
        assert!(error.contains("'keys'") && !error.contains("CANARY"), "{error}");
    }
}
