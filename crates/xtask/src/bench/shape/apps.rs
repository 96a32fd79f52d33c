use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use tenure_testkit::TenantFixture;
use tenure_testkit::oci::{Artifact, Registry};

use super::super::stage::Stage;
use super::super::world::{app_name, deployment, onboard, tenant};
use super::super::write::{CONNECTIONS, apply_all, merge, path};
use super::Shape;

const LONG: &str = "2h0m0s";

/// The applications of a shape.
pub(super) struct Apps {
    pub(super) shape: Shape,
}

impl Apps {
    fn tenants(&self) -> Vec<TenantFixture> {
        (0..self.shape.tenants)
            .map(|number| tenant(&home("bench", number)))
            .collect()
    }

    /// The namespace that an application is in.
    fn place(&self, prefix: &str, app: usize) -> String {
        home(prefix, app % self.shape.tenants)
    }

    /// An artifact for each application.
    pub(super) async fn push(&self, registry: &Registry, version: &str) -> anyhow::Result<()> {
        stream::iter(0..self.shape.apps)
            .map(|app| async move {
                let files: Vec<(String, String)> = manifests(app, version)
                    .iter()
                    .map(|object| {
                        (
                            format!("{}.yaml", kind(object).to_lowercase()),
                            object.to_string(),
                        )
                    })
                    .collect();
                let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
                let artifact = Artifact::flux(&files, "https://example.invalid/apps", "main@sha1:0");
                registry.push(&app_name(app), version, &artifact).await.map(drop)
            })
            .buffer_unordered(CONNECTIONS)
            .try_collect()
            .await
    }

    /// The tenants, and the objects that they reconcile.
    pub(super) async fn create(&self, stage: &Stage, registry: &Registry) -> anyhow::Result<()> {
        onboard(stage, &self.tenants()).await?;
        let objects: Vec<_> = (0..self.shape.apps)
            .flat_map(|app| {
                let home = self.place("bench", app);
                let url = registry.url(&app_name(app));
                [source(&home, app, &url), kustomization(&home, app, "deployer")]
            })
            .collect();
        apply_all(&stage.client, &objects).await
    }

    /// Asks every source to look.
    pub(super) async fn ask(&self, stage: &Stage) -> anyhow::Result<()> {
        let now = jiff::Timestamp::now().to_string();
        let asked = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": now}}});
        for app in 0..self.shape.apps {
            let object = source(&self.place("bench", app), app, "");
            merge(&stage.client, &path(&object)?, &asked).await?;
        }
        Ok(())
    }

    /// Namespaces, and what is applied in other ones.
    pub(super) fn floor(&self, prefix: &str) -> (Vec<Value>, Vec<Value>) {
        let objects = (0..self.shape.apps).flat_map(|app| self.objects(prefix, app));
        (self.namespaces(prefix), objects.collect())
    }

    /// Namespaces without a Tenant, and in them the sources and Kustomizations of all applications.
    pub(super) fn replayed(&self, prefix: &str) -> (Vec<Value>, Vec<Value>) {
        let objects = (0..self.shape.apps).flat_map(|app| {
            let home = self.place(prefix, app);
            let url = "oci://registry.invalid/app";
            [source(&home, app, url), kustomization(&home, app, "deployer")]
        });
        (self.namespaces(prefix), objects.collect())
    }

    fn namespaces(&self, prefix: &str) -> Vec<Value> {
        (0..self.shape.tenants)
            .map(|number| {
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home(prefix, number)}})
            })
            .collect()
    }

    /// What an application consists of.
    pub(super) fn objects(&self, prefix: &str, app: usize) -> Vec<Value> {
        let place = self.place(prefix, app);
        let mut objects = manifests(app, "1.0.0");
        for object in &mut objects {
            object["metadata"]["namespace"] = place.clone().into();
        }
        objects
    }
}

fn home(prefix: &str, number: usize) -> String {
    format!("{prefix}-{number:03}")
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

fn source(home: &str, app: usize, url: &str) -> Value {
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "OCIRepository",
        "metadata": {"name": app_name(app), "namespace": home},
        "spec": {"interval": LONG, "url": url, "insecure": true, "ref": {"semver": ">=1.0.0"}},
    })
}

fn kustomization(home: &str, app: usize, account: &str) -> Value {
    let name = app_name(app);
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": name, "namespace": home},
        "spec": {
            "interval": LONG, "retryInterval": "15s", "timeout": "5m", "path": "./", "prune": true, "wait": true,
            "targetNamespace": home, "serviceAccountName": account,
            "sourceRef": {"kind": "OCIRepository", "name": name},
        },
    })
}

fn manifests(app: usize, version: &str) -> Vec<Value> {
    let name = app_name(app);
    let mut deployment = deployment(&name);
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] =
        format!("registry.invalid/app:{version}").into();
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]},
        }),
        deployment,
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
            "spec": {"rules": [{"host": format!("{name}.example.invalid"), "http": {"paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": name, "port": {"name": "http"}}},
            }]}}]},
        }),
    ]
}
