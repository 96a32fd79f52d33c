//! The kustomization file. It is read in the dialect of Helm and kubectl, unlike the manifests.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Reason, RelPath};

/// The names that a kustomization file may have.
pub(crate) const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Fields that kustomize knows and this build does not.
const UNSUPPORTED: &[&str] = &[
    "bases",
    "configurations",
    "crds",
    "generators",
    "helmChartInflationGenerator",
    "helmCharts",
    "helmGlobals",
    "imageTags",
    "openapi",
    "replacements",
    "sortOptions",
    "transformers",
    "validators",
    "vars",
];

/// Selects objects; name, namespace, group, version and kind are anchored regular expressions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Selector {
    /// The API group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The API version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A selector on labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
    /// A selector on annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotation_selector: Option<String>,
}

/// A strategic merge or JSON 6902 patch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Patch {
    /// The file with the patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The patch itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// What to patch; without it the patch names its object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
    /// `allowNameChange` and `allowKindChange`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<BTreeMap<String, bool>>,
}

/// What to put in place of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Image {
    /// The image to look for, without tag and digest.
    pub name: String,
    /// Its new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_name: Option<String>,
    /// Its new tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_tag: Option<String>,
    /// What to append to the tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_suffix: Option<String>,
    /// Its new digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) count: i64,
}

/// Where a transformer writes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FieldSpec {
    pub(crate) group: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) path: String,
    pub(crate) create: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Labels {
    pub(crate) pairs: BTreeMap<String, Value>,
    pub(crate) include_selectors: bool,
    pub(crate) include_templates: bool,
    pub(crate) fields: Vec<FieldSpec>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct GeneratorOptions {
    pub(crate) labels: BTreeMap<String, Value>,
    pub(crate) annotations: BTreeMap<String, Value>,
    pub(crate) disable_name_suffix_hash: Option<bool>,
    pub(crate) immutable: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Generator {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    pub(crate) behavior: Option<String>,
    #[serde(rename = "type")]
    pub(crate) secret_type: Option<String>,
    pub(crate) literals: Vec<String>,
    pub(crate) files: Vec<String>,
    pub(crate) envs: Vec<String>,
    pub(crate) env: Option<String>,
    pub(crate) options: Option<GeneratorOptions>,
}

/// A kustomization file, every field read.
#[derive(Debug, Clone, Default)]
pub(crate) struct KustFile {
    pub(crate) path: Option<RelPath>,
    text: Vec<u8>,
    pub(crate) is_component: bool,
    pub(crate) resources: Vec<String>,
    pub(crate) components: Vec<String>,
    pub(crate) namespace: String,
    pub(crate) name_prefix: String,
    pub(crate) name_suffix: String,
    pub(crate) labels: Vec<Labels>,
    pub(crate) common_labels: BTreeMap<String, Value>,
    pub(crate) common_annotations: BTreeMap<String, Value>,
    pub(crate) images: Vec<Image>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) patches: Vec<Patch>,
    pub(crate) patches_strategic_merge: Vec<String>,
    pub(crate) patches_json6902: Vec<Patch>,
    pub(crate) config_maps: Vec<Generator>,
    pub(crate) secrets: Vec<Generator>,
    pub(crate) generator_options: Option<GeneratorOptions>,
}

impl KustFile {
    pub(crate) fn parse(path: &RelPath, bytes: &[u8]) -> Result<Self, Error> {
        let value =
            tenure_yaml::parse_one(bytes, &tenure_yaml::Options::helm()).map_err(|e| Error::yaml(path, e))?;
        let mut map = match value {
            Value::Object(map) => map,
            Value::Null => {
                return Err(Error::at_file(
                    path,
                    Reason::Invalid("the kustomization file is empty".into()),
                ));
            }
            _ => {
                return Err(Error::at_file(
                    path,
                    Reason::Invalid("a kustomization file must be a mapping".into()),
                ));
            }
        };
        let mut file = Self {
            path: Some(path.clone()),
            text: bytes.to_vec(),
            ..Self::default()
        };
        file.header(&mut map)?;
        file.fields(&mut map)?;
        match map.iter().find(|(_, v)| !v.is_null() && !is_empty(v)) {
            None => Ok(file),
            Some((key, _)) if UNSUPPORTED.contains(&key.as_str()) => {
                Err(file.error(key, Reason::Unsupported))
            }
            Some((key, _)) => Err(file.error(key, Reason::UnknownField)),
        }
    }

    fn header(&mut self, map: &mut Map<String, Value>) -> Result<(), Error> {
        let kind: String = self.take(map, "kind")?;
        let version: String = self.take(map, "apiVersion")?;
        self.is_component = kind == "Component";
        let want = if self.is_component {
            "kustomize.config.k8s.io/v1alpha1"
        } else {
            "kustomize.config.k8s.io/v1beta1"
        };
        if !["", "Kustomization", "Component"].contains(&kind.as_str()) {
            return Err(self.error(
                "kind",
                Reason::Invalid("must be Kustomization or Component".into()),
            ));
        }
        if !version.is_empty() && version != want {
            return Err(self.error("apiVersion", Reason::Invalid(format!("must be {want}"))));
        }
        let _: Value = self.take(map, "metadata")?;
        Ok(())
    }

    fn fields(&mut self, map: &mut Map<String, Value>) -> Result<(), Error> {
        self.resources = self.take(map, "resources")?;
        let bases: Vec<String> = self.take(map, "bases")?;
        self.resources.extend(bases);
        self.components = self.take(map, "components")?;
        self.namespace = self.take(map, "namespace")?;
        self.name_prefix = self.take(map, "namePrefix")?;
        self.name_suffix = self.take(map, "nameSuffix")?;
        self.labels = self.take(map, "labels")?;
        self.common_labels = self.take(map, "commonLabels")?;
        self.common_annotations = self.take(map, "commonAnnotations")?;
        self.images = self.take(map, "images")?;
        self.replicas = self.take(map, "replicas")?;
        self.patches = self.take(map, "patches")?;
        self.patches_strategic_merge = self.take(map, "patchesStrategicMerge")?;
        self.patches_json6902 = self.take(map, "patchesJson6902")?;
        self.config_maps = self.take(map, "configMapGenerator")?;
        self.secrets = self.take(map, "secretGenerator")?;
        self.generator_options = self.take(map, "generatorOptions")?;
        let metadata: Vec<String> = self.take(map, "buildMetadata")?;
        if metadata.is_empty() {
            Ok(())
        } else {
            Err(self.error("buildMetadata", Reason::Unsupported))
        }
    }

    fn take<T: DeserializeOwned + Default>(
        &self,
        map: &mut Map<String, Value>,
        field: &str,
    ) -> Result<T, Error> {
        match map.shift_remove(field) {
            None | Some(Value::Null) => Ok(T::default()),
            Some(value) => {
                serde_json::from_value(value).map_err(|e| self.error(field, Reason::Invalid(e.to_string())))
            }
        }
    }

    /// An error about a field of this file, with its place.
    pub(crate) fn error(&self, field: &str, reason: Reason) -> Error {
        self.place(field, Error::new(reason))
    }

    /// Adds file, place and field to an error that came of handling `field` (a JSON pointer's parts).
    pub(crate) fn place(&self, field: &str, error: Error) -> Error {
        let Some(path) = &self.path else {
            return error.in_field(field);
        };
        if error.file().is_some() {
            return error;
        }
        let at = tenure_yaml::locate(&self.text, &tenure_yaml::Options::helm(), 0, &format!("/{field}"));
        error.or_file(path).at(at).in_field(field)
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}
