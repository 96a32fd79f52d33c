use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::file::KustFile;
use crate::load::{Loader, refuse_remote};
use crate::{Error, Image, Patch, Reason, RelPath};

/// The part of a Kustomization's spec that changes the build, field by field as in the spec.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Overlay {
    /// Replaces the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_namespace: Option<String>,
    /// Replaces the name prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_prefix: Option<String>,
    /// Replaces the name suffix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_suffix: Option<String>,
    /// Come after the file's own patches.
    pub patches: Vec<Patch>,
    /// Replace the file's entries of the same name, or are added.
    pub images: Vec<Image>,
    /// Come after the file's own components; paths relative to the built directory.
    pub components: Vec<String>,
    /// Whether a component that does not exist is left out.
    pub ignore_missing_components: bool,
    /// Replaces the file's, if it is not empty.
    #[serde(deserialize_with = "list_or_null")]
    pub build_metadata: Vec<String>,
    /// Labels and annotations for the metadata of every object.
    pub common_metadata: CommonMetadata,
}

fn list_or_null<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Labels and annotations for the metadata of every object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommonMetadata {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Overlay {
    /// Of a Kustomization's spec, `patchesStrategicMerge` and `patchesJson6902` of older versions
    /// included; fields that no build needs are left out.
    ///
    /// # Errors
    /// When a field is of another type.
    pub fn from_spec(spec: &Value) -> Result<Self, serde_json::Error> {
        let list = |field: &str| spec.get(field).and_then(Value::as_array).into_iter().flatten();
        let mut overlay: Self = serde_json::from_value(spec.clone())?;
        let whole = |patch: &Value| Patch {
            patch: Some(patch.to_string()),
            ..Patch::default()
        };
        overlay.patches.extend(list("patchesStrategicMerge").map(whole));
        for entry in list("patchesJson6902") {
            overlay.patches.push(Patch {
                patch: entry.get("patch").map(Value::to_string),
                target: serde_json::from_value(entry.get("target").cloned().unwrap_or_default())?,
                ..Patch::default()
            });
        }
        Ok(overlay)
    }

    pub(super) fn lay_over(
        &self,
        file: &mut KustFile,
        loader: &mut Loader<'_>,
        dir: &RelPath,
    ) -> Result<(), Error> {
        let replace = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value.as_ref().filter(|v| !v.is_empty()) {
                field.clone_from(value);
            }
        };
        replace(&mut file.namespace, &self.target_namespace);
        replace(&mut file.name_prefix, &self.name_prefix);
        replace(&mut file.name_suffix, &self.name_suffix);
        if file.path.is_some() && file.resources.is_empty() && file.build_metadata.is_empty() {
            file.build_metadata.push("originAnnotations".to_owned());
        }
        if !self.build_metadata.is_empty() {
            file.build_metadata.clone_from(&self.build_metadata);
        }
        file.patches.extend(self.patches.iter().cloned());
        self.images
            .iter()
            .for_each(|image| merge_image(&mut file.images, image));
        for component in &self.components {
            refuse_remote(component).map_err(|e| e.in_field("spec.components"))?;
            let path = dir
                .join(component)
                .map_err(|e| Error::new(Reason::Path(e)).in_field("spec.components"))?;
            if loader.kind(&path)?.is_some() {
                file.components.push(component.clone());
            } else if !self.ignore_missing_components {
                return Err(loader.not_found(&path).in_field("spec.components"));
            }
        }
        Ok(())
    }
}

/// Tag and digest are replaced together, the name by itself.
fn merge_image(images: &mut Vec<Image>, new: &Image) {
    let Some(old) = images.iter_mut().find(|i| i.name == new.name) else {
        return images.push(new.clone());
    };
    if new.new_name.is_some() {
        old.new_name.clone_from(&new.new_name);
    }
    if new.new_tag.is_some() || new.digest.is_some() {
        old.new_tag.clone_from(&new.new_tag);
        old.digest.clone_from(&new.digest);
    }
}
