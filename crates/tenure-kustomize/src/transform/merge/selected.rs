//! What a patch with a `target` undergoes before it is merged.

use serde_json::{Map, Value};

use super::list::text;

/// The patch as it is merged into the objects that a `target` selects.
///
/// The tool copies labels and annotations as texts (`resource.CopyMergeMetaDataFieldsFrom`@api v0.21.1). So a
/// null does not take one away but sets it to `null`, a list or mapping is an empty text, and an empty or null
/// field as a whole changes nothing. Directives are texts, and work. So is `patchesStrategicMerge`; an entry of
/// `patches` without a `target` is merged as it is.
pub(crate) fn for_selected(patch: &Value) -> Value {
    let mut patch = patch.clone();
    let Some(metadata) = patch.get_mut("metadata").and_then(Value::as_object_mut) else {
        return patch;
    };
    for field in ["labels", "annotations"] {
        let Some(old) = metadata.shift_remove(field) else {
            continue;
        };
        let texts: Map<String, Value> = match old {
            Value::Object(map) => map
                .into_iter()
                .map(|(k, v)| (k, Value::String(text(&v))))
                .collect(),
            _ => Map::new(),
        };
        if !texts.is_empty() {
            metadata.insert(field.to_owned(), Value::Object(texts));
        }
    }
    patch
}
