//! What a scenario does to the cluster, as its administrator.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::Event as ClusterEvent;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::step;
use super::wish::Reference;
use crate::apply_yaml;

/// Says when a reconcile was asked for.
const REQUESTED: &str = "reconcile.fluxcd.io/requestedAt";

/// The cluster, seen from one home.
pub(super) struct Cluster {
    pub(super) client: Client,
    pub(super) namespace: String,
    kinds: Mutex<HashMap<(String, String), (ApiResource, bool)>>,
}

impl Cluster {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            kinds: Mutex::default(),
        }
    }

    /// Applies all objects of a text.
    pub(super) async fn apply(&self, text: &str) -> anyhow::Result<()> {
        apply_yaml(&self.client, text, Some(&self.namespace)).await?;
        Ok(())
    }

    /// An object as it is, or nothing. That of a kind that is not served is not there.
    pub(super) async fn find(&self, of: &Reference) -> anyhow::Result<Option<Value>> {
        let api = match self.api(of).await {
            Ok(api) => api,
            Err(error) if is_unserved(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = api.get_opt(&of.name).await?;
        found
            .map(|object| serde_json::to_value(object).context("read an object"))
            .transpose()
    }

    pub(super) async fn patch(&self, patch: &step::Patch) -> anyhow::Result<()> {
        let of = Reference::read(&patch.object)?;
        let api = self.api(&of).await?;
        let (body, params) = if patch.apply {
            let mut body = json!({
                "apiVersion": of.api_version, "kind": of.kind, "metadata": {"name": of.name},
            });
            merge(&mut body, &patch.with);
            (Patch::Apply(body), PatchParams::apply(&patch.manager).force())
        } else {
            let params = PatchParams {
                field_manager: Some(patch.manager.clone()),
                ..PatchParams::default()
            };
            (Patch::Merge(patch.with.clone()), params)
        };
        let result = match patch.subresource.as_deref() {
            None => api.patch(&of.name, &params, &body).await.map(drop),
            Some("status") => api.patch_status(&of.name, &params, &body).await.map(drop),
            Some(other) => bail!("nothing is known of a subresource {other}"),
        };
        result.with_context(|| format!("patch {}", patch.object))
    }

    pub(super) async fn delete(&self, reference: &str) -> anyhow::Result<()> {
        let of = Reference::read(reference)?;
        let api = self.api(&of).await?;
        api.delete(&of.name, &DeleteParams::background())
            .await
            .with_context(|| format!("delete {reference}"))?;
        Ok(())
    }

    /// Asks for a reconcile now, with this word to answer.
    pub(super) async fn request(&self, of: &Reference, word: &str) -> anyhow::Result<()> {
        let body = json!({"metadata": {"annotations": {REQUESTED: word}}});
        let params = PatchParams {
            field_manager: Some("flux-client-side-apply".to_owned()),
            ..PatchParams::default()
        };
        let api = self.api(of).await?;
        api.patch(&of.name, &params, &Patch::Merge(body))
            .await
            .with_context(|| format!("ask {}/{} to reconcile", of.kind, of.name))?;
        Ok(())
    }

    /// The events about an object.
    pub(super) async fn events(&self, of: &Reference) -> anyhow::Result<Vec<ClusterEvent>> {
        let api: Api<ClusterEvent> = Api::namespaced(self.client.clone(), self.place(of));
        let about = format!("involvedObject.kind={},involvedObject.name={}", of.kind, of.name);
        Ok(api.list(&ListParams::default().fields(&about)).await?.items)
    }

    /// Lets everything that reconciles rest, so that it costs nothing any more.
    pub(super) async fn rest(&self) -> anyhow::Result<()> {
        for kind in ["Kustomization", "GitRepository"] {
            let api = self.api(&Reference::read(&format!("{kind}/all"))?).await?;
            for object in api.list(&ListParams::default()).await? {
                let name = object.metadata.name.unwrap_or_default();
                let body = Patch::Merge(json!({"spec": {"suspend": true}}));
                api.patch(&name, &PatchParams::default(), &body).await?;
            }
        }
        Ok(())
    }

    fn place<'a>(&'a self, of: &'a Reference) -> &'a str {
        of.namespace.as_deref().unwrap_or(&self.namespace)
    }

    async fn api(&self, of: &Reference) -> anyhow::Result<Api<DynamicObject>> {
        let (resource, namespaced) = self.kind(of).await?;
        Ok(if namespaced {
            Api::namespaced_with(self.client.clone(), self.place(of), &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        })
    }

    async fn kind(&self, of: &Reference) -> anyhow::Result<(ApiResource, bool)> {
        let key = (of.api_version.clone(), of.kind.clone());
        let known = |kinds: &Mutex<HashMap<_, _>>| {
            let kinds = kinds.lock().unwrap_or_else(PoisonError::into_inner);
            kinds.get(&key).cloned()
        };
        if let Some(known) = known(&self.kinds) {
            return Ok(known);
        }
        let (group, version) = of.api_version.split_once('/').unwrap_or(("", &of.api_version));
        let (resource, capabilities) =
            pinned_kind(&self.client, &GroupVersionKind::gvk(group, version, &of.kind))
                .await
                .with_context(|| format!("look for the kind {} of {}", of.kind, of.api_version))?;
        let found = (resource, capabilities.scope == Scope::Namespaced);
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(key, found.clone());
        Ok(found)
    }
}

/// Whether the API server has no such kind; any other failure to look says nothing about what is there.
fn is_unserved(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<kube::Error>() {
        Some(kube::Error::Discovery(_)) => true,
        Some(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}

/// Lays the fields of one object over another.
pub(super) fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
