//! What a source's status says; pure.

use serde_json::{Value, json};
use tenure_api::reasons;
use tenure_api::{self as condition, ConditionStatus, Conditions};
use tenure_core::Name;

use super::{At, Kind, Obtained};
use crate::Resolved;
use crate::merge::{conditions_of, put};

/// The host in `status.artifact.url` where the platform has not turned the plain HTTP endpoint on, or for what the
/// worker has made itself. Nothing is served there; the fields are part of the kind either way.
const ARTIFACT_HOST: &str = "http://tenure-cache.tenure-system.svc.cluster.local.";

/// What is only there while it is so.
const FAILURES: [&str; 4] = [
    condition::FETCH_FAILED,
    condition::BUILD_FAILED,
    condition::INCLUDE_UNAVAILABLE,
    condition::STORAGE_OPERATION_FAILED,
];

/// How a pass ended, for the status.
#[derive(Debug)]
pub(crate) enum Ending<'a> {
    /// The artifact is here.
    Stored(&'a Obtained),
    /// Tried, and tried again later.
    Failed {
        reason: &'static str,
        message: &'a str,
        at: At,
    },
    /// Not tried until something changes.
    Stalled {
        reason: &'static str,
        message: &'a str,
        at: At,
    },
    /// Only seen.
    Rested,
}

/// The facts about the object that its status repeats.
#[derive(Debug)]
pub(crate) struct About<'a> {
    pub(crate) namespace: &'a Name,
    pub(crate) name: &'a Name,
    pub(crate) generation: i64,
    pub(crate) requested_at: Option<&'a str>,
    /// `spec.suspend`
    pub(crate) suspended: bool,
    pub(crate) spec: &'a Value,
    pub(crate) now: jiff::Timestamp,
}

/// The new status, from the old one.
pub(crate) fn status<K: Kind>(old: &Value, about: &About<'_>, ending: &Ending<'_>) -> Value {
    let mut status = old.clone();
    if let Some(requested) = about.requested_at {
        status["lastHandledReconcileAt"] = json!(requested);
    }
    let mut list = conditions_of(old);
    let mut conditions = Conditions::new(&mut list, about.generation, about.now);
    match ending {
        Ending::Rested => {
            // as with Flux, a good state holds for the generation that suspends it
            let ready = condition::get(conditions.list(), condition::READY).cloned();
            let Some(ready) = ready.filter(|ready| about.suspended && ready.status == ConditionStatus::True)
            else {
                return status;
            };
            conditions.mark_true(condition::READY, &ready.reason, &ready.message);
            status["observedGeneration"] = json!(about.generation);
        }
        Ending::Stored(Obtained { resolved, notes }) => {
            let (reason, message) = match &notes.ready {
                Some((reason, message)) => (*reason, message.clone()),
                None => (reasons::SUCCEEDED, K::ready(&resolved.revision)),
            };
            conditions.mark_true(condition::READY, reason, &message);
            conditions.mark_true(condition::ARTIFACT_IN_STORAGE, reason, &message);
            for gone in [condition::STALLED, condition::RECONCILING]
                .into_iter()
                .chain(FAILURES)
            {
                conditions.remove(gone);
            }
            if let Some(who) = &notes.verified {
                conditions.mark_true(condition::SOURCE_VERIFIED, reasons::SUCCEEDED, who);
            } else {
                conditions.remove(condition::SOURCE_VERIFIED);
            }
            status["observedGeneration"] = json!(about.generation);
            for (field, value) in K::observed(about.spec) {
                put(&mut status, field, value);
            }
            for (field, value) in &notes.observed {
                put(&mut status, field, value.clone());
            }
            if K::HAS_URL {
                status["url"] = json!(address(
                    resolved,
                    &format!("{}/{}", directory::<K>(about), K::LATEST)
                ));
            }
            let artifact = artifact::<K>(about, resolved, notes.file.as_deref());
            if !same_artifact(&status["artifact"], &artifact) {
                status["artifact"] = artifact;
            }
        }
        Ending::Failed { reason, message, at } => {
            conditions.mark_false(condition::READY, reason, message);
            conditions.mark_reconciling(reasons::PROGRESSING_WITH_RETRY, "building artifact");
            mark_failed(&mut conditions, *at, reason, message);
        }
        Ending::Stalled { reason, message, at } => {
            conditions.mark_false(condition::READY, reason, message);
            conditions.mark_stalled(reason, message);
            mark_failed(&mut conditions, *at, reason, message);
            status["observedGeneration"] = json!(about.generation);
        }
    }
    status["conditions"] = json!(list);
    status
}

fn mark_failed(conditions: &mut Conditions<'_>, at: At, reason: &str, message: &str) {
    let failed = match at {
        At::Fetch => condition::FETCH_FAILED,
        At::Build | At::VerifyForBuild => condition::BUILD_FAILED,
        At::Include => condition::INCLUDE_UNAVAILABLE,
        At::Storage => condition::STORAGE_OPERATION_FAILED,
        At::Verify => condition::SOURCE_VERIFIED,
    };
    for other in FAILURES.into_iter().filter(|other| *other != failed) {
        conditions.remove(other);
    }
    match at {
        At::Verify => conditions.mark_false(failed, reason, message),
        At::VerifyForBuild => conditions
            .mark_false(condition::SOURCE_VERIFIED, reasons::VERIFICATION_ERROR, message)
            .mark_true(failed, reason, message),
        _ => conditions.mark_true(failed, reason, message),
    };
}

fn artifact<K: Kind>(about: &About<'_>, resolved: &Resolved, file: Option<&str>) -> Value {
    let usual = || format!("{}{}", K::file(&resolved.revision), K::EXTENSION);
    let path = format!(
        "{}/{}",
        directory::<K>(about),
        file.map_or_else(usual, str::to_owned)
    );
    let mut artifact = json!({
        "path": path,
        "url": address(resolved, &path),
        "revision": resolved.revision.to_string(),
        "digest": resolved.digest.to_string(),
        "size": resolved.size,
        "lastUpdateTime": condition::rfc3339(about.now),
    });
    let metadata: serde_json::Map<_, _> = resolved
        .annotations()
        .map(|(key, value)| (key.to_owned(), json!(value)))
        .collect();
    if !metadata.is_empty() {
        artifact["metadata"] = Value::Object(metadata);
    }
    artifact
}

/// Where the artifact is, for others than workers.
fn address(resolved: &Resolved, path: &str) -> String {
    match &resolved.link {
        Some(link) => format!("{}/{path}?link={}", link.host, link.name),
        None => format!("{ARTIFACT_HOST}/{path}"),
    }
}

fn directory<K: Kind>(about: &About<'_>) -> String {
    format!(
        "{}/{}/{}",
        K::FLUX.kind.to_lowercase(),
        about.namespace,
        about.name
    )
}

/// Equal but for the time of the update: then the old one stays, and nothing is written.
fn same_artifact(old: &Value, new: &Value) -> bool {
    ["path", "url", "revision", "digest", "size", "metadata"]
        .iter()
        .all(|field| old.get(field) == new.get(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitrepository::GitSource;
    use crate::ocirepository::OciSource;
    use crate::testing::name;
    use tenure_core::{Digest, Revision, Secret};

    fn status(old: &Value, about: &About<'_>, ending: &Ending<'_>) -> Value {
        super::status::<GitSource>(old, about, ending)
    }

    fn resolved(commit: char) -> Resolved {
        Resolved {
            revision: Revision::git(Some("main"), &commit.to_string().repeat(40)),
            digest: Digest::of(&[commit as u8]),
            size: 10,
            subject: "commit".into(),
            metadata: Vec::new(),
            objects: Vec::new(),
            grant: Secret::new(*b"g"),
            leased_for: None,
            signatures: Vec::new(),
            link: None,
        }
    }

    struct Case {
        namespace: Name,
        name: Name,
    }

    impl Case {
        fn new() -> Self {
            Self {
                namespace: name("apps"),
                name: name("app"),
            }
        }

        fn about(&self, second: i64, requested_at: Option<&'static str>) -> About<'_> {
            About {
                namespace: &self.namespace,
                name: &self.name,
                generation: 2,
                requested_at,
                suspended: false,
                spec: &Value::Null,
                now: jiff::Timestamp::from_second(second).expect("in range"),
            }
        }
    }

    fn kinds(status: &Value) -> Vec<&str> {
        let conditions = status["conditions"].as_array().expect("a list");
        conditions
            .iter()
            .filter_map(|condition| condition["type"].as_str())
            .collect()
    }

    #[test]
    fn a_second_pass_over_the_same_revision_changes_nothing() {
        let case = Case::new();
        let old = json!({"observedGeneration": -1});
        let first = status(&old, &case.about(1, None), &Ending::Stored(&resolved('a').into()));
        let again = status(
            &first,
            &case.about(99, None),
            &Ending::Stored(&resolved('a').into()),
        );
        assert_eq!(first, again);
        assert_eq!(kinds(&first), ["Ready", "ArtifactInStorage"]);
        assert_eq!(first["observedGeneration"], 2);
        assert_eq!(
            first["artifact"]["path"],
            format!("gitrepository/apps/app/{}.tar.gz", "a".repeat(40))
        );
    }

    #[test]
    fn a_failure_keeps_the_artifact_and_does_not_claim_the_generation() {
        let case = Case::new();
        let old = status(
            &json!({"observedGeneration": 1}),
            &case.about(1, None),
            &Ending::Stored(&resolved('a').into()),
        );
        let mut old = old;
        old["observedGeneration"] = json!(1);
        let failed = status(
            &old,
            &case.about(2, Some("now")),
            &Ending::Failed {
                reason: reasons::GIT_OPERATION_FAILED,
                message: "no route",
                at: At::Fetch,
            },
        );
        assert_eq!(failed["artifact"], old["artifact"]);
        assert_eq!(failed["observedGeneration"], 1);
        assert_eq!(failed["lastHandledReconcileAt"], "now");
        assert_eq!(
            kinds(&failed),
            ["Reconciling", "Ready", "ArtifactInStorage", "FetchFailed"]
        );
        let healed = status(
            &failed,
            &case.about(3, Some("now")),
            &Ending::Stored(&resolved('a').into()),
        );
        assert_eq!(kinds(&healed), ["Ready", "ArtifactInStorage"]);
    }

    #[test]
    fn stalled_and_reconciling_exclude_each_other() {
        let case = Case::new();
        let failed = status(
            &json!({}),
            &case.about(1, None),
            &Ending::Failed {
                reason: "Failed",
                message: "m",
                at: At::Fetch,
            },
        );
        let stalled = status(
            &failed,
            &case.about(2, None),
            &Ending::Stalled {
                reason: "URLInvalid",
                message: "m",
                at: At::Fetch,
            },
        );
        assert_eq!(kinds(&stalled), ["Stalled", "Ready", "FetchFailed"]);
        assert_eq!(stalled["observedGeneration"], 2);
    }

    #[test]
    fn resting_records_the_request_only() {
        let case = Case::new();
        let old = json!({"observedGeneration": -1});
        let rested = status(&old, &case.about(1, Some("t")), &Ending::Rested);
        assert_eq!(
            rested,
            json!({"observedGeneration": -1, "lastHandledReconcileAt": "t"})
        );
    }

    #[test]
    fn a_good_source_is_good_for_the_generation_that_suspends_it() {
        let case = Case::new();
        let old = status(
            &json!({}),
            &case.about(1, None),
            &Ending::Stored(&resolved('a').into()),
        );
        let next = About {
            generation: 3,
            ..case.about(2, None)
        };
        assert_eq!(
            status(&old, &next, &Ending::Rested),
            old,
            "a suspended Tenant claims nothing"
        );
        let rested = status(
            &old,
            &About {
                suspended: true,
                ..next
            },
            &Ending::Rested,
        );
        assert_eq!(rested["observedGeneration"], 3);
        let seen: Vec<_> = rested["conditions"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["observedGeneration"].clone())
            .collect();
        assert_eq!(seen, [3, 2], "Ready, and not ArtifactInStorage");
        assert_eq!(
            rested["conditions"][0]["lastTransitionTime"],
            old["conditions"][0]["lastTransitionTime"]
        );
    }

    #[test]
    fn an_image_says_its_digest_where_it_is_and_what_its_maker_says() {
        let case = Case::new();
        let spec = json!({"ignore": "", "layerSelector": {"operation": "copy"}});
        let about = About {
            spec: &spec,
            ..case.about(1, None)
        };
        let digest = Digest::of(b"manifest");
        let image = Resolved {
            revision: format!("v1@{digest}").parse().expect("a revision"),
            metadata: vec![
                ("dropped-symlink:a".into(), "b".into()),
                ("org.opencontainers.image.revision".into(), "main@sha1:1".into()),
            ],
            ..resolved('a')
        };
        let now = super::status::<OciSource>(&json!({}), &about, &Ending::Stored(&image.clone().into()));
        assert_eq!(
            now["conditions"][0]["message"],
            format!("stored artifact for digest 'v1@{digest}'")
        );
        assert_eq!(
            now["artifact"]["path"],
            format!("ocirepository/apps/app/{digest}.tar.gz")
        );
        assert_eq!(
            now["artifact"]["metadata"],
            json!({"org.opencontainers.image.revision": "main@sha1:1"})
        );
        assert_eq!(now["observedLayerSelector"], spec["layerSelector"]);
        assert_eq!(now["observedIgnore"], "");
        assert!(
            now["url"]
                .as_str()
                .expect("set")
                .ends_with("/ocirepository/apps/app/latest.tar.gz")
        );
        let plain = case.about(9, None);
        let later = super::status::<OciSource>(&now, &plain, &Ending::Stored(&image.clone().into()));
        assert_eq!(
            later["artifact"], now["artifact"],
            "the same artifact is not stored again"
        );
        assert!(later.get("observedLayerSelector").is_none());
    }
}
