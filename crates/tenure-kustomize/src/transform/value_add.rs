use std::rc::Rc;

use serde::Deserialize;
use serde_json::Value;

use super::field::split;
use super::namespace::{Namespace, Subjects};
use super::{Context, Transform};
use crate::file::Selector;
use crate::meter::{Meter, levels_fit};
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::schema::Schemas;
use crate::select::Matcher;
use crate::{Error, decode, object};

/// Puts one value into fields, whole or as a part of a file path: the plugin `ValueAddTransformer`.
pub(crate) struct ValueAdd {
    value: String,
    targets: Vec<(Option<Matcher>, Field)>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Target {
    selector: Option<Selector>,
    field_path: String,
    file_path_position: i64,
}

struct Field {
    path: String,
    position: usize,
}

impl ValueAdd {
    pub(crate) fn read(context: &mut Context<'_, '_>, config: &Value) -> Result<Self, Error> {
        let mut value = object::scalar(decode::member(config, "value"))
            .unwrap_or_default()
            .trim()
            .to_owned();
        if value.is_empty() {
            value = context
                .dir
                .as_str()
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
        }
        let mut targets: Vec<Target> = decode::list(decode::member(config, "targets"))?;
        if let Some(path) = decode::member(config, "targetFilePath").as_str() {
            let (path, bytes) = context.loader.read_named(context.dir, path)?;
            let more = tenure_yaml::parse_one(&bytes, &tenure_yaml::Options::helm())
                .map_err(|e| Error::yaml(&path, e))?;
            let more: Vec<Target> = decode::list(decode::member(&more, "targets"))?;
            targets.extend(more);
        }
        if targets.is_empty() {
            return Err(Error::invalid("a ValueAddTransformer needs at least one target"));
        }
        let meter = Rc::clone(&context.loader.meter);
        let targets = targets.into_iter().map(|target| {
            if target.field_path.is_empty() {
                return Err(Error::invalid("fieldPath cannot be empty"));
            }
            let position = usize::try_from(target.file_path_position)
                .map_err(|_| Error::invalid("filePathPosition cannot be negative"))?;
            let matcher = target
                .selector
                .as_ref()
                .map(|s| Matcher::new(s, &meter))
                .transpose()?;
            let path = target.field_path;
            Ok((matcher, Field { path, position }))
        });
        Ok(Self {
            value,
            targets: targets.collect::<Result<_, Error>>()?,
        })
    }

    fn one(&self, resource: &mut Resource, field: &Field, meter: &Meter) -> Result<(), Error> {
        if field.path == "metadata/namespace" {
            let namespace = Namespace {
                name: self.value.clone(),
                specs: Vec::new(),
                unset_only: false,
                subjects: Subjects::default(),
            };
            return namespace.one(resource, meter);
        }
        let mut parts = split(&field.path, '/');
        let last = parts.pop().unwrap_or_default();
        let parts: Vec<&str> = parts
            .iter()
            .map(String::as_str)
            .filter(|p| !p.is_empty())
            .collect();
        levels_fit(parts.len())?;
        for part in &parts {
            meter.member(part)?;
        }
        let Some(map) = object::mapping(resource.value.open(), &parts) else {
            return Err(Error::invalid(format!(
                "{} leads through something that is no mapping",
                field.path
            )));
        };
        let slot = map.entry(last).or_insert_with(|| Value::from(""));
        let Some(old) = object::scalar_or_null(slot) else {
            return Err(Error::invalid(format!("{} is not a scalar", field.path)));
        };
        let new = if field.position == 0 {
            self.value.clone()
        } else {
            insert_part(&old, field.position - 1, &self.value)
        };
        meter.grow(old.len(), new.len())?;
        *slot = Value::from(new);
        Ok(())
    }
}

impl Transform for ValueAdd {
    fn apply(&self, all: &mut ResMap, _: &Schemas) -> Result<(), Error> {
        let meter = all.meter();
        for (matcher, field) in &self.targets {
            for mut resource in all.iter_mut() {
                meter.step()?;
                if matcher.as_ref().map_or(Ok(true), |m| m.matches(&resource))? {
                    self.one(&mut resource, field, &meter)?;
                }
            }
        }
        Ok(())
    }
}

/// Puts a part into a file path; a place beyond its end is its end. A leading slash stays first.
fn insert_part(path: &str, at: usize, part: &str) -> String {
    let (lead, rest) = path.strip_prefix('/').map_or(("", path), |rest| ("/", rest));
    let mut parts: Vec<&str> = rest.split('/').filter(|p| !p.is_empty()).collect();
    parts.insert(at.min(parts.len()), part);
    format!("{lead}{}", parts.join("/"))
}
