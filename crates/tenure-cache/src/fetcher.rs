//! The parent's side of fetchers: one sandboxed child per job, which is dead when the job is over,
//! however it ended.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tenure_core::{Digest, Sha256Writer};
use tenure_proto::source::{FailureKind, Signature};
use tenure_sandbox::SpawnError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::Limits;
use crate::disk::Disk;
use crate::failure::Failure;
use crate::launch::{Launcher, Running};
use crate::memo::Entry;
use crate::metrics::Metrics;
use crate::request::Ask;
use crate::service::local;
use crate::source::{Answer, Fetched, Found, Job, Opened, Room};

/// A child that was told of its time limit may take this much longer to say so.
const SLACK: Duration = Duration::from_secs(2);

/// Starts fetchers, a bounded number at a time.
pub(crate) struct Fetchers {
    launcher: Launcher,
    slots: Arc<Semaphore>,
    all: u32,
    metrics: Arc<Metrics>,
}

/// An archive that a fetcher has written, verified and not yet in the store.
pub(crate) struct Archive {
    pub(crate) file: PathBuf,
    pub(crate) entry: Entry,
    /// Bytes that came from the remote.
    pub(crate) downloaded: u64,
    _dir: tempfile::TempDir,
}

impl Fetchers {
    /// Fetchers are this program, or `program`.
    pub(crate) fn new(
        program: Option<PathBuf>,
        limits: &Limits,
        metrics: Arc<Metrics>,
    ) -> Result<Self, SpawnError> {
        let all = u32::try_from(limits.fetchers.max(1)).unwrap_or(u32::MAX);
        Ok(Self {
            launcher: Launcher::new(program, limits.fetcher_memory)?,
            slots: Arc::new(Semaphore::new(limits.fetchers.max(1))),
            all,
            metrics,
        })
    }

    /// Asks the remote where the reference is; `known` is where it was. `_place` is the home's turn.
    pub(crate) async fn resolve(
        &self,
        _place: &OwnedSemaphorePermit,
        ask: &Ask,
        known: Option<&Found>,
    ) -> Result<Found, Failure> {
        let job = ask.source.resolve(ask.budget(), known);
        match self.run("resolve", ask, &job, &[]).await? {
            Answer::Found(found) => Ok(found),
            Answer::Failed(failure) => Err(failure),
            _ => Err(died(ask, "gave an answer to another question")),
        }
    }

    /// Changes an App's key, or a workload's token, for what opens the remote for so long. `_place` is the home's turn.
    pub(crate) async fn log_in(
        &self,
        _place: &OwnedSemaphorePermit,
        ask: &Ask,
    ) -> Result<(Opened, Duration), Failure> {
        let job = ask.source.log_in(ask.budget())?;
        match self.run("login", ask, &job, &[]).await? {
            Answer::Opened(opened, good_for) => Ok((opened, good_for)),
            Answer::Failed(failure) => Err(failure),
            _ => Err(died(ask, "gave an answer to another question")),
        }
    }

    /// Collects the signatures of content that the remote has named. `_place` is the home's turn.
    pub(crate) async fn signatures(
        &self,
        _place: &OwnedSemaphorePermit,
        ask: &Ask,
        content: &str,
    ) -> Result<Vec<Signature>, Failure> {
        let job = ask.source.signatures(content, ask.budget())?;
        match self.run("signatures", ask, &job, &[]).await? {
            Answer::Signed(signatures) => Ok(signatures),
            Answer::Failed(failure) => Err(failure),
            _ => Err(died(ask, "gave an answer to another question")),
        }
    }

    /// Downloads the content if need be, and packs it. `_place` is the home's turn.
    pub(crate) async fn fetch(
        &self,
        _place: &OwnedSemaphorePermit,
        disk: &Disk,
        ask: &Ask,
        found: &Found,
    ) -> Result<Archive, Failure> {
        let unwritable = |error: io::Error| local("write to its data directory", error);
        let objects = match ask.source.keeps_objects() {
            true => Some(disk.remote(&ask.realm).await.map_err(unwritable)?),
            false => None,
        };
        let dir = disk.incoming().await.map_err(unwritable)?;
        let file = dir.path().join("artifact");
        let writable: Vec<_> = objects
            .clone()
            .into_iter()
            .chain([dir.path().to_owned()])
            .collect();
        let room = Room {
            objects,
            out: file.clone(),
        };
        let job = ask.source.fetch(found, room, ask.budget())?;
        match self.run("fetch", ask, &job, &writable).await? {
            Answer::Fetched(fetched) => {
                let downloaded = fetched.downloaded;
                self.metrics.downloaded(downloaded);
                let entry = verified(ask, &file, fetched).await?;
                Ok(Archive {
                    file,
                    entry,
                    downloaded,
                    _dir: dir,
                })
            }
            Answer::Failed(failure) => Err(failure),
            _ => Err(died(ask, "gave an answer to another question")),
        }
    }

    /// Waits until no fetcher runs any more.
    pub(crate) async fn ended(&self) {
        drop(self.slots.acquire_many(self.all).await);
    }

    async fn run(
        &self,
        what: &'static str,
        ask: &Ask,
        job: &Job,
        dirs: &[PathBuf],
    ) -> Result<Answer, Failure> {
        let slot = self
            .slots
            .clone()
            .acquire_owned()
            .await
            .map_err(|error| local("start a fetcher", error))?;
        let running = self
            .launcher
            .launch(dirs, slot)
            .map_err(|error| local("start a fetcher", error))?;
        let (started, counted) = (Instant::now(), Counted::new(&self.metrics));
        let result = self.converse(ask, job, running).await;
        drop(counted);
        let ended = match &result {
            Ok(Answer::Failed(_)) => "failed",
            Ok(_) => "ok",
            Err(_) => "died",
        };
        self.metrics.job(what, ended, started.elapsed());
        result
    }

    /// One job down, one answer up; the child is dead afterwards.
    async fn converse(&self, ask: &Ask, job: &Job, mut running: Running) -> Result<Answer, Failure> {
        let said = tokio::time::timeout(ask.timeout + SLACK, job.give(running.socket())).await;
        running.end().await;
        match said {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::warn!(remote = ask.name, %error, "a fetcher ended without an answer");
                Err(died(ask, "ended without an answer"))
            }
            Err(_) => Err(late(ask)),
        }
    }
}

/// Counts a fetcher for as long as it runs.
struct Counted(Arc<Metrics>);

impl Counted {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.fetchers.inc();
        Self(metrics.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetchers.dec();
    }
}

/// What a child says of its file is believed only after looking: it has parsed foreign bytes.
async fn verified(ask: &Ask, file: &Path, fetched: Fetched) -> Result<Entry, Failure> {
    let path = file.to_owned();
    let found = spawn_blocking(move || measure(&path))
        .await
        .map_err(io::Error::other)
        .and_then(|found| found);
    match found {
        Ok((digest, size)) if digest == fetched.digest && size == fetched.size => Ok(Entry {
            digest,
            size,
            made: SystemTime::now(),
            subject: fetched.subject,
            media_type: fetched.media_type,
            annotations: fetched.annotations,
            dropped_links: fetched.dropped_links,
            objects: fetched.objects,
        }),
        Ok((digest, size)) => {
            tracing::error!(remote = ask.name, said = %fetched.digest, %digest, size, "a fetcher misreported its archive");
            Err(died(ask, "wrote another archive than it said"))
        }
        Err(error) => Err(local("read a new archive", error)),
    }
}

/// Digest and size of a plain file that nothing else links to.
fn measure(path: &Path) -> io::Result<(Digest, u64)> {
    let meta = fs::symlink_metadata(path)?;
    if !meta.is_file() || meta.nlink() != 1 {
        return Err(io::Error::other(
            "a fetcher left something else than a plain file",
        ));
    }
    let mut hash = Sha256Writer::new(io::sink());
    io::copy(&mut fs::File::open(path)?, &mut hash)?;
    let (_, digest, size) = hash.finish();
    Ok((digest, size))
}

fn died(ask: &Ask, how: &str) -> Failure {
    let message = format!("can't read {}: the fetcher {how}", ask.name);
    let mut failure = Failure::new(FailureKind::Malformed, message)
        .hint("it may be too large for the fetcher's memory, or damaged");
    failure.wasteful = true;
    failure
}

fn late(ask: &Ask) -> Failure {
    let message = format!("{} did not finish within {} s", ask.name, ask.timeout.as_secs());
    let mut failure =
        Failure::new(FailureKind::UpstreamUnavailable, message).hint("raise spec.timeout if it is just slow");
    failure.wasteful = true;
    failure
}
