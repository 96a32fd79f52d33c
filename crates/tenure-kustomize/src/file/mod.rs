//! The kustomization file. It is read in the dialect of Helm and kubectl, unlike the manifests.

mod types;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub(crate) use types::fold;
pub(crate) use types::{
    FieldOptions, Generator, GeneratorOptions, Labels, Replacement, Replica, SortOptions, Source, Target,
    Texts, Var,
};
pub use types::{Image, Patch, Selector};

use crate::meter::Meter;
use crate::{Error, Reason, RelPath};

/// The names that a kustomization file may have.
pub(crate) const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Fields that kustomize knows and this build does not: they run a program or fetch.
const UNSUPPORTED: [&str; 3] = ["helmChartInflationGenerator", "helmCharts", "helmGlobals"];

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
    pub(crate) common_labels: Texts,
    pub(crate) common_annotations: Texts,
    pub(crate) images: Vec<Image>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) patches: Vec<Patch>,
    pub(crate) patches_strategic_merge: Vec<String>,
    pub(crate) patches_json6902: Vec<Patch>,
    pub(crate) replacements: Vec<Replacement>,
    pub(crate) vars: Vec<Var>,
    pub(crate) config_maps: Vec<Generator>,
    pub(crate) secrets: Vec<Generator>,
    pub(crate) generator_options: Option<GeneratorOptions>,
    pub(crate) generators: Vec<String>,
    pub(crate) transformers: Vec<String>,
    pub(crate) validators: Vec<String>,
    pub(crate) configurations: Vec<String>,
    pub(crate) crds: Vec<String>,
    pub(crate) openapi: BTreeMap<String, String>,
    pub(crate) build_metadata: Vec<String>,
    pub(crate) sort_options: Option<SortOptions>,
}

impl KustFile {
    pub(crate) fn parse(path: &RelPath, bytes: &[u8], meter: &Meter) -> Result<Self, Error> {
        let options = tenure_yaml::Options::helm().last_wins();
        let documents = tenure_yaml::parse(bytes, &options).map_err(|e| Error::yaml(path, e))?;
        let invalid = |text: &str| Error::at_file(path, Reason::Invalid(text.into()));
        let first = documents.into_iter().next().map(|d| d.value);
        meter
            .value(first.as_ref().unwrap_or(&Value::Null), 0)
            .map_err(|e| e.or_file(path))?;
        let mut map = match first {
            Some(Value::Object(map)) => map,
            None | Some(Value::Null) => return Err(invalid("the kustomization file is empty")),
            Some(_) => return Err(invalid("a kustomization file must be a mapping")),
        };
        let mut file = Self {
            path: Some(path.clone()),
            text: bytes.to_vec(),
            ..Self::default()
        };
        file.header(&mut map)?;
        file.fields(&mut map)?;
        file.more_fields(&mut map)?;
        for (key, value) in &map {
            if !UNSUPPORTED.iter().any(|u| u.eq_ignore_ascii_case(key)) {
                return Err(file.error(key, Reason::UnknownField));
            }
            if !value.is_null() && !is_empty(value) {
                return Err(file.error(key, Reason::Unsupported));
            }
        }
        Ok(file)
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
        let metadata: Value = self.take(map, "metadata")?;
        if map.values().all(Value::is_null) && metadata.is_null() {
            return Err(self.error("", Reason::Invalid("the kustomization file is empty".into())));
        }
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
        let tags: Vec<Image> = self.take(map, "imageTags")?;
        self.images.extend(tags);
        self.replicas = self.take(map, "replicas")?;
        self.patches = self.take(map, "patches")?;
        self.patches_strategic_merge = self.take(map, "patchesStrategicMerge")?;
        self.patches_json6902 = self.take(map, "patchesJson6902")?;
        self.config_maps = self.take(map, "configMapGenerator")?;
        self.secrets = self.take(map, "secretGenerator")?;
        self.generator_options = self.take(map, "generatorOptions")?;
        Ok(())
    }

    fn more_fields(&mut self, map: &mut Map<String, Value>) -> Result<(), Error> {
        self.replacements = self.take(map, "replacements")?;
        self.vars = self.take(map, "vars")?;
        self.generators = self.take(map, "generators")?;
        self.transformers = self.take(map, "transformers")?;
        self.validators = self.take(map, "validators")?;
        self.configurations = self.take(map, "configurations")?;
        self.crds = self.take(map, "crds")?;
        self.openapi = self.take(map, "openapi")?;
        self.sort_options = self.take(map, "sortOptions")?;
        self.build_metadata = self.take(map, "buildMetadata")?;
        Ok(())
    }

    /// A field by its name in any case, as Go's JSON finds it.
    fn take<T: DeserializeOwned + Default>(
        &self,
        map: &mut Map<String, Value>,
        field: &str,
    ) -> Result<T, Error> {
        let found = map.keys().find(|k| k.eq_ignore_ascii_case(field)).cloned();
        match found.and_then(|key| map.shift_remove(&key)) {
            None | Some(Value::Null) => Ok(T::default()),
            Some(mut value) => {
                fold(&mut value);
                serde_json::from_value(value).map_err(|e| self.error(field, Reason::Invalid(e.to_string())))
            }
        }
    }

    /// Whether `buildMetadata` asks for this. What it asks for and nobody knows is left out.
    pub(crate) fn wants(&self, metadata: &str) -> bool {
        self.build_metadata.iter().any(|m| m == metadata)
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
        if field.is_empty() {
            return error.or_file(path);
        }
        let options = tenure_yaml::Options::helm().last_wins();
        let at = tenure_yaml::locate(&self.text, &options, 0, &format!("/{field}"));
        error.or_file(path).at(at).in_field(field)
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}
