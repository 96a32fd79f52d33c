use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use serde_json::Value;
use tenure_core::GoDuration;
use tenure_kube::{ActingClient, By, Discovery, KubeError, ResourceInfo, WatchEvent};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::custom::HealthRules;
use crate::kstatus::{Status, Verdict};
use crate::object::{ObjectRef, group_kind};

/// How many objects are looked at for the first time at once. All of them are then watched.
const LISTS_AT_ONCE: usize = 8;
/// What was seen longer ago than this is looked at again, as often as Flux looks at everything …
const FRESH: Duration = Duration::from_secs(5);
/// … but while others are waited for, what was well when it was seen is taken to be so for this long, or half
/// the time that there is.
const WELL: Duration = Duration::from_secs(15);
/// A watch that broke is opened again after this long.
const AGAIN: Duration = Duration::from_secs(1);

/// An object whose health is waited for.
pub type HealthTarget = ObjectRef;

/// Objects as they were seen, by the answers to what was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings(HashMap<ObjectRef, Seen>);

/// What an answer showed of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    status: Status,
    resource_version: String,
    at: Instant,
}

impl Sightings {
    /// Notes how an object stands by `rules`.
    pub(crate) fn note(&mut self, at: &ObjectRef, object: &Value, rules: &HealthRules) {
        let version = object
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str);
        let Some(version) = version.filter(|version| !version.is_empty()) else {
            return;
        };
        let seen = Seen {
            status: rules.judge(object, Timestamp::now()),
            resource_version: version.to_owned(),
            at: Instant::now(),
        };
        self.0.insert(at.clone(), seen);
    }

    fn fresh(&self, at: &ObjectRef) -> Option<&Seen> {
        self.0.get(at).filter(|seen| seen.at.elapsed() < FRESH)
    }
}

/// An object that is not healthy, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unhealthy {
    /// The object.
    pub object: ObjectRef,
    /// What it has come to.
    pub status: Status,
}

/// Why a health check failed. Texts are Flux's.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// Time ran out.
    #[error("health check failed after {}: timeout waiting for: [{}]", GoDuration::from(*.after), list(.pending))]
    Timeout {
        /// How long it was waited.
        after: Duration,
        /// What was not there yet.
        pending: Vec<Unhealthy>,
    },
    /// Something will not get there by itself.
    #[error("health check failed after {}: failed early due to stalled resources: [{}]", GoDuration::from(*.after), list(.failed))]
    Failed {
        /// How long it was waited.
        after: Duration,
        /// What is stuck.
        failed: Vec<Unhealthy>,
    },
    /// A target says no namespace, and objects of its kind live in one.
    #[error("health check failed after {}: resource {} {} is namespace scoped, but namespace is not set", GoDuration::from(*.after), group_kind(&.object.group, &.object.kind), .object.name)]
    NoNamespace {
        /// How long it was waited.
        after: Duration,
        /// The target.
        object: ObjectRef,
    },
    /// The work was cancelled.
    #[error("health check was cancelled")]
    Cancelled,
}

fn list(objects: &[Unhealthy]) -> String {
    let all: Vec<_> = objects.iter().map(ToString::to_string).collect();
    all.join(", ")
}

/// Only what could not be judged says why.
impl fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status { verdict, message } = &self.status;
        write!(f, "{} status: '{}'", self.object, verdict.as_str())?;
        if *verdict == Verdict::Unknown && !message.is_empty() {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

/// Waits until every target is current by `rules`, by LIST and then WATCH of the named objects. Gives the time
/// it took. Fails at the first target that is stuck. What `seen` shows to be current is asked about again only
/// if others take long, at the end at the latest; and what it shows not to be is watched from there.
///
/// # Errors
/// When a target has no namespace and needs one, a target fails, time runs out, or `cancel` fires.
pub async fn wait_healthy(
    client: &ActingClient,
    discovery: &Discovery,
    targets: &[HealthTarget],
    seen: &Sightings,
    rules: &HealthRules,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Result<Duration, HealthError> {
    let started = Instant::now();
    if let Some(object) = targets.iter().find(|target| is_nowhere(target, discovery)) {
        return Err(HealthError::NoNamespace {
            after: round(started.elapsed()),
            object: object.clone(),
        });
    }
    let known = |target| seen.fresh(target).map(|seen| seen.status.clone());
    let mut states: Vec<Status> = targets
        .iter()
        .map(|target| known(target).unwrap_or_else(unknown))
        .collect();
    let stuck = states.iter().any(|state| state.verdict == Verdict::Failed);
    let well = |target| {
        seen.fresh(target)
            .filter(|seen| seen.status.verdict == Verdict::Current)
    };
    let mut well: Vec<(usize, Instant)> = targets
        .iter()
        .enumerate()
        .filter_map(|(at, target)| Some((at, well(target)?.at)))
        .collect();
    let again = watch::Sender::new(false);
    let (send, mut receive) = mpsc::channel::<(usize, Status)>(64);
    let lists = Semaphore::new(LISTS_AT_ONCE);
    let watching = stream::iter(targets.iter().enumerate()).for_each_concurrent(None, |(at, target)| {
        let follower = Follower {
            client,
            lists: &lists,
            rules,
            target,
            seen: seen.fresh(target),
            at,
            again: again.subscribe(),
            well: WELL.min(timeout / 2),
            send: send.clone(),
        };
        async move { follower.run(discovery).await }
    });
    let judged = async {
        if stuck {
            return Err(());
        }
        loop {
            if states.iter().all(|s| s.verdict == Verdict::Current) {
                if well.iter().all(|(_, seen)| seen.elapsed() < FRESH) {
                    return Ok(());
                }
                for (at, _) in well.drain(..) {
                    if let Some(state) = states.get_mut(at) {
                        *state = unknown();
                    }
                }
                again.send_replace(true);
            }
            let Some((at, status)) = receive.recv().await else {
                std::future::pending().await
            };
            well.retain(|(seen, _)| *seen != at);
            let failed = status.verdict == Verdict::Failed;
            if let Some(state) = states.get_mut(at) {
                *state = status;
            }
            if failed {
                return Err(());
            }
        }
    };
    let outcome = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(HealthError::Cancelled),
        outcome = judged => Some(outcome),
        () = watching => None,
        () = tokio::time::sleep(timeout) => None,
    };
    let after = round(started.elapsed());
    let unhealthy = |wanted: &dyn Fn(Verdict) -> bool| {
        let pairs = targets.iter().zip(&states).filter(|(_, s)| wanted(s.verdict));
        pairs
            .map(|(o, s)| Unhealthy {
                object: o.clone(),
                status: s.clone(),
            })
            .collect::<Vec<_>>()
    };
    match outcome {
        Some(Ok(())) => Ok(after),
        Some(Err(())) => Err(HealthError::Failed {
            after,
            failed: unhealthy(&|v| v == Verdict::Failed),
        }),
        None => Err(HealthError::Timeout {
            after,
            pending: unhealthy(&|v| v != Verdict::Current),
        }),
    }
}

fn is_nowhere(target: &ObjectRef, discovery: &Discovery) -> bool {
    let info = discovery.resolve(&target.api_version(), &target.kind);
    target.namespace.is_empty() && info.is_some_and(|info| info.namespaced)
}

fn unknown() -> Status {
    Status {
        verdict: Verdict::InProgress,
        message: "not seen yet".to_owned(),
    }
}

/// Flux shows no more than milliseconds.
fn round(elapsed: Duration) -> Duration {
    Duration::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// Reports the status of one target.
struct Follower<'a> {
    client: &'a ActingClient,
    lists: &'a Semaphore,
    rules: &'a HealthRules,
    target: &'a ObjectRef,
    seen: Option<&'a Seen>,
    at: usize,
    /// Becomes true when what was well when it was seen is to be looked at again.
    again: watch::Receiver<bool>,
    /// When it is anyway.
    well: Duration,
    send: mpsc::Sender<(usize, Status)>,
}

impl Follower<'_> {
    /// Never ends while somebody listens. A target that is current is still watched: it may stop
    /// being so before the others are there.
    async fn run(&self, discovery: &Discovery) {
        let target = self.target;
        let Some(info) = discovery.resolve(&target.api_version(), &target.kind) else {
            let message = format!(
                "no matches for kind {:?} in version {:?}",
                target.kind,
                target.api_version()
            );
            self.say(Status {
                verdict: Verdict::NotFound,
                message,
            })
            .await;
            return std::future::pending().await;
        };
        match self.seen {
            Some(seen) if seen.status.verdict == Verdict::Current => {
                let mut again = self.again.clone();
                // the sender outlives this
                let _ = tokio::time::timeout(self.well, again.wait_for(|again| *again)).await;
            }
            // what is too old to watch from is listed
            Some(seen) => drop(self.follow(&info, &seen.resource_version, None).await),
            None => {}
        }
        loop {
            if let Err(error) = self.watch(&info).await {
                tracing::debug!(object = %target, %error, "health watch failed");
                self.say(Status {
                    verdict: Verdict::InProgress,
                    message: error.message(),
                })
                .await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn watch(&self, info: &ResourceInfo) -> Result<(), KubeError> {
        let (ns, by) = (self.target.ns(), By::Name(&self.target.name));
        let permit = self.lists.acquire().await;
        let listing = self.client.list_at(info, ns, by).await?;
        drop(permit);
        let last = listing.items.into_iter().next();
        let status = last.as_ref().map_or_else(missing, |object| self.judge(object));
        let is_well = status.verdict == Verdict::Current;
        self.say(status).await;
        if is_well {
            // if nothing else is waited for, it need not be watched
            tokio::time::sleep(AGAIN).await;
        }
        self.follow(info, &listing.resource_version, last).await
    }

    /// Tells every change since `version`, until the server ends it.
    async fn follow(
        &self,
        info: &ResourceInfo,
        version: &str,
        mut last: Option<Value>,
    ) -> Result<(), KubeError> {
        let (ns, by) = (self.target.ns(), By::Name(&self.target.name));
        let mut events = self.client.watch(info, ns, by, version).await?;
        while let Some(event) = events.next().await {
            match event? {
                WatchEvent::Applied(object) => {
                    self.say(self.judge(&object)).await;
                    last = Some(object);
                }
                WatchEvent::Deleted(object) => self.say(vanished(last.as_ref().unwrap_or(&object))).await,
                WatchEvent::Bookmark(_) => {}
            }
        }
        Ok(())
    }

    fn judge(&self, object: &Value) -> Status {
        self.rules.judge(object, Timestamp::now())
    }

    async fn say(&self, status: Status) {
        // Whoever does not listen any more has dropped this follower too.
        let _ = self.send.send((self.at, status)).await;
    }
}

fn missing() -> Status {
    Status {
        verdict: Verdict::NotFound,
        message: "resource not found".to_owned(),
    }
}

/// A Job that cleans up after itself has done its work when it goes.
fn vanished(last: &Value) -> Status {
    let job = last.get("kind").and_then(Value::as_str) == Some("Job");
    if job && last.pointer("/spec/ttlSecondsAfterFinished").is_some() {
        return Status {
            verdict: Verdict::Current,
            message: "Job has finished and was removed".to_owned(),
        };
    }
    missing()
}
