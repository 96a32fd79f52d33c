//! The cluster that a Kustomization applies to, and as whom.

use std::sync::Arc;

use tenure_api::{KubeConfigReference, reasons};
use tenure_core::Account;
use tenure_kube::{ActingClient, Discovery, KubeError, RemoteCluster};
use tokio::sync::Mutex;

use super::run::{Failure, Step};
use crate::{Effects, reads};

/// Where a Secret has the kubeconfig if nobody says which key.
const KEYS: [&str; 2] = ["value", "value.yaml"];

/// A cluster, and who acts there.
pub(super) struct Target {
    pub(super) client: ActingClient,
    /// What another cluster serves, once asked; of this one the worker knows.
    remote: Option<Mutex<Option<Arc<Discovery>>>>,
}

impl Target {
    /// This cluster as the account, or the one that `spec.kubeConfig` names: there as its user, or as
    /// the account if the object names one.
    ///
    /// # Errors
    /// Why the kubeconfig can't be used.
    pub(super) async fn open(
        reference: Option<&KubeConfigReference>,
        account: &Account,
        named: bool,
        effects: &Arc<Effects>,
    ) -> Result<Self, Failure> {
        let Some(reference) = reference else {
            return Ok(Self {
                client: effects.acting(account),
                remote: None,
            });
        };
        let fail = |message| Failure {
            title: "failed to build kube client: ",
            ..Failure::new(Step::Building, reasons::RECONCILIATION_FAILED, message)
        };
        let kubeconfig = kubeconfig(reference, account, effects).await.map_err(fail)?;
        let who = Some(account.clone()).filter(|_| named);
        Ok(Self {
            client: kubeconfig.client(who),
            remote: Some(Mutex::default()),
        })
    }

    /// Whether it is another cluster.
    pub(super) fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// What it serves.
    pub(super) async fn discovery(&self, effects: &Effects) -> Result<Arc<Discovery>, KubeError> {
        let Some(remote) = &self.remote else {
            return effects.own.discovery().await;
        };
        let mut kept = remote.lock().await;
        match &*kept {
            Some(kept) => Ok(kept.clone()),
            None => {
                let found = Arc::new(self.client.discover().await?);
                *kept = Some(found.clone());
                Ok(found)
            }
        }
    }

    /// The same, asked again.
    pub(super) async fn refresh(&self, effects: &Effects) -> Result<Arc<Discovery>, KubeError> {
        let Some(remote) = &self.remote else {
            return effects.own.refresh().await;
        };
        *remote.lock().await = None;
        self.discovery(effects).await
    }
}

async fn kubeconfig(
    reference: &KubeConfigReference,
    account: &Account,
    effects: &Arc<Effects>,
) -> Result<RemoteCluster, String> {
    let Some(secret) = &reference.secret_ref else {
        return match &reference.config_map_ref {
            Some(map) => super::cluster::cluster(&map.name, account, effects).await,
            None => Err("spec.kubeConfig names neither a Secret nor a ConfigMap".to_owned()),
        };
    };
    let title = format!("{}/{}", effects.home.namespace, secret.name);
    let read = |error: String| format!("unable to read KubeConfig secret '{title}' error: {error}");
    let found = reads::secret(effects, account, &secret.name)
        .await
        .map_err(read)?;
    let data = found.ok_or_else(|| read(format!("secrets \"{}\" not found", secret.name)))?;
    let key = secret.key.as_deref().filter(|key| !key.is_empty());
    let text = match key {
        Some(key) => data.get(key),
        None => KEYS.iter().find_map(|key| data.get(*key)),
    };
    let text = text.ok_or_else(|| {
        let key = key.unwrap_or(KEYS[0]);
        format!("KubeConfig secret '{title}' does not contain a '{key}' key with a kubeconfig")
    })?;
    let remote = RemoteCluster::from_kubeconfig(text.expose(), super::cluster::allowed(effects));
    remote.map_err(|error| format!("the kubeconfig in Secret '{title}' can't be used: {error}"))
}
