use serde_json::Value;

use super::Transform;
use super::field::{Create, set, visit_object};
use crate::config::FieldSpec;
use crate::meter::Meter;
use crate::resmap::ResMap;
use crate::resource::Resource;
use crate::schema::Schemas;
use crate::{Error, object};

/// Which end of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Prefix,
    Suffix,
}

/// Puts a text before or after names.
pub(crate) struct Affix {
    pub(crate) end: End,
    pub(crate) text: String,
    pub(crate) specs: Vec<FieldSpec>,
}

/// Kinds whose names other systems fix.
fn is_fixed(group: &str, kind: &str) -> bool {
    kind == "CustomResourceDefinition"
        || kind == "Namespace"
        || kind == "APIService" && group == "apiregistration.k8s.io"
}

impl Transform for Affix {
    fn apply(&self, all: &mut ResMap, _: &Schemas) -> Result<(), Error> {
        let meter = all.meter();
        all.iter_mut()
            .try_for_each(|mut resource| self.one(&mut resource, &meter))
    }
}

impl Affix {
    fn one(&self, resource: &mut Resource, meter: &Meter) -> Result<(), Error> {
        let id = resource.original_id();
        if is_fixed(&id.gvk.group, &id.gvk.kind) {
            return Ok(());
        }
        for spec in self.specs.iter().filter(|s| s.selects(&id.gvk)) {
            if spec.path == "metadata/name" && !self.text.is_empty() {
                meter.take(self.text.len())?;
                match self.end {
                    End::Prefix => resource.prefixes.push(self.text.clone()),
                    End::Suffix => resource.suffixes.push(self.text.clone()),
                }
                resource.remember(meter)?;
            }
            if !spec.selects(&resource.gvk()) {
                continue;
            }
            // Names are compared as texts; in the end they are read anew where they had no quotes.
            let is_name = spec.path == "metadata/name";
            resource.is_plain_name |= is_name && !object::is_quoted(resource.name());
            visit_object(&mut resource.value, spec, Create::Scalar, meter, &mut |node| {
                let old = object::scalar_or_null(node).unwrap_or_default();
                let new = match self.end {
                    End::Prefix => format!("{}{old}", self.text),
                    End::Suffix => format!("{old}{}", self.text),
                };
                if is_name || node.is_object() || node.is_array() {
                    return set(node, Value::from(new), meter);
                }
                meter.grow(old.len(), new.len())?;
                object::reset(node, &new);
                Ok(())
            })?;
        }
        Ok(())
    }
}
