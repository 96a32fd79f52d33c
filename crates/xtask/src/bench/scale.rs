//! Ten, a hundred, a thousand tenants with nothing to do, in both ways to watch them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tenure_api::rights::{WATCH_ROLE, watch_objects};
use tenure_testkit::{TenantFixture, until};

use super::PATIENCE;
use super::figure::{Section, bytes, digits};
use super::homes::server_memory;
use super::process::{self, Part};
use super::requests::Tally;
use super::stage::{Stage, is_ready};
use super::world::{kustomization, onboard, tenant};
use super::write::{apply_all, get};

/// For so long nobody does anything.
const IDLE: Duration = Duration::from_secs(60);
const HOUR: f64 = 3600.0;
/// Tenants that are made to see how long the first pass takes; the middle one counts.
const NEW: usize = 3;

/// One number of tenants in one mode.
struct Point {
    cluster: bool,
    tenants: usize,
    /// The supervisor's private memory, bytes.
    memory: f64,
    /// The API server's heap and stacks, bytes.
    server: f64,
    /// Watches of Flux kinds that the API server serves.
    watches: f64,
    /// Requests for each tenant in an hour.
    requests: f64,
    /// From the supervisor's start until every home was seen, seconds.
    restart: f64,
    /// From a Tenant's creation to the first Ready of its source, seconds.
    first: f64,
}

pub(super) async fn measure(binary: PathBuf, counts: &[usize], plot: &Path) -> anyhow::Result<Vec<Section>> {
    let mut stage = Stage::watching(binary, "auto").await?;
    let mut points = Vec::new();
    let mut made = 0;
    for count in counts {
        let tenants: Vec<_> = (made..*count)
            .map(|number| tenant(&format!("bench-{number:05}")))
            .collect();
        made = made.max(*count);
        super::say(&format!("{count} tenants"));
        onboard(&stage, &tenants).await?;
        let rests = tenants
            .iter()
            .map(|tenant| kustomization(&tenant.home, "rests", "none", &json!({"suspend": true})));
        apply_all(&stage.client, &rests.collect::<Vec<_>>()).await?;
        for cluster in [false, true] {
            points.push(point(&mut stage, cluster, made).await?);
        }
    }
    std::fs::write(plot, drawn(&points)).with_context(|| format!("write {}", plot.display()))?;
    Ok(points.iter().map(section).collect())
}

async fn point(stage: &mut Stage, cluster: bool, tenants: usize) -> anyhow::Result<Point> {
    right(stage, cluster).await?;
    stage.tenure.kill_supervisor()?;
    let began = Instant::now();
    stage.tenure.start_supervisor().await?;
    seen(stage, tenants).await?;
    let restart = began.elapsed().as_secs_f64();
    served(stage, tenants).await?;
    stage.asleep().await?;
    let mark = stage.plane.audit_mark()?;
    tokio::time::sleep(IDLE).await;
    let tally = Tally::of(&stage.plane.audit_events(mark)?, &stage.tenure);
    let asked: usize = tally.total.values().sum();
    let memory = process::memory(stage.pid(Part::Supervisor)?).context("the supervisor's memory")?;
    let (server, watches) = (server_memory(stage).await?, watches(stage).await?);
    let mut first = Vec::new();
    for number in 0..NEW {
        let mode = if cluster { "c" } else { "n" };
        first.push(first_pass(stage, &format!("bench-new-{tenants}-{mode}-{number}")).await?);
    }
    first.sort_by(f64::total_cmp);
    Ok(Point {
        cluster,
        tenants,
        memory: memory.private,
        server,
        watches,
        requests: asked as f64 / tenants as f64 / IDLE.as_secs_f64() * HOUR,
        restart,
        first: first.get(NEW / 2).copied().unwrap_or(f64::NAN),
    })
}

/// Gives the supervisor the right to watch everything, or takes it away.
async fn right(stage: &Stage, cluster: bool) -> anyhow::Result<()> {
    if cluster {
        return stage.tenure.apply(&watch_objects()).await;
    }
    let delete = ["delete", "clusterrolebinding", WATCH_ROLE, "--ignore-not-found"];
    stage.plane.kubectl(&delete).await?;
    Ok(())
}

/// Waits until every home was listed; what a Tenant says of it is written later.
async fn seen(stage: &Stage, tenants: usize) -> anyhow::Result<()> {
    until("every Tenant to be served", PATIENCE, || async {
        let homes = stage.metric("tenure_supervisor_homes").await?;
        ensure!(homes >= tenants as f64, "{homes} homes");
        let seen = stage.metric("tenure_supervisor_homes_seen").await?;
        ensure!(seen >= tenants as f64, "{seen} of {tenants} were seen");
        Ok(())
    })
    .await
}

/// Waits until all that a start asks for each home was asked: the Tenants say so.
async fn served(stage: &Stage, tenants: usize) -> anyhow::Result<()> {
    until("every Tenant to be Ready", PATIENCE, || async {
        let minted = stage.metric("tenure_supervisor_tokens_minted_total").await?;
        ensure!(minted >= tenants as f64, "{minted} tokens");
        let list = get(&stage.client, "/apis/tenure.dev/v1alpha1/tenants").await?;
        let ready = list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|tenant| is_ready(tenant));
        let ready = ready.count();
        ensure!(ready >= tenants, "{ready} are");
        Ok(())
    })
    .await
}

/// Of sources and Kustomizations, by whoever.
async fn watches(stage: &Stage) -> anyhow::Result<f64> {
    let request = http::Request::get("/metrics").body(Vec::new())?;
    let text = stage.client.request_text(request).await?;
    let flux = text.lines().filter(|line| {
        line.starts_with("apiserver_longrunning_requests{")
            && line.contains("verb=\"WATCH\"")
            && line.contains(".toolkit.fluxcd.io\"")
    });
    let values = flux.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(values.sum())
}

/// A tenant with an object from an artifact that is there, from the Tenant's creation to the object's first status.
async fn first_pass(stage: &Stage, name: &str) -> anyhow::Result<f64> {
    let fixture: TenantFixture = tenant(name);
    stage.tenure.apply(&fixture.surroundings()?).await?;
    let object = kustomization(&fixture.home, "first", "none", &json!({}));
    apply_all(&stage.client, std::slice::from_ref(&object)).await?;
    let began = Instant::now();
    stage.tenure.apply(&[fixture.object()]).await?;
    let path = format!(
        "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{}/kustomizations/first",
        fixture.home
    );
    until("the first pass", PATIENCE, || async {
        let found: Value = get(&stage.client, &path).await?;
        ensure!(!is_ready(&found), "it has no source");
        ensure!(!found["status"]["conditions"].is_null(), "nothing is said");
        Ok(())
    })
    .await?;
    Ok(began.elapsed().as_secs_f64())
}

fn section(point: &Point) -> Section {
    let mode = if point.cluster { "cluster" } else { "namespaced" };
    let title = format!("{} tenants, watched `{mode}`", point.tenants);
    let mut section = Section::new(title, "");
    let each = |whole: f64| bytes(whole / point.tenants as f64);
    section.fact("supervisor, private memory", bytes(point.memory));
    section.fact("… for each tenant", each(point.memory));
    section.fact("kube-apiserver, heap and stacks", bytes(point.server));
    section.fact("watches of Flux kinds at the API server", digits(point.watches));
    section.fact("requests for each idle tenant in an hour", digits(point.requests));
    section.fact(
        "start of the supervisor → every home seen",
        format!("{} s", digits(point.restart)),
    );
    section.fact(
        "a Tenant's creation → first status of its object",
        format!("{} s", digits(point.first)),
    );
    section
}

/// Name, colour, mode, and what of a point.
type Line = (&'static str, &'static str, bool, fn(&Point) -> f64);

/// Memory over the number of tenants, both on scales by powers of ten.
fn drawn(points: &[Point]) -> String {
    const WIDTH: f64 = 560.0;
    const HEIGHT: f64 = 300.0;
    const LEFT: f64 = 70.0;
    const BELOW: f64 = 50.0;
    let most = points
        .iter()
        .map(|point| point.memory.max(point.server))
        .fold(1.0, f64::max);
    let tenants = points.iter().map(|point| point.tenants).max().unwrap_or(1) as f64;
    let x = |count: usize| LEFT + (count as f64).log10() / tenants.log10().max(1.0) * (WIDTH - LEFT - 20.0);
    let least = 1024.0 * 1024.0;
    let y = |memory: f64| {
        let share = (memory / least).log10() / (most / least).log10();
        HEIGHT - BELOW - share.clamp(0.0, 1.0) * (HEIGHT - BELOW - 20.0)
    };
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Memory over the number of tenants</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let lines: [Line; 4] = [
        ("supervisor, namespaced", "#1f77b4", false, |point| point.memory),
        ("supervisor, cluster", "#2ca02c", true, |point| point.memory),
        ("API server, namespaced", "#ff7f0e", false, |point| point.server),
        ("API server, cluster", "#d62728", true, |point| point.server),
    ];
    for (number, (name, colour, cluster, of)) in lines.into_iter().enumerate() {
        let of_mode: Vec<&Point> = points.iter().filter(|point| point.cluster == cluster).collect();
        let path: Vec<String> = of_mode
            .iter()
            .map(|point| format!("{:.0},{:.0}", x(point.tenants), y(of(point))))
            .collect();
        let _ = writeln!(
            text,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            path.join(" ")
        );
        for point in &of_mode {
            let _ = writeln!(
                text,
                "<circle cx=\"{:.0}\" cy=\"{:.0}\" r=\"3\" fill=\"{colour}\"><title>{}: {}</title></circle>",
                x(point.tenants),
                y(of(point)),
                point.tenants,
                bytes(of(point))
            );
        }
        let at = 20.0 + 16.0 * number as f64;
        let _ = writeln!(
            text,
            "<rect x=\"{:.0}\" y=\"{:.0}\" width=\"10\" height=\"10\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"{:.0}\">{name}</text>",
            LEFT + 10.0,
            at - 9.0,
            LEFT + 26.0,
            at
        );
    }
    let mut counts: Vec<usize> = points.iter().map(|point| point.tenants).collect();
    counts.dedup();
    for count in counts {
        let _ = writeln!(
            text,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{count}</text>",
            x(count),
            HEIGHT - BELOW + 18.0
        );
    }
    for mebibytes in [1.0, 10.0, 100.0, 1000.0] {
        if mebibytes * least <= most {
            let _ = writeln!(
                text,
                "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{mebibytes} MiB</text>",
                LEFT - 8.0,
                y(mebibytes * least) + 4.0
            );
        }
    }
    let _ = writeln!(
        text,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">tenants</text>\n</svg>",
        WIDTH / 2.0,
        HEIGHT - 10.0
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plot_has_a_point_for_each_figure() {
        let point = |tenants, cluster| Point {
            cluster,
            tenants,
            memory: 1e7,
            server: 1e8,
            watches: 0.0,
            requests: 0.0,
            restart: 0.0,
            first: 0.0,
        };
        let plot = drawn(&[
            point(10, false),
            point(10, true),
            point(100, false),
            point(100, true),
        ]);
        assert_eq!(plot.matches("<circle").count(), 8);
        assert!(!plot.contains("NaN") && plot.ends_with("</svg>\n"), "{plot}");
    }
}
