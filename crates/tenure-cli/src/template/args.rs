use std::path::PathBuf;

/// Flags of `tenure template`: those of `helm template`, of which the last one counts, and which may be
/// switched off again: `--include-crds=false`.
#[derive(clap::Args)]
#[command(args_override_self = true)]
pub struct Args {
    /// The release's name, if two are given, and the chart: a directory or an archive
    #[arg(value_names = ["NAME", "CHART"], required = true, num_args = 1..)]
    pub(super) names: Vec<String>,
    /// The release's namespace
    #[arg(short, long, default_value = "default")]
    pub(super) namespace: String,
    #[command(flatten)]
    pub(super) values: ValueArgs,
    /// Print only what these templates give
    #[arg(short, long, value_name = "TEMPLATE")]
    pub(super) show_only: Vec<String>,
    /// Write the manifests to files in this directory
    #[arg(long, value_name = "DIR")]
    pub(super) output_dir: Option<PathBuf>,
    /// With --output-dir: a directory of the release's name in between
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    pub(super) release_name: bool,
    /// Print the custom resource definitions too
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    pub(super) include_crds: bool,
    /// Leave the tests out
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    pub(super) skip_tests: bool,
    /// Leave all hooks out
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    pub(super) no_hooks: bool,
    /// Render an upgrade, not an installation
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    pub(super) is_upgrade: bool,
    /// The version of Kubernetes to render for
    #[arg(long, value_name = "VERSION")]
    pub(super) kube_version: Option<String>,
    /// API versions that the cluster has beside the usual ones
    #[arg(short, long, value_name = "VERSIONS", value_delimiter = ',')]
    pub(super) api_versions: Vec<String>,
    /// Make up a name from the chart and the time
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    pub(super) generate_name: bool,
    /// The release's name as a template
    #[arg(long, value_name = "TEMPLATE")]
    pub(super) name_template: Option<String>,
    /// Do not check values against the chart's schema
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    pub(super) skip_schema_validation: bool,
    /// When a template prints what is no manifest, print it all the same
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    pub(super) debug: bool,
    /// The directory that nothing of the chart is read outside of; everything that you may read by default
    #[arg(long)]
    pub(super) root: Option<PathBuf>,
    /// Change the manifests before they are sorted. There is one: kustomize, which takes files by
    /// --post-renderer-args
    #[arg(long, value_name = "NAME")]
    pub(super) post_renderer: Option<String>,
    /// A file with patches and images, as below a HelmRelease's postRenderers
    #[arg(long, value_name = "FILE", value_delimiter = ',', allow_hyphen_values = true)]
    pub(super) post_renderer_args: Vec<String>,
    /// What the post-renderer sees at once
    #[arg(long, value_name = "STRATEGY", default_value = "combined")]
    pub(super) post_renderer_strategy: PostRenderStrategy,
    #[command(flatten)]
    pub(super) refused: Refused,
    #[command(flatten)]
    _ignored: Ignored,
}

/// A truth as Go's flags take it.
fn truth(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("invalid boolean value {text:?}")),
    }
}

/// As in a HelmRelease's `postRenderStrategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PostRenderStrategy {
    /// Hooks and manifests together
    Combined,
    /// Hooks and manifests, each by itself
    Separate,
    /// Manifests only
    Nohooks,
}

/// Where values come from, weakest first.
#[derive(clap::Args)]
pub(super) struct ValueArgs {
    /// Values from a YAML file, or from standard input if it is `-`
    #[arg(short = 'f', long = "values", value_name = "FILE", value_delimiter = ',')]
    pub(super) files: Vec<String>,
    /// Values as JSON: key1=json1,key2=json2 or one object
    #[arg(long = "set-json", value_name = "VALUES", allow_hyphen_values = true)]
    pub(super) json: Vec<String>,
    /// Values: key1=val1,key2=val2
    #[arg(long = "set", value_name = "VALUES", allow_hyphen_values = true)]
    pub(super) set: Vec<String>,
    /// Values that are text whatever they look like
    #[arg(long = "set-string", value_name = "VALUES", allow_hyphen_values = true)]
    pub(super) string: Vec<String>,
    /// Values that are the contents of files: key1=path1,key2=path2
    #[arg(long = "set-file", value_name = "FILES", allow_hyphen_values = true)]
    pub(super) file: Vec<String>,
    /// One value that is text, taken as it stands
    #[arg(long = "set-literal", value_name = "VALUE", allow_hyphen_values = true)]
    pub(super) literal: Vec<String>,
}

/// Flags of `helm template` that would ask a cluster or fetch something.
#[derive(clap::Args)]
pub(super) struct Refused {
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    validate: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    dependency_update: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    enable_dns: bool,
    #[arg(long, hide = true)]
    repo: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    verify: bool,
}

impl Refused {
    /// The first flag that is refused, and why.
    pub(super) fn reason(&self) -> Option<String> {
        const CLUSTER: &str = "rendering asks no cluster";
        const NETWORK: &str = "rendering fetches nothing";
        let asks = |value: &str| value == "server" || value == "none" || value == "false";
        let found = [
            (self.validate, "--validate", CLUSTER),
            (
                self.dry_run.as_deref().is_some_and(asks),
                "--dry-run=server",
                CLUSTER,
            ),
            (self.dependency_update, "--dependency-update", NETWORK),
            (self.enable_dns, "--enable-dns", NETWORK),
            (self.repo.is_some(), "--repo", NETWORK),
            (self.verify, "--verify", "signatures are not checked here"),
        ];
        let (_, flag, reason) = found.iter().find(|(given, ..)| *given)?;
        Some(format!("{flag} is refused: {reason}"))
    }
}

/// Flags that `helm template` takes and that change nothing of what it prints.
#[derive(clap::Args)]
struct Ignored {
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    create_namespace: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    force: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    force_replace: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    force_conflicts: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    server_side: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    replace: bool,
    #[arg(long, hide = true)]
    timeout: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "watcher")]
    wait: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    wait_for_jobs: bool,
    #[arg(long, hide = true)]
    description: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    devel: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    disable_openapi_validation: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    rollback_on_failure: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    atomic: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    skip_crds: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    render_subchart_notes: bool,
    #[arg(short, long, hide = true)]
    labels: Vec<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    hide_notes: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, value_parser = truth, action = clap::ArgAction::Set, value_name = "BOOL", hide_default_value = true)]
    take_ownership: bool,
    #[arg(long = "version", hide = true)]
    chart_version: Option<String>,
}
