//! The chart in the hands of the real Helm.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context as _;
use serde_json::{Value, json};
use tenure_testkit::ControlPlane;

use crate::objects::{found, missing};

pub(crate) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../helm/tenure");
const GUIDE: &str = include_str!("../../docs/src/install.md");

/// A command of the guide, by its first words, as arguments for Helm with another chart in its place.
pub(crate) fn documented<'a>(begins: &str, chart: &'a str) -> anyhow::Result<Vec<&'a str>> {
    let line = GUIDE.lines().find(|line| line.starts_with(begins));
    let words = line.with_context(|| format!("the guide has no line that begins with {begins:?}"))?;
    Ok(words
        .split(' ')
        .skip(1)
        .map(|word| if word == "helm/tenure" { chart } else { word })
        .collect())
}

/// A copy of the chart with text of its templates replaced, as an older version would have had it.
pub(crate) fn older(changes: &[(&str, &str)]) -> anyhow::Result<tempfile::TempDir> {
    let copy = tempfile::tempdir()?;
    let mut changed = 0;
    let mut left = vec![String::new()];
    while let Some(inside) = left.pop() {
        fs::create_dir_all(copy.path().join(&inside))?;
        for entry in fs::read_dir(format!("{CHART}/{inside}"))? {
            let entry = entry?;
            let name = format!("{inside}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                left.push(format!("{name}/"));
                continue;
            }
            let mut text = fs::read_to_string(entry.path())?;
            for (from, to) in changes {
                changed += text.matches(from).count();
                text = text.replace(from, to);
            }
            fs::write(copy.path().join(name), text)?;
        }
    }
    anyhow::ensure!(changed >= changes.len(), "only {changed} places were replaced");
    Ok(copy)
}

/// Objects of a YAML stream.
pub(crate) fn objects(text: &str) -> anyhow::Result<Vec<Value>> {
    let documents = tenure_yaml::parse(text.as_bytes(), &tenure_yaml::Options::helm())?;
    Ok(documents.into_iter().map(|document| document.value).collect())
}

/// Objects by kind, namespace and name.
pub(crate) fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let name = |object: &Value| {
        let parts = ["/kind", "/metadata/namespace", "/metadata/name"];
        parts
            .map(|part| object.pointer(part).and_then(Value::as_str).unwrap_or_default())
            .join("/")
    };
    objects
        .into_iter()
        .map(|object| (name(&object), object))
        .collect()
}

/// What a release says that it installed, after a look whether all of it is there.
pub(crate) async fn installed(plane: &ControlPlane, release: &[&str]) -> anyhow::Result<Vec<Value>> {
    let manifest = plane.helm(&[&["get", "manifest"], release].concat()).await?;
    let mut wanted = objects(&manifest)?;
    for wanted in &mut wanted {
        // whatever the chart says
        wanted["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
        let found = found(plane, wanted).await?;
        let lost = missing(wanted, &found, "");
        anyhow::ensure!(lost.is_empty(), "{}: {lost:?}", wanted["metadata"]["name"]);
    }
    Ok(wanted)
}

/// What a writer would have changed on each of these objects; what controllers write does not count.
pub(crate) async fn versions(
    plane: &ControlPlane,
    objects: &[Value],
) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut versions = Vec::new();
    for object in objects {
        let mut found = found(plane, object).await?;
        if let Some(whole) = found.as_object_mut() {
            whole.remove("status");
        }
        let metadata = &mut found["metadata"];
        if !metadata["generation"].is_null() {
            metadata["resourceVersion"].take();
        }
        metadata["managedFields"].take();
        metadata["annotations"]["deployment.kubernetes.io/revision"].take();
        versions.push(found);
    }
    Ok(by_name(versions))
}
