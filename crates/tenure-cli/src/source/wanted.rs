//! Which source, as subcommands.

use std::path::PathBuf;

use tenure_core::{Digest, SourceUrl};

#[derive(clap::Subcommand)]
pub(super) enum Wanted {
    /// A Git repository, over https or ssh
    Git(Git),
    /// An artifact of a registry
    Oci(Oci),
    /// A Helm repository's index, or one of its charts
    Helm(Helm),
    /// A bucket that speaks S3
    Bucket(Bucket),
    /// A file that somebody else has made, by its digest
    File(File),
}

#[derive(clap::Args)]
pub(super) struct Git {
    pub(super) url: SourceUrl,
    /// The tip of a branch; master without any of these
    #[arg(long, group = "which")]
    pub(super) branch: Option<String>,
    #[arg(long, group = "which")]
    pub(super) tag: Option<String>,
    /// The highest tag in a range of versions
    #[arg(long, group = "which")]
    pub(super) semver: Option<String>,
    /// A full reference name, as refs/pull/1/head
    #[arg(long, group = "which")]
    pub(super) name: Option<String>,
    #[arg(long, group = "which")]
    pub(super) commit: Option<String>,
    /// A directory to keep; may be repeated
    #[arg(long)]
    pub(super) sparse: Vec<String>,
    /// Submodules too
    #[arg(long)]
    pub(super) submodules: bool,
    /// Keep what is downloaded in this directory, and download nothing that is there
    #[arg(long)]
    pub(super) objects: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct Oci {
    /// oci://registry/repository
    pub(super) url: String,
    /// A tag; latest without any of these
    #[arg(long, group = "image")]
    pub(super) tag: Option<String>,
    /// The highest tag in a range of versions
    #[arg(long, group = "image")]
    pub(super) semver: Option<String>,
    #[arg(long, group = "image")]
    pub(super) digest: Option<Digest>,
    /// The media type of the layer; the first layer without it
    #[arg(long)]
    pub(super) layer: Option<String>,
    /// Keep the layer as it is
    #[arg(long)]
    pub(super) copy: bool,
    /// Plain http is good enough
    #[arg(long)]
    pub(super) insecure: bool,
}

#[derive(clap::Args)]
pub(super) struct Helm {
    /// http or https, without index.yaml
    pub(super) url: SourceUrl,
    /// The chart; the index itself without it
    #[arg(long)]
    pub(super) chart: Option<String>,
    /// A version or a range; the highest without it
    #[arg(long, requires = "chart", default_value = "*")]
    pub(super) version: String,
    /// Show the credential to the hosts that the index names
    #[arg(long)]
    pub(super) pass_credentials: bool,
}

#[derive(clap::Args)]
pub(super) struct Bucket {
    /// http or https
    pub(super) endpoint: SourceUrl,
    pub(super) bucket: String,
    #[arg(long, default_value = "")]
    pub(super) region: String,
    /// Only keys that start so
    #[arg(long, default_value = "")]
    pub(super) prefix: String,
}

#[derive(clap::Args)]
pub(super) struct File {
    /// http or https
    pub(super) url: SourceUrl,
    /// sha256:...
    #[arg(long)]
    pub(super) digest: Digest,
}
