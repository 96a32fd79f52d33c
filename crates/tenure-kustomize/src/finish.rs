//! The last touch: what kustomize keeps for itself goes, and annotations are strings.

use serde_json::Value;

use crate::config::FieldSpec;
use crate::file::KustFile;
use crate::objects::Objects;
use crate::origin::{ORIGIN, TRANSFORMATIONS};
use crate::packed::Packed;
use crate::resmap::ResMap;
use crate::resource::PREFIX;
use crate::schema::Schemas;
use crate::transform::Transform as _;
use crate::transform::label::Label;
use crate::{Error, Options, object};

/// The version of kustomize that this build follows, as its label says it.
const FOLLOWED: &str = "kustomize-v5.8.1";

/// Annotations that kustomize keeps for itself; they never reach its output.
const INTERNAL: [&str; 3] = [
    "config.k8s.io/id",
    "config.kubernetes.io/index",
    "config.kubernetes.io/path",
];

/// The same, after [`PREFIX`].
const BUILD: [&str; 16] = [
    "allowKindChange",
    "allowNameChange",
    "annotations-migration-resource-id",
    "generatorBehavior",
    "helm-generated",
    "id",
    "index",
    "needsHashSuffix",
    "path",
    "prefixes",
    "previousKinds",
    "previousNames",
    "previousNamespaces",
    "refBy",
    "seqindent",
    "suffixes",
];

/// Objects that say of themselves that they are for local use only.
pub(crate) fn is_local(object: &Packed) -> bool {
    let annotation = object.part(&["metadata", "annotations", "config.kubernetes.io/local-config"]);
    annotation.is_some_and(|v| v.as_str() != Some("false") && *v != Value::Bool(false))
}

/// Says what built the objects, if the options or the file ask for it.
pub(crate) fn label(all: &mut ResMap, file: &KustFile, options: &Options) -> Result<(), Error> {
    if !options.managed_by_label && !file.wants("managedByLabel") {
        return Ok(());
    }
    let label = Label {
        pairs: vec![("app.kubernetes.io/managed-by".to_owned(), FOLLOWED.to_owned())],
        specs: vec![FieldSpec::at("metadata/labels", true)],
    };
    label.apply(all, &Schemas::default())
}

/// The objects, ready.
pub(crate) fn objects(all: ResMap, file: &KustFile) -> Result<Objects, Error> {
    let keep_origin = file.wants("originAnnotations");
    let keep_transformations = file.wants("transformerAnnotations");
    let internal = |key: &str| {
        INTERNAL.contains(&key)
            || key.strip_prefix(PREFIX).is_some_and(|name| BUILD.contains(&name))
            || key == ORIGIN && !keep_origin
            || key == TRANSFORMATIONS && !keep_transformations
    };
    let meter = all.meter();
    all.into_list()
        .into_iter()
        .map(|mut resource| {
            if resource.value.part(&["metadata", "annotations"]).is_some() {
                resource.settle("annotations");
                let tidied = resource.value.edit("metadata", |value| tidy(value, &internal));
                tidied.map_err(|e| {
                    let shown = format!("annotations of {}", resource.id());
                    Error::invalid(format!("{shown}: {e}")).or_file(&resource.origin)
                })?;
            }
            if resource.is_plain_name {
                resource.value.edit("metadata", |value| {
                    if let Some(name) = value.pointer_mut("/metadata/name") {
                        *name = object::plain(name.as_str().unwrap_or_default());
                    }
                });
            }
            resource.value.pack();
            meter.output(resource.value.written())?;
            Ok(resource.value)
        })
        .collect()
}

fn tidy(value: &mut Value, internal: &dyn Fn(&str) -> bool) -> Result<(), Error> {
    let annotations = value
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut);
    if let Some(map) = annotations {
        map.retain(|key, _| !internal(key));
        map.keys().try_for_each(|key| object::plain_key(key))?;
    }
    if !value
        .pointer("/metadata/annotations")
        .is_some_and(Value::is_object)
    {
        object::remove(value, "annotations");
    }
    object::drop_empty(value, "annotations");
    Ok(())
}
