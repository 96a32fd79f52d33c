use serde_json::Value;

use super::field::{Spec, visit};
use crate::resource::Resource;
use crate::{Error, object};

const FIELDS: &[Spec] = &[
    Spec {
        group: "",
        kind: "Namespace",
        path: "metadata/name",
        create: true,
    },
    Spec {
        group: "apiregistration.k8s.io",
        kind: "APIService",
        path: "spec/service/namespace",
        create: false,
    },
    Spec {
        group: "apiextensions.k8s.io",
        kind: "CustomResourceDefinition",
        path: "spec/conversion/webhook/clientConfig/service/namespace",
        create: false,
    },
];

/// Sets the namespace of everything that has one, and the references that only it fixes.
pub(crate) fn run(namespace: &str, all: &mut [Resource]) -> Result<(), Error> {
    if namespace.is_empty() {
        return Ok(());
    }
    for resource in all.iter_mut() {
        let id = resource.id();
        resource.remember();
        if !id.is_cluster()
            && let Some(meta) = object::mapping(&mut resource.value, &["metadata"])
        {
            meta.insert("namespace".into(), Value::from(namespace));
        }
        for spec in FIELDS
            .iter()
            .filter(|s| s.selects(&id) && (s.kind != "Namespace" || id.group.is_empty()))
        {
            visit(&mut resource.value, spec.path, spec.create, &mut |v| {
                *v = Value::from(namespace);
                Ok::<(), Error>(())
            })?;
        }
        if id.kind == "RoleBinding" || id.kind == "ClusterRoleBinding" {
            subjects(&mut resource.value, namespace);
        }
    }
    conflicts(all)
}

/// The ServiceAccount `default` is in no build, so no reference would move it.
fn subjects(value: &mut Value, namespace: &str) {
    let subjects = value.get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects.into_iter().flatten().filter_map(Value::as_object_mut) {
        let is = |key: &str, want: &str| subject.get(key).and_then(Value::as_str) == Some(want);
        if is("kind", "ServiceAccount") && is("name", "default") {
            subject.insert("namespace".into(), Value::from(namespace));
        }
    }
}

fn conflicts(all: &[Resource]) -> Result<(), Error> {
    let mut seen = std::collections::HashSet::new();
    for resource in all {
        let id = resource.id();
        if !seen.insert((
            id.group.clone(),
            id.kind.clone(),
            id.name.clone(),
            id.effective_namespace().to_owned(),
        )) {
            return Err(Error::invalid(format!(
                "the namespace makes two objects one: {}",
                id.shown()
            )));
        }
    }
    Ok(())
}
