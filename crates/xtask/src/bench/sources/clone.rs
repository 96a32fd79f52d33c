//! One fetch, beside the same by git.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tenure_testkit::git::{GitRepo, HttpsGitServer};

use super::scene::{Noise, repository};
use crate::bench::figure::{Section, bytes, digits};
use crate::cargo::program;

/// Of git's time.
const TIME: f64 = 1.2;
/// Odd, so that one is in the middle.
const RUNS: usize = 5;
/// Files of the repository with many.
const MANY: usize = 20_000;
const LOOK: Duration = Duration::from_millis(2);

pub(super) async fn measure(binary: &Path) -> anyhow::Result<Section> {
    let server = HttpsGitServer::start().await?;
    let large = repository(&server, "large.git", 3)?;
    let many = many(&server)?;
    let note = format!(
        "A shallow fetch of one branch over https from a server on this machine: `tenure source get`, less what the same takes \
         again with all objects there, beside `git clone --depth 1 --no-checkout`. Then the archive alone, with all objects there, \
         beside `git archive HEAD | gzip`. Times are the median of {RUNS} runs, of which each has all of it. Memory is the largest \
         that the kernel counted in any of them, summed over git's processes; ours has the archive in it."
    );
    let mut section = Section::new("One fetch beside git", note);
    for (what, repo) in [
        ("50 MiB that don't compress in 800 files", &large),
        ("20,000 small files", &many),
    ] {
        let measured = tokio::task::block_in_place(|| compare(binary, &server, repo))?;
        measured.tell(&mut section, what);
    }
    Ok(section)
}

#[derive(Debug, Clone, Copy)]
struct Took {
    seconds: f64,
    bytes: f64,
}

struct Compared {
    clone: Took,
    archive: Took,
    fetch: Took,
    pack: f64,
}

impl Compared {
    fn tell(&self, section: &mut Section, what: &str) {
        let line = |took: Took| format!("{} s, {}", digits(took.seconds), bytes(took.bytes));
        section.fact(format!("{what}: git clone"), line(self.clone));
        section.fact("… Tenure's fetch", line(self.fetch));
        section.bounded(
            "… time, of git's",
            self.fetch.seconds / self.clone.seconds,
            TIME,
            "",
        );
        section.bounded("… memory, of git's", self.fetch.bytes / self.clone.bytes, 1.0, "");
        section.fact("… git archive and gzip", line(self.archive));
        section.fact("… Tenure's archive", format!("{} s", digits(self.pack)));
    }
}

/// Small files with text, as a platform's repository has them.
fn many(server: &HttpsGitServer) -> anyhow::Result<GitRepo> {
    let repo = GitRepo::init(server, "many.git")?;
    let mut noise = Noise(4);
    for number in 0..MANY {
        let words: String = noise
            .take(40)
            .iter()
            .map(|byte| format!("key{byte}: value\n"))
            .collect();
        repo.write(
            &format!("apps/{:03}/{number:05}.yaml", number % 200),
            words.as_bytes(),
        )?;
    }
    repo.commit(&[("README.md", Some("for the benchmark\n"))], "first")?;
    Ok(repo)
}

fn compare(binary: &Path, server: &HttpsGitServer, repo: &GitRepo) -> anyhow::Result<Compared> {
    let runs = (0..RUNS)
        .map(|_| once(binary, server, repo))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let took = |of: fn(&Compared) -> Took| Took {
        seconds: median(runs.iter().map(|run| of(run).seconds)),
        bytes: runs.iter().map(|run| of(run).bytes).fold(0.0, f64::max),
    };
    Ok(Compared {
        clone: took(|run| run.clone),
        archive: took(|run| run.archive),
        fetch: took(|run| run.fetch),
        pack: median(runs.iter().map(|run| run.pack)),
    })
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn once(binary: &Path, server: &HttpsGitServer, repo: &GitRepo) -> anyhow::Result<Compared> {
    let dir = tempfile::tempdir()?;
    let (url, ca) = (server.url(repo.name()), server.ca_file()?);
    let file = |name: &str| dir.path().join(name).into_os_string();
    let (cloned, objects) = (file("clone"), file("objects"));
    let mut info = std::ffi::OsString::from("http.sslCAInfo=");
    info.push(&ca);
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| OsStr::new(*word).to_owned())
            .collect::<Vec<_>>()
    };
    let mut git = vec!["-c".into(), info];
    git.extend(words(&[
        "clone",
        "--quiet",
        "--depth",
        "1",
        "--no-checkout",
        &url,
    ]));
    git.push(cloned.clone());
    let (clone, _) = run(Path::new("git"), &git)?;
    let script = format!(
        "git -C '{}' archive HEAD | gzip > '{}'",
        Path::new(&cloned).display(),
        dir.path().join("git.tar.gz").display()
    );
    let (archive, _) = run(Path::new("sh"), &words(&["-c", &script]))?;

    let mut get = words(&[
        "source",
        "get",
        "git",
        &url,
        "--branch",
        "main",
        "--json",
        "--allow-addresses",
        "127.0.0.0/8",
    ]);
    get.extend(words(&["--max-bytes", "268435456", "--ca-file"]));
    get.extend([ca.into_os_string(), "--objects".into(), objects]);
    let (whole, first) = run(binary, &get)?;
    let (again, second) = run(binary, &get)?;
    ensure!(
        first["downloaded"] != 0 && second["downloaded"] == 0,
        "the objects were not kept: {first} {second}"
    );
    Ok(Compared {
        clone,
        archive,
        fetch: Took {
            seconds: whole.seconds - again.seconds,
            bytes: whole.bytes,
        },
        pack: again.seconds,
    })
}

/// Runs a program to its end; the JSON that it prints, if any.
fn run(path: &Path, words: &[std::ffi::OsString]) -> anyhow::Result<(Took, Value)> {
    let started = Instant::now();
    let mut child = program(path)
        .args(words)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("GIT_SSL_CAINFO")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("start {}", path.display()))?;
    let mut most: BTreeMap<u32, f64> = BTreeMap::new();
    let seconds = loop {
        look(child.id(), &mut most);
        if child.try_wait()?.is_some() {
            break started.elapsed().as_secs_f64();
        }
        std::thread::sleep(LOOK);
    };
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{} ended with {}",
        path.display(),
        output.status
    );
    let took = Took {
        seconds,
        bytes: most.values().sum(),
    };
    Ok((took, serde_json::from_slice(&output.stdout).unwrap_or_default()))
}

/// The high-water marks of a process and of all below it.
fn look(pid: u32, most: &mut BTreeMap<u32, f64>) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = mark.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    if let Some(kib) = kib {
        let seen = most.entry(pid).or_default();
        *seen = seen.max(kib * 1024.0);
    }
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
        look(child, most);
    }
}
