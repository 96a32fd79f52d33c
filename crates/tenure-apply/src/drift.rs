//! Whether objects are still as they were written, told from their metadata alone.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tenure_core::Digest;
use tenure_kube::{ActingClient, By, Discovery, KubeError, ResourceInfo, WatchEvent};

use crate::inventory::Entry;
use crate::object::ObjectRef;
use crate::owner::Owner;
use crate::report::ApplyError;

/// How soon a watch that has ended is opened again, and how long that may become while it fails.
const AGAIN: Duration = Duration::from_millis(500);
const RARELY: Duration = Duration::from_secs(30);

/// What objects looked like when they were written, by the id of their [`Entry`].
pub type Fingerprints = BTreeMap<String, Print>;

/// How one object was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// Its [`fingerprint`] then.
    live: String,
    /// What it was to be, as a digest.
    wanted: String,
}

impl Print {
    /// Of an object as it is now, and the digest of what it was to be.
    pub(crate) fn of(info: &ResourceInfo, live: &Value, wanted: &str) -> Self {
        Self {
            live: fingerprint(info, live),
            wanted: wanted.to_owned(),
        }
    }

    /// Whether the same was to be written.
    pub(crate) fn is_for(&self, wanted: &str) -> bool {
        !wanted.is_empty() && self.wanted == wanted
    }

    /// Whether the object is as it was written.
    pub(crate) fn is_of(&self, info: &ResourceInfo, live: &Value) -> bool {
        self.live == fingerprint(info, live)
    }
}

/// A digest of what is to be written; none of a Secret: the supervisor keeps these digests, and what is short
/// can be guessed from its digest.
pub(crate) fn digest_of(desired: &Value) -> String {
    match desired.get("kind").and_then(Value::as_str) {
        Some("Secret") => String::new(),
        _ => short(desired),
    }
}

fn short(value: &Value) -> String {
    let digest = Digest::of(value.to_string().as_bytes()).hex();
    digest.chars().take(16).collect()
}

/// What a Deployment's controller writes at its every rollout, a moment after the object was applied.
const ROLLOUT: &str = "deployment.kubernetes.io/revision";

/// Has a generation, and never counts it on.
const UNCOUNTED: (&str, &str) = ("scheduling.k8s.io", "PriorityClass");

/// What changes whenever somebody changes an object, its status aside: of kinds that count generations
/// the generation, else the resource version; and uid, labels and annotations.
#[must_use]
pub fn fingerprint(info: &ResourceInfo, object: &Value) -> String {
    let part = |path: &str| object.pointer(path).filter(|found| !found.is_null());
    let counted = (info.group.as_str(), info.kind.as_str()) != UNCOUNTED;
    let generation = part("/metadata/generation").filter(|_| counted);
    let count = generation.or_else(|| part("/metadata/resourceVersion"));
    let empty = |found: &&Value| found.as_object().is_none_or(|map| !map.is_empty());
    let sorted = |path: &str| {
        let map = part(path).filter(empty)?.as_object()?;
        let map: BTreeMap<_, _> = map.iter().filter(|(key, _)| *key != ROLLOUT).collect();
        Some(map).filter(|map| !map.is_empty())
    };
    let all = json!([
        part("/metadata/uid"),
        count,
        sorted("/metadata/labels"),
        sorted("/metadata/annotations"),
    ]);
    short(&all)
}

/// Objects of one kind in one namespace.
type Group<'a> = (ResourceInfo, Vec<(ObjectRef, &'a str)>);

/// The objects by kind and namespace; `None` if one can't be read or is of no kind that is served.
fn groups<'a>(entries: &'a [Entry], discovery: &Discovery) -> Option<Vec<Group<'a>>> {
    let mut groups: BTreeMap<(String, String), Group<'a>> = BTreeMap::new();
    for entry in entries {
        let object = entry.parse().ok()?;
        let info = discovery.resolve(&object.api_version(), &object.kind)?;
        let key = (
            format!("{}/{}", info.api_version(), info.kind),
            object.namespace.clone(),
        );
        let group = groups.entry(key).or_insert_with(|| (info, Vec::new()));
        group.1.push((object, &entry.id));
    }
    Some(groups.into_values().collect())
}

/// The objects of `entries`, if all of them are there, are `owner`'s, and look as `prints` say: one LIST
/// for each kind and namespace, of the metadata only unless they are wanted `whole`.
///
/// # Errors
/// As the server says.
pub async fn as_written(
    client: &ActingClient,
    discovery: &Discovery,
    entries: &[Entry],
    prints: &Fingerprints,
    owner: &Owner,
    whole: bool,
) -> Result<Option<Vec<Value>>, ApplyError> {
    if prints.len() != entries.len() {
        return Ok(None);
    }
    let Some(groups) = groups(entries, discovery) else {
        return Ok(None);
    };
    let selector = owner.selector();
    let mut found = Vec::with_capacity(entries.len());
    for (info, wanted) in groups {
        let Some((first, _)) = wanted.first() else {
            continue;
        };
        let by = By::Labels(&selector);
        let items = match whole {
            true => client.list(&info, first.ns(), by).await,
            false => client.list_metadata(&info, first.ns(), by).await,
        };
        let items = items.map_err(|error| ApplyError::request(first, "query failed", error))?;
        let named = |item: Value| Some((item.pointer("/metadata/name")?.as_str()?.to_owned(), item));
        let mut items: BTreeMap<String, Value> = items.into_iter().filter_map(named).collect();
        for (object, id) in wanted {
            let Some(live) = items.remove(&object.name) else {
                return Ok(None);
            };
            if !prints.get(id).is_some_and(|print| print.is_of(&info, &live)) {
                return Ok(None);
            }
            found.push(live);
        }
    }
    Ok(Some(found))
}

/// Watches the metadata of the objects, and names the first that is not as `prints` say, or is gone. Does not end before;
/// a watch that breaks is opened again.
///
/// # Errors
/// When the account may not list or watch one of the kinds.
pub async fn drifted(
    client: &ActingClient,
    discovery: &Discovery,
    entries: &[Entry],
    prints: &Fingerprints,
    owner: &Owner,
) -> Result<ObjectRef, ApplyError> {
    let Some(groups) = groups(entries, discovery) else {
        return std::future::pending().await;
    };
    let selector = owner.selector();
    let watched: FuturesUnordered<_> = groups
        .iter()
        .map(|group| async {
            let watched = Watched {
                client,
                prints,
                selector: &selector,
                group,
            };
            watched.until_drift().await
        })
        .collect();
    let first = Box::pin(watched.into_future()).await.0;
    match first {
        Some(found) => found,
        None => std::future::pending().await,
    }
}

/// One kind in one namespace.
struct Watched<'a> {
    client: &'a ActingClient,
    prints: &'a Fingerprints,
    selector: &'a str,
    group: &'a Group<'a>,
}

impl Watched<'_> {
    async fn until_drift(&self) -> Result<ObjectRef, ApplyError> {
        let mut wait = AGAIN;
        loop {
            match self.look().await {
                Ok(Some(object)) => return Ok(object),
                Ok(None) => wait = AGAIN,
                Err(error) if error.is_forbidden() => {
                    let (_, objects) = self.group;
                    let Some((first, _)) = objects.first() else {
                        return std::future::pending().await;
                    };
                    return Err(ApplyError::request(first, "watch failed", error));
                }
                Err(error) => {
                    tracing::debug!(%error, "a watch for drift failed");
                    wait = (wait * 2).min(RARELY);
                }
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Lists and then watches, until the server ends it.
    async fn look(&self) -> Result<Option<ObjectRef>, KubeError> {
        let (info, objects) = self.group;
        let ns = objects.first().and_then(|(first, _)| first.ns());
        let by = By::Labels(self.selector);
        let listing = self.client.list_metadata_at(info, ns, by).await?;
        let named = |item: &Value| item.pointer("/metadata/name")?.as_str().map(str::to_owned);
        let live: BTreeMap<String, &Value> = listing
            .items
            .iter()
            .filter_map(|item| Some((named(item)?, item)))
            .collect();
        let as_written = |id: &str, item: &Value| {
            let print = self.prints.get(id);
            print.is_some_and(|print| print.is_of(info, item))
        };
        for (object, id) in objects {
            if !live.get(&object.name).is_some_and(|item| as_written(id, item)) {
                return Ok(Some(object.clone()));
            }
        }
        let version = &listing.resource_version;
        let mut events = self.client.watch_metadata(info, ns, by, version).await?;
        let known = |item: &Value| {
            let name = item.pointer("/metadata/name")?.as_str()?;
            objects.iter().find(|(object, _)| object.name == name)
        };
        while let Some(event) = events.next().await {
            let found = match event? {
                WatchEvent::Applied(item) => known(&item).filter(|(_, id)| !as_written(id, &item)),
                WatchEvent::Deleted(item) => known(&item),
                WatchEvent::Bookmark(_) => None,
            };
            if let Some((object, _)) = found {
                return Ok(Some(object.clone()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(group: &str, kind: &str) -> ResourceInfo {
        ResourceInfo {
            group: group.to_owned(),
            version: "v1".to_owned(),
            plural: kind.to_lowercase(),
            kind: kind.to_owned(),
            namespaced: true,
        }
    }

    fn object(edit: impl FnOnce(&mut Value)) -> String {
        let mut object = json!({
            "metadata": {"uid": "u", "generation": 2, "resourceVersion": "7", "labels": {"a": "b", "c": "d"}},
            "status": {"ready": 1},
        });
        edit(&mut object);
        fingerprint(&kind("apps", "Deployment"), &object)
    }

    #[test]
    fn a_status_does_not_count_and_everything_else_does() {
        let first = object(|_| {});
        let same: [fn(&mut Value); 4] = [
            |o| o["status"] = json!({"ready": 2}),
            |o| o["metadata"]["resourceVersion"] = json!("8"),
            |o| o["metadata"]["labels"] = json!({"c": "d", "a": "b"}),
            |o| o["metadata"]["annotations"] = json!({ROLLOUT: "2"}),
        ];
        for edit in same {
            assert_eq!(object(edit), first);
        }
        let other: [fn(&mut Value); 4] = [
            |o| o["metadata"]["generation"] = json!(3),
            |o| o["metadata"]["uid"] = json!("v"),
            |o| o["metadata"]["labels"]["a"] = json!("x"),
            |o| o["metadata"]["annotations"] = json!({"a": "b"}),
        ];
        for edit in other {
            assert_ne!(object(edit), first);
        }
    }

    #[test]
    fn without_generations_every_write_counts() {
        let map = |version: &str| {
            let map = json!({"metadata": {"uid": "u", "resourceVersion": version}});
            fingerprint(&kind("", "ConfigMap"), &map)
        };
        assert_ne!(map("7"), map("8"));
        let class = |version: &str| {
            let class = json!({"metadata": {"uid": "u", "generation": 1, "resourceVersion": version}});
            fingerprint(&kind("scheduling.k8s.io", "PriorityClass"), &class)
        };
        assert_ne!(class("7"), class("8"), "its generation is always 1");
    }
}
