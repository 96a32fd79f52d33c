use serde_json::{Value, json};
use tenure_api::Tenant;
use tenure_api::rights::{Impersonation, worker_objects};

use super::Installation;
use crate::ControlPlane;

/// A tenant for a test: a home, maybe targets, and an account with rights in them.
#[derive(Debug, Clone)]
pub struct TenantFixture {
    /// The Tenant's name, and the start of its namespaces' names.
    pub name: String,
    /// The home.
    pub home: String,
    /// Where it may apply besides.
    pub targets: Vec<String>,
    /// The ServiceAccount in the home.
    pub account: String,
    /// The Tenant's spec on top of what the fields above say.
    pub extra: Value,
    /// What the account may do in home and targets; `admin` is bound when it is `None`.
    pub rules: Option<Value>,
}

impl TenantFixture {
    /// A tenant with one home of its own and full rights in it. Names are random.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        let name = format!("{prefix}-{:06x}", rand::random::<u32>() & 0x00ff_ffff);
        Self {
            home: name.clone(),
            targets: Vec::new(),
            account: "deployer".to_owned(),
            extra: json!({}),
            rules: None,
            name,
        }
    }

    /// Merges fields into the Tenant's spec.
    #[must_use]
    pub fn with(mut self, spec: &Value) -> Self {
        if let (Some(all), Some(more)) = (self.extra.as_object_mut(), spec.as_object()) {
            all.extend(more.clone());
        }
        self
    }

    /// Lets the account do exactly this, in home and targets.
    #[must_use]
    pub fn may(mut self, rules: Value) -> Self {
        self.rules = Some(rules);
        self
    }

    /// One more namespace to apply to.
    #[must_use]
    pub fn target(mut self, namespace: &str) -> Self {
        self.targets.push(namespace.to_owned());
        self
    }

    /// The Tenant object, in the namespace that `deploy/` has.
    #[must_use]
    pub fn object(&self) -> Value {
        let mut spec = json!({
            "namespaces": [self.home],
            "targets": self.targets,
            "serviceAccounts": [{"namespace": self.home, "name": self.account}],
        });
        if let (Some(all), Some(more)) = (spec.as_object_mut(), self.extra.as_object()) {
            all.extend(more.clone());
        }
        json!({
            "apiVersion": "tenure.dev/v1alpha1", "kind": "Tenant",
            "metadata": {"name": self.name, "namespace": tenure_api::SYSTEM_NAMESPACE}, "spec": spec,
        })
    }

    /// Everything but the Tenant itself: namespaces, the account and its rights, the worker's rights.
    ///
    /// # Errors
    /// When the spec does not decode.
    pub fn surroundings(&self) -> anyhow::Result<Vec<Value>> {
        let tenant: Tenant = serde_json::from_value(self.object())?;
        let places: Vec<&String> = std::iter::once(&self.home).chain(&self.targets).collect();
        let mut objects: Vec<Value> = places
            .iter()
            .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
            .collect();
        objects.push(json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": self.account, "namespace": self.home},
        }));
        for place in places {
            objects.extend(self.rights_in(place));
        }
        objects.extend(worker_objects(&tenant, Impersonation::Constrained));
        Ok(objects)
    }

    fn rights_in(&self, namespace: &str) -> Vec<Value> {
        let group = "rbac.authorization.k8s.io";
        let metadata = json!({"name": format!("{}-{}", self.name, self.account), "namespace": namespace});
        let role_ref = match &self.rules {
            Some(_) => json!({"apiGroup": group, "kind": "Role", "name": metadata["name"]}),
            None => json!({"apiGroup": group, "kind": "ClusterRole", "name": "admin"}),
        };
        let binding = json!({
            "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata, "roleRef": role_ref,
            "subjects": [{"kind": "ServiceAccount", "name": self.account, "namespace": self.home}],
        });
        let role = self.rules.as_ref().map(|rules| {
            json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata, "rules": rules})
        });
        role.into_iter().chain([binding]).collect()
    }

    /// Puts the tenant on the cluster: surroundings first, then the Tenant.
    ///
    /// # Errors
    /// When the API server refuses something.
    pub async fn onboard(&self, installation: &Installation) -> anyhow::Result<()> {
        installation.apply(&self.surroundings()?).await?;
        installation.apply(&[self.object()]).await
    }

    /// Takes the tenant's namespaces away and waits until they are gone.
    ///
    /// # Errors
    /// When they do not go.
    pub async fn offboard(&self, plane: &ControlPlane) -> anyhow::Result<()> {
        for namespace in std::iter::once(&self.home).chain(&self.targets) {
            plane
                .kubectl(&["delete", "namespace", namespace, "--wait=true", "--timeout=60s"])
                .await?;
        }
        Ok(())
    }
}
