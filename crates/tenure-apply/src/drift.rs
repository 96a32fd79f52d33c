//! Whether objects are still as they were written, told from their metadata alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tenure_core::Digest;
use tenure_kube::{ActingClient, By, Discovery, ResourceInfo};

use crate::inventory::Entry;
use crate::object::ObjectRef;
use crate::owner::Owner;
use crate::report::ApplyError;

/// What objects looked like when they were written, by the id of their [`Entry`].
pub type Fingerprints = BTreeMap<String, String>;

/// What changes whenever somebody changes an object, its status aside: of kinds that count generations
/// the generation, else the resource version; and uid, labels and annotations.
#[must_use]
pub fn fingerprint(object: &Value) -> String {
    let part = |path: &str| object.pointer(path).filter(|found| !found.is_null());
    let count = part("/metadata/generation").or_else(|| part("/metadata/resourceVersion"));
    let empty = |found: &&Value| found.as_object().is_none_or(|map| !map.is_empty());
    let sorted = |path: &str| {
        let map = part(path).filter(empty)?.as_object()?;
        Some(map.iter().collect::<BTreeMap<_, _>>())
    };
    let all = json!([
        part("/metadata/uid"),
        count,
        sorted("/metadata/labels"),
        sorted("/metadata/annotations"),
    ]);
    Digest::of(all.to_string().as_bytes())
        .hex()
        .chars()
        .take(16)
        .collect()
}

/// Objects of one kind in one namespace.
type Group<'a> = (ResourceInfo, Vec<(ObjectRef, &'a Entry)>);

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
    let mut groups: BTreeMap<(String, String), Group<'_>> = BTreeMap::new();
    for entry in entries {
        let Ok(object) = entry.parse() else {
            return Ok(None);
        };
        let Some(info) = discovery.resolve(&object.api_version(), &object.kind) else {
            return Ok(None);
        };
        let key = (
            format!("{}/{}", info.api_version(), info.kind),
            object.namespace.clone(),
        );
        groups
            .entry(key)
            .or_insert_with(|| (info, Vec::new()))
            .1
            .push((object, entry));
    }
    let selector = owner.selector();
    let mut found = Vec::with_capacity(entries.len());
    for (info, wanted) in groups.into_values() {
        let Some((first, _)) = wanted.first() else {
            continue;
        };
        let by = By::Labels(&selector);
        let items = match whole {
            true => client.list(&info, first.ns(), by).await,
            false => client.list_metadata(&info, first.ns(), by).await,
        };
        let items = items.map_err(|error| ApplyError::request(first, "read", error))?;
        let named = |item: Value| Some((item.pointer("/metadata/name")?.as_str()?.to_owned(), item));
        let mut items: BTreeMap<String, Value> = items.into_iter().filter_map(named).collect();
        for (object, entry) in wanted {
            let Some(live) = items.remove(&object.name) else {
                return Ok(None);
            };
            if prints.get(&entry.id) != Some(&fingerprint(&live)) {
                return Ok(None);
            }
            found.push(live);
        }
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(edit: impl FnOnce(&mut Value)) -> String {
        let mut object = json!({
            "metadata": {"uid": "u", "generation": 2, "resourceVersion": "7", "labels": {"a": "b", "c": "d"}},
            "status": {"ready": 1},
        });
        edit(&mut object);
        fingerprint(&object)
    }

    #[test]
    fn a_status_does_not_count_and_everything_else_does() {
        let first = object(|_| {});
        let same: [fn(&mut Value); 3] = [
            |o| o["status"] = json!({"ready": 2}),
            |o| o["metadata"]["resourceVersion"] = json!("8"),
            |o| o["metadata"]["labels"] = json!({"c": "d", "a": "b"}),
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
        let map = |version: &str| fingerprint(&json!({"metadata": {"uid": "u", "resourceVersion": version}}));
        assert_ne!(map("7"), map("8"));
    }
}
