//! `crds`: OpenAPI definitions whose extensions say which fields hold names, labels or annotations.

use serde_json::{Map, Value};

use super::{Config, FieldSpec, NameReference};
use crate::Error;

/// The field specifications that the definitions of one file amount to.
pub(crate) fn from_crds(value: &Value) -> Result<Config, Error> {
    let mut config = Config::default();
    let Some(definitions) = value.as_object() else {
        return Err(Error::invalid("OpenAPI definitions must be a mapping"));
    };
    for name in definitions.keys() {
        let Some(properties) = properties(definitions, name) else {
            continue;
        };
        if ["kind", "apiVersion", "metadata"]
            .iter()
            .all(|p| properties.contains_key(*p))
        {
            let kind = name.rsplit('.').next().unwrap_or_default();
            walk(
                &mut config,
                definitions,
                kind,
                name,
                &mut Vec::new(),
                &mut Vec::new(),
            )?;
        }
    }
    config.sort();
    Ok(config)
}

fn properties<'a>(definitions: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    let definition = definitions.get(name)?.as_object()?;
    let schema = definition
        .iter()
        .find(|(k, _)| k.eq_ignore_ascii_case("schema"))?
        .1;
    schema.get("properties")?.as_object()
}

fn walk(
    config: &mut Config,
    definitions: &Map<String, Value>,
    kind: &str,
    name: &str,
    path: &mut Vec<String>,
    seen: &mut Vec<String>,
) -> Result<(), Error> {
    let Some(properties) = properties(definitions, name) else {
        return Ok(());
    };
    // A definition that refers to itself says nothing new the second time.
    if seen.iter().any(|s| s == name) {
        return Ok(());
    }
    seen.push(name.to_owned());
    for (property, schema) in properties {
        path.push(property.clone());
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        let here = |extra: Option<&str>| FieldSpec {
            kind: kind.to_owned(),
            path: path
                .iter()
                .map(String::as_str)
                .chain(extra)
                .collect::<Vec<_>>()
                .join("/"),
            ..FieldSpec::default()
        };
        for (extension, list) in [
            ("x-kubernetes-annotation", "commonAnnotations"),
            ("x-kubernetes-label-selector", "commonLabels"),
            ("x-kubernetes-identity", "namePrefix"),
        ] {
            if text(extension).is_some() {
                config.add(list, here(None))?;
            }
        }
        if let (Some(version), Some(target)) = (
            text("x-kubernetes-object-ref-api-version"),
            text("x-kubernetes-object-ref-kind"),
        ) {
            let key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
            config.add_names(&NameReference {
                group: String::new(),
                version: version.to_owned(),
                kind: target.to_owned(),
                referrers: vec![here(Some(key))],
            })?;
        }
        if let Some(reference) = text("$ref") {
            walk(config, definitions, kind, reference, path, seen)?;
        }
        path.pop();
    }
    seen.pop();
    Ok(())
}
