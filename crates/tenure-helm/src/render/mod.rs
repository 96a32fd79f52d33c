//! A chart and values in, manifests out.

mod files;
mod glob;
mod named;
mod output;
mod parsed;
mod scope;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};
use tenure_gotmpl::{Environment, Limits as RunLimits, execution_error, without_no_value};

pub use output::{Rendered, Selection};
use parsed::Cache;
use scope::Scopes;

use crate::capabilities::Capabilities;
use crate::chart::Chart;
use crate::dependencies::{self, Part};
use crate::error::Error;
use crate::manifest::{self, Heads};
use crate::post_render::{self, PostRenderer, Strategy};
use crate::release::check_release_name;
use crate::schema;
use crate::values::{Coalescer, from_json_map, to_json_map};
use crate::version::is_compatible;

/// What `.Release` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The number of the revision, from 1.
    pub revision: i64,
    /// Whether it is an upgrade; an installation otherwise.
    pub is_upgrade: bool,
}

impl Release {
    /// The first revision of a release.
    #[must_use]
    pub fn new(name: &str, namespace: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            revision: 1,
            is_upgrade: false,
        }
    }
}

/// How to render.
pub struct Options<'a> {
    /// The release.
    pub release: Release,
    /// What the chart may ask about the cluster.
    pub capabilities: Capabilities,
    /// Whether schemas are left out of account.
    pub skip_schema_validation: bool,
    /// Whether the notes of subcharts are wanted too.
    pub sub_notes: bool,
    /// What a run may cost.
    pub limits: RunLimits,
    /// Clock, randomness and look-ups.
    pub world: &'a dyn Environment,
    /// Hears what Helm would log on the way.
    pub warn: &'a dyn Fn(&str),
    /// What changes the manifests before they are sorted, and which of them it sees.
    pub post_renderer: Option<(&'a dyn PostRenderer, Strategy)>,
}

impl<'a> Options<'a> {
    /// As `helm template` renders.
    #[must_use]
    pub fn new(release: Release, world: &'a dyn Environment) -> Self {
        Self {
            release,
            capabilities: Capabilities::default(),
            skip_schema_validation: false,
            sub_notes: false,
            limits: RunLimits::default(),
            world,
            warn: &|_| {},
            post_renderer: None,
        }
    }
}

/// A chart that can be rendered again and again. What was parsed of its templates stays.
///
/// Templates may include themselves deeper than an ordinary thread's stack allows: see
/// [`tenure_gotmpl::with_deep_stack`].
pub struct Renderer {
    chart: Chart,
    parsed: Cache,
    schemas: schema::Cache,
    heads: Heads,
    dependencies: dependencies::Cache,
}

impl Renderer {
    /// Takes a chart that can be installed by itself.
    ///
    /// # Errors
    /// When it is a library, or a chart that it depends on is missing.
    pub fn new(chart: Chart) -> Result<Self, Error> {
        if !matches!(chart.metadata.kind.as_str(), "" | "application") {
            return Err(Error::NotInstallable(chart.metadata.kind));
        }
        let missing = chart.missing_dependencies();
        if !missing.is_empty() {
            return Err(Error::MissingDependencies(missing.join(", ")));
        }
        Ok(Self {
            chart,
            parsed: Cache::default(),
            schemas: schema::Cache::default(),
            heads: Heads::default(),
            dependencies: dependencies::Cache::default(),
        })
    }

    /// The chart as it was loaded.
    #[must_use]
    pub const fn chart(&self) -> &Chart {
        &self.chart
    }

    /// How many templates are parsed and kept, with the texts that they gave to `tpl`. Rendering again with the
    /// same subcharts and texts leaves it as it is.
    #[must_use]
    pub fn templates_parsed(&self) -> u64 {
        self.parsed.parsed()
    }

    /// Renders with the values that a user gave, which go before the chart's.
    ///
    /// # Errors
    /// When values break the schema, a template fails, prints no manifest, or a limit is reached.
    pub fn render(&self, values: &JsonMap<String, Json>, options: &Options<'_>) -> Result<Rendered, Error> {
        let mut warnings = self.chart.notices.clone();
        if self.chart.metadata.deprecated {
            warnings.push("this chart is deprecated".to_owned());
        }
        let rendered = self.attempt(values, options, &mut warnings);
        warnings.iter().for_each(|text| (options.warn)(text));
        rendered
    }

    /// What the templates print, before it is sorted: to look for the mistake when [`Renderer::render`] says
    /// that a template printed no manifest.
    ///
    /// # Errors
    /// As [`Renderer::render`].
    pub fn files(
        &self,
        values: &JsonMap<String, Json>,
        options: &Options<'_>,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut files = self.prepare(values, options, &mut Vec::new())?.1;
        files.retain(|path, _| !path.ends_with("NOTES.txt"));
        Ok(files)
    }

    fn attempt(
        &self,
        values: &JsonMap<String, Json>,
        options: &Options<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Rendered, Error> {
        let (part, mut files) = self.prepare(values, options, warnings)?;
        let notes = take_notes(&part.chart, &mut files, options.sub_notes);
        if let Some((renderer, strategy)) = options.post_renderer {
            files = post_render::run(files, renderer, strategy)?;
        }
        let (hooks, manifests, skipped) = manifest::sort(files, &self.heads)?;
        warnings.extend(skipped);
        Ok(Rendered {
            hooks,
            manifests,
            crds: part.chart.crds(),
            notes,
        })
    }

    /// The chart as it takes part with these values, and what its templates print.
    fn prepare(
        &self,
        values: &JsonMap<String, Json>,
        options: &Options<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<(Arc<Part>, BTreeMap<String, String>), Error> {
        check_release_name(&options.release.name)?;
        let part = self.dependencies.process(&self.chart, values, warnings);
        let part = part.map_err(Error::Dependencies)?;
        let chart = &part.chart;
        let values = Coalescer::coalescing(warnings).chart(&part.level, from_json_map(values))?;
        if !options.skip_schema_validation && chart.has_schema() {
            let checked = self.schemas.validate(chart, to_json_map(&values), warnings);
            checked.map_err(Error::Schema)?;
        }
        let kube = &options.capabilities.kube_version;
        let wanted = &chart.metadata.kube_version;
        if !wanted.is_empty() && !is_compatible(wanted, kube.normalized()) {
            return Err(Error::KubeVersion {
                wanted: wanted.clone(),
                given: kube.version().to_owned(),
            });
        }
        let scopes = Scopes::new(chart, values, &options.release, &options.capabilities);
        let files = self.execute(&scopes, options)?;
        Ok((part, files))
    }

    /// The output of every template that is no partial.
    fn execute(&self, scopes: &Scopes, options: &Options<'_>) -> Result<BTreeMap<String, String>, Error> {
        let templates = self.parsed.get(scopes)?;
        let mut session = templates.session(options.world, options.limits.clone());
        let mut rendered = BTreeMap::new();
        for template in scopes.templates() {
            if template.is_partial() {
                continue;
            }
            let output = session
                .print(&template.path, &template.data())
                .map_err(|error| Error::Template(execution_error(&template.path, &error)))?;
            let mut text = match String::from_utf8(without_no_value(output)) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            };
            text.shrink_to_fit();
            rendered.insert(template.path.clone(), text);
        }
        Ok(rendered)
    }
}

/// Takes the notes out of the files; only the outermost chart's are kept, unless all are wanted.
fn take_notes(chart: &Chart, files: &mut BTreeMap<String, String>, all: bool) -> String {
    const NAME: &str = "NOTES.txt";
    let own = format!("{}/templates/{NAME}", chart.name());
    let mut notes = String::new();
    for (path, text) in files.extract_if(.., |path, _| path.ends_with(NAME)) {
        if all || path == own {
            if !notes.is_empty() {
                notes.push('\n');
            }
            notes.push_str(&text);
        }
    }
    notes
}
