//! Objects as files say them, and as the API server has them.

use serde_json::Value;
use tenure_testkit::ControlPlane;

/// What the API server has under the name of an object.
pub(crate) async fn found(plane: &ControlPlane, wanted: &Value) -> anyhow::Result<Value> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let group = text(&wanted["apiVersion"])
        .split_once('/')
        .map(|(group, _)| format!(".{group}"));
    let kind = format!("{}{}", text(&wanted["kind"]), group.unwrap_or_default());
    let (name, namespace) = (
        text(&wanted["metadata"]["name"]),
        text(&wanted["metadata"]["namespace"]),
    );
    let mut args = vec!["get", &kind, &name, "--output=json"];
    if !namespace.is_empty() {
        args.extend(["--namespace", &namespace]);
    }
    Ok(serde_json::from_str(&plane.kubectl(&args).await?)?)
}

/// Paths of what was asked for and is not there, or is something else.
pub(crate) fn missing(wanted: &Value, found: &Value, path: &str) -> Vec<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted
            .iter()
            .flat_map(|(key, value)| {
                let found = found.get(key).unwrap_or(&Value::Null);
                missing(value, found, &format!("{path}.{key}"))
            })
            .collect(),
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => wanted
            .iter()
            .zip(found)
            .enumerate()
            .flat_map(|(n, (wanted, found))| missing(wanted, found, &format!("{path}[{n}]")))
            .collect(),
        _ if wanted == found => Vec::new(),
        _ => vec![format!("{path}: {wanted} became {found}")],
    }
}
