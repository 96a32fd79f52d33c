//! The parent's side of fetchers: one sandboxed child per job, which is dead when the job is over,
//! however it ended.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tenure_core::{Digest, Sha256Writer};
use tenure_git::child::{Answer, Job, read_answer, send_job};
use tenure_git::{Fetched, GitError, Limits as GitLimits, Missing, Resolved};
use tenure_proto::source::FailureKind;
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
    _dir: tempfile::TempDir,
}

impl Fetchers {
    /// Fetchers are this program, or `program`.
    pub(crate) fn new(program: Option<PathBuf>, limits: &Limits, metrics: Arc<Metrics>) -> Self {
        let all = u32::try_from(limits.fetchers.max(1)).unwrap_or(u32::MAX);
        Self {
            launcher: Launcher::new(program, limits.fetcher_memory),
            slots: Arc::new(Semaphore::new(limits.fetchers.max(1))),
            all,
            metrics,
        }
    }

    /// Asks the remote where the reference is. `_place` is the home's turn.
    pub(crate) async fn resolve(
        &self,
        _place: &OwnedSemaphorePermit,
        ask: &Ask,
    ) -> Result<Resolved, Failure> {
        let job = Job::Resolve {
            remote: ask.remote.clone(),
            reference: ask.reference.clone(),
            limits: limits(ask),
        };
        match self.run("resolve", ask, &job, &[]).await? {
            Answer::Resolved(resolved) => Ok(resolved),
            Answer::Failed(error) => Err(failure(ask, error)),
            Answer::Fetched(_) => Err(died(ask, "gave an answer to another question")),
        }
    }

    /// Downloads a commit if need be, and packs it. `_place` is the home's turn.
    pub(crate) async fn fetch(
        &self,
        _place: &OwnedSemaphorePermit,
        disk: &Disk,
        ask: &Ask,
        resolved: &Resolved,
    ) -> Result<Archive, Failure> {
        let unwritable = |error: io::Error| local("write to its data directory", error);
        let objects = disk.remote(&ask.realm).await.map_err(unwritable)?;
        let dir = disk.incoming().await.map_err(unwritable)?;
        let file = dir.path().join("artifact");
        let job = Job::Fetch {
            remote: ask.remote.clone(),
            resolved: resolved.clone(),
            odb_dir: objects.clone(),
            out: file.clone(),
            filter: ask.filter.clone(),
            limits: limits(ask),
        };
        match self
            .run("fetch", ask, &job, &[objects, dir.path().to_owned()])
            .await?
        {
            Answer::Fetched(fetched) => {
                self.metrics.downloaded(fetched.packed_bytes);
                let entry = verified(ask, &file, fetched).await?;
                Ok(Archive {
                    file,
                    entry,
                    _dir: dir,
                })
            }
            Answer::Failed(error) => Err(failure(ask, error)),
            Answer::Resolved(_) => Err(died(ask, "gave an answer to another question")),
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
        let talk = async {
            send_job(running.socket(), job).await?;
            read_answer(running.socket()).await
        };
        let said = tokio::time::timeout(ask.timeout + SLACK, talk).await;
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

fn limits(ask: &Ask) -> GitLimits {
    let usual = GitLimits::default();
    let pack_bytes = usual.pack_bytes.max(ask.max_bytes.saturating_mul(2));
    GitLimits {
        artifact_bytes: ask.max_bytes,
        pack_bytes,
        timeout: ask.timeout,
        ..usual
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
            subject: fetched.commit_message_first_line,
            dropped_links: fetched.dropped_symlinks,
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
    Failure::new(FailureKind::Malformed, message)
        .hint("the repository may be too large for the fetcher's memory, or damaged")
}

fn late(ask: &Ask) -> Failure {
    let message = format!("{} did not finish within {} s", ask.name, ask.timeout.as_secs());
    Failure::new(FailureKind::UpstreamUnavailable, message).hint("raise spec.timeout if it is just slow")
}

/// What the child says of the remote, in the protocol's words.
fn failure(ask: &Ask, error: GitError) -> Failure {
    let kind = match &error {
        GitError::AuthenticationFailed { .. } => FailureKind::AuthenticationFailed,
        GitError::HostKeyMismatch { .. } => FailureKind::HostKeyMismatch,
        GitError::NotFound { .. } => FailureKind::NotFound,
        GitError::InvalidReference { .. } => FailureKind::InvalidReference,
        GitError::Unavailable { .. } | GitError::Timeout { .. } => FailureKind::UpstreamUnavailable,
        GitError::TooLarge { .. } => FailureKind::TooLarge,
        GitError::EmptyRepository { .. } => FailureKind::EmptyRepository,
        GitError::Malformed { .. } => FailureKind::Malformed,
        GitError::Local { .. } => {
            return local("keep a remote's objects", error.to_string()).scrub(&ask.secrets());
        }
    };
    let mut failure = Failure::new(kind, error.to_string());
    // Hosts hide what they refuse to show: to them, too, the credential is no longer good.
    failure.refused = matches!(
        error,
        GitError::AuthenticationFailed { .. }
            | GitError::NotFound {
                what: Missing::Repository,
                ..
            }
    );
    failure
}
