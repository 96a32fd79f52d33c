//! Where a scenario takes place, and how a namespace becomes somebody's home.

use std::future::Future;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::DeleteParams;
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::apply_yaml;

/// The ServiceAccount that every home has.
pub const ACCOUNT: &str = "deployer";

/// What a scenario wants beyond an empty namespace.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Needs {
    /// More namespaces to apply to: `other` is `$(namespace)-other`.
    #[serde(default)]
    pub(super) targets: Vec<String>,
    /// What the account may do, in place of the Role `admin`.
    pub(super) rules: Option<Value>,
    /// Fields of a Tenant, where there are Tenants.
    pub(super) tenant: Option<Value>,
}

/// A home, before it is one.
#[derive(Debug, Clone)]
pub struct Home {
    /// The namespace.
    pub namespace: String,
    /// More namespaces to apply to.
    pub targets: Vec<String>,
    /// What [`ACCOUNT`] may do in all of them; `admin` if it says nothing.
    pub rules: Option<Value>,
    /// Fields of a Tenant, where there are Tenants.
    pub tenant: Option<Value>,
}

/// How a namespace becomes a home: afterwards the namespaces are there, and controllers work for [`ACCOUNT`] in them.
pub trait Onboarding: Sync {
    /// Makes it one.
    ///
    /// # Errors
    /// When the API server refuses something.
    fn onboard(&self, home: &Home) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Ends it, when the scenario is over.
    ///
    /// # Errors
    /// When the API server refuses something.
    fn offboard(&self, _home: &Home) -> impl Future<Output = anyhow::Result<()>> + Send {
        std::future::ready(Ok(()))
    }
}

/// Namespaces, the account, and its rights in them: what controllers need that know no Tenants. With a manifest for what
/// these want besides, in which `$(namespace)` and `$(account)` are filled in.
#[derive(Clone)]
pub struct Bound {
    /// The administrator's client.
    pub client: Client,
    /// Applied in every namespace, after the rest.
    pub manifest: Option<String>,
    /// Whether the namespaces stay on the cluster.
    pub keep: bool,
}

impl Onboarding for Bound {
    async fn onboard(&self, home: &Home) -> anyhow::Result<()> {
        let group = "rbac.authorization.k8s.io";
        for place in std::iter::once(&home.namespace).chain(&home.targets) {
            let metadata = json!({"name": ACCOUNT, "namespace": place});
            let (kind, role) = match &home.rules {
                Some(_) => ("Role", ACCOUNT),
                None => ("ClusterRole", "admin"),
            };
            let mut objects =
                vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})];
            if *place == home.namespace {
                objects.push(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}));
            }
            objects.extend(home.rules.as_ref().map(|rules| {
                json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata, "rules": rules})
            }));
            objects.push(json!({
                "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
                "roleRef": {"apiGroup": group, "kind": kind, "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": home.namespace}],
            }));
            for object in objects {
                apply_yaml(&self.client, &object.to_string(), Some(place)).await?;
            }
            if let Some(manifest) = &self.manifest {
                let text = manifest
                    .replace("$(namespace)", place)
                    .replace("$(account)", ACCOUNT);
                apply_yaml(&self.client, &text, Some(place)).await?;
            }
        }
        Ok(())
    }

    async fn offboard(&self, home: &Home) -> anyhow::Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for place in std::iter::once(&home.namespace)
            .chain(&home.targets)
            .filter(|_| !self.keep)
        {
            namespaces.delete(place, &DeleteParams::default()).await?;
        }
        Ok(())
    }
}
