use std::sync::Arc;

use serde_json::{Value, json};
use tenure_apply::{ApplyFailure, ApplyOptions, HealthRules, Owner, Report, apply};
use tenure_core::{Account, Name};
use tenure_kube::{ActingClient, By, Cluster, Connection, Discovery, OwnClient, TokenCell};
use tenure_testkit::control_plane::ControlPlane;

pub(crate) struct World {
    pub(crate) plane: ControlPlane,
    pub(crate) home: String,
    pub(crate) client: ActingClient,
    pub(crate) discovery: Arc<Discovery>,
}

impl World {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let plane = ControlPlane::shared().await?;
        let home = plane.temp_namespace("apply").await?.name().to_owned();
        plane
            .kubectl_with_input(&["apply", "-n", &home, "-f", "-"], RULES)
            .await?;
        let endpoint = plane.endpoint()?;
        let connection = Connection::open(&Cluster {
            url: endpoint.url,
            ca_pem: endpoint.ca.into_bytes(),
        })?;
        let token = TokenCell::new(plane.token_for((&home, "worker"), None, 600).await?);
        let namespace: Name = home.parse()?;
        let discovery = OwnClient::new(&connection, token.clone(), namespace.clone())
            .discovery()
            .await?;
        let client = ActingClient::new(
            &connection,
            token,
            Account {
                namespace,
                name: "dev".parse()?,
            },
        );
        let world = Self {
            plane,
            home,
            client,
            discovery,
        };
        while world.get("ConfigMap", "none").await.is_err() {}
        Ok(world)
    }

    pub(crate) fn options(&self, owner: &str) -> ApplyOptions {
        ApplyOptions::new(Owner {
            name: owner.into(),
            namespace: self.home.clone(),
        })
    }

    pub(crate) async fn apply(&self, owner: &str, objects: &[Value]) -> Result<Report, ApplyFailure> {
        apply(
            &self.client,
            &self.discovery,
            objects.to_vec(),
            &self.options(owner),
        )
        .await
    }

    /// As something that was applied before, with this report.
    pub(crate) async fn apply_knowing(
        &self,
        owner: &str,
        objects: &[Value],
        before: &Report,
    ) -> Result<Report, ApplyFailure> {
        let options = ApplyOptions {
            known: before.prints.clone(),
            ..self.options(owner)
        };
        apply(&self.client, &self.discovery, objects.to_vec(), &options).await
    }

    /// As something that was never applied before.
    pub(crate) async fn apply_fresh(&self, owner: &str, objects: &[Value]) -> Result<Report, ApplyFailure> {
        let options = ApplyOptions {
            fresh: true,
            health: Some(HealthRules::default()),
            ..self.options(owner)
        };
        apply(&self.client, &self.discovery, objects.to_vec(), &options).await
    }

    pub(crate) fn config_map(&self, name: &str, value: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.home}, "data": {"k": value}})
    }

    pub(crate) async fn get(&self, kind: &str, name: &str) -> anyhow::Result<Option<Value>> {
        let info = self.discovery.resolve("v1", kind).expect("a core kind");
        Ok(self
            .client
            .list(&info, Some(&self.home), By::Name(name))
            .await?
            .pop())
    }

    pub(crate) async fn kubectl(&self, args: &[&str]) -> anyhow::Result<String> {
        self.plane.kubectl(&[args, &["-n", &self.home]].concat()).await
    }
}

/// The changes as `Kind/name action`, without the namespace, which is another in each run.
pub(crate) fn lines(report: &Report) -> Vec<String> {
    report
        .changes
        .iter()
        .map(|c| format!("{}/{} {}", c.object.kind, c.object.name, c.action.as_str()))
        .collect()
}

const RULES: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata: {name: worker}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: dev}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: worker}
rules:
- {apiGroups: [authentication.k8s.io], resources: [serviceaccounts], resourceNames: [dev], verbs: ["impersonate:serviceaccount"]}
- apiGroups: ["*"]
  resources: ["*"]
  verbs: ["impersonate-on:serviceaccount:list", "impersonate-on:serviceaccount:watch", "impersonate-on:serviceaccount:patch", "impersonate-on:serviceaccount:delete"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: worker}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: worker}
subjects: [{kind: ServiceAccount, name: worker}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: dev}
rules:
- {apiGroups: ["", apps], resources: [configmaps, secrets, deployments], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: dev}
subjects: [{kind: ServiceAccount, name: dev}]
"#;
