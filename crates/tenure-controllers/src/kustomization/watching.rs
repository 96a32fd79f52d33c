//! `tenure.dev/drift: watch`: what was applied is watched by its metadata, so that a change is corrected at once and
//! not at the next interval. The worker stays awake for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tenure_api::{DRIFT, KUSTOMIZE_CONTROLLER, reasons};
use tenure_apply::Fingerprints;
use tenure_apply::inventory::Entry;
use tenure_core::{Account, ObjectKey};
use tenure_kube::{EventKind, KUSTOMIZATION};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::applying::owner;
use crate::writer::event;
use crate::{Effects, chain};

/// Changes that come together are corrected together.
const TOGETHER: Duration = Duration::from_millis(200);
/// Somebody who changes an object as often as it is corrected has it so long, at most.
const LONGEST: Duration = Duration::from_secs(60);
/// Whoever was not seen for that long after a correction has given up.
const FORGIVEN: Duration = Duration::from_secs(10);
/// Kustomizations whose drift may wait to be heard of.
const WORDS: usize = 64;

/// The Kustomizations of a home that are watched.
#[derive(Debug)]
pub struct DriftWatches {
    watched: HashMap<ObjectKey, Watched>,
    say: mpsc::Sender<ObjectKey>,
    said: mpsc::Receiver<ObjectKey>,
}

/// What is watched of one of them.
#[derive(Debug)]
struct Watched {
    set: Set,
    task: JoinHandle<()>,
    began: Instant,
    /// How long the next change waits for its correction.
    wait: Duration,
}

#[derive(Debug, PartialEq, Eq)]
struct Set {
    account: Account,
    entries: Vec<Entry>,
    prints: Fingerprints,
}

impl Default for DriftWatches {
    fn default() -> Self {
        let (say, said) = mpsc::channel(WORDS);
        Self {
            watched: HashMap::new(),
            say,
            said,
        }
    }
}

impl DriftWatches {
    /// Watches what is to be watched now, and nothing else. To be called when no pass is under way.
    pub fn keep(&mut self, effects: &Arc<Effects>) {
        let mut before = std::mem::take(&mut self.watched);
        for (key, object) in effects.snapshot.of_kind(KUSTOMIZATION.kind) {
            let Some(set) = wanted(&key, &object, effects) else {
                continue;
            };
            let watched = match before.remove(&key) {
                Some(watched) if watched.set == set && !watched.task.is_finished() => watched,
                Some(watched) => {
                    watched.task.abort();
                    let wait = watched.next_wait();
                    self.watch(&key, set, wait, effects)
                }
                None => self.watch(&key, set, TOGETHER, effects),
            };
            self.watched.insert(key, watched);
        }
        for watched in before.into_values() {
            watched.task.abort();
        }
    }

    /// Whether nothing is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    /// The next Kustomization of which something has changed.
    pub async fn drifted(&mut self) -> ObjectKey {
        match self.said.recv().await {
            Some(key) => key,
            // we hold a sender
            None => std::future::pending().await,
        }
    }

    fn watch(&self, key: &ObjectKey, set: Set, wait: Duration, effects: &Arc<Effects>) -> Watched {
        let (client, owner) = (effects.acting(&set.account), owner(key, effects));
        let (entries, prints) = (set.entries.clone(), set.prints.clone());
        let (say, key, effects) = (self.say.clone(), key.clone(), effects.clone());
        let task = async move {
            let discovery = loop {
                match effects.own.discovery().await {
                    Ok(discovery) => break discovery,
                    Err(error) => {
                        tracing::warn!(object = %key, %error, "drift is not watched for yet");
                        tokio::time::sleep(FORGIVEN).await;
                    }
                }
            };
            match tenure_apply::drifted(&client, &discovery, &entries, &prints, &owner).await {
                Ok(object) => {
                    tracing::info!(object = %key, drifted = %object, "what was applied was changed");
                    tokio::time::sleep(wait).await;
                    say.send(key).await.ok();
                }
                Err(error) => {
                    let message = format!(
                        "drift is not watched for, and is looked for at each interval: {}; allow it, or take the annotation {DRIFT} away",
                        chain(&error)
                    );
                    let kind = EventKind::Warning;
                    let reason = reasons::DRIFT_NOT_WATCHED;
                    event(&effects, &key, KUSTOMIZE_CONTROLLER, kind, reason, message, []).await;
                    std::future::pending().await
                }
            }
        };
        Watched {
            set,
            task: tokio::spawn(task),
            began: Instant::now(),
            wait,
        }
    }
}

impl Drop for DriftWatches {
    fn drop(&mut self) {
        for watched in self.watched.values() {
            watched.task.abort();
        }
    }
}

impl Watched {
    fn next_wait(&self) -> Duration {
        match self.began.elapsed() > self.wait + FORGIVEN {
            true => TOGETHER,
            false => (self.wait * 2).min(LONGEST),
        }
    }
}

/// What of `object` is to be watched: of this cluster, applied, and known to be as it was written.
fn wanted(key: &ObjectKey, object: &Value, effects: &Effects) -> Option<Set> {
    let at = |pointer: &str| object.pointer(pointer);
    let annotations = at("/metadata/annotations");
    let asked = annotations.and_then(|all| all.get(DRIFT)).and_then(Value::as_str) == Some("watch");
    let rests = at("/spec/suspend").and_then(Value::as_bool) == Some(true) || effects.home.suspended;
    let elsewhere = at("/spec/kubeConfig").is_some() || at("/metadata/deletionTimestamp").is_some();
    if !asked || rests || elsewhere {
        return None;
    }
    let entries: Vec<Entry> = serde::Deserialize::deserialize(at("/status/inventory/entries")?).ok()?;
    let written = effects.written.lock();
    let (account, prints) = written.last(key)?;
    (prints.len() == entries.len()).then(|| Set {
        account,
        entries,
        prints: prints.clone(),
    })
}
