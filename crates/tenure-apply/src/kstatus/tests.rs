use serde_json::json;

use super::*;

fn verdict(object: &Value) -> Verdict {
    compute(object, "2026-01-01T00:01:00Z".parse().expect("a timestamp")).verdict
}

fn typed(api_version: &str, kind: &str, spec: Value, status: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": spec, "status": status})
}

fn cond(kind: &str, status: &str, reason: &str) -> Value {
    json!([{"type": kind, "status": status, "reason": reason, "message": "m"}])
}

#[test]
fn what_holds_for_every_kind_comes_first() {
    let thing = |status: Value| typed("x.dev/v1", "Thing", json!({}), status);
    for (object, wanted) in [
        (thing(json!({})), Verdict::Current),
        (thing(json!({"observedGeneration": 0})), Verdict::InProgress),
        (thing(json!({"observedGeneration": 1})), Verdict::Current),
        (
            thing(json!({"conditions": cond("Reconciling", "True", "")})),
            Verdict::InProgress,
        ),
        (
            thing(json!({"conditions": cond("Stalled", "True", "")})),
            Verdict::Failed,
        ),
        (
            thing(json!({"conditions": cond("Ready", "True", "")})),
            Verdict::Current,
        ),
        (
            thing(json!({"conditions": cond("Ready", "False", "")})),
            Verdict::InProgress,
        ),
        (
            thing(json!({"conditions": cond("Ready", "Unknown", "")})),
            Verdict::InProgress,
        ),
        (
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            Verdict::Terminating,
        ),
    ] {
        assert_eq!(verdict(&object), wanted, "{object}");
    }
}

#[test]
fn deployments_are_current_when_all_replicas_are_new_and_available() {
    let deployment = |status: Value| {
        typed(
            "apps/v1",
            "Deployment",
            json!({"replicas": 2, "progressDeadlineSeconds": 600}),
            status,
        )
    };
    let done = json!([{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        {"type": "Available", "status": "True"}]);
    let full = json!({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2, "conditions": done});
    assert_eq!(verdict(&deployment(full.clone())), Verdict::Current);
    for field in [
        "replicas",
        "updatedReplicas",
        "availableReplicas",
        "readyReplicas",
    ] {
        let mut status = full.clone();
        status[field] = json!(1);
        assert_eq!(verdict(&deployment(status)), Verdict::InProgress, "{field}");
    }
    let mut surplus = full.clone();
    surplus["replicas"] = json!(3);
    assert_eq!(verdict(&deployment(surplus)), Verdict::InProgress);
    let mut waiting = full;
    waiting["conditions"] = cond("Available", "True", "");
    assert_eq!(verdict(&deployment(waiting)), Verdict::InProgress);
    let late = json!({"conditions": cond("Progressing", "False", "ProgressDeadlineExceeded")});
    assert_eq!(verdict(&deployment(late)), Verdict::Failed);
}

#[test]
fn stateful_sets_mind_partitions_and_revisions() {
    let set = |spec: Value, status: Value| typed("apps/v1", "StatefulSet", spec, status);
    let full = json!({"replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "currentRevision": "a", "updateRevision": "a"});
    let mut rolling = full.clone();
    rolling["updateRevision"] = json!("b");
    let defaulted = json!({"replicas": 1, "updateStrategy": {"rollingUpdate": {"partition": 0}}});
    let updated = json!({"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"});
    let partition = json!({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}});
    for (object, wanted) in [
        (
            set(json!({"updateStrategy": {"type": "OnDelete"}}), json!({})),
            Verdict::Current,
        ),
        (set(json!({}), full), Verdict::Current),
        (set(json!({}), rolling), Verdict::InProgress),
        (set(json!({}), json!({"replicas": 1})), Verdict::InProgress),
        (set(defaulted.clone(), updated), Verdict::Current),
        (
            set(defaulted, json!({"replicas": 1, "readyReplicas": 1})),
            Verdict::InProgress,
        ),
        (
            set(
                partition.clone(),
                json!({"replicas": 3, "readyReplicas": 3, "updatedReplicas": 1}),
            ),
            Verdict::Current,
        ),
        (
            set(partition, json!({"replicas": 3, "readyReplicas": 3})),
            Verdict::InProgress,
        ),
    ] {
        assert_eq!(verdict(&object), wanted, "{object}");
    }
}

#[test]
fn pods_may_be_stuck() {
    let pod = |status: Value| typed("v1", "Pod", json!({}), status);
    let crashing = json!([{"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]);
    for (status, wanted) in [
        (json!({"phase": "Succeeded"}), Verdict::Current),
        (json!({"phase": "Failed"}), Verdict::Current),
        (
            json!({"phase": "Running", "conditions": cond("Ready", "True", "")}),
            Verdict::Current,
        ),
        (json!({"phase": "Running"}), Verdict::InProgress),
        (
            json!({"phase": "Running", "containerStatuses": crashing}),
            Verdict::Failed,
        ),
        (
            json!({"phase": "Running", "initContainerStatuses": crashing}),
            Verdict::InProgress,
        ),
        (
            json!({"phase": "Pending", "containerStatuses": crashing}),
            Verdict::InProgress,
        ),
        (json!({"phase": "Pending"}), Verdict::InProgress),
        (
            json!({"phase": "Pending", "conditions": cond("PodScheduled", "False", "Unschedulable")}),
            Verdict::Failed,
        ),
        (json!({}), Verdict::InProgress),
    ] {
        assert_eq!(verdict(&pod(status.clone())), wanted, "{status}");
    }
}

#[test]
fn the_other_kinds_have_their_own_rules() {
    let daemon = json!({"observedGeneration": 1, "desiredNumberScheduled": 1, "currentNumberScheduled": 1,
        "updatedNumberScheduled": 1, "numberAvailable": 1, "numberReady": 1});
    let replica =
        json!({"replicas": 1, "fullyLabeledReplicas": 1, "availableReplicas": 1, "readyReplicas": 1});
    let crd = |status: Value| {
        typed(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({}),
            status,
        )
    };
    let job = |spec: Value, status: Value| typed("batch/v1", "Job", spec, status);
    for (object, wanted) in [
        (
            typed("apps/v1", "DaemonSet", json!({}), json!({})),
            Verdict::InProgress,
        ),
        (typed("apps/v1", "DaemonSet", json!({}), daemon), Verdict::Current),
        (
            typed("apps/v1", "ReplicaSet", json!({}), replica),
            Verdict::Current,
        ),
        (
            typed("apps/v1", "ReplicaSet", json!({}), json!({})),
            Verdict::InProgress,
        ),
        (
            typed(
                "v1",
                "PersistentVolumeClaim",
                json!({}),
                json!({"phase": "Bound"}),
            ),
            Verdict::Current,
        ),
        (
            typed(
                "v1",
                "PersistentVolumeClaim",
                json!({}),
                json!({"phase": "Pending"}),
            ),
            Verdict::InProgress,
        ),
        (
            typed("v1", "Service", json!({"type": "LoadBalancer"}), json!({})),
            Verdict::InProgress,
        ),
        (
            typed(
                "v1",
                "Service",
                json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1"}),
                json!({}),
            ),
            Verdict::Current,
        ),
        (typed("v1", "Service", json!({}), json!({})), Verdict::Current),
        (crd(json!({})), Verdict::InProgress),
        (
            crd(json!({"conditions": cond("Established", "True", "")})),
            Verdict::Current,
        ),
        (
            crd(json!({"conditions": cond("Established", "False", "Installing")})),
            Verdict::InProgress,
        ),
        (
            crd(json!({"conditions": cond("NamesAccepted", "False", "Taken")})),
            Verdict::Failed,
        ),
        (job(json!({"suspend": true}), json!({})), Verdict::Current),
        (job(json!({}), json!({"active": 1})), Verdict::InProgress),
        (
            job(json!({}), json!({"conditions": cond("Complete", "True", "")})),
            Verdict::Current,
        ),
        (
            job(json!({}), json!({"conditions": cond("Failed", "True", "")})),
            Verdict::Failed,
        ),
        (typed("v1", "Secret", json!({}), json!({})), Verdict::Current),
    ] {
        assert_eq!(verdict(&object), wanted, "{object}");
    }
}
