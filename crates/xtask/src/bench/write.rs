//! Server-side apply without a library's comfort: a path, a body, a request.

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::Client;
use serde_json::Value;

/// Connections that are kept open and used at once.
pub(super) const CONNECTIONS: usize = 8;

/// Applies objects in any order, as the administrator.
pub(super) async fn apply_all(client: &Client, objects: &[Value]) -> anyhow::Result<()> {
    stream::iter(objects)
        .map(|object| apply(client, object))
        .buffer_unordered(CONNECTIONS)
        .try_for_each(|()| async { Ok(()) })
        .await
}

/// Applies the status of objects that are there.
pub(super) async fn apply_statuses(client: &Client, objects: &[Value]) -> anyhow::Result<()> {
    stream::iter(objects)
        .map(|object| async { apply_at(client, &format!("{}/status", path(object)?), object).await })
        .buffer_unordered(CONNECTIONS)
        .try_for_each(|()| async { Ok(()) })
        .await
}

async fn apply(client: &Client, object: &Value) -> anyhow::Result<()> {
    apply_at(client, &path(object)?, object).await
}

async fn apply_at(client: &Client, path: &str, object: &Value) -> anyhow::Result<()> {
    let path = format!("{path}?fieldManager=bench&force=true");
    let request = http::Request::patch(&path)
        .header("content-type", "application/apply-patch+yaml")
        .body(serde_json::to_vec(object)?)?;
    client
        .request_text(request)
        .await
        .with_context(|| format!("apply {path}"))?;
    Ok(())
}

/// Merges into one object.
pub(super) async fn merge(client: &Client, path: &str, patch: &Value) -> anyhow::Result<()> {
    let request = http::Request::patch(path)
        .header("content-type", "application/merge-patch+json")
        .body(serde_json::to_vec(patch)?)?;
    client
        .request_text(request)
        .await
        .with_context(|| format!("patch {path}"))?;
    Ok(())
}

/// Reads a path as JSON.
pub(super) async fn get(client: &Client, path: &str) -> anyhow::Result<Value> {
    let request = http::Request::get(path).body(Vec::new())?;
    client
        .request(request)
        .await
        .with_context(|| format!("get {path}"))
}

/// The path of an object of a kind that the benchmark uses.
pub(super) fn path(object: &Value) -> anyhow::Result<String> {
    let text = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .context("an object without a name or a kind")
    };
    let version = text(&object["apiVersion"])?;
    let plural = match object["kind"].as_str() {
        Some("Namespace") => "namespaces",
        Some("ServiceAccount") => "serviceaccounts",
        Some("Service") => "services",
        Some("Secret") => "secrets",
        Some("ConfigMap") => "configmaps",
        Some("Deployment") => "deployments",
        Some("Ingress") => "ingresses",
        Some("OCIRepository") => "ocirepositories",
        Some("HelmRepository") => "helmrepositories",
        Some("HelmChart") => "helmcharts",
        Some("Role") => "roles",
        Some("RoleBinding") => "rolebindings",
        Some("Tenant") => "tenants",
        Some("GitRepository") => "gitrepositories",
        Some("Kustomization") => "kustomizations",
        other => bail!("the benchmark writes no {other:?}"),
    };
    let root = if version.contains('/') { "/apis" } else { "/api" };
    let name = text(&object["metadata"]["name"])?;
    Ok(match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{root}/{version}/namespaces/{namespace}/{plural}/{name}"),
        None => format!("{root}/{version}/{plural}/{name}"),
    })
}
