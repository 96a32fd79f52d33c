//! What a tenant notices of neighbours that misbehave.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};
use tenure_testkit::git::GitRepo;
use tenure_testkit::serve::Site;
use tenure_testkit::{TenantFixture, until};

use super::PATIENCE;
use super::figure::{Section, digits, quantile};
use super::requests::answered;
use super::stage::{Stage, is_ready};
use super::world::{app_name, kustomization, onboard, repository, source_of, tenant};
use super::write::{apply_all, get, merge, path};

/// Tenants that are measured, one request after the other.
const QUIET: usize = 4;
const REQUESTS: usize = 60;
/// Each run without the others is followed by one with them; the best counts.
const RUNS: usize = 3;
/// Objects of one tenant that can't succeed.
const FAILING: usize = 5000;
/// Between two requests for a reconcile of the tenant that floods them.
const FLOOD: Duration = Duration::from_millis(20);
/// In times of the quiet run, and milliseconds besides.
const MEDIAN: f64 = 1.2;
const SLOWEST: (f64, f64) = (2.0, 250.0);

pub(super) async fn measure(binary: PathBuf) -> anyhow::Result<Vec<Section>> {
    let mut stage = Stage::start(binary).await?;
    let site = Site::endless_chart().await?;
    let quiet: Vec<_> = (0..QUIET)
        .map(|number| tenant(&format!("bench-quiet-{number}")))
        // who asks so often, one after the other, would wait for himself
        .map(|tenant| tenant.with(&json!({"limits": {"retriesPerMinute": 60_000}})))
        .collect();
    let loud: Vec<_> = ["bomb", "chart", "failing", "flood"]
        .iter()
        .map(|name| tenant(&format!("bench-{name}")).with(&json!({"suspend": true})))
        .collect();
    onboard(&stage, &quiet).await?;
    onboard(&stage, &loud).await?;
    let mut repos = Vec::new();
    for tenant in &quiet {
        repos.push(applications(&stage, tenant).await?);
    }
    repos.push(trouble(&stage, &loud, &site).await?);
    stage.tenure.start_supervisor().await?;
    for tenant in &quiet {
        ready(&stage, tenant).await?;
    }
    let before = passes(&stage).await?;
    loudness(&stage, &loud, true).await?;
    super::say("while they fail for the first time");
    let storm = latencies(&stage, &quiet).await?;
    until("each object to have failed once", PATIENCE, || async {
        let done = passes(&stage).await? - before;
        ensure!(
            done >= (FAILING + FAILING / 10) as f64,
            "there were {done} passes"
        );
        Ok(())
    })
    .await?;
    let mut runs = Vec::new();
    for run in 0..RUNS {
        super::say(&format!("alone, {} of {RUNS}", run + 1));
        loudness(&stage, &loud, false).await?;
        let alone = latencies(&stage, &quiet).await?;
        super::say("beside the others");
        loudness(&stage, &loud, true).await?;
        let flood = tokio::spawn(flooded(stage.client.clone(), "bench-flood".to_owned()));
        let beside = latencies(&stage, &quiet).await;
        flood.abort();
        runs.push((alone, beside?));
    }
    Ok(vec![section(&runs, &storm)])
}

async fn passes(stage: &Stage) -> anyhow::Result<f64> {
    stage.metric("tenure_supervisor_passes_total").await
}

/// One application of a tenant that does nothing wrong.
async fn applications(stage: &Stage, tenant: &TenantFixture) -> anyhow::Result<GitRepo> {
    let repo = repository(stage, &tenant.name, &[0], 4)?;
    let objects = [
        stage.secret(&tenant.home),
        source_of(stage, &tenant.home, "apps", repo.name()),
        kustomization(&tenant.home, &app_name(0), "apps", &json!({})),
    ];
    apply_all(&stage.client, &objects).await?;
    Ok(repo)
}

/// A bomb of aliases, a chart without end, objects that fail, and one that is asked for all the time.
async fn trouble(stage: &Stage, loud: &[TenantFixture], site: &Site) -> anyhow::Result<GitRepo> {
    let repo = repository(stage, "trouble", &[0], 4)?;
    let bomb: String = (1..10)
        .map(|level| {
            let before = format!("*l{}", level - 1);
            format!("l{level}: &l{level} [{}]\n", vec![before; 9].join(", "))
        })
        .collect();
    repo.write("bomb/bomb.yaml", format!("l0: &l0 [x]\n{bomb}").as_bytes())?;
    repo.commit(&[("more.md", Some("trouble\n"))], "trouble")?;
    let often = json!({"interval": "1s", "retryInterval": "1s"});
    let mut objects = Vec::new();
    for tenant in loud {
        objects.push(stage.secret(&tenant.home));
        objects.push(source_of(stage, &tenant.home, "apps", repo.name()));
    }
    objects.push(kustomization("bench-bomb", "bomb", "apps", &often));
    objects.push(json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository",
        "metadata": {"name": "endless", "namespace": "bench-chart"},
        "spec": {"interval": "1s", "url": format!("http://{}", site.host())},
    }));
    objects.push(json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmChart",
        "metadata": {"name": "endless", "namespace": "bench-chart"},
        "spec": {"interval": "1s", "chart": "endless", "sourceRef": {"kind": "HelmRepository", "name": "endless"}},
    }));
    objects.extend(
        (0..FAILING)
            .map(|number| kustomization("bench-failing", &format!("fails-{number:04}"), "apps", &often)),
    );
    objects.push(kustomization("bench-flood", &app_name(0), "apps", &json!({})));
    apply_all(&stage.client, &objects).await?;
    Ok(repo)
}

async fn ready(stage: &Stage, tenant: &TenantFixture) -> anyhow::Result<()> {
    let path = path(&kustomization(&tenant.home, &app_name(0), "", &json!({})))?;
    until("an application to be Ready", PATIENCE, || async {
        let object = get(&stage.client, &path).await?;
        ensure!(is_ready(&object), "{}", object["status"]);
        Ok(())
    })
    .await
}

/// Lets the others work, or stops them, and waits until they do.
async fn loudness(stage: &Stage, loud: &[TenantFixture], wanted: bool) -> anyhow::Result<()> {
    for tenant in loud {
        let at = path(&stage.tenure.localised(&tenant.object()))?;
        merge(&stage.client, &at, &json!({"spec": {"suspend": !wanted}})).await?;
    }
    if !wanted {
        return stage.asleep().await;
    }
    let before = passes(stage).await?;
    until("the others to be at work", PATIENCE, || async {
        let done = passes(stage).await? - before;
        ensure!(done >= 20.0, "there were {done} passes");
        Ok(())
    })
    .await
}

/// Asks for a reconcile all the time.
async fn flooded(client: kube::Client, home: String) -> anyhow::Result<()> {
    let at = path(&kustomization(&home, &app_name(0), "", &json!({})))?;
    let mut tick = tokio::time::interval(FLOOD);
    loop {
        tick.tick().await;
        merge(&client, &at, &asked(&Timestamp::now().to_string())).await?;
    }
}

fn asked(token: &str) -> Value {
    json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}})
}

/// Milliseconds from a request for a reconcile to its answer in the status, in rising order.
async fn latencies(stage: &Stage, tenants: &[TenantFixture]) -> anyhow::Result<Vec<f64>> {
    let mut all = Vec::with_capacity(REQUESTS);
    for tenant in tenants.iter().cycle().take(REQUESTS) {
        all.push(latency(stage, &tenant.home).await?);
    }
    all.sort_by(f64::total_cmp);
    Ok(all)
}

async fn latency(stage: &Stage, home: &str) -> anyhow::Result<f64> {
    let at = path(&kustomization(home, &app_name(0), "", &json!({})))?;
    let mark = stage.plane.audit_mark()?;
    let began = Timestamp::now();
    let token = Arc::new(began.to_string());
    merge(&stage.client, &at, &asked(&token)).await?;
    until("a request to be answered", PATIENCE, || async {
        let object = get(&stage.client, &at).await?;
        ensure!(
            object["status"]["lastHandledReconcileAt"] == token.as_str(),
            "its status is {}",
            object["status"]
        );
        Ok(())
    })
    .await?;
    // the log is written a little after the answer
    let written = until("the log to have the write", PATIENCE, || async {
        let events = stage.plane.audit_events(mark)?;
        let written = events.iter().rev().find(|event| {
            event.object.as_ref().is_some_and(|object| {
                object.resource == "kustomizations"
                    && object.subresource == "status"
                    && object.namespace == home
            })
        });
        answered(written.context("no status was written")?)
    })
    .await?;
    Ok(written.duration_since(began).as_secs_f64() * 1000.0)
}

fn section(runs: &[(Vec<f64>, Vec<f64>)], storm: &[f64]) -> Section {
    let note = format!(
        "{REQUESTS} requested reconciles of {QUIET} tenants with one application each, one after the other, from the request to \
         its answer in the status: alone, and beside four tenants of whom one builds a bomb of YAML aliases, one fetches a chart \
         without end, one has {FAILING} Kustomizations that have failed and want to be tried again each second, and one is \
         asked for a reconcile 50 times a second. {RUNS} alternating runs; the best counts. While the {FAILING} fail for the first \
         time, one worker does nothing else."
    );
    let mut section = Section::new("Neighbours that misbehave", note);
    let first = format!(
        "{} / {}",
        digits(quantile(storm, 0.5)),
        digits(quantile(storm, 0.99))
    );
    section.fact("median / p99 while they fail for the first time, ms", first);
    let of = |share: f64| {
        move |(alone, beside): &(Vec<f64>, Vec<f64>)| (quantile(alone, share), quantile(beside, share))
    };
    let shown = |pairs: Vec<(f64, f64)>| {
        let pairs = pairs
            .iter()
            .map(|(alone, beside)| format!("{} / {}", digits(*alone), digits(*beside)));
        pairs.collect::<Vec<_>>().join(", ")
    };
    section.fact(
        "median alone / beside them, ms",
        shown(runs.iter().map(of(0.5)).collect()),
    );
    let best = runs.iter().map(of(0.5)).map(|(alone, beside)| beside / alone);
    section.bounded(
        "… in times of alone",
        best.fold(f64::INFINITY, f64::min),
        MEDIAN,
        "",
    );
    section.fact(
        "p99 alone / beside them, ms",
        shown(runs.iter().map(of(0.99)).collect()),
    );
    let over = runs
        .iter()
        .map(of(0.99))
        .map(|(alone, beside)| (beside - SLOWEST.1) / alone);
    section.bounded(
        format!("… less {} ms, in times of alone", SLOWEST.1),
        over.fold(f64::INFINITY, f64::min),
        SLOWEST.0,
        "",
    );
    section
}
