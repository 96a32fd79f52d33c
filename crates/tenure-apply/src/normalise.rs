use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// Brings an object into the form in which it is applied: no status (except a CRD's), no null
/// creationTimestamp anywhere, a Secret's `stringData` as `data`, no unusable `caBundle` in a CRD's
/// conversion webhook.
pub fn normalise(object: &mut Value) {
    let kind = object
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let core = object.get("apiVersion").and_then(Value::as_str) == Some("v1");
    drop_null_timestamps(object);
    let Some(map) = object.as_object_mut() else { return };
    match kind.as_str() {
        "CustomResourceDefinition" => drop_bad_ca_bundle(map),
        _ => drop(map.remove("status")),
    }
    if kind == "Secret" && core {
        encode_string_data(map);
    }
}

/// Templates hold metadata too, so the whole object is walked; only `metadata` is touched.
fn drop_null_timestamps(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Object(metadata)) = map.get_mut("metadata")
                && metadata.get("creationTimestamp").is_some_and(Value::is_null)
            {
                metadata.remove("creationTimestamp");
            }
            map.values_mut().for_each(drop_null_timestamps);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_null_timestamps),
        _ => {}
    }
}

fn encode_string_data(secret: &mut Map<String, Value>) {
    let Some(Value::Object(plain)) = secret.remove("stringData") else {
        return;
    };
    let data = secret.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    let Some(data) = data.as_object_mut() else { return };
    for (key, value) in plain {
        if let Value::String(text) = value {
            data.insert(key, STANDARD.encode(text).into());
        }
    }
}

/// An empty or placeholder bundle makes the API server refuse the CRD; injectors fill it in later.
fn drop_bad_ca_bundle(crd: &mut Map<String, Value>) {
    let Some(config) = crd
        .get_mut("spec")
        .and_then(|spec| spec.pointer_mut("/conversion/webhook/clientConfig"))
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    // The base64 of `-----BEGIN`.
    let good = config
        .get("caBundle")
        .and_then(Value::as_str)
        .is_some_and(|b| b.starts_with("LS0tLS1CRUdJTi"));
    if !good {
        config.remove("caBundle");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn normalised(mut object: Value) -> Value {
        normalise(&mut object);
        object
    }

    #[test]
    fn string_data_becomes_data_and_wins() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "eA==", "b": "eA=="}, "stringData": {"a": "y"}});
        let wanted = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "eQ==", "b": "eA=="}});
        assert_eq!(normalised(secret), wanted);
    }

    #[test]
    fn status_and_null_timestamps_go_also_in_templates() {
        let template = json!({"metadata": {"creationTimestamp": null, "labels": {"a": "b"}}});
        let object = json!({"kind": "Deployment", "metadata": {"creationTimestamp": null}, "spec": {"template": template}, "status": {}});
        let wanted = json!({"kind": "Deployment", "metadata": {}, "spec": {"template": {"metadata": {"labels": {"a": "b"}}}}});
        assert_eq!(normalised(object), wanted);
        let crd = json!({"kind": "CustomResourceDefinition", "status": {"storedVersions": ["v1"]}});
        assert_eq!(normalised(crd.clone()), crd);
    }

    #[test]
    fn a_ca_bundle_that_is_no_certificate_goes() {
        let crd = |config: Value| json!({"kind": "CustomResourceDefinition", "spec": {"conversion": {"webhook": {"clientConfig": config}}}});
        assert_eq!(normalised(crd(json!({"caBundle": "Cg=="}))), crd(json!({})));
        let good = crd(json!({"caBundle": "LS0tLS1CRUdJTiBDRVJU"}));
        assert_eq!(normalised(good.clone()), good);
    }
}
