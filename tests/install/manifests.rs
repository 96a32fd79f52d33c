//! `deploy/` and the chart, given to a real API server.

use serde_json::Value;
use tenure_testkit::ControlPlane;
use tenure_testkit::control_plane::Options;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_deploy_is_accepted_whole_and_applying_it_again_changes_nothing() -> anyhow::Result<()>
{
    let plane = ControlPlane::start(Options::default()).await?;
    let apply = ["apply", "--server-side", "--field-manager=platform", "-k", DEPLOY];
    plane.kubectl(&apply).await?;
    let built = plane.kubectl(&["kustomize", DEPLOY]).await?;
    let wanted = tenure_yaml::parse(built.as_bytes(), &tenure_yaml::Options::helm())?;
    assert!(wanted.len() > 15, "there are {}", wanted.len());
    let mut versions = Vec::new();
    for wanted in &wanted {
        let found = found(&plane, &wanted.value).await?;
        let lost = missing(&wanted.value, &found, "");
        assert!(lost.is_empty(), "{}: {lost:?}", wanted.value["metadata"]["name"]);
        versions.push(found["metadata"]["uid"].clone());
    }
    plane.kubectl(&apply).await?;
    for (wanted, uid) in wanted.iter().zip(versions) {
        let found = found(&plane, &wanted.value).await?;
        assert_eq!(found["metadata"]["uid"], uid);
    }
    Ok(())
}

async fn found(plane: &ControlPlane, wanted: &Value) -> anyhow::Result<Value> {
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
fn missing(wanted: &Value, found: &Value, path: &str) -> Vec<String> {
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
