//! `tenure build`: what `kustomize build` prints, or what a Kustomization would apply.

mod flux_object;
mod output;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use tenure_kustomize::{Build, DirFs, LoadRestriction, Options, Reorder};

/// Flags of `tenure build`: those of `kustomize build`, and what a Kustomization needs.
#[derive(clap::Args)]
pub struct Args {
    /// The directory of the kustomization file; with --file, the root of the source
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// A file with a Kustomization of Flux: build its path of the source, as its spec says
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// With --file: which Kustomization, where the file has several
    #[arg(long, requires = "file")]
    name: Option<String>,
    /// With --file: a value that postBuild.substituteFrom would give
    #[arg(long = "variable", value_name = "NAME=VALUE", requires = "file")]
    variables: Vec<String>,
    /// Write here: one file, or a file for each object if it is a directory
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Which files a kustomization may name
    #[arg(long, default_value = "LoadRestrictionsRootOnly")]
    load_restrictor: LoadRestrictor,
    /// The order of the objects; a kustomization file's sortOptions go first
    #[arg(long, default_value = "legacy")]
    reorder: Order,
    /// Label every object with what built it
    #[arg(long)]
    enable_managedby_label: bool,
    /// The directory that nothing is read outside of; everything that you may read by default
    #[arg(long)]
    root: Option<PathBuf>,
    #[command(flatten)]
    refused: Refused,
}

/// Flags of `kustomize build` that let it run programs.
#[derive(clap::Args)]
struct Refused {
    #[arg(long, hide = true)]
    enable_alpha_plugins: bool,
    #[arg(long, hide = true)]
    enable_exec: bool,
    #[arg(long, hide = true)]
    enable_helm: bool,
    #[arg(long, hide = true)]
    network: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum LoadRestrictor {
    /// Those in its directory and below
    #[value(name = "LoadRestrictionsRootOnly")]
    RootOnly,
    /// All
    #[value(name = "LoadRestrictionsNone")]
    None,
}

#[derive(Clone, Copy, ValueEnum)]
enum Order {
    /// By kind: namespaces first, webhooks last
    Legacy,
    /// As the files have it
    None,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let built = built(args)?;
    match &args.output {
        Some(path) => output::write(path, &built),
        None => {
            output::print(&built);
            Ok(())
        }
    }
}

fn built(args: &Args) -> anyhow::Result<Build> {
    let refused = [
        (args.refused.enable_alpha_plugins, "--enable-alpha-plugins"),
        (args.refused.enable_exec, "--enable-exec"),
        (args.refused.enable_helm, "--enable-helm"),
        (args.refused.network, "--network"),
    ];
    if let Some((_, flag)) = refused.iter().find(|(given, _)| *given) {
        bail!("{flag} is refused: a build runs no program and fetches nothing");
    }
    let place = Place::find(args)?;
    let built = match &args.file {
        Some(file) => flux_object::build(&place, file, args.name.as_deref(), &args.variables),
        None => place.kustomize(args),
    };
    built.map_err(|error| place.shown(&error))
}

/// What to build, and where nothing is read outside of.
struct Place {
    files: DirFs,
    /// The directory, relative to the root.
    path: String,
    /// The directory to which messages are relative, as the files call it.
    here: String,
}

impl Place {
    fn find(args: &Args) -> anyhow::Result<Self> {
        let real = |path: &Path| {
            fs::canonicalize(path).with_context(|| format!("failed to find {}", path.display()))
        };
        let directory = real(&args.directory)?;
        let root = match (&args.root, &args.file) {
            (Some(root), _) => real(root)?,
            // A Kustomization never sees more than its source.
            (None, Some(_)) => directory.clone(),
            (None, None) => PathBuf::from("/"),
        };
        let below = |path: &Path| Some(path.strip_prefix(&root).ok()?.to_str()?.to_owned());
        Ok(Self {
            files: DirFs::open(&root).with_context(|| format!("failed to open {}", root.display()))?,
            path: below(&directory)
                .context("the directory is not beneath --root, or its name is not UTF-8")?,
            here: below(&real(Path::new("."))?).unwrap_or_default(),
        })
    }

    fn kustomize(&self, args: &Args) -> anyhow::Result<Build> {
        let options = Options {
            restriction: match args.load_restrictor {
                LoadRestrictor::RootOnly => LoadRestriction::RootOnly,
                LoadRestrictor::None => LoadRestriction::None,
            },
            reorder: match args.reorder {
                Order::Legacy => Reorder::Legacy,
                Order::None => Reorder::None,
            },
            managed_by_label: args.enable_managedby_label,
            ..Options::default()
        };
        Ok(tenure_kustomize::build(&self.files, &self.path, &options)?)
    }

    /// The message with paths as the person would type them.
    fn shown(&self, error: &anyhow::Error) -> anyhow::Error {
        let text = format!("{error:#}");
        if self.here.is_empty() {
            return anyhow::anyhow!(text);
        }
        anyhow::anyhow!(text.replace(&format!("{}/", self.here), ""))
    }
}
