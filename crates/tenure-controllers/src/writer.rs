//! Status writes: the smallest patch, under an optimistic lock, and none when nothing changed. And the
//! events that go with them.

use serde_json::{Value, json};
use tenure_api::EVENT_PREFIX;
use tenure_core::ObjectKey;
use tenure_kube::{EventDraft, EventKind, FluxKind, KubeError, Regarding};

use crate::Effects;
use crate::merge::diff;

/// How often a write that met another writer is tried again, as Flux does.
const ATTEMPTS: usize = 5;

/// Brings the object's status to what `make` says of it, and the snapshot with it.
///
/// `make` is given the current status (an object, maybe empty) and may be called again with a newer
/// one when another writer was faster. Returns whether anything was written.
pub(crate) async fn write_status(
    effects: &Effects,
    kind: FluxKind,
    key: &ObjectKey,
    manager: &str,
    make: impl Fn(&Value) -> Value,
) -> Result<bool, KubeError> {
    let mut live = match effects.snapshot.get(key) {
        Some(object) => object,
        None => return Ok(false),
    };
    for attempt in 1.. {
        let old = live.get("status").cloned().unwrap_or_else(|| json!({}));
        let new = make(&old);
        let Some(patch) = diff(&old, &new) else {
            return Ok(false);
        };
        let version = live.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        match effects
            .own
            .patch_status(kind, &key.name, patch, manager, version)
            .await
        {
            Ok(object) => {
                effects.snapshot.put(key.clone(), object);
                return Ok(true);
            }
            Err(error) if error.is_conflict() && attempt < ATTEMPTS => {
                match effects.own.get(kind, &key.name).await? {
                    Some(object) => {
                        effects.snapshot.put(key.clone(), object);
                        let Some(object) = effects.snapshot.get(key) else {
                            return Ok(false);
                        };
                        live = object;
                    }
                    None => return Ok(false),
                }
            }
            Err(error) if error.is_not_found() => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Records an event on the object, in the name of Flux's `controller`; best effort.
pub(crate) async fn event(
    effects: &Effects,
    key: &ObjectKey,
    controller: &str,
    kind: EventKind,
    reason: &str,
    message: String,
    annotations: impl IntoIterator<Item = (String, String)>,
) {
    let Some(object) = effects.snapshot.get(key) else {
        return;
    };
    let text = |path: &str| {
        object
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let given = object.pointer("/metadata/annotations").and_then(Value::as_object);
    let passed_on = given.into_iter().flatten().filter_map(|(name, value)| {
        let name = name.strip_prefix(EVENT_PREFIX)?;
        Some((name.to_owned(), value.as_str()?.to_owned()))
    });
    let draft = EventDraft {
        regarding: Regarding {
            api_version: text("/apiVersion"),
            kind: key.kind.clone(),
            name: key.name.to_string(),
            uid: text("/metadata/uid"),
            resource_version: Some(text("/metadata/resourceVersion")),
        },
        kind,
        reason: reason.to_owned(),
        message,
        controller: controller.to_owned(),
        annotations: passed_on.chain(annotations).collect(),
    };
    if let Err(error) = effects.own.event(draft).await {
        tracing::warn!(object = %key, %error, "failed to record an event");
    }
}
