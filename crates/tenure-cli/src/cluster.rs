//! The person's cluster: their kubeconfig, their rights.

use anyhow::Context as _;
use kube::api::{Api, DynamicObject};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config};

/// A client with what `KUBECONFIG`, or `--context`, says.
pub(crate) async fn client(context: Option<String>) -> anyhow::Result<Client> {
    let options = KubeConfigOptions {
        context,
        ..KubeConfigOptions::default()
    };
    let kubeconfig =
        Kubeconfig::read().context("failed to read the kubeconfig (KUBECONFIG or ~/.kube/config)")?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .context("failed to use the kubeconfig")?;
    Client::try_from(config).context("failed to set up a client for the API server")
}

/// Objects of one kind, everywhere or in one namespace.
pub(crate) fn api(
    client: &Client,
    group: &str,
    version: &str,
    kind: &str,
    plural: &str,
    namespace: Option<&str>,
) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}
