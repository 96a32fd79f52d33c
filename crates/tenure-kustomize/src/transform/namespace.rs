use std::collections::HashSet;

use serde_json::Value;

use super::Transform;
use super::field::{Create, each, set, visit, visit_object};
use crate::config::FieldSpec;
use crate::meter::Meter;
use crate::resmap::{Lent, ResMap};
use crate::resource::Resource;
use crate::schema::Schemas;
use crate::{Error, object};

/// Says that Helm rendered the object.
const HELM: &str = "internal.config.kubernetes.io/helm-generated";

/// Which subjects of bindings get the namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Subjects {
    /// Those named `default`: that ServiceAccount is in no build, so no reference would move it.
    #[default]
    Default,
    All,
    None,
}

/// Sets the namespace of everything that has one, and the references that only it fixes.
pub(crate) struct Namespace {
    pub(crate) name: String,
    pub(crate) specs: Vec<FieldSpec>,
    /// Leave namespaces that are there.
    pub(crate) unset_only: bool,
    pub(crate) subjects: Subjects,
}

impl Transform for Namespace {
    fn apply(&self, all: &mut ResMap, _: &Schemas) -> Result<(), Error> {
        if self.name.is_empty() {
            return Ok(());
        }
        let meter = all.meter();
        // What Helm rendered has the namespace that Helm gave it.
        let ours = |r: &Lent<'_>| !r.is_gone() && r.annotation(HELM) != Some("true");
        for mut resource in all.iter_mut().filter(ours) {
            resource.remember(&meter)?;
            self.one(&mut resource, &meter)?;
        }
        conflicts(all)
    }
}

impl Namespace {
    /// Sets it in one object.
    pub(crate) fn one(&self, resource: &mut Resource, meter: &Meter) -> Result<(), Error> {
        let gvk = resource.gvk();
        let is_binding = ["RoleBinding", "ClusterRoleBinding"].contains(&gvk.kind.as_str());
        let mut write = |node: &mut Value| self.write(node, meter);
        if !resource.is_cluster() {
            let spec = FieldSpec::at("metadata/namespace", true);
            visit_object(&mut resource.value, &spec, Create::Scalar, meter, &mut write)?;
        }
        if is_binding {
            resource
                .value
                .edit("subjects", |value| self.bindings(value, meter))?;
        }
        let core = resource.api_version() == "v1";
        let specs = self
            .specs
            .iter()
            .filter(|s| s.path != "metadata/namespace" && (core || s.path != "metadata/name"))
            .filter(|s| !(is_binding && s.path == "subjects/namespace" && s.kind.ends_with("RoleBinding")));
        each(resource, specs, Create::Scalar, meter, &mut write)
    }

    fn write(&self, node: &mut Value, meter: &Meter) -> Result<(), Error> {
        let filled = !node.is_null() && node.as_str() != Some("");
        if self.unset_only && filled && !node.is_object() && !node.is_array() {
            return Ok(());
        }
        set(node, Value::from(self.name.clone()), meter)
    }

    fn bindings(&self, value: &mut Value, meter: &Meter) -> Result<(), Error> {
        let subjects = value.get_mut("subjects").and_then(Value::as_array_mut);
        for subject in subjects.into_iter().flatten() {
            let chosen = match self.subjects {
                Subjects::None => false,
                Subjects::Default => object::text(subject, &["name"]) == Some("default"),
                Subjects::All => object::text(subject, &["kind"]) == Some("ServiceAccount"),
            };
            if chosen {
                let spec = FieldSpec::at("namespace", true);
                visit(subject, &spec, Create::Scalar, meter, &mut |node| {
                    self.write(node, meter)
                })?;
            }
        }
        Ok(())
    }
}

fn conflicts(all: &ResMap) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for resource in all.iter().filter(|r| !r.is_gone()) {
        let id = resource.id();
        let namespace = id.effective_namespace().to_owned();
        if !seen.insert((id.gvk.clone(), id.name.clone(), namespace)) {
            return Err(Error::invalid(format!(
                "the namespace makes two objects one: {id}"
            )));
        }
    }
    Ok(())
}
