//! Processes as the kernel sees them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::json;
use tenure_testkit::install::Options;
use tenure_testkit::{Installation, TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, condition, flux, value};

/// What the kernel says of a process, by the names that `/proc/<pid>/status` has.
pub(crate) fn status(pid: u32) -> anyhow::Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    Ok(pairs
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect())
}

fn words(pid: u32, file: &str) -> anyhow::Result<Vec<String>> {
    let bytes = fs::read(format!("/proc/{pid}/{file}")).with_context(|| format!("read {file} of {pid}"))?;
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    Ok(words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect())
}

/// What its descriptors are, by number.
fn descriptors(pid: u32) -> anyhow::Result<BTreeMap<u32, String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        // One may be closed between the two looks.
        if let (Ok(number), Ok(target)) = (
            entry.file_name().to_string_lossy().parse(),
            fs::read_link(entry.path()),
        ) {
            found.insert(number, target.display().to_string());
        }
    }
    Ok(found)
}

fn children(parent: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        if status(pid).is_ok_and(|status| status.get("PPid") == Some(&parent.to_string())) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// The ports at the other ends of a process's TCP connections.
fn peers(pid: u32) -> anyhow::Result<Vec<u16>> {
    let sockets: Vec<_> = descriptors(pid)?.into_values().collect();
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let columns: Vec<_> = line.split_whitespace().collect();
            let (Some(remote), Some(inode)) = (columns.get(2), columns.get(9)) else {
                continue;
            };
            let Some((_, port)) = remote.split_once(':') else {
                continue;
            };
            if sockets.contains(&format!("socket:[{inode}]")) {
                ports.push(u16::from_str_radix(port, 16)?);
            }
        }
    }
    Ok(ports)
}

/// The worker of a home, once it has applied and waits.
async fn worker_of(supervisor: u32, team: &Team<'_>) -> anyhow::Result<u32> {
    team.is_kept_awake().await?;
    until("a worker that waits", PATIENCE, || async {
        let mut workers = children(supervisor)?.into_iter();
        let home = team.home().to_owned();
        workers
            .find(|pid| words(*pid, "cmdline").is_ok_and(|words| words.contains(&home)))
            .context("no child of the supervisor names the home")
    })
    .await
}

fn is_below(path: &str, dir: &Path) -> bool {
    Path::new(path).starts_with(dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_worker_holds_nothing_that_is_not_its_homes() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let supervisor = stage
        .tenure
        .supervisor()
        .map(|process| process.id())
        .context("the supervisor runs")?;
    let teams = [
        stage.tenant(TenantFixture::new("left")).await?,
        stage.tenant(TenantFixture::new("right")).await?,
    ];
    let mut workers = Vec::new();
    for team in &teams {
        team.keep_awake().await?;
    }
    for team in &teams {
        workers.push(worker_of(supervisor, team).await?);
    }
    ensure!(workers[0] != workers[1], "each home has a process of its own");
    for (team, pid) in teams.iter().zip(workers) {
        let scratch = stage.tenure.dir().join("scratch").join(team.home());
        sealed(pid, &scratch)?;
        let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
        let isolation = until("the Tenant to say how its workers are kept", PATIENCE, || async {
            let status = value(&tenants, &team.fixture.name).await?;
            condition(&status, "Isolation")
                .cloned()
                .context("nothing is said")
        })
        .await?;
        let message = isolation["message"].as_str().unwrap_or_default();
        ensure!(isolation["status"] == "True", "{isolation}");
        for granted in [
            "no_new_privs",
            "non_dumpable",
            "landlock:",
            "seccomp",
            "rlimit:core",
            "rlimit:nofile",
        ] {
            ensure!(message.contains(granted), "{granted} is missing in: {message}");
        }
        grouped(supervisor, pid, team.home(), message)?;
    }
    let stages = children(supervisor)?.into_iter();
    let stages: Vec<_> = stages
        .filter(|pid| {
            words(*pid, "cmdline").is_ok_and(|words| words.get(1).is_some_and(|word| word == "stage"))
        })
        .collect();
    ensure!(stages.len() == 1, "workers are copies of one process: {stages:?}");
    for (number, target) in descriptors(stages[0])? {
        ensure!(
            number <= 2 && (target.starts_with("socket:") || target.ends_with("supervisor.log")),
            "the stage has {target} open as {number}, and so would its copies"
        );
    }
    Ok(())
}

/// Whether the worker is in a control group of its home's exactly if the Tenant says so.
fn grouped(supervisor: u32, pid: u32, home: &str, said: &str) -> anyhow::Result<()> {
    let group = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let own = group
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap_or_default();
    let is_own = own.ends_with(&format!("/tenure-{supervisor}/{home}"));
    ensure!(
        said.contains("cgroup"),
        "nothing is said of control groups: {said}"
    );
    ensure!(
        is_own != said.contains("no cgroup ("),
        "it is in {own:?}, and the Tenant says: {said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_walls_is_there_only_where_the_platform_allows_it_and_is_named() -> anyhow::Result<()>
{
    let mut stage = Stage::start().await?;
    let options = Options {
        suffix: format!("-{:08x}", rand::random::<u32>()),
        tasks: true,
        ..Options::default()
    };
    stage.tenure = Installation::start_with(&stage.plane, options).await?;
    let supervisor = stage.tenure.supervisor().map(|process| process.id());
    let supervisor = supervisor.context("the supervisor runs")?;
    let walled = stage.tenant(TenantFixture::new("walled")).await?;
    let open = TenantFixture::new("open").with(&json!({"isolation": "task"}));
    let open = stage.tenant(open).await?;
    walled.keep_awake().await?;
    open.keep_awake().await?;
    worker_of(supervisor, &walled).await?;
    let thread: String = format!("worker {}", open.home()).chars().take(15).collect();
    until(
        "a thread of the supervisor to be the worker",
        PATIENCE,
        || async {
            let threads = fs::read_dir(format!("/proc/{supervisor}/task"))?.flatten();
            let mut names = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
            ensure!(names.any(|name| name.trim_end() == thread), "there is none");
            Ok(())
        },
    )
    .await?;
    for pid in children(supervisor)? {
        let named = words(pid, "cmdline")?.iter().any(|word| word == open.home());
        ensure!(!named, "it has a process besides");
    }
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    until("the Tenant to say so", PATIENCE, || async {
        let status = value(&tenants, &open.fixture.name).await?;
        let isolation = condition(&status, "Isolation").context("nothing is said")?;
        ensure!(
            isolation["status"] == "False" && isolation["reason"] == "Unsandboxed",
            "{isolation}"
        );
        Ok(())
    })
    .await
}

/// What a worker has: flags, descriptors, environment, arguments.
fn sealed(pid: u32, scratch: &Path) -> anyhow::Result<()> {
    let status = status(pid)?;
    ensure!(
        status.get("NoNewPrivs").is_some_and(|value| value == "1"),
        "{status:?}"
    );
    ensure!(
        status.get("Seccomp").is_some_and(|value| value == "2"),
        "{status:?}"
    );
    let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
    for line in [
        "Max core file size        0                    0",
        "Max open files            256                  256",
    ] {
        ensure!(limits.contains(line), "{line:?} is missing in:\n{limits}");
    }
    ensure!(words(pid, "environ")?.iter().all(|word| {
        ["TENURE_PARENT_PID=", "TENURE_LOG=", "RUST_LOG="]
            .iter()
            .any(|known| word.starts_with(known))
    }));
    ensure!(
        !words(pid, "cmdline")?.concat().contains("token"),
        "a token is no argument"
    );
    for (number, target) in descriptors(pid)? {
        let known = match number {
            0 => target == "/dev/null",
            1 | 2 => target.ends_with("supervisor.log"),
            _ => {
                target.starts_with("socket:")
                    || target.starts_with("anon_inode:")
                    || is_below(&target, scratch)
            }
        };
        ensure!(known, "worker {pid} has {target} open as {number}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_has_no_way_to_the_cluster() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    {
        let team = stage.tenant(TenantFixture::new("cached")).await?;
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}}).to_string();
        team.commit(&[("map.yaml", Some(&map))], "A map")?;
        team.git_repository(&json!({})).await?;
        team.ready("GitRepository", "app").await?;
    }
    let cache = stage
        .tenure
        .cache()
        .map(|process| process.id())
        .context("the cache runs")?;
    let supervisor = stage
        .tenure
        .supervisor()
        .map(|process| process.id())
        .context("the supervisor runs")?;
    let url = stage.plane.endpoint()?.url;
    let port: u16 = url.rsplit(':').next().context("a port")?.parse()?;
    ensure!(
        peers(supervisor)?.contains(&port),
        "the supervisor is connected to the API server"
    );
    ensure!(
        !peers(cache)?.contains(&port),
        "the cache is connected to the API server"
    );

    let token = fs::read_to_string(stage.tenure.dir().join("token"))?;
    let kubeconfig = stage.plane.kubeconfig_path().display().to_string();
    let said = [words(cache, "cmdline")?, words(cache, "environ")?].concat();
    for word in &said {
        for secret in [
            token.as_str(),
            url.as_str(),
            kubeconfig.as_str(),
            "KUBERNETES_SERVICE_HOST",
            "api-ca.crt",
        ] {
            ensure!(!word.contains(secret), "the cache was told {secret}");
        }
    }
    ensure!(
        !said.iter().any(|word| word.ends_with("/token")),
        "the cache was told of a token's file: {said:?}"
    );
    let data: Vec<PathBuf> = ["data", "keys"]
        .iter()
        .map(|name| stage.tenure.dir().join(name))
        .collect();
    for (number, target) in descriptors(cache)? {
        let known = number < 3
            || ["socket:", "anon_inode:", "pipe:", "/dev/"]
                .iter()
                .any(|start| target.starts_with(start))
            || data.iter().any(|dir| is_below(&target, dir));
        ensure!(known, "the cache has {target} open as {number}");
    }
    Ok(())
}
