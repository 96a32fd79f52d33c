use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Status, condition};

/// How long a Pod may wait for a node before that counts as stuck.
const SCHEDULE: SignedDuration = SignedDuration::from_secs(15);

/// The rules of kinds that have some; nothing for the others.
pub(super) fn typed(object: &Value, now: Timestamp) -> Option<Status> {
    let api_version = object
        .get("apiVersion")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    Some(match (group, kind) {
        ("apps" | "extensions", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => daemon_set(object),
        ("apps" | "extensions", "ReplicaSet") => replica_set(object),
        ("", "PersistentVolumeClaim") => claim(object),
        ("", "Pod") => pod(object, now),
        ("", "Service") => service(object),
        ("batch", "Job") => job(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crd(object),
        ("policy", "PodDisruptionBudget") | ("", "Secret" | "ConfigMap") | ("batch", "CronJob") => {
            Status::current("resource is always ready")
        }
        _ => return None,
    })
}

fn int(object: &Value, path: &str) -> Option<i64> {
    object.pointer(path).and_then(Value::as_i64)
}

fn count(object: &Value, field: &str) -> i64 {
    int(object, &format!("/status/{field}")).unwrap_or(0)
}

/// The first `label: have/want` that falls short.
fn short(checks: &[(&str, i64, i64)]) -> Option<Status> {
    let (label, have, want) = checks.iter().find(|(_, have, want)| have < want)?;
    Some(Status::in_progress(format!("{label}: {have}/{want}")))
}

fn surplus(have: i64, want: i64) -> Option<Status> {
    (have > want).then(|| Status::in_progress(format!("Pending termination: {}", have - want)))
}

fn deployment(object: &Value) -> Status {
    let progressing = condition(object, "Progressing");
    if progressing
        .as_ref()
        .is_some_and(|c| c.reason == "ProgressDeadlineExceeded")
    {
        return Status::failed("Progress deadline exceeded");
    }
    let want = int(object, "/spec/replicas").unwrap_or(1);
    let (have, updated) = (count(object, "replicas"), count(object, "updatedReplicas"));
    let late = short(&[("Replicas", have, want), ("Updated", updated, want)])
        .or_else(|| surplus(have, want))
        .or_else(|| short(&[("Available", count(object, "availableReplicas"), updated)]))
        .or_else(|| short(&[("Ready", count(object, "readyReplicas"), want)]));
    if let Some(late) = late {
        return late;
    }
    let deadline = int(object, "/spec/progressDeadlineSeconds").is_some_and(|s| s != i64::from(i32::MAX));
    if deadline && !progressing.is_some_and(|c| c.is("True") && c.reason == "NewReplicaSetAvailable") {
        return Status::in_progress("ReplicaSet not Available");
    }
    if !condition(object, "Available").is_some_and(|c| c.is("True")) {
        return Status::in_progress("Deployment not Available");
    }
    Status::current(format!("Deployment is available. Replicas: {have}"))
}

fn stateful_set(object: &Value) -> Status {
    if object
        .pointer("/spec/updateStrategy/type")
        .and_then(Value::as_str)
        == Some("OnDelete")
    {
        return Status::current("StatefulSet is using the ondelete update strategy");
    }
    let want = int(object, "/spec/replicas").unwrap_or(1);
    let have = count(object, "replicas");
    let late = short(&[
        ("Replicas", have, want),
        ("Ready", count(object, "readyReplicas"), want),
    ]);
    if let Some(late) = late.or_else(|| surplus(have, want)) {
        return late;
    }
    if let Some(partition) = int(object, "/spec/updateStrategy/rollingUpdate/partition") {
        let updated = count(object, "updatedReplicas");
        return short(&[("Updated", updated, want - partition)])
            .unwrap_or_else(|| Status::current(format!("Partition rollout complete. updated: {updated}")));
    }
    if let Some(late) = short(&[("Current", count(object, "currentReplicas"), want)]) {
        return late;
    }
    if object.pointer("/status/currentRevision") != object.pointer("/status/updateRevision") {
        return Status::in_progress("Waiting for updated revision to match current");
    }
    Status::current(format!("All replicas scheduled as expected. Replicas: {have}"))
}

fn daemon_set(object: &Value) -> Status {
    if int(object, "/status/observedGeneration").is_none() {
        return Status::in_progress("DaemonSet has no observed generation");
    }
    let Some(want) = int(object, "/status/desiredNumberScheduled") else {
        return Status::in_progress("Missing .status.desiredNumberScheduled");
    };
    short(&[
        ("Current", count(object, "currentNumberScheduled"), want),
        ("Updated", count(object, "updatedNumberScheduled"), want),
        ("Available", count(object, "numberAvailable"), want),
        ("Ready", count(object, "numberReady"), want),
    ])
    .unwrap_or_else(|| Status::current(format!("All replicas scheduled as expected. Replicas: {want}")))
}

fn replica_set(object: &Value) -> Status {
    if let Some(failure) = condition(object, "ReplicaFailure").filter(|c| c.is("True")) {
        return Status::in_progress(format!("Replica Failure condition. {}", failure.message));
    }
    let want = int(object, "/spec/replicas").unwrap_or(1);
    short(&[
        ("Labelled", count(object, "fullyLabeledReplicas"), want),
        ("Available", count(object, "availableReplicas"), want),
        ("Ready", count(object, "readyReplicas"), want),
    ])
    .or_else(|| surplus(count(object, "replicas"), want))
    .unwrap_or_else(|| Status::current(format!("ReplicaSet is available. Replicas: {want}")))
}

fn claim(object: &Value) -> Status {
    match object.pointer("/status/phase").and_then(Value::as_str) {
        Some("Bound") => Status::current("PVC is Bound"),
        phase => Status::in_progress(format!("PVC is not Bound. phase: {}", phase.unwrap_or("unknown"))),
    }
}

fn service(object: &Value) -> Status {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    if text("/spec/type") == "LoadBalancer" && text("/spec/clusterIP").is_empty() {
        return Status::in_progress("ClusterIP not set. Service type: LoadBalancer");
    }
    Status::current("Service is ready")
}

fn pod(object: &Value, now: Timestamp) -> Status {
    match object
        .pointer("/status/phase")
        .and_then(Value::as_str)
        .unwrap_or_default()
    {
        "Succeeded" => Status::current("Pod has completed successfully"),
        "Failed" => Status::current("Pod has completed, but not successfully"),
        "Running" if condition(object, "Ready").is_some_and(|c| c.is("True")) => {
            Status::current("Pod is Ready")
        }
        "Running" => {
            crash_loop(object).unwrap_or_else(|| Status::in_progress("Pod is running but is not Ready"))
        }
        "Pending" => match condition(object, "PodScheduled") {
            Some(c) if c.is("False") && c.reason == "Unschedulable" && waited(object, now) => {
                Status::failed("Pod could not be scheduled")
            }
            Some(c) if c.is("False") && c.reason == "Unschedulable" => {
                Status::in_progress("Pod has not been scheduled")
            }
            _ => Status::in_progress("Pod is in the Pending phase"),
        },
        _ => Status::in_progress("Pod phase not available"),
    }
}

fn waited(object: &Value, now: Timestamp) -> bool {
    let created = object
        .pointer("/metadata/creationTimestamp")
        .and_then(Value::as_str);
    let created = created.and_then(|at| at.parse::<Timestamp>().ok());
    created.is_some_and(|at| now.duration_since(at) > SCHEDULE)
}

/// Of a Pod whose init containers are done.
fn crash_loop(object: &Value) -> Option<Status> {
    let containers = object.pointer("/status/containerStatuses")?.as_array()?;
    let is_crashing =
        |c: &&Value| c.pointer("/state/waiting/reason").and_then(Value::as_str) == Some("CrashLoopBackOff");
    let name = |c: &Value| {
        c.get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let crashing: Vec<String> = containers.iter().filter(is_crashing).map(name).collect();
    let message = format!("Containers in CrashLoop state: {}", crashing.join(","));
    (!crashing.is_empty()).then(|| Status::failed(message))
}

/// Stricter than kstatus: a Job is current when it is done, not when it has started.
fn job(object: &Value) -> Status {
    if object.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true) {
        return Status::current("Job is suspended");
    }
    if let Some(failed) = condition(object, "Failed").filter(|c| c.is("True")) {
        return Status::failed(format!("Job failed. {}", failed.message));
    }
    if condition(object, "Complete").is_some_and(|c| c.is("True")) {
        return Status::current("Job is completed");
    }
    Status::in_progress("Job is in progress")
}

fn crd(object: &Value) -> Status {
    if let Some(refused) = condition(object, "NamesAccepted").filter(|c| c.is("False")) {
        return Status::failed(refused.message);
    }
    match condition(object, "Established") {
        Some(c) if c.is("True") => Status::current("CRD is established"),
        Some(c) if c.is("False") && c.reason != "Installing" => Status::failed(c.message),
        _ => Status::in_progress("Install in progress"),
    }
}
