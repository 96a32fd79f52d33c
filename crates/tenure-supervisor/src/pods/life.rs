//! One worker in a pod, from before its pod is made until it is gone.

use std::time::Duration;

use tenure_api::PodPlacement;
use tenure_core::{Backoff, Name};
use tenure_kube::KubeError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::manifest::{self, Parts};
use super::view::{View, text};
use super::{Pods, Seen};
use crate::lifeline::Slot;
use crate::runtime::{Progress, Sandbox};

/// A pod whose worker has not attached by then is given up; there may have to be a node for it first.
const ATTACH_WITHIN: Duration = Duration::from_secs(300);

/// So long a start keeps others waiting; images may have to be pulled, and sandboxes fail without a word.
const IN_THE_WAY: Duration = Duration::from_secs(10);

/// What is to be started.
pub(super) struct Life {
    pub(super) pods: Pods,
    pub(super) home: Name,
    pub(super) sandbox: Sandbox,
    pub(super) placement: PodPlacement,
    /// Until somebody may attach.
    pub(super) slot: Option<Slot>,
    pub(super) progress: mpsc::UnboundedSender<Progress>,
    /// The uid of its pod.
    pub(super) made: Option<String>,
}

/// What became of a try to make a pod.
enum Made {
    Uid(String),
    /// There is one of that name.
    Taken,
}

impl Life {
    /// Lives until the pod ends or `cancel`, says how in `end`, and lets go of the home once the pod is gone.
    pub(super) async fn run(mut self, cancel: CancellationToken, end: oneshot::Sender<(bool, String)>) {
        let lock = self.pods.lock(&self.home);
        // the pod before this one goes first
        let held = self.telling(cancel.run_until_cancelled(lock.lock_owned())).await;
        let Some(held) = held else {
            return;
        };
        if let Some(how) = cancel.clone().run_until_cancelled(self.live()).await {
            // who would hear it has gone if it is not wanted
            end.send(how).ok();
        }
        self.pods.0.gate.forget(&self.home);
        self.pods.0.seen.lock().remove(&self.home);
        // whoever comes next waits until it is gone, and says so
        self.pods.dismiss(&self.home).await;
        drop(held);
        if let Some(uid) = &self.made {
            self.pods.until_gone(&self.home, uid).await;
        }
    }

    async fn live(&mut self) -> (bool, String) {
        let seen = self.pods.subscribe(&self.home);
        let Some(slot) = self.slot.take() else {
            return (false, "it was started before".to_owned());
        };
        let arrived = self.pods.0.gate.expect(&self.home, slot);
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        let (uid, permit) = loop {
            self.telling(self.pods.remove(&self.home)).await;
            // starts of many wait here and not at the API server; who waits for a node waits alone
            let permit = self.pods.0.starts.clone().acquire_owned().await.ok();
            match self.make().await {
                Ok(Made::Uid(uid)) => break (uid, permit),
                Ok(Made::Taken) => tokio::time::sleep(backoff.next_delay()).await,
                Err(why) => {
                    let whole = format!("{} was not made: {why}", self.pods.called(&self.home));
                    self.hinder(whole.clone());
                    return (false, whole);
                }
            }
        };
        tracing::info!(home = %self.home, uid, "a pod was made for a worker");
        self.made = Some(uid.clone());
        self.pods.0.gate.know(&self.home, &uid);
        let attached = self.attached(&uid, seen.clone(), arrived, permit);
        match tokio::time::timeout(ATTACH_WITHIN, attached).await {
            Ok(Ok(())) => {}
            Ok(Err(how)) => return how,
            Err(_) => {
                let view = there(&seen.borrow(), &uid);
                let why = view.and_then(|view| view.hindered);
                let why = why.unwrap_or_else(|| "its worker did not attach".to_owned());
                return (
                    false,
                    format!("{} did not start in time: {why}", self.pods.called(&self.home)),
                );
            }
        }
        self.ended(&uid, seen).await
    }

    /// Waits, and says meanwhile what is in the way of the home's pod.
    async fn telling<T>(&self, wait: impl Future<Output = T>) -> T {
        let mut obstacle = self.pods.obstacle(&self.home);
        tokio::pin!(wait);
        loop {
            tokio::select! {
                done = &mut wait => return done,
                Ok(()) = obstacle.changed() => {
                    let why = obstacle.borrow_and_update().clone();
                    why.into_iter().for_each(|why| self.hinder(why));
                }
            }
        }
    }

    fn hinder(&self, why: String) {
        // the home that would hear it has gone before
        self.progress.send(Progress::Hindered(why)).ok();
    }

    async fn make(&self) -> Result<Made, String> {
        let inner = &self.pods.0;
        let ca = tokio::fs::read_to_string(&inner.config.ca_file).await;
        let ca_pem = ca.map_err(|error| format!("{}: {error}", inner.config.ca_file.display()))?;
        let whole = |error: KubeError| error.to_string();
        let account_uid = inner.client.worker_account_uid(&self.home).await.map_err(whole)?;
        let pod = manifest::pod(&Parts {
            home: &self.home,
            namespace: &inner.namespace,
            account_uid: &account_uid,
            incarnation: &inner.incarnation,
            ca_pem: &ca_pem,
            config: &inner.config,
            sandbox: &self.sandbox,
            placement: &self.placement,
        });
        match inner.client.create_pod(&pod).await {
            Ok(made) => Ok(Made::Uid(text(&made, "/metadata/uid").to_owned())),
            Err(error) if error.is_conflict() => Ok(Made::Taken),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Waits until the worker has attached; the error is how it ended before.
    async fn attached<P>(
        &self,
        uid: &str,
        mut seen: watch::Receiver<Seen>,
        mut arrived: oneshot::Receiver<()>,
        mut permit: Option<P>,
    ) -> Result<(), (bool, String)> {
        let mut said = None;
        let in_the_way = tokio::time::sleep(IN_THE_WAY);
        tokio::pin!(in_the_way);
        loop {
            let now = seen.borrow_and_update().clone();
            if let Some(how) = self.over(&now, uid) {
                return Err(how);
            }
            let hindered = there(&now, uid).and_then(|view| view.hindered);
            if hindered != said {
                if let Some(why) = &hindered {
                    drop(permit.take());
                    let whole = format!("{}: {why}", self.pods.called(&self.home));
                    tracing::warn!(home = %self.home, why = whole, "a worker's pod does not start");
                    self.hinder(whole);
                }
                said = hindered;
            }
            tokio::select! {
                heard = &mut arrived => {
                    if heard.is_err() {
                        return Err((false, "no worker is wanted any more".to_owned()));
                    }
                    self.progress.send(Progress::Arrived).ok();
                    return Ok(());
                }
                () = &mut in_the_way, if permit.is_some() => drop(permit.take()),
                Ok(()) = seen.changed() => {}
            }
        }
    }

    async fn ended(&self, uid: &str, mut seen: watch::Receiver<Seen>) -> (bool, String) {
        loop {
            let now = seen.borrow_and_update().clone();
            if let Some(how) = self.over(&now, uid) {
                return how;
            }
            if seen.changed().await.is_err() {
                return (false, "it is not watched any more".to_owned());
            }
        }
    }

    fn over(&self, seen: &Seen, uid: &str) -> Option<(bool, String)> {
        match seen {
            Seen::There(view) if view.uid == uid => view.ended.clone(),
            Seen::Gone(gone) if gone == uid => {
                Some((false, format!("{} was deleted", self.pods.called(&self.home))))
            }
            _ => None,
        }
    }
}

fn there(seen: &Seen, uid: &str) -> Option<View> {
    match seen {
        Seen::There(view) if view.uid == uid => Some(view.clone()),
        _ => None,
    }
}
