//! Two supervisors share the homes; one of them goes, and comes back.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tenure_testkit::control_plane::{AuditMark, Options as PlaneOptions};
use tenure_testkit::git::GitRepo;
use tenure_testkit::install::Options;
use tenure_testkit::{ControlPlane, Installation, TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team};

use crate::processes::{all_ended, workers};

/// So many that both have some: that one has none happens once in two thousand times.
const HOMES: usize = 12;
/// A Lease of a supervisor that is dead counts for so long, and then some for a busy machine.
const LEASE: Duration = Duration::from_secs(30);

fn number(page: &str, name: &str) -> anyhow::Result<usize> {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no metric {name}"))?.parse()?)
}

/// An installation whose second supervisor does not run yet.
async fn with_two() -> anyhow::Result<Stage> {
    with_two_on(ControlPlane::shared().await?, None).await
}

/// The same on this control plane, with this mode of watching.
async fn with_two_on(plane: ControlPlane, watch: Option<&'static str>) -> anyhow::Result<Stage> {
    let mut stage = Stage::on(plane).await?;
    let options = Options {
        suffix: format!("-{:08x}", rand::random::<u32>()),
        two_supervisors: true,
        watch,
        ..Options::default()
    };
    stage.tenure = Installation::start_with(&stage.plane, options).await?;
    Ok(stage)
}

/// How many homes each of them has.
async fn homes(stage: &Stage, both: bool) -> anyhow::Result<[usize; 2]> {
    let name = "tenure_supervisor_homes";
    let first = number(&stage.tenure.supervisor_metrics().await?, name)?;
    let second = match both {
        true => number(&stage.tenure.second_metrics().await?, name)?,
        false => 0,
    };
    Ok([first, second])
}

/// Both have some, and none is missing or had twice.
async fn shared(stage: &Stage) -> anyhow::Result<()> {
    until("both to share the homes", PATIENCE, || async {
        let [first, second] = homes(stage, true).await?;
        ensure!(
            first > 0 && second > 0 && first + second == HOMES,
            "they have {first} and {second}"
        );
        Ok(())
    })
    .await
}

async fn all_with_the_first(stage: &Stage) -> anyhow::Result<()> {
    until("the first to have all homes", PATIENCE, || async {
        let [first, _] = homes(stage, false).await?;
        ensure!(first == HOMES, "it has {first}");
        Ok(())
    })
    .await
}

/// A commit of each tenant is applied.
async fn all_reconcile(teams: &[Team<'_>], value: &str) -> anyhow::Result<()> {
    let text =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"}, "data": {"key": value}});
    for team in teams {
        let commit = team.commit(&[("app.yaml", Some(&text.to_string()))], value)?;
        team.reconcile("GitRepository", "app").await?;
        team.applied("app", &commit).await?;
    }
    Ok(())
}

/// Tenants with a Kustomization `app` each, and their repositories.
async fn settle(stage: &Stage) -> anyhow::Result<(Vec<TenantFixture>, Vec<GitRepo>)> {
    let fixtures: Vec<_> = (0..HOMES).map(|_| TenantFixture::new("shared")).collect();
    let mut repos = Vec::new();
    for fixture in &fixtures {
        let team = stage.tenant(fixture.clone()).await?;
        team.git_repository(&json!({})).await?;
        team.kustomization("app", &json!({"targetNamespace": team.home()}))
            .await?;
        repos.push(team.repo);
    }
    Ok((fixtures, repos))
}

/// A commit of each tenant is applied.
async fn play(
    stage: &Stage,
    fixtures: &[TenantFixture],
    repos: Vec<GitRepo>,
    value: &str,
) -> anyhow::Result<Vec<GitRepo>> {
    let both = fixtures.iter().cloned().zip(repos);
    let teams: Vec<Team<'_>> = both.map(|(fixture, repo)| stage.team(fixture, repo)).collect();
    all_reconcile(&teams, value).await?;
    Ok(teams.into_iter().map(|team| team.repo).collect())
}

fn is_part(uri: &str) -> bool {
    uri.contains("shardSelector=")
}

/// How the Kustomizations of all namespaces were listed, or watched, since then.
fn asked(stage: &Stage, since: AuditMark, verb: &str) -> anyhow::Result<BTreeSet<String>> {
    let user = format!(
        "system:serviceaccount:{}:tenure-supervisor",
        stage.tenure.system()
    );
    let events = stage.plane.audit_events(since)?;
    let everywhere = events.into_iter().filter(|event| {
        let object = event.object.as_ref();
        event.user == user
            && event.verb == verb
            && object.is_some_and(|object| object.resource == "kustomizations" && object.namespace.is_empty())
    });
    Ok(everywhere.map(|event| event.request_uri).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_can_tells_each_supervisor_of_its_own_homes_only() -> anyhow::Result<()> {
    let plane = ControlPlane::start(PlaneOptions {
        api_server_flags: vec!["--feature-gates=ShardedListAndWatch=true".to_owned()],
        ..PlaneOptions::default()
    });
    let mut stage = with_two_on(plane.await?, Some("cluster")).await?;
    let right = stage.watch_right();
    stage.tenure.apply(&right).await?;
    let (fixtures, mut repos) = settle(&stage).await?;
    repos = play(&stage, &fixtures, repos, "alone").await?;

    let joined = stage.plane.audit_mark()?;
    stage.tenure.start_second().await?;
    shared(&stage).await?;
    repos = play(&stage, &fixtures, repos, "shared").await?;
    let parts = homes(&stage, true).await?;
    // what they have asked for, asked for again
    until(
        "each to have listed its part, and to watch it",
        PATIENCE,
        || async {
            let mut found: Vec<BTreeSet<String>> = Vec::new();
            for uri in asked(&stage, joined, "list")?.iter().filter(|uri| is_part(uri)) {
                let list: Value = serde_json::from_str(&stage.plane.kubectl(&["get", "--raw", uri]).await?)?;
                let items = list["items"].as_array().into_iter().flatten();
                let home = |item: &Value| item["metadata"]["namespace"].as_str().map(str::to_owned);
                found.push(items.filter_map(home).collect());
            }
            let disjoint = |(one, other): (&BTreeSet<String>, &BTreeSet<String>)| {
                one.is_disjoint(other) && one.len() + other.len() == HOMES && parts.contains(&one.len())
            };
            let pairs = found
                .iter()
                .flat_map(|one| found.iter().map(move |other| (one, other)));
            ensure!(
                pairs.into_iter().any(disjoint),
                "they were told of {found:?}, and have {parts:?}"
            );
            ensure!(asked(&stage, joined, "watch")?.iter().any(|uri| is_part(uri)));
            Ok(())
        },
    )
    .await?;

    let left = stage.plane.audit_mark()?;
    stage.tenure.stop_second().await?;
    all_with_the_first(&stage).await?;
    play(&stage, &fixtures, repos, "left").await?;
    let whole = asked(&stage, left, "list")?;
    ensure!(
        whole.iter().any(|uri| !is_part(uri)),
        "it has asked for {whole:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_supervisors_share_the_homes_and_one_has_all_when_the_other_goes() -> anyhow::Result<()> {
    let mut stage = with_two().await?;
    let (fixtures, mut repos) = settle(&stage).await?;
    // One alone has all of them, and a second one takes its share while work goes on.
    repos = play(&stage, &fixtures, repos, "alone").await?;
    all_with_the_first(&stage).await?;
    stage.tenure.start_second().await?;
    shared(&stage).await?;
    repos = play(&stage, &fixtures, repos, "shared").await?;

    // It crashes: its homes are served again once its Lease is over.
    stage.tenure.kill_second()?;
    let killed = Instant::now();
    all_with_the_first(&stage).await?;
    let took = killed.elapsed();
    ensure!(took < 3 * LEASE, "it took {took:?}");
    repos = play(&stage, &fixtures, repos, "crashed").await?;

    // It comes back and is told to end: then nobody waits for a Lease.
    stage.tenure.start_second().await?;
    shared(&stage).await?;
    stage.tenure.stop_second().await?;
    let left = Instant::now();
    all_with_the_first(&stage).await?;
    let took = left.elapsed();
    ensure!(took < LEASE / 2, "it took {took:?} although the Lease was left");
    repos = play(&stage, &fixtures, repos, "left").await?;
    ensure!(repos.len() == HOMES);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_of_a_supervisor_that_stands_still_end_by_themselves_before_another_one_serves_their_home()
-> anyhow::Result<()> {
    let mut stage = with_two().await?;
    let team = stage.tenant(TenantFixture::new("still")).await?;
    team.keep_awake().await?;
    team.is_kept_awake().await?;
    drop(team);
    let orphans = workers(&mut stage);
    ensure!(!orphans.is_empty(), "no worker waits");
    let supervisor = stage.tenure.supervisor().context("it runs")?.id();
    let supervisor = Pid::from_raw(i32::try_from(supervisor)?).context("a process")?;
    kill_process(supervisor, Signal::STOP)?;
    stage.tenure.start_second().await?;
    all_ended("the workers to end by themselves", &orphans).await?;
    until("the other one to have the home", PATIENCE, || async {
        let homes = number(&stage.tenure.second_metrics().await?, "tenure_supervisor_homes")?;
        ensure!(homes == 1, "it has {homes}");
        Ok(())
    })
    .await?;
    kill_process(supervisor, Signal::CONT)?;
    Ok(())
}
