use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tenure_kustomize::{Build, flux};

use super::Place;

/// Builds what a Kustomization of Flux says, from the source at `place`.
pub(super) fn build(
    place: &Place,
    file: &Path,
    name: Option<&str>,
    variables: &[String],
) -> anyhow::Result<Build> {
    let spec = spec(file, name)?;
    let path = spec.get("path").and_then(Value::as_str).unwrap_or("./");
    let mut overlay = flux::Overlay::from_spec(&spec)
        .with_context(|| format!("the spec in {} can't be used for a build", file.display()))?;
    let common = std::mem::take(&mut overlay.common_metadata);
    let below = format!("{}/{}", place.path, path.trim_start_matches('/'));
    let mut built = flux::build(&place.files, below.trim_start_matches('/'), &overlay)?;
    if let Some(values) = values(&spec, variables)? {
        flux::substitute(&mut built.objects, &values, true)?;
    }
    common.apply(&mut built.objects);
    Ok(built)
}

/// The spec of the one Kustomization in a file.
fn spec(file: &Path, name: Option<&str>) -> anyhow::Result<Value> {
    let bytes = fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
    let documents = tenure_yaml::parse(&bytes, &tenure_yaml::Options::helm())
        .with_context(|| format!("failed to parse {}", file.display()))?;
    let text = |value: &Value, pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let is_one = |value: &Value| {
        text(value, "/kind") == "Kustomization"
            && text(value, "/apiVersion").starts_with("kustomize.toolkit.fluxcd.io/")
            && name.is_none_or(|name| text(value, "/metadata/name") == name)
    };
    let mut found = documents.into_iter().map(|d| d.value).filter(is_one);
    let shown = file.display();
    match (found.next(), found.next()) {
        (Some(mut one), None) => Ok(one.get_mut("spec").map(Value::take).unwrap_or_default()),
        (Some(_), Some(_)) => bail!("{shown} has several Kustomizations; choose one with --name"),
        (None, _) => match name {
            Some(name) => bail!("{shown} has no Kustomization named {name:?} of kustomize.toolkit.fluxcd.io"),
            None => bail!("{shown} has no Kustomization of kustomize.toolkit.fluxcd.io"),
        },
    }
}

/// The variables to replace; none if the spec asks for no replacement.
fn values(spec: &Value, given: &[String]) -> anyhow::Result<Option<BTreeMap<String, String>>> {
    let Some(post) = spec.get("postBuild").filter(|p| !p.is_null()) else {
        ensure!(
            given.is_empty(),
            "--variable has no effect: the spec has no postBuild"
        );
        return Ok(None);
    };
    let mut values = BTreeMap::new();
    for pair in given {
        let (name, value) = pair
            .split_once('=')
            .with_context(|| format!("--variable {pair:?} must be NAME=VALUE"))?;
        values.insert(name.to_owned(), value.to_owned());
    }
    let inline = post.get("substitute").and_then(Value::as_object);
    for (name, value) in inline.into_iter().flatten() {
        if let Some(text) = value.as_str() {
            values.insert(name.clone(), text.to_owned());
        }
    }
    // Without any variable Flux leaves the text alone, unless it is told otherwise.
    let always = post.get("substituteStrategy").and_then(Value::as_str) == Some("Always");
    Ok(Some(values).filter(|values| always || !values.is_empty()))
}
