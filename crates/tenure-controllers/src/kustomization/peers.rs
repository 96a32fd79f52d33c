//! Dependencies in other namespaces, which the worker reads itself where it has been allowed to.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tenure_core::Name;
use tenure_kube::{KUSTOMIZATION, KubeError};

use crate::Effects;

/// By namespace and name: the object, nothing if there is none, or why it could not be read.
pub(crate) type Peers = BTreeMap<(String, Name), Result<Option<Arc<Value>>, String>>;

/// Reads what this object depends on in other namespaces: one request for each.
pub(super) async fn read(object: &Value, effects: &Effects) -> Peers {
    let mut peers = Peers::new();
    let home = &effects.home.namespace;
    for (namespace, name) in foreign(object, home) {
        let found = effects.own.get_peer(KUSTOMIZATION, &namespace, &name).await;
        let found = found.map(|object| object.map(Arc::new));
        let found = found.map_err(|error| refused(&error, &namespace, &name, home));
        peers.insert((namespace.to_string(), name), found);
    }
    peers
}

/// Those that are not in the home; what is no name is found nowhere.
fn foreign(object: &Value, home: &Name) -> Vec<(Name, Name)> {
    let list = object.pointer("/spec/dependsOn").and_then(Value::as_array);
    let text = |one: &Value, field: &str| Name::new(one.get(field)?.as_str()?).ok();
    list.into_iter()
        .flatten()
        .filter_map(|one| Some((text(one, "namespace")?, text(one, "name")?)))
        .filter(|(namespace, _)| namespace != home)
        .collect()
}

fn refused(error: &KubeError, namespace: &Name, name: &Name, home: &Name) -> String {
    if !error.is_forbidden() {
        return error.to_string();
    }
    format!(
        "it is in another namespace, which needs the Role tenure:peer there (get, list, watch of kustomizations \"{name}\" in namespace \"{namespace}\") bound to ServiceAccount tenure-workers/{home}; add it to spec.peers of the Tenant and apply what `tenure tenant rights` renders"
    )
}
