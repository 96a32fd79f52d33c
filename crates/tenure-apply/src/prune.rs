use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use tenure_kube::{ActingClient, By, DeleteParams, Deletion, Discovery, KubeError, ResourceInfo};

use crate::inventory::{self, Entry};
use crate::object::ObjectRef;
use crate::owner::{Marker, Owner};
use crate::report::{Action, ApplyError, Change};

/// What a prune came to.
#[derive(Debug, Default)]
pub struct PruneReport {
    /// `deleted` and `skipped`, in the order of deletion. As with Flux, what was gone already counts as
    /// deleted, and what is somebody else's by now as skipped.
    pub changes: Vec<Change>,
    /// What could not be deleted and belongs back into the inventory.
    pub survivors: Vec<Entry>,
    /// Why, one per survivor.
    pub errors: Vec<ApplyError>,
}

impl PruneReport {
    /// The changes as lines.
    #[must_use]
    pub fn change_lines(&self) -> String {
        self.changes
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Objects of one kind in one namespace are found with one LIST by the owner's labels: what is not
/// in it is gone, or somebody else's by now, and either way not ours to delete. A LIST by its name says
/// which.
type Owned = HashMap<String, Value>;

/// Deletes what `stale` names and `owner` still owns, in reverse apply order, in the background.
/// Never stops at a failure. A kind that is not served any more has no objects.
pub async fn prune(
    client: &ActingClient,
    discovery: &Discovery,
    stale: &[Entry],
    owner: &Owner,
) -> PruneReport {
    let mut ordered = stale.to_vec();
    ordered.sort_by(|a, b| inventory::by_kind(b, a));
    let mut report = PruneReport::default();
    let mut known: BTreeMap<(String, String), Result<Owned, ()>> = BTreeMap::new();
    for entry in ordered {
        // What cannot be read was not written by us, and names nothing.
        let Ok(object) = entry.parse() else { continue };
        let Some(info) = discovery.resolve_any_version(&object.group, &object.version, &object.kind) else {
            continue;
        };
        let key = (info.api_version() + "/" + &info.kind, object.namespace.clone());
        if !known.contains_key(&key) {
            let found = match owned(client, &info, &object, owner).await {
                Ok(found) => Ok(found),
                Err(error) => {
                    report
                        .errors
                        .push(ApplyError::request(&object, "query failed", error));
                    Err(())
                }
            };
            known.insert(key.clone(), found);
        }
        match known.get_mut(&key) {
            Some(Ok(found)) => match found.remove(&object.name) {
                Some(live) => delete(client, &info, &object, &live, owner, &mut report).await,
                None => not_ours(client, &info, &object, &mut report).await,
            },
            _ => report.survivors.push(entry),
        }
    }
    report
}

/// What [`prune`] would delete of `stale` now: what is there, is `owner`'s, and is not marked to stay.
///
/// # Errors
/// When a kind can't be listed: then nothing is known.
pub async fn doomed(
    client: &ActingClient,
    discovery: &Discovery,
    stale: &[Entry],
    owner: &Owner,
) -> Result<Vec<Entry>, ApplyError> {
    let mut known: BTreeMap<(String, String), Owned> = BTreeMap::new();
    let mut doomed = Vec::new();
    for entry in stale {
        let Ok(object) = entry.parse() else { continue };
        let Some(info) = discovery.resolve_any_version(&object.group, &object.version, &object.kind) else {
            continue;
        };
        let key = (info.api_version() + "/" + &info.kind, object.namespace.clone());
        if !known.contains_key(&key) {
            let found = owned(client, &info, &object, owner).await;
            let found = found.map_err(|error| ApplyError::request(&object, "query failed", error))?;
            known.insert(key.clone(), found);
        }
        let live = known.get(&key).and_then(|found| found.get(&object.name));
        let goes = |live: &Value| live.pointer("/metadata/deletionTimestamp").is_some();
        let stays = |live: &Value| Marker::Skip.on(live) || Marker::KeepOnPrune.on(live) || goes(live);
        if live.is_some_and(|live| owner.owns(live) && !stays(live)) {
            doomed.push(entry.clone());
        }
    }
    Ok(doomed)
}

async fn owned(
    client: &ActingClient,
    info: &ResourceInfo,
    object: &ObjectRef,
    owner: &Owner,
) -> Result<Owned, KubeError> {
    let items = match client
        .list(info, object.ns(), By::Labels(&owner.selector()))
        .await
    {
        Ok(items) => items,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error),
    };
    let named = |item: Value| Some((item.pointer("/metadata/name")?.as_str()?.to_owned(), item));
    Ok(items.into_iter().filter_map(named).collect())
}

/// Says of an object without the owner's labels whether it is still there.
async fn not_ours(client: &ActingClient, info: &ResourceInfo, object: &ObjectRef, report: &mut PruneReport) {
    let action = match client.list(info, object.ns(), By::Name(&object.name)).await {
        Ok(items) if items.is_empty() => Action::Deleted,
        Ok(_) => Action::Skipped,
        Err(error) if error.is_not_found() => Action::Deleted,
        Err(error) => {
            report.survivors.push(Entry::of(object));
            report
                .errors
                .push(ApplyError::request(object, "query failed", error));
            return;
        }
    };
    report.changes.push(Change {
        object: object.clone(),
        action,
    });
}

async fn delete(
    client: &ActingClient,
    info: &ResourceInfo,
    object: &ObjectRef,
    live: &Value,
    owner: &Owner,
    report: &mut PruneReport,
) {
    let mut change = |action| {
        report.changes.push(Change {
            object: object.clone(),
            action,
        })
    };
    // The server selected by labels; asking again guards against one that did not.
    if !owner.owns(live) || Marker::Skip.on(live) || Marker::KeepOnPrune.on(live) {
        return change(Action::Skipped);
    }
    // It goes already, maybe slowly.
    if live.pointer("/metadata/deletionTimestamp").is_some() {
        return change(Action::Deleted);
    }
    let params = DeleteParams {
        uid: live
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .map(str::to_owned),
        ..DeleteParams::default()
    };
    match client.delete(info, object.ns(), &object.name, &params).await {
        Ok(Deletion::Deleted | Deletion::NotFound) => change(Action::Deleted),
        Err(error) => {
            report.survivors.push(Entry::of(object));
            report
                .errors
                .push(ApplyError::request(object, "delete failed", error));
        }
    }
}
