use super::*;
use crate::testing::{home, name};
use serde_json::json;

fn key(kind: &str, of: &str) -> ObjectKey {
    ObjectKey {
        kind: kind.into(),
        name: name(of),
    }
}

fn kustomization(of: &str, spec: &Value) -> Value {
    let mut full = json!({
        "interval": "5m0s", "prune": true, "path": "./",
        "sourceRef": {"kind": "GitRepository", "name": "repo"},
    });
    for (key, value) in spec.as_object().expect("a spec") {
        full[key] = value.clone();
    }
    json!({"metadata": {"name": of, "namespace": "apps", "generation": 3}, "spec": full})
}

fn with_artifact() -> Snapshot {
    let snapshot = Snapshot::default();
    let artifact = json!({
        "revision": format!("main@sha1:{}", "a".repeat(40)), "digest": format!("sha256:{}", "b".repeat(64)),
    });
    let repo = json!({"metadata": {"name": "repo", "namespace": "apps"}, "status": {"artifact": artifact}});
    snapshot.put(key("GitRepository", "repo"), repo);
    snapshot
}

fn planned(object: &Value, snapshot: &Snapshot) -> Plan {
    plan(&Observed {
        object,
        home: &home("apps", &[("apps", "tenant")]),
        snapshot,
        peers: &Peers::new(),
    })
}

fn message(plan: Plan) -> (&'static str, String) {
    match plan {
        Plan::Stall { reason, message, .. } | Plan::Wait { reason, message, .. } => (reason, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_complete_object_is_applied_as_the_tenants_first_account() {
    let Plan::Apply(apply) = planned(&kustomization("app", &json!({})), &with_artifact()) else {
        panic!("nothing is missing");
    };
    assert_eq!(apply.account.username(), "system:serviceaccount:apps:tenant");
    assert_eq!(
        (apply.interval, apply.retry),
        (Duration::from_secs(300), Duration::from_secs(300))
    );
    assert_eq!(apply.timeout, Duration::from_secs(270));
}

#[test]
fn a_timeout_has_a_floor_of_thirty_seconds() {
    for spec in [json!({"timeout": "1s"}), json!({"interval": "10s"})] {
        let Plan::Apply(apply) = planned(&kustomization("app", &spec), &with_artifact()) else {
            panic!("{spec}")
        };
        assert_eq!(apply.timeout, Duration::from_secs(30));
    }
}

#[test]
fn an_account_of_nobody_or_of_somebody_else_is_refused() {
    let object = kustomization("app", &json!({"serviceAccountName": "admin"}));
    let (reason, text) = message(planned(&object, &with_artifact()));
    assert_eq!(reason, reasons::ACCESS_DENIED);
    assert!(
        text.contains("apps/admin") && text.contains("spec.serviceAccounts"),
        "{text}"
    );
    let object = kustomization("app", &json!({}));
    let snapshot = with_artifact();
    let nobody = plan(&Observed {
        object: &object,
        home: &home("apps", &[("other", "tenant")]),
        snapshot: &snapshot,
        peers: &Peers::new(),
    });
    assert_eq!(message(nobody).0, reasons::ACCESS_DENIED);
}

#[test]
fn an_image_is_a_source_too_and_says_what_it_was_made_from() {
    let snapshot = Snapshot::default();
    let artifact = json!({
        "revision": format!("v1@sha256:{}", "a".repeat(64)), "digest": format!("sha256:{}", "b".repeat(64)),
        "metadata": {"org.opencontainers.image.revision": "main@sha1:1"},
    });
    let image = json!({"metadata": {"name": "repo"}, "status": {"artifact": artifact}});
    snapshot.put(key("OCIRepository", "repo"), image);
    let of = |kind: &str| {
        let spec = json!({"sourceRef": {"kind": kind, "name": "repo"}});
        planned(&kustomization("app", &spec), &snapshot)
    };
    let Plan::Apply(apply) = of("OCIRepository") else {
        panic!("nothing is missing");
    };
    assert_eq!(apply.source, key("OCIRepository", "repo"));
    assert_eq!(apply.origin.as_deref(), Some("main@sha1:1"));
    assert_eq!(message(of("GitRepository")).0, reasons::ARTIFACT_FAILED);
    let (reason, text) = message(of("HelmChart"));
    assert_eq!(reason, reasons::FEATURE_GATE_DISABLED);
    assert!(text.contains("can't be built from"), "{text}");
    let made = json!({"metadata": {"name": "repo"}, "status": {"artifact": {
        "revision": "whatever-its-maker-says", "digest": format!("sha256:{}", "b".repeat(64)),
    }}});
    for kind in ["Bucket", "ExternalArtifact"] {
        snapshot.put(key(kind, "repo"), made.clone());
        let Plan::Apply(apply) = of(kind) else {
            panic!("{kind}: nothing is missing");
        };
        assert_eq!(apply.revision.to_string(), "whatever-its-maker-says");
    }
}

#[test]
fn a_dependency_on_another_kind_of_source_need_not_be_as_far() {
    let snapshot = with_artifact();
    let other = json!({"sourceRef": {"kind": "OCIRepository", "name": "repo"}});
    let mut base = kustomization("base", &other);
    base["status"] = json!({
        "observedGeneration": 3, "lastAppliedRevision": "v1@sha256:1",
        "conditions": [{"type": "Ready", "status": "True"}],
    });
    snapshot.put(key("Kustomization", "base"), base);
    let object = kustomization("app", &json!({"dependsOn": [{"name": "base"}]}));
    assert!(matches!(planned(&object, &snapshot), Plan::Apply(_)));
}

#[test]
fn a_source_in_another_namespace_is_blocked_in_fluxs_words() {
    let spec = json!({"sourceRef": {"kind": "GitRepository", "name": "repo", "namespace": "other"}});
    let (reason, text) = message(planned(&kustomization("app", &spec), &with_artifact()));
    assert_eq!(reason, reasons::ACCESS_DENIED);
    assert!(text.starts_with(
        "can't access 'GitRepository/other/repo', cross-namespace references have been blocked"
    ));
}

#[test]
fn a_missing_source_and_a_source_without_artifact_are_waited_for() {
    let object = kustomization("app", &json!({"retryInterval": "20s"}));
    let (reason, text) = message(planned(&object, &Snapshot::default()));
    assert_eq!(
        (reason, text.as_str()),
        (
            reasons::ARTIFACT_FAILED,
            "GitRepository.source.toolkit.fluxcd.io \"repo\" not found"
        )
    );
    let snapshot = Snapshot::default();
    snapshot.put(
        key("GitRepository", "repo"),
        json!({"metadata": {"name": "repo"}}),
    );
    assert!(
        message(planned(&object, &snapshot))
            .1
            .starts_with("Source artifact not found")
    );
}

#[test]
fn a_dependency_must_be_there_ready_and_as_far() {
    let object = kustomization("app", &json!({"dependsOn": [{"name": "base"}]}));
    let snapshot = with_artifact();
    assert!(
        message(planned(&object, &snapshot))
            .1
            .contains("dependency 'apps/base' not found")
    );
    let mut base = kustomization("base", &json!({}));
    base["status"] = json!({"observedGeneration": 3, "conditions": [{"type": "Ready", "status": "False"}]});
    snapshot.put(key("Kustomization", "base"), base.clone());
    assert_eq!(
        message(planned(&object, &snapshot)).1,
        "dependency 'apps/base' is not ready"
    );
    base["status"]["conditions"][0]["status"] = json!("True");
    snapshot.put(key("Kustomization", "base"), base.clone());
    assert!(
        message(planned(&object, &snapshot))
            .1
            .contains("revision is not up to date")
    );
    base["status"]["lastAppliedRevision"] = json!(format!("main@sha1:{}", "a".repeat(40)));
    snapshot.put(key("Kustomization", "base"), base.clone());
    assert!(matches!(planned(&object, &snapshot), Plan::Apply(_)));
    base["status"]["observedGeneration"] = json!(2);
    snapshot.put(key("Kustomization", "base"), base);
    assert_eq!(
        message(planned(&object, &snapshot)).1,
        "dependency 'apps/base' is not ready"
    );
}

#[test]
fn an_expression_stands_for_the_built_in_check() {
    let dependent = |expression: &str| {
        let depends = json!({"dependsOn": [{"name": "base", "readyExpr": expression}]});
        kustomization("app", &depends)
    };
    let snapshot = with_artifact();
    let mut base = kustomization("base", &json!({}));
    base["metadata"]["labels"] = json!({"go": "1"});
    snapshot.put(key("Kustomization", "base"), base);
    let said = |expression: &str| message(planned(&dependent(expression), &snapshot));
    let met = planned(
        &dependent("'go' in dep.metadata.labels && self.metadata.name == 'app'"),
        &snapshot,
    );
    assert!(matches!(met, Plan::Apply(_)));
    assert_eq!(
        said("'stop' in dep.metadata.labels"),
        (
            reasons::DEPENDENCY_NOT_READY,
            "dependency 'apps/base' is not ready according to readyExpr eval".to_owned()
        )
    );
    let (reason, text) = said("dep.status.ready == true");
    assert_eq!(reason, reasons::DEPENDENCY_NOT_READY);
    assert!(text.ends_with("no such key: status"), "{text}");
    for bad in ["dep.(", "other.metadata", "1"] {
        let (reason, text) = said(bad);
        assert_eq!(reason, reasons::INVALID_CEL_EXPRESSION);
        assert!(
            text.starts_with("Reconciliation failed terminally due to configuration error: terminal error: failed to evaluate dependency base: "),
            "{text}"
        );
    }
}

#[test]
fn a_health_expression_that_is_none_stalls() {
    let bad = json!({"healthCheckExprs": [{"apiVersion": "a.dev/v1", "kind": "A", "current": "status.("}]});
    let (reason, text) = message(planned(&kustomization("app", &bad), &with_artifact()));
    assert_eq!(reason, reasons::INVALID_CEL_EXPRESSION);
    assert!(
        text.starts_with("Reconciliation failed terminally due to configuration error: failed to create custom status evaluator for healthchecks[0]: "),
        "{text}"
    );
}

#[test]
fn a_dependency_elsewhere_is_what_was_read_of_it() {
    let depends = json!({"dependsOn": [{"name": "base", "namespace": "other"}]});
    let object = kustomization("app", &depends);
    let snapshot = with_artifact();
    let with = |found: Result<Option<Value>, String>| {
        let found = found.map(|object| object.map(std::sync::Arc::new));
        plan(&Observed {
            object: &object,
            home: &home("apps", &[("apps", "tenant")]),
            snapshot: &snapshot,
            peers: &Peers::from([(("other".to_owned(), name("base")), found)]),
        })
    };
    let (reason, text) = message(with(Err("it needs the Role tenure:peer".to_owned())));
    assert_eq!(reason, reasons::DEPENDENCY_NOT_READY);
    assert!(
        text.contains("other/base") && text.contains("tenure:peer"),
        "{text}"
    );
    assert!(message(with(Ok(None))).1.contains("not found"));
    let mut base = kustomization("base", &json!({}));
    base["metadata"]["namespace"] = json!("other");
    assert!(message(with(Ok(Some(base.clone())))).1.ends_with("is not ready"));
    base["status"] = json!({"observedGeneration": 3, "conditions": [{"type": "Ready", "status": "True"}]});
    assert!(
        matches!(with(Ok(Some(base))), Plan::Apply(_)),
        "a source of the same name in another namespace is another source"
    );
}

#[test]
fn deletion_follows_the_policy() {
    let finalize = |spec: Value| {
        let mut object = kustomization("app", &spec);
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        match planned(&object, &Snapshot::default()) {
            Plan::Finalize(finalize) => (finalize.orphan, finalize.wait),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(finalize(json!({})), (false, false));
    assert_eq!(finalize(json!({"prune": false})), (true, false));
    assert_eq!(
        finalize(json!({"prune": false, "deletionPolicy": "Delete"})),
        (false, false)
    );
    assert_eq!(
        finalize(json!({"deletionPolicy": "WaitForTermination"})),
        (false, true)
    );
    assert_eq!(finalize(json!({"deletionPolicy": "Orphan"})), (true, false));
    assert_eq!(finalize(json!({"suspend": true})), (true, false));
}

#[test]
fn who_waits_for_a_dependency_knows_what_the_source_offers() {
    let offered = |spec: &Value, snapshot: &Snapshot| match planned(&kustomization("app", spec), snapshot) {
        Plan::Wait { offered, .. } | Plan::Stall { offered, .. } => {
            offered.map(|one| one.revision.to_string())
        }
        other => panic!("{other:?}"),
    };
    let revision = Some(format!("main@sha1:{}", "a".repeat(40)));
    let waiting = json!({"dependsOn": [{"name": "nope"}]});
    assert_eq!(offered(&waiting, &with_artifact()), revision);
    let snapshot = with_artifact();
    snapshot.put(key("Kustomization", "base"), kustomization("base", &json!({})));
    let stalled = json!({"dependsOn": [{"name": "base", "readyExpr": "dep.("}]});
    assert_eq!(offered(&stalled, &snapshot), revision);
    assert_eq!(offered(&waiting, &Snapshot::default()), None);
}
