use tenure_core::{Account, Name};
use tenure_kube::{ActingClient, Cluster, Connection, OwnClient, TokenCell};
use tenure_testkit::control_plane::ControlPlane;

/// A home of its own, with a tenant's account `dev` and the worker's account in the same namespace,
/// bound as Tenure binds them.
pub(crate) struct World {
    pub(crate) plane: ControlPlane,
    pub(crate) home: String,
    pub(crate) connection: Connection,
    pub(crate) token: TokenCell,
}

impl World {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        Self::on(ControlPlane::shared().await?).await
    }

    pub(crate) async fn on(plane: ControlPlane) -> anyhow::Result<Self> {
        let home = plane.temp_namespace("kube").await?.name().to_owned();
        plane
            .kubectl_with_input(&["apply", "-n", &home, "-f", "-"], RULES)
            .await?;
        let endpoint = plane.endpoint()?;
        let cluster = Cluster {
            url: endpoint.url,
            ca_pem: endpoint.ca.into_bytes(),
        };
        let connection = Connection::open(&cluster)?;
        let token = TokenCell::new(plane.token_for((&home, "worker"), None, 600).await?);
        let world = Self {
            plane,
            home,
            connection,
            token,
        };
        world.allowed().await?;
        Ok(world)
    }

    /// Roles reach the authoriser through a watch: waits until the last of them has.
    async fn allowed(&self) -> anyhow::Result<()> {
        loop {
            match self
                .acting("dev")
                .list(&config_maps(), Some(&self.home), tenure_kube::By::All)
                .await
            {
                Err(error) if error.is_forbidden() => tokio::task::yield_now().await,
                done => return Ok(done.map(|_| ())?),
            }
        }
    }

    pub(crate) fn name(&self) -> Name {
        self.home.parse().expect("a namespace's name is a name")
    }

    pub(crate) fn own(&self) -> OwnClient {
        OwnClient::new(&self.connection, self.token.clone(), self.name())
    }

    pub(crate) fn acting(&self, account: &str) -> ActingClient {
        let name = account.parse().expect("a name");
        ActingClient::new(
            &self.connection,
            self.token.clone(),
            Account {
                namespace: self.name(),
                name,
            },
        )
    }
}

pub(crate) fn config_maps() -> tenure_kube::ResourceInfo {
    tenure_kube::ResourceInfo {
        group: String::new(),
        version: "v1".into(),
        plural: "configmaps".into(),
        kind: "ConfigMap".into(),
        namespaced: true,
    }
}

/// The tenant may do everything with ConfigMaps; the worker may act as `dev`, constrained.
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
- {apiGroups: [""], resources: [secrets, configmaps, serviceaccounts], verbs: [get]}
- {apiGroups: [""], resources: [namespaces], verbs: [get]}
- {apiGroups: [""], resources: [events], verbs: [create, patch]}
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
- {apiGroups: [""], resources: [configmaps], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dev}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: dev}
subjects: [{kind: ServiceAccount, name: dev}]
"#;
