//! The model of a chart.

pub(crate) mod decode;
mod dependency;
mod file;
mod metadata;

use std::sync::Arc;

use serde_json::{Map, Value};

pub use decode::TypeError;
pub use dependency::Dependency;
pub use file::File;
pub(crate) use metadata::Draft;
pub use metadata::{Maintainer, Metadata};

/// A chart with the charts within it. Clones share files and values.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What `Chart.yaml` says.
    pub metadata: Metadata,
    /// The files below `templates/`.
    pub templates: Arc<[File]>,
    /// All other files that have no meaning of their own, `crds/` among them.
    pub files: Arc<[File]>,
    /// The default values.
    pub values: Arc<Map<String, Value>>,
    /// The schema that values must fulfil.
    pub schema: Option<Arc<[u8]>>,
    /// The charts below `charts/`, in the order of their names there.
    pub dependencies: Vec<Self>,
    /// What to tell a person about how the chart is written.
    pub notices: Vec<String>,
}

impl Chart {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The custom resource definitions of the chart and of the charts within it, each with its path
    /// from the outermost chart on.
    #[must_use]
    pub fn crds(&self) -> Vec<(String, File)> {
        let mut found = Vec::new();
        self.collect_crds(self.name(), &mut found);
        found
    }

    fn collect_crds(&self, path: &str, found: &mut Vec<(String, File)>) {
        let is_manifest = |name: &str| {
            let extension = name.rsplit('/').next().and_then(|base| base.rsplit_once('.'));
            extension.is_some_and(|(_, e)| {
                ["yaml", "yml", "json"]
                    .iter()
                    .any(|known| e.eq_ignore_ascii_case(known))
            })
        };
        let own = self
            .files
            .iter()
            .filter(|file| file.name.starts_with("crds/") && is_manifest(&file.name));
        found.extend(own.map(|file| (format!("{path}/{}", file.name), file.clone())));
        for dependency in &self.dependencies {
            dependency.collect_crds(&format!("{path}/charts/{}", dependency.name()), found);
        }
    }

    /// Whether there is a schema, in the chart or in one within it.
    pub(crate) fn has_schema(&self) -> bool {
        self.schema.is_some() || self.dependencies.iter().any(Self::has_schema)
    }

    /// The names in `Chart.yaml` that no chart below `charts/` answers to.
    #[must_use]
    pub fn missing_dependencies(&self) -> Vec<&str> {
        let there = |name: &str| self.dependencies.iter().any(|chart| chart.name() == name);
        self.metadata
            .dependencies
            .iter()
            .flatten()
            .map(|dependency| dependency.name.as_str())
            .filter(|name| !there(name))
            .collect()
    }
}
