use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use tenure_kube::{ActingClient, By};

use super::Placed;
use crate::object::ObjectRef;
use crate::owner::Owner;
use crate::report::ApplyError;

/// Reads the objects as they are: one LIST by the owner's labels for each kind and namespace, then
/// one by name for each that has not the labels yet.
pub(crate) async fn read(
    client: &ActingClient,
    wanted: &[&Placed],
    owner: &Owner,
) -> Result<HashMap<ObjectRef, Value>, ApplyError> {
    read_by(client, wanted, owner, true).await
}

/// The same of those only that are the owner's. There is nothing of a kind that is not served.
pub(crate) async fn read_ours(
    client: &ActingClient,
    wanted: &[&Placed],
    owner: &Owner,
) -> Result<HashMap<ObjectRef, Value>, ApplyError> {
    match read_by(client, wanted, owner, false).await {
        Err(error) if error.is_missing_kind() => Ok(HashMap::new()),
        read => read,
    }
}

async fn read_by(
    client: &ActingClient,
    wanted: &[&Placed],
    owner: &Owner,
    others: bool,
) -> Result<HashMap<ObjectRef, Value>, ApplyError> {
    let mut groups: BTreeMap<(String, &str), Vec<&Placed>> = BTreeMap::new();
    for placed in wanted {
        let kind = format!("{}/{}", placed.info.api_version(), placed.info.kind);
        groups
            .entry((kind, placed.at.namespace.as_str()))
            .or_default()
            .push(placed);
    }
    let mut live = HashMap::new();
    for group in groups.into_values() {
        let Some(first) = group.first() else { continue };
        let selector = owner.selector();
        // One object is found as cheaply by its name, labels or not.
        let by = if group.len() == 1 {
            By::Name(&first.at.name)
        } else {
            By::Labels(&selector)
        };
        list(client, first, by, &mut live).await?;
        if !others || group.len() == 1 {
            continue;
        }
        for placed in group {
            if !live.contains_key(&placed.at) {
                list(client, placed, By::Name(&placed.at.name), &mut live).await?;
            }
        }
    }
    Ok(live)
}

/// The one object, if it is there.
pub(crate) async fn read_one(client: &ActingClient, placed: &Placed) -> Result<Option<Value>, ApplyError> {
    let mut live = HashMap::new();
    list(client, placed, By::Name(&placed.at.name), &mut live).await?;
    Ok(live.remove(&placed.at))
}

async fn list(
    client: &ActingClient,
    placed: &Placed,
    by: By<'_>,
    into: &mut HashMap<ObjectRef, Value>,
) -> Result<(), ApplyError> {
    let items = client.list(&placed.info, placed.at.ns(), by).await;
    let items = items.map_err(|error| ApplyError::request(&placed.at, "query failed", error))?;
    into.extend(items.into_iter().map(|item| (ObjectRef::of(&item), item)));
    Ok(())
}

/// Whether writing would change labels, annotations, or anything but metadata and status.
pub(crate) fn differs(live: &Value, wanted: &Value) -> bool {
    let empty = |value: Option<&Value>| {
        value
            .filter(|v| v.as_object().is_none_or(|map| !map.is_empty()))
            .cloned()
    };
    let metadata = ["/metadata/labels", "/metadata/annotations"];
    if metadata
        .iter()
        .any(|path| empty(live.pointer(path)) != empty(wanted.pointer(path)))
    {
        return true;
    }
    let rest = |object: &Value| {
        let mut rest = object.as_object().cloned().unwrap_or_default();
        for key in ["metadata", "status", "apiVersion", "kind"] {
            rest.remove(key);
        }
        rest
    };
    rest(live) != rest(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_an_apply_can_change_counts() {
        let live = json!({"metadata": {"labels": {"a": "b"}, "resourceVersion": "1", "annotations": {}},
            "data": {"x": "y"}, "status": {"p": 1}});
        for (wanted, changed) in [
            (
                json!({"kind": "X", "metadata": {"labels": {"a": "b"}, "resourceVersion": "2"}, "data": {"x": "y"}}),
                false,
            ),
            (
                json!({"metadata": {"labels": {"a": "c"}}, "data": {"x": "y"}}),
                true,
            ),
            (
                json!({"metadata": {"labels": {"a": "b"}, "annotations": {"n": ""}}, "data": {"x": "y"}}),
                true,
            ),
            (
                json!({"metadata": {"labels": {"a": "b"}}, "data": {"x": "z"}}),
                true,
            ),
            (json!({"metadata": {"labels": {"a": "b"}}}), true),
        ] {
            assert_eq!(differs(&live, &wanted), changed, "{wanted}");
        }
    }
}
