//! `tenure template`: what `helm template` prints.

mod args;
mod chart;
mod output;
mod post_render;
#[cfg(test)]
mod tests;
mod values;
mod world;

use std::io::{self, BufWriter, Write};

use anyhow::Context as _;
use tenure_gotmpl::with_deep_stack;
use tenure_helm::{
    Capabilities, Error, KubeVersion, Options, Release, Rendered, Renderer, Selection, name_from_template,
};

pub(crate) use args::Args;
use world::SystemWorld;

/// Bytes that are written to standard output at once.
const BUFFER: usize = 64 << 10;

/// A failure in Helm's words, to be shown as Helm shows it.
#[derive(Debug)]
pub struct HelmError(String);

impl std::fmt::Display for HelmError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HelmError {}

impl HelmError {
    fn new(text: impl ToString) -> Self {
        Self(text.to_string())
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    // Templates include themselves deeper than the main thread's stack allows.
    let printed = || {
        let mut out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
        print(args, &mut out)?;
        out.flush().ok();
        Ok::<_, HelmError>(())
    };
    with_deep_stack(printed).context("failed to start a thread")??;
    Ok(())
}

/// Prints what is asked for. A reader that has seen enough is no failure.
fn print(args: &Args, out: &mut impl Write) -> Result<(), HelmError> {
    if let Some(reason) = args.refused.reason() {
        return Err(HelmError(reason));
    }
    let world = SystemWorld;
    let mut capabilities = Capabilities::default();
    if let Some(text) = &args.kube_version {
        capabilities.kube_version = KubeVersion::parse(text)
            .map_err(|error| HelmError(format!("invalid kube version '{text}': {error}")))?;
    }
    capabilities
        .api_versions
        .extend(args.api_versions.iter().cloned());
    let (name, chart) = names(args, &world)?;
    let path = chart::locate(&chart)?;
    let values = values::read(&args.values)?;
    let chart = chart::load(&path, args.root.as_deref())?;
    let renderer = Renderer::new(chart).map_err(HelmError::new)?;
    let mut options = Options::new(Release::new(&name, &args.namespace), &world);
    options.release.is_upgrade = args.is_upgrade;
    options.capabilities = capabilities;
    options.skip_schema_validation = args.skip_schema_validation;
    options.warn = &warn;
    let post_renderer = post_render::PostRenderers::of(args)?;
    options.post_renderer = post_renderer
        .as_ref()
        .map(|renderers| (renderers as _, renderers.strategy));
    let rendered = renderer.render(&values, &options).map_err(|error| {
        if !error.is_render() {
            return HelmError::new(error);
        }
        if !args.debug {
            return HelmError(format!("{error}\n\nUse --debug flag to render out invalid YAML"));
        }
        if matches!(error, Error::Manifest(_))
            && let Ok(files) = renderer.files(&values, &options)
        {
            output::show_files(&files);
        }
        HelmError::new(error)
    })?;
    let shown = show(args, &name, &rendered, out);
    // The process ends now, which frees a chart of a thousand templates faster than taking it apart.
    std::mem::forget((renderer, rendered));
    shown
}

fn show(args: &Args, name: &str, rendered: &Rendered, out: &mut impl Write) -> Result<(), HelmError> {
    let selection = Selection {
        crds: args.include_crds,
        hooks: !args.no_hooks,
        tests: !args.skip_tests,
    };
    let text = match &args.output_dir {
        Some(dir) => output::write(dir, args.release_name.then_some(name), rendered, selection)?,
        None if args.show_only.is_empty() => {
            rendered.write(selection, out).ok();
            return Ok(());
        }
        None => output::only(&rendered.to_text(selection), &args.show_only)?,
    };
    out.write_all(text.as_bytes()).ok();
    Ok(())
}

/// The release's name and the chart's path.
fn names(args: &Args, world: &SystemWorld) -> Result<(String, String), HelmError> {
    match args.names.as_slice() {
        [name, chart] => {
            if args.generate_name {
                return Err(HelmError::new(
                    "cannot set --generate-name and also specify a name",
                ));
            }
            if args.name_template.is_some() {
                return Err(HelmError::new(
                    "cannot set --name-template and also specify a name",
                ));
            }
            Ok((name.clone(), chart.clone()))
        }
        [chart] => {
            if let Some(template) = args.name_template.as_ref().filter(|text| !text.is_empty()) {
                let name = name_from_template(template, world).map_err(HelmError::new)?;
                return Ok((name, chart.clone()));
            }
            // Without a name `helm template` uses this one, so that --generate-name changes nothing.
            Ok(("release-name".to_owned(), chart.clone()))
        }
        names => {
            let more = names.get(2..).unwrap_or_default().join(", ");
            Err(HelmError(format!(
                "expected at most two arguments, unexpected arguments: {more}"
            )))
        }
    }
}

fn warn(text: &str) {
    writeln!(io::stderr(), "level=WARN msg={text:?}").ok();
}

/// The manifests that a release of a chart would have, definitions and hooks included.
pub(crate) fn render_objects(
    path: &std::path::Path,
    root: Option<&std::path::Path>,
    name: &str,
    namespace: &str,
    values: &serde_json::Map<String, serde_json::Value>,
) -> anyhow::Result<Vec<String>> {
    let render = || {
        let world = SystemWorld;
        let path = std::path::absolute(path).map_err(HelmError::new)?;
        let renderer = Renderer::new(chart::load(&path, root)?).map_err(HelmError::new)?;
        let options = Options::new(Release::new(name, namespace), &world);
        let rendered = renderer.render(values, &options).map_err(HelmError::new)?;
        let all = Selection {
            crds: true,
            hooks: true,
            tests: true,
        };
        let documents = rendered.documents(all).map(|(_, text)| text.into_owned());
        let hooks = rendered.hooks(all).map(|hook| hook.content.clone());
        Ok::<_, HelmError>(documents.chain(hooks).collect())
    };
    Ok(with_deep_stack(render).context("failed to start a thread")??)
}
