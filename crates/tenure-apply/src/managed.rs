//! Takes over the fields that earlier tools own, so that server-side apply can remove them.

use serde_json::{Value, json};

use crate::owner::Marker;

const ANNOTATIONS: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
];
const LABELS: [&str; 1] = ["fluxcd.io/sync-gc-mark"];

/// The JSON patch that makes `live` ours, or nothing when there is nothing to take over. It tests
/// the resourceVersion it was made for.
pub(crate) fn clean_up(live: &Value, desired: &Value, field_manager: &str) -> Option<Value> {
    if Marker::Merge.on(desired) || Marker::Merge.on(live) {
        return None;
    }
    let mut patch = Vec::new();
    for (path, keys) in [("annotations", &ANNOTATIONS[..]), ("labels", &LABELS[..])] {
        let map = live.pointer(&format!("/metadata/{path}"));
        for key in keys
            .iter()
            .filter(|key| map.is_some_and(|map| map.get(**key).is_some()))
        {
            let escaped = key.replace('~', "~0").replace('/', "~1");
            patch.push(json!({"op": "remove", "path": format!("/metadata/{path}/{escaped}")}));
        }
    }
    if let Some(entries) = take_over(live, field_manager) {
        patch.push(json!({"op": "replace", "path": "/metadata/managedFields", "value": entries}));
    }
    if patch.is_empty() {
        return None;
    }
    let version = live.pointer("/metadata/resourceVersion")?;
    patch.push(json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version}));
    Some(patch.into())
}

/// The managedFields with foreign entries merged into our own Apply entry, or nothing when there
/// are none.
fn take_over(live: &Value, field_manager: &str) -> Option<Vec<Value>> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    let text = |entry: &Value, key: &str| {
        entry
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let ours = |entry: &Value| text(entry, "manager") == field_manager && text(entry, "operation") == "Apply";
    let foreign = |entry: &Value| {
        text(entry, "subresource").is_empty()
            && match text(entry, "manager").as_str() {
                "before-first-apply" => true,
                // `kubectl-client-side-apply`, `kubectl-edit` and the like, as Flux has it.
                manager if manager.starts_with("kubectl") => true,
                manager => manager == field_manager && text(entry, "operation") == "Update",
            }
    };
    if !entries.iter().any(foreign) {
        return None;
    }
    let mut fields = json!({});
    let taken = entries.iter().filter(|e| ours(e) || foreign(e));
    taken
        .filter_map(|entry| entry.get("fieldsV1"))
        .for_each(|set| merge(&mut fields, set));
    let template = entries
        .iter()
        .find(|e| ours(e))
        .or_else(|| entries.iter().find(|e| foreign(e)))?;
    let mut merged = template.clone();
    if let Some(map) = merged.as_object_mut() {
        map.insert("manager".into(), field_manager.into());
        map.insert("operation".into(), "Apply".into());
        map.insert("fieldsV1".into(), fields);
    }
    let mut result: Vec<Value> = entries
        .iter()
        .filter(|e| !ours(e) && !foreign(e))
        .cloned()
        .collect();
    result.push(merged);
    Some(result)
}

/// Union of two field sets: they are maps all the way down.
fn merge(into: &mut Value, from: &Value) {
    let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) else {
        return;
    };
    for (key, value) in from {
        merge(into.entry(key.clone()).or_insert_with(|| json!({})), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(entries: Value) -> Value {
        json!({"metadata": {"resourceVersion": "7", "managedFields": entries,
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}})
    }

    #[test]
    fn what_kubectl_owned_becomes_ours() {
        let object = live(json!([
            {"manager": "kubectl", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:a": {}}}},
            {"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:b": {}}}},
            {"manager": "hpa", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:x": {}}},
        ]));
        let patch = clean_up(&object, &json!({}), "m").expect("there is something to do");
        assert_eq!(
            patch[0]["path"],
            "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"
        );
        let entries = patch[1]["value"].as_array().expect("a list").clone();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0]["manager"], "hpa");
        assert_eq!(entries[1]["fieldsV1"], json!({"f:data": {"f:a": {}, "f:b": {}}}));
        assert_eq!(patch[2]["value"], "7");
    }

    #[test]
    fn the_status_of_others_and_merged_objects_are_left_alone() {
        let status =
            json!([{"manager": "kubectl", "operation": "Update", "subresource": "status", "fieldsV1": {}}]);
        assert_eq!(take_over(&live(status), "m"), None);
        let merge = json!({"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/ssa": "Merge"}}});
        assert_eq!(clean_up(&live(json!([])), &merge, "m"), None);
        assert_eq!(
            clean_up(&json!({"metadata": {"managedFields": []}}), &json!({}), "m"),
            None
        );
    }
}
