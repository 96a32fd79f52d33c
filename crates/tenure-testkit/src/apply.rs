//! `kubectl apply --server-side`, for tests.

use anyhow::Context as _;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client};
use serde_json::Value;

/// Who owns the fields that tests write.
const MANAGER: &str = "rig";

/// Applies every document of `yaml`, in order. `namespace` is for namespaced objects that name
/// none.
///
/// # Errors
/// When a document is no Kubernetes object, its kind is not served, or the API server refuses.
pub async fn apply_yaml(
    client: &Client,
    yaml: &str,
    namespace: Option<&str>,
) -> anyhow::Result<Vec<DynamicObject>> {
    let mut applied = Vec::new();
    for document in parse(yaml)? {
        let object: DynamicObject = serde_json::from_value(document)?;
        applied.push(apply(client, object, namespace).await?);
    }
    Ok(applied)
}

pub(crate) fn parse(yaml: &str) -> anyhow::Result<Vec<Value>> {
    // The defaults refuse long comments and read YAML 1.2 with guesses; Kubernetes does not.
    let options = serde_saphyr::options! { emit_comments: false, legacy_octal_numbers: true };
    let documents: Vec<Value> =
        serde_saphyr::from_multiple_with_options(yaml, options).context("parse objects to apply")?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect())
}

async fn apply(
    client: &Client,
    mut object: DynamicObject,
    namespace: Option<&str>,
) -> anyhow::Result<DynamicObject> {
    let types = object
        .types
        .as_ref()
        .context("an object to apply has no apiVersion and kind")?;
    let kind = GroupVersionKind::try_from(types)?;
    let name = object
        .metadata
        .name
        .clone()
        .context("an object to apply has no name")?;
    let (resource, capabilities) = pinned_kind(client, &kind)
        .await
        .with_context(|| format!("look for the kind {kind:?}"))?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object
                .metadata
                .namespace
                .get_or_insert_with(|| namespace.unwrap_or("default").into());
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    };
    let params = PatchParams::apply(MANAGER).force();
    api.patch(&name, &params, &Patch::Apply(&object))
        .await
        .with_context(|| format!("apply {} {name}", kind.kind))
}
