use crate::load::LoadError;
use crate::manifest::ManifestError;
use crate::values::NotATable;

/// Why a chart was not rendered. Texts are Helm's, where Helm has one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chart was not loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The release's name is not allowed.
    #[error("release name check failed: {0}")]
    ReleaseName(String),
    /// The template for the release's name failed.
    #[error("{0}")]
    NameTemplate(String),
    /// Only charts of type application can be rendered by themselves.
    #[error("{0} charts are not installable")]
    NotInstallable(String),
    /// `Chart.yaml` names what is not below `charts/`.
    #[error(
        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {0}"
    )]
    MissingDependencies(String),
    /// Which subcharts take part could not be told.
    #[error("chart dependencies processing failed: {0}")]
    Dependencies(#[source] NotATable),
    /// The values do not fit the chart.
    #[error(transparent)]
    Values(#[from] NotATable),
    /// The values break a schema.
    #[error("values don't meet the specifications of the schema(s) in the following chart(s):\n{0}")]
    Schema(String),
    /// The chart is for other versions of Kubernetes.
    #[error("chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {given}")]
    KubeVersion {
        /// The chart's constraint.
        wanted: String,
        /// The version there is.
        given: String,
    },
    /// A template is malformed or failed, or a limit of the run was reached.
    #[error("{0}")]
    Template(String),
    /// A template printed what is not a manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The post-renderer failed.
    #[error("error while running post render on files: {0}")]
    PostRender(String),
}

impl Error {
    /// Whether it comes of rendering, where Helm adds a hint about seeing what was rendered.
    #[must_use]
    pub const fn is_render(&self) -> bool {
        matches!(
            self,
            Self::KubeVersion { .. } | Self::Template(_) | Self::Manifest(_) | Self::PostRender(_)
        )
    }
}
