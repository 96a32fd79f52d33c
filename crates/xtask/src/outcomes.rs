//! `cargo xtask outcomes`: the scenarios of `tests/outcomes`, played against whatever controllers a cluster has.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, stream};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tenure_testkit::git::HttpsGitServer;
use tenure_testkit::outcome::{Bound, Ground, Scenario, folders};

use crate::show;

/// Where, and which.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How to reach the cluster, as somebody who may do everything
    #[arg(long)]
    kubeconfig: PathBuf,
    /// Only scenarios whose names contain this
    #[arg(long)]
    filter: Option<String>,
    /// A manifest for every namespace of a scenario: what the controllers there want besides a ServiceAccount and its
    /// rights. `$(namespace)` and `$(account)` are filled in
    #[arg(long)]
    onboard: Option<PathBuf>,
    /// How many scenarios are played at the same time
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// How many seconds anything may take
    #[arg(long, default_value_t = 120)]
    patience: u64,
    /// Leave the namespaces on the cluster
    #[arg(long)]
    keep: bool,
}

/// What came of a scenario.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    Differs,
    Failed,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let cases = crate::generate::root().join("tests/outcomes/cases");
    let mut scenarios = Vec::new();
    for folder in folders(&cases)? {
        scenarios.push(Scenario::read(&folder)?);
    }
    scenarios.retain(|one| {
        args.filter
            .as_ref()
            .is_none_or(|filter| one.name.contains(filter))
    });
    ensure!(!scenarios.is_empty(), "no scenario has such a name");
    let manifest = args.onboard.as_ref().map(std::fs::read_to_string).transpose();
    let client = client(&args.kubeconfig).await?;
    let bound = Bound {
        client: client.clone(),
        manifest: manifest.context("read the manifest to onboard with")?,
        keep: args.keep,
    };
    let git = HttpsGitServer::start().await?;
    let ground = Ground {
        client,
        git: &git,
        onboarding: &bound,
        patience: Duration::from_secs(args.patience),
    };
    show::title(&format!("{} scenarios", scenarios.len()));
    let verdicts: Vec<Verdict> = stream::iter(&scenarios)
        .map(|scenario| judged(&ground, scenario))
        .buffer_unordered(args.jobs.max(1))
        .collect()
        .await;
    let count = |wanted: Verdict| verdicts.iter().filter(|verdict| **verdict == wanted).count();
    let failed = count(Verdict::Failed);
    show::line(&format!(
        "\n  {} the same, {} different on purpose, {failed} different\n",
        count(Verdict::Same),
        count(Verdict::Differs),
    ));
    ensure!(
        failed == 0,
        "{failed} of {} scenarios end differently",
        scenarios.len()
    );
    Ok(())
}

async fn judged(ground: &Ground<'_, Bound>, scenario: &Scenario) -> Verdict {
    let started = Instant::now();
    let result = ground.play(scenario).await;
    let (mark, verdict, remark) = match (result, scenario.differs()) {
        (Ok(()), None) => (show::paint("✓", 32), Verdict::Same, String::new()),
        (Ok(()), Some(reason)) => (
            show::paint("✓", 32),
            Verdict::Same,
            format!("the same, although: {reason}"),
        ),
        // what it really was is shown too: it may have failed for another reason than that
        (Err(error), Some(reason)) => (
            show::paint("≠", 33),
            Verdict::Differs,
            format!("differs on purpose: {reason}\n{error:#}\n"),
        ),
        (Err(error), None) => (
            show::paint("✗", 31),
            Verdict::Failed,
            format!("{}\n{error:#}\n", scenario.about()),
        ),
    };
    let seconds = started.elapsed().as_secs_f32();
    show::line(format!("  {mark} {:<44}{seconds:>7.1} s  {remark}", scenario.name).trim_end());
    verdict
}

/// The settings of this machine play no part.
async fn client(kubeconfig: &Path) -> anyhow::Result<Client> {
    tenure_testkit::pki::install_crypto();
    let read = Kubeconfig::read_from(kubeconfig);
    let read = read.with_context(|| format!("read {}", kubeconfig.display()))?;
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
