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

/// A Secret with anything but texts in its `stringData` stays as it is: the API server says what is wrong with it.
fn encode_string_data(secret: &mut Map<String, Value>) {
    let encoded: Option<Vec<(String, Value)>> = match secret.get("stringData") {
        Some(Value::Object(plain)) => plain.iter().map(encoded).collect(),
        Some(Value::Null) => Some(Vec::new()),
        _ => None,
    };
    let is_map = |data: &Value| data.is_object() || data.is_null();
    let Some(encoded) = encoded.filter(|_| secret.get("data").is_none_or(is_map)) else {
        return;
    };
    secret.remove("stringData");
    if encoded.is_empty() {
        return;
    }
    let data = secret.entry("data").or_insert(Value::Null);
    match data {
        Value::Object(data) => data.extend(encoded),
        data => *data = Value::Object(encoded.into_iter().collect()),
    }
}

fn encoded((key, value): (&String, &Value)) -> Option<(String, Value)> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Null => "",
        _ => return None,
    };
    Some((key.clone(), STANDARD.encode(text).into()))
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
        let empty = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": null}});
        let wanted = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": ""}});
        assert_eq!(normalised(empty), wanted);
    }

    #[test]
    fn a_secret_with_anything_but_texts_is_left_to_the_api_server() {
        let secret = |data: Value| json!({"apiVersion": "v1", "kind": "Secret", "stringData": data});
        for data in [json!({"a": "x", "port": 5432}), json!({"a": {}}), json!(["a"])] {
            assert_eq!(normalised(secret(data.clone())), secret(data));
        }
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
