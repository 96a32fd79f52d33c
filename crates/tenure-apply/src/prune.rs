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
    /// `deleted` and `skipped`, in the order of deletion. What was gone already is not named.
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
/// in it is gone, or somebody else's by now, and either way not ours to delete.
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
    ordered.sort_by(|a, b| inventory::apply_order(b, a));
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
                    report.errors.push(ApplyError::request(&object, "read", error));
                    Err(())
                }
            };
            known.insert(key.clone(), found);
        }
        match known.get_mut(&key) {
            Some(Ok(found)) => {
                if let Some(live) = found.remove(&object.name) {
                    delete(client, &info, &object, &live, owner, &mut report).await;
                }
            }
            _ => report.survivors.push(entry),
        }
    }
    report
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

async fn delete(
    client: &ActingClient,
    info: &ResourceInfo,
    object: &ObjectRef,
    live: &Value,
    owner: &Owner,
    report: &mut PruneReport,
) {
    // The server selected by labels; this guards against one that did not.
    if !owner.owns(live) {
        return;
    }
    let mut change = |action| {
        report.changes.push(Change {
            object: object.clone(),
            action,
        })
    };
    if Marker::Skip.on(live) || Marker::KeepOnPrune.on(live) {
        return change(Action::Skipped);
    }
    if live.pointer("/metadata/deletionTimestamp").is_some() {
        return;
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
            report.errors.push(ApplyError::request(object, "delete", error));
        }
    }
}
