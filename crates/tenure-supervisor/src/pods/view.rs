//! What a pod's status says of the worker in it.

use serde_json::Value;

/// As far as a supervisor needs to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    pub(super) uid: String,
    /// Whether well, and how.
    pub(super) ended: Option<(bool, String)>,
    /// What keeps it from starting.
    pub(super) hindered: Option<String>,
}

/// Reasons for which every container waits a while.
const USUAL: [&str; 2] = ["ContainerCreating", "PodInitializing"];

impl View {
    pub(super) fn of(pod: &Value) -> Self {
        Self {
            uid: text(pod, "/metadata/uid").to_owned(),
            ended: ended(pod),
            hindered: waiting(pod).or_else(|| unscheduled(pod)),
        }
    }
}

pub(super) fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn ended(pod: &Value) -> Option<(bool, String)> {
    let well = match text(pod, "/status/phase") {
        "Succeeded" => true,
        "Failed" => false,
        _ => return None,
    };
    let container = pod.pointer("/status/containerStatuses/0/state/terminated");
    let how = match container {
        Some(state) => exit(state),
        None => said(text(pod, "/status/reason"), text(pod, "/status/message")),
    };
    Some((well, how))
}

fn exit(state: &Value) -> String {
    let code = state.get("exitCode").and_then(Value::as_i64).unwrap_or_default();
    match (text(state, "/reason"), code) {
        ("OOMKilled", _) => "OOMKilled: it needed more than its pod's memory".to_owned(),
        (_, code @ 129..=192) => format!("signal {}", code - 128),
        (_, code) => format!("exit code {code}"),
    }
}

fn waiting(pod: &Value) -> Option<String> {
    let state = pod.pointer("/status/containerStatuses/0/state/waiting")?;
    let reason = text(state, "/reason");
    (!reason.is_empty() && !USUAL.contains(&reason)).then(|| said(reason, text(state, "/message")))
}

fn unscheduled(pod: &Value) -> Option<String> {
    let conditions = pod.pointer("/status/conditions")?.as_array()?;
    let scheduled = conditions
        .iter()
        .find(|condition| text(condition, "/type") == "PodScheduled")?;
    let no = text(scheduled, "/status") == "False";
    no.then(|| said(text(scheduled, "/reason"), text(scheduled, "/message")))
}

fn said(reason: &str, message: &str) -> String {
    match (reason, message) {
        ("", "") => "nobody said why".to_owned(),
        (one, "") | ("", one) => one.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(status: Value) -> View {
        View::of(&json!({"metadata": {"uid": "u"}, "status": status}))
    }

    #[test]
    fn a_pod_says_what_keeps_its_worker_from_starting() {
        let waits = |reason: &str| json!({"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": reason, "message": "m"}}}]});
        for (status, hindered) in [
            (json!({"phase": "Pending"}), None),
            (waits("ContainerCreating"), None),
            (waits("ErrImagePull"), Some("ErrImagePull: m")),
            (
                json!({"phase": "Pending", "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"},
                ]}),
                Some("Unschedulable: 0/3 nodes"),
            ),
            (
                json!({"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}),
                None,
            ),
        ] {
            let view = view(status);
            assert_eq!((view.hindered.as_deref(), view.ended), (hindered, None));
        }
    }

    #[test]
    fn a_pod_says_how_its_worker_ended_as_a_process_does() {
        let ended = |phase: &str, code: u8, reason: &str| json!({"phase": phase, "containerStatuses": [{"state": {"terminated": {"exitCode": code, "reason": reason}}}]});
        for (status, well, how) in [
            (ended("Succeeded", 0, "Completed"), true, "exit code 0"),
            (ended("Failed", 134, "Error"), false, "signal 6"),
            (ended("Failed", 101, "Error"), false, "exit code 101"),
            (
                ended("Failed", 137, "OOMKilled"),
                false,
                "OOMKilled: it needed more than its pod's memory",
            ),
            (
                json!({"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory"}),
                false,
                "Evicted: the node was low on memory",
            ),
        ] {
            assert_eq!(view(status).ended, Some((well, how.to_owned())));
        }
    }
}
