//! Isolation level `pod`: each worker in a pod of its own, in the workers' namespace, as its home's ServiceAccount.
//!
//! What it refuses: a lifeline to anybody but the pod that was started for it; a second pod of a home before the one before is
//! gone, which the API server has to say.
//!
//! Invariants: a pod goes by its home's name, so there is never a second one, whoever makes it; a pod is deleted by its uid and
//! never at once, so that while its processes may run its object is there; whoever holds a home's lock is the only one here who
//! makes or deletes its pod.

mod gate;
mod keeper;
mod life;
mod manifest;
mod view;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tenure_api::PodPlacement;
use tenure_core::{Backoff, Name};
use tenure_kube::SupervisorClient;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::config::{self, SupervisorError};
use crate::lifeline::Link;
use crate::membership::Ours;
use crate::runtime::{Process, Progress, Sandbox, Started, Vacating};

use gate::Gate;
use life::Life;
use view::{View, text};

/// Pods that are made and have not attached or met an obstacle.
const STARTS: usize = 16;
/// How long a pod may take to say how its worker ended, once the lifeline has.
const SAYS_WITHIN: Duration = Duration::from_secs(3);
/// A pod that is not gone by then is worth a word.
const GONE_SOON: Duration = Duration::from_secs(30);

/// Workers in pods.
#[derive(Clone)]
pub(crate) struct Pods(Arc<Inner>);

struct Inner {
    client: SupervisorClient,
    namespace: Name,
    config: config::Pods,
    /// Tells our pods from those of a supervisor before us.
    incarnation: String,
    gate: Gate,
    /// What is known of the pods that somebody waits for.
    seen: Mutex<BTreeMap<Name, watch::Sender<Seen>>>,
    locks: Mutex<BTreeMap<Name, Arc<tokio::sync::Mutex<()>>>>,
    /// Why a pod that has to go is still there, for whoever waits for that.
    obstacles: Mutex<BTreeMap<Name, watch::Sender<Option<String>>>>,
    starts: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// A pod as the watch shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Seen {
    #[default]
    Nothing,
    There(View),
    /// The one with this uid.
    Gone(String),
}

impl Pods {
    /// Opens the lifelines' port, and watches the pods until `stop`.
    pub(crate) async fn open(
        client: SupervisorClient,
        namespace: Name,
        config: config::Pods,
        ours: watch::Receiver<Ours>,
        stop: &CancellationToken,
    ) -> Result<Self, SupervisorError> {
        let gate = Gate::new(client.clone(), namespace.clone());
        gate.open(&config, stop.clone()).await?;
        let pods = Self(Arc::new(Inner {
            client,
            namespace,
            config,
            incarnation: format!("{:016x}", rand::random::<u64>()),
            gate,
            seen: Mutex::default(),
            locks: Mutex::default(),
            obstacles: Mutex::default(),
            starts: Arc::new(Semaphore::new(STARTS)),
            tasks: TaskTracker::new(),
        }));
        tokio::spawn(pods.clone().keep(ours, stop.clone()));
        Ok(pods)
    }

    /// Begins to start a worker; what hinders it is said by the process.
    pub(crate) fn start(&self, home: &Name, sandbox: &Sandbox, placement: &PodPlacement) -> Started {
        let (link, slot) = Link::waiting();
        let (progress, heard) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let cancel = CancellationToken::new();
        let life = Life {
            pods: self.clone(),
            home: home.clone(),
            sandbox: sandbox.clone(),
            placement: placement.clone(),
            slot: Some(slot),
            progress,
            made: None,
        };
        self.0.tasks.spawn(life.run(cancel.clone(), end));
        Started {
            link,
            scratch: PathBuf::from(manifest::SCRATCH),
            process: Box::new(Pod {
                progress: heard,
                ended: Some(ended),
                patience: None,
                _ends: cancel.drop_guard(),
            }),
        }
    }

    /// Ends when no pod of the home is there.
    pub(crate) fn vacate(&self, home: &Name) -> Vacating {
        let (pods, home) = (self.clone(), home.clone());
        let hindered = self.obstacle(&home);
        let gone = async move {
            let _held = pods.lock(&home).lock_owned().await;
            pods.remove(&home).await;
        };
        let gone = gone.boxed();
        Vacating { gone, hindered }
    }

    /// Waits until what was told to end is gone.
    pub(crate) async fn settle(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn called(&self, home: &Name) -> String {
        format!("pod {}/{home}", self.0.namespace)
    }

    fn lock(&self, home: &Name) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.locks.lock();
        if let Some(lock) = locks.get(home) {
            return lock.clone();
        }
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(home.clone()).or_default().clone()
    }

    /// What is in the way of a home, whoever works on that: what is known already is news.
    fn obstacle(&self, home: &Name) -> watch::Receiver<Option<String>> {
        let mut obstacles = self.0.obstacles.lock();
        let mut obstacle = obstacles.entry(home.clone()).or_default().subscribe();
        obstacle.mark_changed();
        obstacle
    }

    fn obstruct(&self, home: &Name, why: String) {
        let mut obstacles = self.0.obstacles.lock();
        obstacles.entry(home.clone()).or_default().send_replace(Some(why));
    }

    fn subscribe(&self, home: &Name) -> watch::Receiver<Seen> {
        let mut seen = self.0.seen.lock();
        seen.entry(home.clone()).or_default().subscribe()
    }

    /// Deletes the pod of a home, and waits until it is gone.
    async fn remove(&self, home: &Name) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let began = Instant::now();
        let mut said = false;
        loop {
            match self.gone(home, false).await {
                Ok(None) => {
                    self.0.obstacles.lock().remove(home);
                    return;
                }
                Ok(Some(node)) if began.elapsed() > GONE_SOON && !std::mem::replace(&mut said, true) => {
                    let whole = format!(
                        "{} of an earlier worker is not gone: node '{node}' has not said that its processes are",
                        self.called(home)
                    );
                    tracing::warn!(%home, why = whole, "a worker's pod does not end");
                    self.obstruct(home, whole);
                }
                Ok(Some(_)) => {}
                Err(error) if !std::mem::replace(&mut said, true) => {
                    tracing::warn!(%home, %error, "failed to delete a worker's pod");
                    self.obstruct(home, error.to_string());
                }
                Err(_) => {}
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// Tells the pod of a home to end, if it is our own.
    async fn dismiss(&self, home: &Name) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while let Err(error) = self.gone(home, true).await {
            tracing::warn!(%home, %error, "failed to delete a worker's pod");
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// Waits until this pod is there no more.
    async fn until_gone(&self, home: &Name, uid: &str) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            match self.0.client.pod(home).await {
                Ok(pod) if pod.as_ref().is_none_or(|pod| text(pod, "/metadata/uid") != uid) => return,
                Ok(_) => {}
                Err(error) => tracing::debug!(%home, %error, "a worker's pod can't be looked at"),
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// The node of the pod that is still there.
    async fn gone(&self, home: &Name, only_ours: bool) -> Result<Option<String>, tenure_kube::KubeError> {
        let Some(pod) = self.0.client.pod(home).await? else {
            return Ok(None);
        };
        let annotations = pod.pointer("/metadata/annotations");
        let by = annotations.and_then(|all| all.get(manifest::MADE_BY)?.as_str());
        if only_ours && by != Some(self.0.incarnation.as_str()) {
            return Ok(None);
        }
        if pod.pointer("/metadata/deletionTimestamp").is_none() {
            let uid = text(&pod, "/metadata/uid");
            self.0.client.delete_pod(home, uid).await?;
        }
        Ok(Some(text(&pod, "/spec/nodeName").to_owned()))
    }
}

/// A worker in a pod. Dropping it deletes the pod.
struct Pod {
    progress: mpsc::UnboundedReceiver<Progress>,
    ended: Option<oneshot::Receiver<(bool, String)>>,
    /// For how it ended.
    patience: Option<Instant>,
    _ends: DropGuard,
}

impl Process for Pod {
    fn ended(&mut self) -> BoxFuture<'_, (bool, String)> {
        Box::pin(async {
            let until = *self.patience.get_or_insert_with(|| Instant::now() + SAYS_WITHIN);
            let Some(ended) = &mut self.ended else {
                return (false, "it has ended".to_owned());
            };
            let how = tokio::select! {
                Ok(how) = ended => how,
                () = tokio::time::sleep_until(until) => (true, "its lifeline ended".to_owned()),
            };
            self.ended = None;
            how
        })
    }

    fn progress(&mut self) -> BoxFuture<'_, Progress> {
        Box::pin(async {
            match self.progress.recv().await {
                Some(progress) => progress,
                None => std::future::pending().await,
            }
        })
    }
}
