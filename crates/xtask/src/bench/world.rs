//! The tenants and what they want applied.

use std::path::Path;

use serde_json::{Value, json};
use tenure_testkit::TenantFixture;
use tenure_testkit::git::GitRepo;

use super::Args;
use super::stage::Stage;
use super::write::apply_all;

/// Longer than any run, so that what is due is what the benchmark asks for.
const LONG: &str = "2h0m0s";

pub(super) struct World {
    pub(super) tenants: Vec<TenantFixture>,
    pub(super) apps: usize,
    pub(super) objects: usize,
    pub(super) sources: usize,
    _repos: Vec<GitRepo>,
}

impl World {
    /// All objects on the cluster; no worker has seen them.
    pub(super) async fn create(stage: &Stage, args: &Args) -> anyhow::Result<Self> {
        let tenants: Vec<_> = (0..args.tenants)
            .map(|number| tenant(&format!("bench-{number:03}")))
            .collect();
        onboard(stage, &tenants).await?;
        let mut repos = Vec::new();
        let mut sources = 0;
        for (number, tenant) in tenants.iter().enumerate() {
            let apps: Vec<usize> = (0..args.apps)
                .filter(|app| app % args.tenants == number)
                .collect();
            let repo = repository(stage, &tenant.name, &apps, args.objects)?;
            let mut objects = vec![stage.secret(&tenant.home)];
            for app in &apps {
                let source = if args.source_per_app {
                    app_name(*app)
                } else {
                    "apps".to_owned()
                };
                objects.push(kustomization(&tenant.home, &app_name(*app), &source, &json!({})));
                if args.source_per_app {
                    objects.push(source_of(stage, &tenant.home, &source, repo.name()));
                }
            }
            if !args.source_per_app {
                objects.push(source_of(stage, &tenant.home, "apps", repo.name()));
            }
            sources += if args.source_per_app { apps.len() } else { 1 };
            apply_all(&stage.client, &objects).await?;
            repos.push(repo);
        }
        Ok(Self {
            tenants,
            apps: args.apps,
            objects: args.objects,
            sources,
            _repos: repos,
        })
    }

    /// What the applications are made of, with other namespaces.
    pub(super) fn applied(&self, namespace: impl Fn(usize) -> String) -> Vec<Value> {
        let place = |mut object: Value, app: usize| {
            object["metadata"]["namespace"] = namespace(app % self.tenants.len()).into();
            object
        };
        (0..self.apps)
            .flat_map(|app| {
                manifests(app, self.objects)
                    .into_iter()
                    .map(move |object| (object, app))
            })
            .map(|(object, app)| place(object, app))
            .collect()
    }
}

/// A tenant of that name, with one home.
pub(super) fn tenant(name: &str) -> TenantFixture {
    TenantFixture {
        name: name.to_owned(),
        home: name.to_owned(),
        ..TenantFixture::new("bench")
    }
}

/// Puts tenants on the cluster, many at once.
pub(super) async fn onboard(stage: &Stage, tenants: &[TenantFixture]) -> anyhow::Result<()> {
    let (mut namespaces, mut others, mut objects) = (Vec::new(), Vec::new(), Vec::new());
    for tenant in tenants {
        for object in tenant.surroundings()? {
            let list = if object["kind"] == "Namespace" {
                &mut namespaces
            } else {
                &mut others
            };
            list.push(stage.tenure.localised(&object));
        }
        objects.push(stage.tenure.localised(&tenant.object()));
    }
    for step in [namespaces, others, objects] {
        apply_all(&stage.client, &step).await?;
    }
    Ok(())
}

pub(super) fn app_name(app: usize) -> String {
    format!("app-{app:04}")
}

/// A repository with a directory for each application, and one that never gets healthy.
pub(super) fn repository(
    stage: &Stage,
    name: &str,
    apps: &[usize],
    objects: usize,
) -> anyhow::Result<GitRepo> {
    let repo = GitRepo::init(&stage.git, &format!("{name}.git"))?;
    for app in apps {
        for (number, object) in manifests(*app, objects).iter().enumerate() {
            put(&repo, &format!("{}/{number}.yaml", app_name(*app)), object)?;
        }
    }
    let mut waits = deployment("waits");
    waits["spec"]["replicas"] = 1.into();
    put(&repo, "waits/deployment.yaml", &waits)?;
    repo.commit(&[("README.md", Some("for the benchmark\n"))], "applications")?;
    Ok(repo)
}

/// JSON is YAML.
fn put(repo: &GitRepo, path: &str, object: &Value) -> anyhow::Result<()> {
    debug_assert!(Path::new(path).is_relative());
    repo.write(path, serde_json::to_string_pretty(object)?.as_bytes())
}

pub(super) fn source_of(stage: &Stage, home: &str, name: &str, repository: &str) -> Value {
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": name, "namespace": home},
        "spec": {
            "interval": LONG, "url": stage.git.url(repository), "ref": {"branch": "main"},
            "secretRef": {"name": "git-ssh"},
        },
    })
}

/// A Kustomization on the directory of its name, with `spec` over the usual one.
pub(super) fn kustomization(home: &str, name: &str, source: &str, spec: &Value) -> Value {
    let mut usual = json!({
        "interval": LONG, "retryInterval": LONG, "path": format!("./{name}"), "prune": true, "targetNamespace": home,
        "sourceRef": {"kind": "GitRepository", "name": source},
    });
    if let (Some(all), Some(more)) = (usual.as_object_mut(), spec.as_object()) {
        all.extend(more.clone());
    }
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": name, "namespace": home}, "spec": usual,
    })
}

/// ServiceAccount, Service, Deployment scaled to zero, ConfigMap; more ConfigMaps when more is asked for.
fn manifests(app: usize, objects: usize) -> Vec<Value> {
    let name = app_name(app);
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]},
    });
    let config = |number: usize| {
        let name = if number == 0 {
            name.clone()
        } else {
            format!("{name}-{number}")
        };
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
            "data": {"application.properties": "greeting=hello\nlevel=info\n"},
        })
    };
    let more = (0..objects.saturating_sub(3)).map(config);
    [account, service, deployment(&name)]
        .into_iter()
        .chain(more)
        .take(objects)
        .collect()
}

/// Scaled to zero.
pub(super) fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "app", "image": "registry.invalid/app:1.0.0",
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                    "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
                }]},
            },
        },
    })
}
