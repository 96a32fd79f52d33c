//! ExternalArtifact: somebody else makes it and says so in its status. Here it is fetched, by its digest, when
//! something is built from it; nothing is written to it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tenure_api::{ExternalArtifact, reasons};
use tenure_core::{Digest, ObjectKey, Retry, Revision, SourceUrl};

use crate::retry::after;
use crate::source::{Failure, keep};
use crate::{Effects, FileRequest, Home, Pass, SourceRequest, State, Wake, Wanted};

/// Longest download.
const TIMEOUT: Duration = Duration::from_mins(1);

/// One pass: fetches what is offered, and wakes who builds from it.
pub(crate) async fn reconcile(key: &ObjectKey, alone: bool, effects: &Arc<Effects>) -> Pass {
    let Some(object) = effects.snapshot.get(key) else {
        return Pass::gone();
    };
    let ended = |state, reason: &str, next_due, wake| Pass {
        state,
        reason: reason.to_owned(),
        next_due,
        wake,
        limit: None,
    };
    let consumers = vec![Wake::ConsumersOf(key.clone())];
    if alone {
        // its status is its maker's
        return ended(State::Stalled, reasons::QUARANTINED, None, consumers);
    }
    let offered = match offered(&object, &effects.home) {
        Ok(Some(offered)) => offered,
        Ok(None) => return ended(State::Failed, reasons::NO_ARTIFACT, None, Vec::new()),
        Err(failure) => {
            tracing::info!(object = %key, reason = failure.reason, "the artifact can't be used: {}", failure.message);
            let pass = ended(State::Stalled, failure.reason, None, consumers);
            let limit = failure.limit;
            return Pass { limit, ..pass };
        }
    };
    let wake = match crate::kustomization::is_behind(&effects.snapshot, key, &offered.revision) {
        true => consumers,
        false => Vec::new(),
    };
    match fetch(offered, effects).await {
        Ok(()) => {
            effects.failures.lock().succeeded(key);
            ended(State::Ready, reasons::SUCCEEDED, None, wake)
        }
        Err(failure) => {
            tracing::info!(object = %key, reason = failure.reason, "the artifact can't be fetched: {}", failure.message);
            let wait = effects.failures.lock().failed(key);
            let next_due = match failure.retry {
                Retry::After(wait) => after(Timestamp::now(), wait),
                _ => after(Timestamp::now(), wait),
            };
            let pass = ended(State::Failed, failure.reason, Some(next_due), wake);
            let limit = failure.limit;
            Pass { limit, ..pass }
        }
    }
}

/// What its maker offers, as far as the Tenant allows it; `None` if nothing.
fn offered(object: &Value, home: &Home) -> Result<Option<FileRequest>, Failure> {
    let unusable = |message: String| Failure::fetching(reasons::ARTIFACT_FAILED, message).stalled();
    let object: ExternalArtifact = serde::Deserialize::deserialize(object)
        .map_err(|error| unusable(format!("it can't be read: {error}")))?;
    let Some(artifact) = object.status.and_then(|status| status.artifact) else {
        return Ok(None);
    };
    let field = |name: &str, error: &dyn std::fmt::Display| {
        unusable(format!("status.artifact.{name} can't be used: {error}"))
    };
    let url: SourceUrl = artifact.url.parse().map_err(|error| field("url", &error))?;
    if url.user().is_some() || !matches!(url.scheme(), "http" | "https") {
        return Err(field("url", &"it is not an http or https URL without a user"));
    }
    crate::source::plan::allowed(home, &url, &url.spellings())?;
    let digest: Digest = artifact.digest.parse().map_err(|error| field("digest", &error))?;
    let revision = Revision::opaque(&artifact.revision).map_err(|error| field("revision", &error))?;
    Ok(Some(FileRequest {
        url,
        digest,
        revision,
    }))
}

async fn fetch(offered: FileRequest, effects: &Effects) -> Result<(), Failure> {
    if effects.artifacts.holds(&offered.digest) {
        return Ok(());
    }
    let request = SourceRequest {
        wanted: Wanted::File(offered),
        ignore: None,
        timeout: TIMEOUT,
        max_artifact_bytes: effects.home.max_artifact_bytes,
        signatures: false,
        max_age: Duration::ZERO,
        link_for: None,
        lease: None,
    };
    let resolved = effects.resolve(&request).await?;
    keep(&resolved, effects).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::home;
    use serde_json::json;

    fn object(artifact: Value) -> Value {
        json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
            "metadata": {"name": "made", "namespace": "apps"}, "spec": {}, "status": {"artifact": artifact},
        })
    }

    #[test]
    fn what_its_maker_says_is_taken_as_far_as_it_can_be() {
        let home = home("apps", &[]);
        let digest = Digest::of(b"artifact").to_string();
        let good = json!({
            "url": "http://source-watcher.flux-system.svc.cluster.local./a/b.tar.gz", "revision": "latest@v1",
            "digest": digest, "path": "a/b.tar.gz", "lastUpdateTime": "2026-01-01T00:00:00Z",
        });
        let taken = offered(&object(good.clone()), &home)
            .expect("usable")
            .expect("there");
        assert_eq!(taken.revision.to_string(), "latest@v1");
        assert!(offered(&object(Value::Null), &home).expect("readable").is_none());
        for (field, bad) in [
            ("url", "ftp://host/x"),
            ("url", "https://bob:CANARY@host/x"),
            ("digest", "blake3:abc"),
            ("revision", ""),
        ] {
            let mut artifact = good.clone();
            artifact[field] = json!(bad);
            let failure = offered(&object(artifact), &home).expect_err(bad);
            assert!(failure.message.contains(field), "{}", failure.message);
            assert!(!failure.message.contains("CANARY"), "{}", failure.message);
        }
    }

    #[test]
    fn the_tenants_list_of_remotes_holds_for_artifacts_too() {
        let mut home = home("apps", &[]);
        home.sources.allow = vec!["ssh://git@host/".into()];
        let artifact = json!({
            "url": "http://elsewhere/x", "revision": "1", "digest": Digest::of(b"x").to_string(),
        });
        let failure = offered(&object(artifact), &home).expect_err("not allowed");
        assert_eq!(failure.reason, reasons::ACCESS_DENIED);
    }
}
