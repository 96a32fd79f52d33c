//! What is cached, as objects that people can list: `kubectl get artifacts`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tenure_core::{Backoff, Digest, Name};
use tenure_kube::{KubeError, SupervisorClient};
use tenure_proto::lifeline::CacheEndpoint;
use tenure_proto::source::movements_client::MovementsClient;
use tenure_proto::source::{Cached, Inventory, InventoryRequest};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use crate::control;
use crate::membership::Ours;

/// Whoever has the home of this name writes the objects.
const WRITER: &str = "artifacts.tenure.dev";

/// Lists come with every change, and much changes at once: the next is written no sooner than this.
const SPACED: Duration = Duration::from_secs(5);

/// The last list of each replica; nothing of one that has not said any yet.
#[derive(Clone, Default)]
pub(crate) struct Lists(Arc<watch::Sender<BTreeMap<String, Option<Vec<Cached>>>>>);

impl Lists {
    /// What others had is not cached any more.
    pub(crate) fn only(&self, urls: &BTreeSet<String>) {
        self.0.send_if_modified(|lists| {
            let before = lists.len();
            lists.retain(|url, _| urls.contains(url));
            let gone = lists.len() < before;
            for url in urls {
                lists.entry(url.clone()).or_default();
            }
            gone
        });
    }

    fn put(&self, url: &str, list: Vec<Cached>) {
        self.0.send_if_modified(|lists| match lists.get_mut(url) {
            Some(place) => {
                *place = Some(list);
                true
            }
            None => false,
        });
    }
}

/// Keeps the objects like the replicas' lists until `stop`, while that is for us to do.
pub(crate) async fn keep(
    client: SupervisorClient,
    lists: Lists,
    mut ours: watch::Receiver<Ours>,
    stop: CancellationToken,
) {
    let Ok(name) = Name::new(WRITER) else { return };
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            mine = ours.wait_for(|ours| ours.has(&name)) => if mine.is_err() { return },
        }
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            _ = ours.wait_for(|ours| !ours.has(&name)) => continue,
            ended = follow(&client, &lists, &mut backoff) => ended,
        };
        tracing::debug!(reason = %ended, "the list of cached artifacts is not kept");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(backoff.next_delay()) => {}
        }
    }
}

/// Says why it ended.
async fn follow(client: &SupervisorClient, lists: &Lists, backoff: &mut Backoff) -> KubeError {
    let mut news = lists.0.subscribe();
    news.mark_changed();
    let mut known: Option<BTreeMap<Name, Value>> = None;
    loop {
        // the sender is here
        news.changed().await.ok();
        let now = news.borrow_and_update().clone();
        if now.values().all(Option::is_none) {
            continue;
        }
        let mut objects = match known.take() {
            Some(objects) => objects,
            None => match client.artifacts().await {
                Ok(objects) => objects.iter().filter_map(read).collect(),
                Err(error) => return error,
            },
        };
        if let Err(error) = write(client, &mut objects, &now).await {
            return error;
        }
        known = Some(objects);
        backoff.reset();
        tokio::time::sleep(SPACED).await;
    }
}

/// Takes in the lists of one replica until `stop`. While it does not answer, its last one stays.
pub(crate) async fn listen(
    replica: CacheEndpoint,
    token_file: PathBuf,
    lists: Lists,
    stop: CancellationToken,
) {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = hear(&replica, &token_file, &lists, &mut backoff) => ended,
        };
        tracing::debug!(reason = ended, "a replica does not say what is cached");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(backoff.next_delay()) => {}
        }
    }
}

/// Says why it ended.
async fn hear(replica: &CacheEndpoint, token_file: &Path, lists: &Lists, backoff: &mut Backoff) -> String {
    let mut words = match subscribe(replica, token_file).await {
        Ok(words) => words,
        Err(why) => return why,
    };
    let url = replica.urls.first().map(String::as_str).unwrap_or_default();
    loop {
        match words.message().await {
            Ok(Some(list)) => {
                if list.left_out > 0 {
                    let left_out = list.left_out;
                    tracing::warn!(left_out, "more artifacts are cached than are listed");
                }
                lists.put(url, list.artifacts);
                backoff.reset();
            }
            Ok(None) => return "it ended the call".to_owned(),
            Err(status) => return status.message().to_owned(),
        }
    }
}

async fn subscribe(cache: &CacheEndpoint, token_file: &Path) -> Result<Streaming<Inventory>, String> {
    let request = control::request(token_file, InventoryRequest {}).await?;
    let mut client = MovementsClient::new(control::channel(cache)?);
    let answer = client.inventory(request).await;
    answer
        .map(tonic::Response::into_inner)
        .map_err(|status| format!("failed to ask for the inventory: {}", status.message()))
}

/// Name and status of an object.
fn read(object: &Value) -> Option<(Name, Value)> {
    let name = Name::new(object.pointer("/metadata/name")?.as_str()?).ok()?;
    Some((name, object["status"].clone()))
}

/// Makes the objects like the lists; `known` is what the server has. Nothing is deleted that a replica may have which
/// has not said so yet.
async fn write(
    client: &SupervisorClient,
    known: &mut BTreeMap<Name, Value>,
    lists: &BTreeMap<String, Option<Vec<Cached>>>,
) -> Result<(), KubeError> {
    let all_said = lists.values().all(Option::is_some);
    let wanted = wanted(lists.values().flatten().flatten());
    let gone: Vec<Name> = known
        .keys()
        .filter(|name| all_said && !wanted.contains_key(name))
        .cloned()
        .collect();
    for name in gone {
        client.delete_artifact(&name).await?;
        known.remove(&name);
    }
    for (name, status) in wanted {
        match known.get(&name) {
            Some(before) if *before == status => continue,
            None if client.create_artifact(&name, &status).await? => {}
            _ => match client.patch_artifact(&name, &status).await {
                // somebody has deleted it
                Err(error) if error.is_not_found() => {
                    known.remove(&name);
                    continue;
                }
                result => result?,
            },
        }
        known.insert(name, status);
    }
    Ok(())
}

/// The objects of all that is cached. What two replicas have is one object, which both of their homes read.
fn wanted<'c>(all: impl Iterator<Item = &'c Cached>) -> BTreeMap<Name, Value> {
    let mut merged: BTreeMap<Name, Cached> = BTreeMap::new();
    for cached in all {
        let Some(name) = name(cached) else { continue };
        let Some(one) = merged.get_mut(&name) else {
            merged.insert(name, cached.clone());
            continue;
        };
        let named = one.homes.len();
        let more: Vec<_> = cached
            .homes
            .iter()
            .filter(|home| !one.homes.contains(home))
            .cloned()
            .collect();
        let twice = cached.homes.len() - more.len();
        one.readers = (one.readers + cached.readers).saturating_sub(u32::try_from(twice).unwrap_or_default());
        one.homes.extend(more);
        one.homes.sort();
        one.homes.truncate(named.max(cached.homes.len()));
        let made = |of: &Cached| of.made_at.as_ref().map(|at| (at.seconds, at.nanos));
        if made(cached) < made(one) {
            one.made_at.clone_from(&cached.made_at);
        }
    }
    merged
        .into_iter()
        .map(|(name, cached)| (name, status(&cached)))
        .collect()
}

/// It says remote and digest, so that it is the same whoever writes it.
fn name(cached: &Cached) -> Option<Name> {
    let hash = Digest::of(format!("{}\0{}", cached.url, cached.digest).as_bytes()).hex();
    let kind = cached.kind.to_lowercase();
    Name::new(format!("{kind}-{}", hash.get(..20)?)).ok()
}

fn status(cached: &Cached) -> Value {
    let made = cached.made_at.as_ref();
    let made = made.and_then(|at| jiff::Timestamp::from_second(at.seconds).ok());
    let mut status = json!({
        "kind": cached.kind,
        "url": cached.url,
        "revision": cached.revision,
        "digest": cached.digest,
        "size": cached.size,
        "readers": cached.readers,
        "homes": cached.homes,
    });
    if let Some(made) = made {
        status["madeAt"] = tenure_api::rfc3339(made).into();
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cached(url: &str) -> Cached {
        Cached {
            kind: "GitRepository".into(),
            url: url.into(),
            revision: "main@sha1:1".into(),
            digest: Digest::of(b"x").to_string(),
            size: 3,
            made_at: Some(std::time::SystemTime::UNIX_EPOCH.into()),
            readers: 1,
            homes: vec!["apps".into()],
        }
    }

    fn one(cached: &Cached) -> (Name, Value) {
        let mut all = wanted([cached].into_iter()).into_iter();
        all.next().expect("an object")
    }

    #[test]
    fn an_object_says_what_is_cached_under_a_name_of_its_own() {
        let (name, status) = one(&cached("https://h/a"));
        assert!(name.as_str().starts_with("gitrepository-"), "{name}");
        assert_eq!(status["madeAt"], "1970-01-01T00:00:00Z");
        assert_eq!(status["homes"], json!(["apps"]));
        assert_ne!(name, one(&cached("https://h/b")).0);
        let written = json!({"metadata": {"name": name.as_str()}, "status": status});
        assert_eq!(read(&written), Some((name, status)));
    }

    #[test]
    fn what_two_replicas_have_is_one_object_that_counts_each_home_once() {
        let mut other = cached("https://h/a");
        other.homes = vec!["web".into(), "apps".into()];
        other.readers = 2;
        let all = wanted([&cached("https://h/a"), &other].into_iter());
        let statuses: Vec<_> = all.values().collect();
        assert_eq!(statuses.len(), 1);
        assert_eq!(statuses[0]["readers"], 2);
        assert_eq!(statuses[0]["homes"], json!(["apps", "web"]));
    }

    #[test]
    fn only_what_a_known_replica_says_counts() {
        let lists = Lists::default();
        let urls = |all: &[&str]| all.iter().map(|url| (*url).to_owned()).collect::<BTreeSet<_>>();
        lists.only(&urls(&["a", "b"]));
        lists.put("a", vec![cached("https://h/a")]);
        lists.put("c", vec![cached("https://h/c")]);
        let said = |lists: &Lists| {
            let lists = lists.0.borrow();
            lists
                .iter()
                .map(|(url, list)| (url.clone(), list.is_some()))
                .collect::<Vec<_>>()
        };
        assert_eq!(said(&lists), [("a".to_owned(), true), ("b".to_owned(), false)]);
        lists.only(&urls(&["b"]));
        assert_eq!(said(&lists), [("b".to_owned(), false)]);
    }
}
