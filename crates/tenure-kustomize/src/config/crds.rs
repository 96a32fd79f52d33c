//! `crds`: OpenAPI definitions whose extensions say which fields hold names, labels or annotations.

use serde_json::{Map, Value};

use super::{Config, FieldSpec, NameReference};
use crate::Error;
use crate::meter::{Meter, levels_fit};

/// The field specifications that the definitions of one file amount to.
pub(crate) fn from_crds(value: &Value, meter: &Meter) -> Result<Config, Error> {
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
            let mut walk = Walk {
                config: &mut config,
                definitions,
                kind,
                meter,
                path: Vec::new(),
                seen: Vec::new(),
            };
            walk.definition(name)?;
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

/// The way through the definitions of one kind.
struct Walk<'a> {
    config: &'a mut Config,
    definitions: &'a Map<String, Value>,
    kind: &'a str,
    meter: &'a Meter,
    path: Vec<&'a str>,
    seen: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn definition(&mut self, name: &'a str) -> Result<(), Error> {
        let Some(properties) = properties(self.definitions, name) else {
            return Ok(());
        };
        // A definition that refers to itself says nothing new the second time.
        if self.seen.contains(&name) {
            return Ok(());
        }
        levels_fit(self.path.len())?;
        self.seen.push(name);
        for (property, schema) in properties {
            self.meter.step()?;
            self.path.push(property);
            self.property(schema)?;
            if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
                self.definition(reference)?;
            }
            self.path.pop();
        }
        self.seen.pop();
        Ok(())
    }

    fn property(&mut self, schema: &Value) -> Result<(), Error> {
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        for (extension, list) in [
            ("x-kubernetes-annotation", "commonAnnotations"),
            ("x-kubernetes-label-selector", "commonLabels"),
            ("x-kubernetes-identity", "namePrefix"),
        ] {
            if text(extension).is_some() {
                let spec = self.spec(None);
                self.config.add(list, spec)?;
            }
        }
        if let (Some(version), Some(target)) = (
            text("x-kubernetes-object-ref-api-version"),
            text("x-kubernetes-object-ref-kind"),
        ) {
            let key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
            let referrers = vec![self.spec(Some(key))];
            self.config.add_names(&NameReference {
                group: String::new(),
                version: version.to_owned(),
                kind: target.to_owned(),
                referrers,
            })?;
        }
        Ok(())
    }

    fn spec(&self, extra: Option<&str>) -> FieldSpec {
        let parts: Vec<&str> = self.path.iter().copied().chain(extra).collect();
        FieldSpec {
            kind: self.kind.to_owned(),
            path: parts.join("/"),
            ..FieldSpec::default()
        }
    }
}
