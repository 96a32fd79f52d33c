//! What each template sees, and in which order templates are parsed and executed.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use tenure_gotmpl::{Map, MapType, Value};

use super::Release;
use super::files::Files;
use super::named::Values;
use crate::capabilities::Capabilities;
use crate::chart::{Chart, Dependency, File, Metadata};
use crate::values::table;

/// A template and the scope of its chart.
pub(super) struct Scoped {
    /// The path from the outermost chart on, which is the template's name.
    pub(super) path: String,
    pub(super) file: File,
    base_path: String,
    scope: Map,
}

impl Scoped {
    /// Partials are only there to be included.
    pub(super) fn is_partial(&self) -> bool {
        self.path
            .rsplit('/')
            .next()
            .is_some_and(|base| base.starts_with('_'))
    }

    /// The dot of the template. All templates of a chart share it, except for `.Template`.
    pub(super) fn data(&self) -> Value {
        let own: Map = [
            ("Name", self.path.as_str()),
            ("BasePath", self.base_path.as_str()),
        ]
        .into_iter()
        .collect();
        self.scope.insert("Template", Values::of(own));
        Values::of(self.scope.clone())
    }
}

/// All templates of a chart and of the charts within it, deepest first.
pub(super) struct Scopes(Vec<Scoped>);

impl Scopes {
    pub(super) fn new(chart: &Chart, values: Map, release: &Release, capabilities: &Capabilities) -> Self {
        let mut builder = Builder {
            release: release_map(release).into(),
            capabilities: capabilities.value(),
            // A path that is there twice counts with its last template.
            templates: BTreeMap::new(),
        };
        builder.chart(chart, chart.name(), true, values);
        let mut templates: Vec<Scoped> = builder.templates.into_values().collect();
        templates.sort_by_cached_key(|t| Reverse((t.path.matches('/').count(), t.path.clone())));
        Self(templates)
    }

    pub(super) fn templates(&self) -> &[Scoped] {
        &self.0
    }
}

struct Builder {
    release: Value,
    capabilities: Value,
    templates: BTreeMap<String, Scoped>,
}

impl Builder {
    fn chart(&mut self, chart: &Chart, path: &str, is_root: bool, values: Map) -> Map {
        let subcharts = Map::new();
        let scope: Map = [
            ("Chart", Value::from(metadata_map(&chart.metadata, is_root))),
            ("Files", Value::object(Files::new(chart.files.iter().cloned()))),
            ("Release", self.release.clone()),
            ("Capabilities", self.capabilities.clone()),
            ("Values", Values::of(values)),
            ("Subcharts", subcharts.clone().into()),
        ]
        .into_iter()
        .collect();
        for subchart in &chart.dependencies {
            let name = subchart.name();
            let values = table(&scope, &format!("Values.{name}")).unwrap_or_default();
            let below = format!("{path}/charts/{name}");
            let inner = self.chart(subchart, &below, false, values);
            subcharts.insert(name, inner);
        }
        let library = chart.metadata.is_library();
        for file in chart.templates.iter() {
            let base = file.name.rsplit('/').next().unwrap_or(&file.name);
            if library && !base.starts_with('_') {
                continue;
            }
            let scoped = Scoped {
                path: format!("{path}/{}", file.name),
                file: file.clone(),
                base_path: format!("{path}/templates"),
                scope: scope.clone(),
            };
            self.templates.insert(scoped.path.clone(), scoped);
        }
        scope
    }
}

fn release_map(release: &Release) -> Map {
    [
        ("Name", Value::from(release.name.as_str())),
        ("Namespace", release.namespace.as_str().into()),
        ("IsUpgrade", release.is_upgrade.into()),
        ("IsInstall", (!release.is_upgrade).into()),
        ("Revision", Value::Int(release.revision)),
        ("Service", "Helm".into()),
    ]
    .into_iter()
    .collect()
}

fn texts(items: &[String]) -> Value {
    let items: Vec<Value> = items.iter().map(|item| item.as_str().into()).collect();
    items.into()
}

/// The metadata under the names of Go's fields.
fn metadata_map(metadata: &Metadata, is_root: bool) -> Map {
    let maintainers: Vec<Value> = metadata
        .maintainers
        .iter()
        .map(|m| {
            let fields = [("Name", &m.name), ("Email", &m.email), ("URL", &m.url)];
            Value::from_iter(fields.map(|(name, text)| (name, text.as_str())))
        })
        .collect();
    let annotations = match &metadata.annotations {
        None => Map::nil(&MapType::STRING),
        Some(held) => {
            let map: Map = held.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            map.with_type(&MapType::STRING)
        }
    };
    let dependencies: Vec<Value> = metadata
        .dependencies
        .iter()
        .flatten()
        .map(dependency_value)
        .collect();
    [
        ("Name", Value::from(metadata.name.as_str())),
        ("Home", metadata.home.as_str().into()),
        ("Sources", texts(&metadata.sources)),
        ("Version", metadata.version.as_str().into()),
        ("Description", metadata.description.as_str().into()),
        ("Keywords", texts(&metadata.keywords)),
        ("Maintainers", maintainers.into()),
        ("Icon", metadata.icon.as_str().into()),
        ("APIVersion", metadata.api_version.as_str().into()),
        ("Condition", metadata.condition.as_str().into()),
        ("Tags", metadata.tags.as_str().into()),
        ("AppVersion", metadata.app_version.as_str().into()),
        ("Deprecated", metadata.deprecated.into()),
        ("Annotations", annotations.into()),
        ("KubeVersion", metadata.kube_version.as_str().into()),
        ("Dependencies", dependencies.into()),
        ("Type", metadata.kind.as_str().into()),
        ("IsRoot", is_root.into()),
    ]
    .into_iter()
    .collect()
}

fn dependency_value(dependency: &Dependency) -> Value {
    let imports: Vec<Value> = dependency
        .import_values
        .iter()
        .map(|wish| match Value::from_json(wish) {
            Value::Map(map) => map.with_type(&MapType::STRING).into(),
            other => other,
        })
        .collect();
    Value::from_iter([
        ("Name", Value::from(dependency.name.as_str())),
        ("Version", dependency.version.as_str().into()),
        ("Repository", dependency.repository.as_str().into()),
        ("Condition", dependency.condition.as_str().into()),
        ("Tags", texts(&dependency.tags)),
        ("Enabled", dependency.enabled.into()),
        ("ImportValues", imports.into()),
        ("Alias", dependency.alias.as_str().into()),
    ])
}
