use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

/// Longer messages are cut, as Flux does.
const MESSAGE_CAP: usize = 39_000;

/// An Event still to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    /// What it is about.
    pub regarding: Regarding,
    /// Normal or Warning.
    pub kind: EventKind,
    /// The reason, in CamelCase.
    pub reason: String,
    /// What happened. Must not hold a secret.
    pub message: String,
    /// Who says so: the controller's name, as in `kustomize-controller`.
    pub controller: String,
    /// Metadata such as the revision.
    pub annotations: BTreeMap<String, String>,
}

/// The object that an [`EventDraft`] is about. Its namespace is the client's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regarding {
    /// `group/version`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// uid, which lets `kubectl describe` find the event.
    pub uid: String,
    /// resourceVersion, when known.
    pub resource_version: Option<String>,
}

/// The `type` of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Things went as they should.
    Normal,
    /// They did not.
    Warning,
}

impl EventDraft {
    /// The core/v1 Event, named as client libraries name theirs: the object and the time in hex.
    pub(crate) fn render(&self, namespace: &str, now: Timestamp) -> Value {
        let at = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut regarding = json!({
            "apiVersion": self.regarding.api_version,
            "kind": self.regarding.kind,
            "namespace": namespace,
            "name": self.regarding.name,
            "uid": self.regarding.uid,
        });
        if let (Some(version), Some(map)) = (&self.regarding.resource_version, regarding.as_object_mut()) {
            map.insert("resourceVersion".to_owned(), version.clone().into());
        }
        let nanos = now.as_nanosecond();
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "namespace": namespace,
                "name": format!("{}.{nanos:x}", cut(&self.regarding.name, 200)),
                "annotations": self.annotations,
            },
            "involvedObject": regarding,
            "type": match self.kind { EventKind::Normal => "Normal", EventKind::Warning => "Warning" },
            "reason": cut(&self.reason, 128),
            "message": cut(&self.message, MESSAGE_CAP),
            "source": {"component": self.controller},
            "reportingComponent": self.controller,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        })
    }
}

/// At most `cap` bytes, cut between characters.
fn cut(text: &str, cap: usize) -> &str {
    let mut end = text.len().min(cap);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(cut("aü", 2), "a");
        assert_eq!(cut("aü", 3), "aü");
        let draft = EventDraft {
            regarding: Regarding {
                name: "app".into(),
                ..Regarding::default()
            },
            kind: EventKind::Warning,
            reason: "BuildFailed".into(),
            message: "ü".repeat(40_000),
            controller: "kustomize-controller".into(),
            annotations: BTreeMap::new(),
        };
        let event = draft.render("a", Timestamp::UNIX_EPOCH);
        assert_eq!(event["message"].as_str().map(str::len), Some(MESSAGE_CAP));
        assert_eq!(event["metadata"]["name"], "app.0");
        assert_eq!(event["type"], "Warning");
    }
}
