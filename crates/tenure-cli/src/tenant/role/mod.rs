//! `tenure tenant role`: the smallest Role that lets a repository be applied, pruned and health-checked.
//!
//! What is needed follows from what is applied: the Kustomizations are built and the charts rendered, with the engines
//! that the workers use, and each object counts for the account that applies it in the namespace where it goes. The
//! verbs are those of a worker: `patch` and `create` to apply, `list` to read back one object by its name, `watch` to
//! wait for it, `delete` to prune.

mod audit;
mod catalog;
mod collect;
mod in_force;
mod needs;
mod print;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tenure_kustomize::DirFs;

use catalog::Catalog;
use collect::{Collector, Repository};
use needs::{Account, Needs};

/// Flags of `tenure tenant role`.
#[derive(clap::Args)]
pub struct Args {
    /// A checkout of the repository, or the directory in it that is applied
    path: PathBuf,
    /// The account that applies it, as NAMESPACE/NAME; also who the Kustomizations of its namespace act as that name
    /// nobody
    #[arg(long, value_name = "NAMESPACE/NAME")]
    service_account: String,
    /// Kustomizations and HelmReleases to go by, for which PATH is the repository; - for standard input
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// The root of the repository, if PATH is not: nothing outside of it is read
    #[arg(long)]
    root: Option<PathBuf>,
    /// Where objects go that name no namespace
    #[arg(short, long)]
    namespace: Option<String>,
    /// The chart of a HelmRelease that is not in the repository
    #[arg(long = "chart", value_name = "NAME=PATH")]
    charts: Vec<String>,
    /// Also what a Tenant's profile strict reads as the tenant
    #[arg(long)]
    strict: bool,
    /// Narrow each rule to the objects that are there now; a new object then needs a new Role
    #[arg(long)]
    by_name: bool,
    /// Ask the cluster what its kinds are called
    #[arg(long)]
    discover: bool,
    /// Compare with the Roles in force: what is missing, and what may go
    #[arg(long)]
    audit: bool,
    /// The kubeconfig's context, for --discover and --audit
    #[arg(long)]
    context: Option<String>,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    crate::runtime()?.block_on(answer(args))
}

async fn answer(args: Args) -> anyhow::Result<()> {
    let mut catalog = Catalog::default();
    let client = match args.discover || args.audit {
        true => Some(crate::cluster::client(args.context.clone()).await?),
        false => None,
    };
    if let Some(client) = &client {
        in_force::discover(client, &mut catalog).await?;
    }
    let known = catalog.clone();
    let needs = needs(&args, catalog)?;
    for line in print::remarks(&needs).iter().chain(&print::kinds_remark(&needs)) {
        crate::hint(line);
    }
    match client.filter(|_| args.audit) {
        None => crate::say(print::roles(&needs, args.by_name).trim_end()),
        Some(client) => {
            let account = account(&args.service_account)?;
            let in_force = in_force::read(&client, &audit::accounts(&needs, &account), &known).await?;
            crate::say(&audit::audit(&needs, &account, &in_force).join("\n"));
        }
    }
    Ok(())
}

/// What a tenant needs for its repository.
pub(super) struct Needed {
    /// Roles and RoleBindings as one YAML stream.
    pub(super) roles: String,
    /// Kinds that a Tenant's default list lacks.
    pub(super) beyond: BTreeSet<String>,
}

/// What a checkout needs that is applied by the account of that name in each home; remarks go beside the output.
pub(super) fn needed(
    path: &Path,
    homes: &[String],
    account: &str,
    target: Option<&String>,
) -> anyhow::Result<Needed> {
    let mut all = Needs::default();
    for home in homes {
        let args = Args {
            path: path.to_owned(),
            service_account: format!("{home}/{account}"),
            file: None,
            root: None,
            namespace: target.cloned(),
            charts: Vec::new(),
            strict: false,
            by_name: false,
            discover: false,
            audit: false,
            context: None,
        };
        all.join(needs(&args, Catalog::default())?);
    }
    for line in print::remarks(&all) {
        crate::hint(&line);
    }
    Ok(Needed {
        roles: print::roles(&all, false),
        beyond: print::beyond(&all),
    })
}

/// What the repository needs.
fn needs(args: &Args, catalog: Catalog) -> anyhow::Result<Needs> {
    let real =
        |path: &Path| fs::canonicalize(path).with_context(|| format!("failed to find {}", path.display()));
    let path = real(&args.path)?;
    let root = args
        .root
        .as_deref()
        .map(real)
        .transpose()?
        .unwrap_or_else(|| path.clone());
    let below = path.strip_prefix(&root).context("PATH is not beneath --root")?;
    let below = below.to_str().context("PATH is not UTF-8")?.to_owned();
    let repository = Repository {
        files: DirFs::open(&root).with_context(|| format!("failed to open {}", root.display()))?,
        root,
        default: account(&args.service_account)?,
        namespace: args.namespace.clone(),
        charts: charts(&args.charts)?,
        strict: args.strict,
    };
    let mut collector = Collector::new(&repository, catalog);
    match &args.file {
        Some(file) => collector.flux_objects(&super::read(file)?)?,
        None => collector.directory(&below)?,
    }
    let needs = collector.finish();
    anyhow::ensure!(
        !needs.places.is_empty()
            || !needs.cluster.is_empty()
            || !needs.gaps.is_empty()
            || !needs.notes.is_empty(),
        "nothing is applied from {}",
        args.path.display()
    );
    Ok(needs)
}

fn account(text: &str) -> anyhow::Result<Account> {
    let parts = text
        .split_once('/')
        .filter(|(a, b)| !a.is_empty() && !b.is_empty() && !b.contains('/'));
    let (namespace, name) =
        parts.with_context(|| format!("--service-account {text:?} must be NAMESPACE/NAME"))?;
    Ok(Account {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}

fn charts(given: &[String]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let pairs = given.iter().map(|pair| {
        let (name, path) = pair
            .split_once('=')
            .with_context(|| format!("--chart {pair:?} must be NAME=PATH"))?;
        Ok((name.to_owned(), PathBuf::from(path)))
    });
    pairs.collect()
}
