//! `buildMetadata`: where objects came from and what changed them, as annotations.

use serde_json::{Map, Value};

use crate::Error;
use crate::meter::Meter;
use crate::resource::Resource;

pub(crate) const ORIGIN: &str = "config.kubernetes.io/origin";
pub(crate) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

/// Where an object, or a generator or transformer, is from. Paths are relative to the build's root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) path: String,
    pub(crate) configured_in: String,
    pub(crate) configured_by: Option<ConfiguredBy>,
}

/// The object that configures a generator or transformer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConfiguredBy {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
}

impl Origin {
    pub(crate) fn of_file(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..Self::default()
        }
    }

    /// A built-in, configured by a field of a kustomization file.
    pub(crate) fn built_in(file: &str, kind: &str) -> Self {
        Self {
            configured_in: file.to_owned(),
            configured_by: Some(ConfiguredBy {
                api_version: "builtin".to_owned(),
                kind: kind.to_owned(),
                ..ConfiguredBy::default()
            }),
            ..Self::default()
        }
    }

    /// What an object configures that has an origin itself.
    pub(crate) fn of_plugin(config: &Resource) -> Option<Self> {
        let from = config.annotation(ORIGIN)?;
        let parsed = tenure_yaml::parse_one(from.as_bytes(), &tenure_yaml::Options::helm()).ok()?;
        let path = parsed.get("path").and_then(Value::as_str).unwrap_or_default();
        Some(Self {
            configured_in: path.to_owned(),
            configured_by: Some(ConfiguredBy {
                api_version: config.api_version().to_owned(),
                kind: config.kind().to_owned(),
                name: config.name().to_owned(),
                namespace: config.namespace().to_owned(),
            }),
            ..Self::default()
        })
    }

    fn value(&self) -> Value {
        let mut map = Map::new();
        let put = |map: &mut Map<String, Value>, key: &str, text: &str| {
            if !text.is_empty() {
                map.insert(key.to_owned(), Value::from(text));
            }
        };
        put(&mut map, "path", &self.path);
        put(&mut map, "configuredIn", &self.configured_in);
        if let Some(by) = &self.configured_by {
            let mut inner = Map::new();
            put(&mut inner, "apiVersion", &by.api_version);
            put(&mut inner, "kind", &by.kind);
            put(&mut inner, "name", &by.name);
            put(&mut inner, "namespace", &by.namespace);
            map.insert("configuredBy".to_owned(), Value::Object(inner));
        }
        Value::Object(map)
    }

    fn text(value: &Value) -> String {
        let options = tenure_yaml::EmitOptions {
            sort: false,
            ..tenure_yaml::EmitOptions::default()
        };
        tenure_yaml::to_string_with(value, &options)
    }

    /// Says where the object came from.
    pub(crate) fn annotate(&self, resource: &mut Resource) {
        resource.set_annotation(ORIGIN, Some(Self::text(&self.value())));
    }

    /// Says that this has changed the object, or made it if nobody said so yet.
    pub(crate) fn transformed(&self, resource: &mut Resource, meter: &Meter) -> Result<(), Error> {
        meter.check()?;
        if resource.annotation(ORIGIN).is_none() {
            let text = Self::text(&self.value());
            meter.take(text.len())?;
            resource.set_annotation(ORIGIN, Some(text));
            return Ok(());
        }
        let before = resource.annotation(TRANSFORMATIONS).map_or(0, str::len);
        let mut all = resource
            .annotation(TRANSFORMATIONS)
            .and_then(|text| tenure_yaml::parse_one(text.as_bytes(), &tenure_yaml::Options::helm()).ok())
            .and_then(|value| {
                if let Value::Array(list) = value {
                    Some(list)
                } else {
                    None
                }
            })
            .unwrap_or_default();
        all.push(self.value());
        let text = Self::text(&Value::Array(all));
        meter.grow(before, text.len())?;
        resource.set_annotation(TRANSFORMATIONS, Some(text));
        Ok(())
    }
}
