//! Watches the pods of workers: tells of those that somebody waits for, and deletes those that nobody has.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use serde_json::Value;
use tenure_api::WORKER_LABEL;
use tenure_core::Name;
use tenure_kube::TenantEvent;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::view::{View, text};
use super::{Pods, Seen};
use crate::membership::Ours;

impl Pods {
    /// Until `stop`. A pod whose supervisor has ended is deleted by the one that has its home now.
    pub(super) async fn keep(self, mut ours: watch::Receiver<Ours>, stop: CancellationToken) {
        let mut events = self.0.client.watch_pods(WORKER_LABEL);
        let mut known: BTreeMap<String, View> = BTreeMap::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = ours.changed() => {}
                Some(event) = events.next() => self.hear(&mut known, event),
            }
            let ours = ours.borrow_and_update().clone();
            let leftover = |name: &Name| ours.has(name) && !self.is_held(name);
            for home in known
                .keys()
                .filter_map(|name| Name::new(name).ok())
                .filter(leftover)
            {
                self.sweep(home);
            }
        }
    }

    fn hear(&self, known: &mut BTreeMap<String, View>, event: TenantEvent) {
        match event {
            TenantEvent::Reset(all) => {
                let before = std::mem::take(known);
                for pod in &all {
                    self.applied(known, pod);
                }
                for (name, view) in before {
                    if known.get(&name).is_none_or(|now| now.uid != view.uid) {
                        self.tell(&name, Seen::Gone(view.uid));
                    }
                }
            }
            TenantEvent::Applied(pod) => self.applied(known, &pod),
            TenantEvent::Deleted(pod) => {
                let view = View::of(&pod);
                let name = text(&pod, "/metadata/name");
                if known.get(name).is_some_and(|known| known.uid == view.uid) {
                    known.remove(name);
                }
                self.tell(name, Seen::Gone(view.uid));
            }
            TenantEvent::Failed(error) => tracing::warn!(%error, "failed to watch the pods of workers"),
        }
    }

    fn applied(&self, known: &mut BTreeMap<String, View>, pod: &Value) {
        let view = View::of(pod);
        let name = text(pod, "/metadata/name");
        self.tell(name, Seen::There(view.clone()));
        known.insert(name.to_owned(), view);
    }

    fn tell(&self, name: &str, news: Seen) {
        let Ok(name) = Name::new(name) else { return };
        if let Some(listener) = self.0.seen.lock().get(&name) {
            listener.send_if_modified(|seen| {
                let changed = *seen != news;
                *seen = news;
                changed
            });
        }
    }

    fn is_held(&self, home: &Name) -> bool {
        self.lock(home).try_lock().is_err()
    }

    /// Nobody starts a worker of that home before its pod is gone.
    fn sweep(&self, home: Name) {
        let Ok(held) = self.lock(&home).try_lock_owned() else {
            return;
        };
        let pods = self.clone();
        self.0.tasks.spawn(async move {
            let _held = held;
            tracing::debug!(%home, "no pod that a worker of ours is not in is left");
            pods.remove(&home).await;
        });
    }
}
