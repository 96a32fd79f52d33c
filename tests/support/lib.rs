//! What the end-to-end suites share: a tenant with a repository on a running installation, and the
//! words to say what should come of it.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use tenure_api::rights::watch_objects;
use tenure_testkit::git::{Access, GitRepo, SshGitServer};
use tenure_testkit::{ControlPlane, Installation, TenantFixture, apply_yaml, until};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// An installation with an SSH server for Git beside it.
pub struct Stage {
    /// The control plane, shared with other suites.
    pub plane: ControlPlane,
    /// Supervisor and cache.
    pub tenure: Installation,
    /// Serves the repositories.
    pub git: SshGitServer,
}

impl Stage {
    /// On the control plane that all suites share, under names of its own.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start() -> anyhow::Result<Self> {
        Self::on(ControlPlane::shared().await?).await
    }

    /// On a control plane that this test may break.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn alone() -> anyhow::Result<Self> {
        Self::on(ControlPlane::start(tenure_testkit::control_plane::Options::default()).await?).await
    }

    /// On this one.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn on(plane: ControlPlane) -> anyhow::Result<Self> {
        let tenure = Installation::start(&plane).await?;
        let git = SshGitServer::start().await?;
        Ok(Self { plane, tenure, git })
    }

    /// The administrator's client.
    #[must_use]
    pub fn client(&self) -> Client {
        self.tenure.admin()
    }

    /// The supervisor's right to watch all namespaces: ClusterRole and binding, under a name of this
    /// installation's own.
    #[must_use]
    pub fn watch_right(&self) -> Vec<Value> {
        let name = format!("tenure:watch:{}", self.tenure.system());
        let named = watch_objects().into_iter().map(|mut object| {
            object["metadata"]["name"] = json!(name);
            if object.get("roleRef").is_some() {
                object["roleRef"]["name"] = json!(name);
            }
            object
        });
        named.collect()
    }

    /// A Secret in `namespace` that opens every repository of the SSH server.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn git_secret(&self, namespace: &str, name: &str) -> anyhow::Result<()> {
        let (identity, _) = self.git.authorized_keypair(Access::All)?;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
            "stringData": {"identity": identity, "known_hosts": self.git.known_hosts()?},
        });
        self.tenure.apply(&[secret]).await
    }

    /// A tenant with a repository, a Secret for it, and a GitRepository `app` in its home.
    ///
    /// # Errors
    /// When a part of it can't be made.
    pub async fn tenant(&self, fixture: TenantFixture) -> anyhow::Result<Team<'_>> {
        fixture.onboard(&self.tenure).await?;
        self.git_secret(&fixture.home, "git-ssh").await?;
        let repo = GitRepo::init(&self.git, &format!("{}.git", fixture.name))?;
        Ok(self.team(fixture, repo))
    }

    /// A tenant that is there already, with its repository.
    #[must_use]
    pub fn team(&self, fixture: TenantFixture, repo: GitRepo) -> Team<'_> {
        Team {
            stage: self,
            repo,
            fixture,
        }
    }
}

/// A tenant at work.
pub struct Team<'a> {
    stage: &'a Stage,
    /// Its repository.
    pub repo: GitRepo,
    /// Who it is.
    pub fixture: TenantFixture,
}

impl Team<'_> {
    /// The administrator's client.
    #[must_use]
    pub fn client(&self) -> Client {
        self.stage.client()
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> &str {
        &self.fixture.home
    }

    /// Commits files to `main`.
    ///
    /// # Errors
    /// When git refuses.
    pub fn commit(&self, files: &[(&str, Option<&str>)], message: &str) -> anyhow::Result<String> {
        self.repo.commit(files, message)
    }

    /// The GitRepository `app` on this tenant's repository, with `spec` over the usual one; null takes a
    /// field away.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn git_repository(&self, spec: &Value) -> anyhow::Result<()> {
        let usual = json!({
            "interval": "1m0s", "url": self.stage.git.url(self.repo.name()), "ref": {"branch": "main"},
            "secretRef": {"name": "git-ssh"},
        });
        self.put(
            "source.toolkit.fluxcd.io/v1",
            "GitRepository",
            "app",
            &over(usual, spec),
        )
        .await
    }

    /// A Kustomization on `app`, with `spec` over the usual one.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn kustomization(&self, name: &str, spec: &Value) -> anyhow::Result<()> {
        let usual = json!({
            "interval": "5m0s", "path": "./", "prune": true, "retryInterval": "2s",
            "sourceRef": {"kind": "GitRepository", "name": "app"},
        });
        self.put(
            "kustomize.toolkit.fluxcd.io/v1",
            "Kustomization",
            name,
            &over(usual, spec),
        )
        .await
    }

    /// Keeps the home's worker awake: the Kustomization `app` waits for the Deployment `never`, whose Pods nobody
    /// starts.
    ///
    /// # Errors
    /// When a part of it can't be made.
    pub async fn keep_awake(&self) -> anyhow::Result<()> {
        let labels = json!({"app": "never"});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "never"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "none"}]}},
            },
        });
        self.commit(&[("never.yaml", Some(&deployment.to_string()))], "Never ready")?;
        self.git_repository(&json!({"interval": "1h"})).await?;
        let spec = json!({"interval": "1h", "targetNamespace": self.home(), "wait": true, "timeout": "1h"});
        self.kustomization("app", &spec).await
    }

    /// Waits until [`keep_awake`](Self::keep_awake) has been applied.
    ///
    /// # Errors
    /// When it is not.
    pub async fn is_kept_awake(&self) -> anyhow::Result<()> {
        let client = self.client();
        let deployments = objects(&client, "apps", "v1", "Deployment", "deployments", self.home());
        until("the Deployment to be there", PATIENCE, || async {
            value(&deployments, "never").await.map(drop)
        })
        .await
    }

    /// The OCIRepository `app`, with `spec` over the usual one; null takes a field away.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn oci_repository(&self, spec: &Value) -> anyhow::Result<()> {
        let usual = json!({"interval": "1m0s"});
        self.put(
            "source.toolkit.fluxcd.io/v1",
            "OCIRepository",
            "app",
            &over(usual, spec),
        )
        .await
    }

    /// An object of a kind of source, once a minute if `spec` does not say how often.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn source(&self, kind: &str, name: &str, spec: &Value) -> anyhow::Result<()> {
        let usual = match kind {
            "ExternalArtifact" => json!({}),
            _ => json!({"interval": "1m0s"}),
        };
        self.put("source.toolkit.fluxcd.io/v1", kind, name, &over(usual, spec))
            .await
    }

    async fn put(&self, api_version: &str, kind: &str, name: &str, spec: &Value) -> anyhow::Result<()> {
        let object = json!({
            "apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": self.home()}, "spec": spec,
        });
        apply_yaml(&self.stage.client(), &object.to_string(), None).await?;
        Ok(())
    }

    /// The Flux objects of one kind in the home.
    #[must_use]
    pub fn objects(&self, kind: &str) -> Api<DynamicObject> {
        flux(&self.stage.client(), kind, self.home())
    }

    /// Waits until an object of the home is Ready for its own generation.
    ///
    /// # Errors
    /// When it does not become so; its conditions are in the error.
    pub async fn ready(&self, kind: &str, name: &str) -> anyhow::Result<Value> {
        ready(&self.objects(kind), kind, name).await
    }

    /// Waits until an object is Ready with a revision of this commit.
    ///
    /// # Errors
    /// As [`Team::ready`].
    pub async fn applied(&self, name: &str, commit: &str) -> anyhow::Result<Value> {
        let what = format!("Kustomization {name} to apply {commit}");
        let api = self.objects("Kustomization");
        until(&what, PATIENCE, || async {
            let object = value(&api, name).await?;
            let revision = object["status"]["lastAppliedRevision"]
                .as_str()
                .unwrap_or_default();
            ensure!(
                revision.ends_with(commit) && is_ready(&object),
                "its status is {}",
                object["status"]
            );
            Ok(object)
        })
        .await
    }

    /// Waits until an object's Ready condition is False with this reason; its message.
    ///
    /// # Errors
    /// When it does not become so; its conditions are in the error.
    pub async fn refused(&self, kind: &str, name: &str, reason: &str) -> anyhow::Result<String> {
        let api = self.objects(kind);
        until(
            &format!("{kind} {name} to fail with {reason}"),
            PATIENCE,
            || async {
                let object = value(&api, name).await?;
                let ready = condition(&object, "Ready").context("no Ready condition yet")?;
                ensure!(
                    ready["status"] == "False" && ready["reason"] == reason,
                    "it is {ready}"
                );
                Ok(ready["message"].as_str().unwrap_or_default().to_owned())
            },
        )
        .await
    }

    /// Asks for a reconcile now, as `flux reconcile` does, and waits until it was answered.
    ///
    /// # Errors
    /// When it is not.
    pub async fn reconcile(&self, kind: &str, name: &str) -> anyhow::Result<Value> {
        request(&self.objects(kind), kind, name).await
    }
}

/// The Flux objects of one kind in a namespace.
#[must_use]
pub fn flux(client: &Client, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let (group, plural) = match kind {
        "Kustomization" => ("kustomize.toolkit.fluxcd.io", "kustomizations"),
        "GitRepository" => ("source.toolkit.fluxcd.io", "gitrepositories"),
        "OCIRepository" => ("source.toolkit.fluxcd.io", "ocirepositories"),
        "HelmRepository" => ("source.toolkit.fluxcd.io", "helmrepositories"),
        "HelmChart" => ("source.toolkit.fluxcd.io", "helmcharts"),
        "Bucket" => ("source.toolkit.fluxcd.io", "buckets"),
        "ExternalArtifact" => ("source.toolkit.fluxcd.io", "externalartifacts"),
        _ => ("tenure.dev", "tenants"),
    };
    let version = if group == "tenure.dev" { "v1alpha1" } else { "v1" };
    objects(client, group, version, kind, plural, namespace)
}

/// Objects of any kind in a namespace.
#[must_use]
pub fn objects(
    client: &Client,
    group: &str,
    version: &str,
    kind: &str,
    plural: &str,
    namespace: &str,
) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// Asks for a reconcile now and waits until it was answered.
///
/// # Errors
/// When it is not.
pub async fn request(api: &Api<DynamicObject>, kind: &str, name: &str) -> anyhow::Result<Value> {
    let token = format!("{}", jiff::Timestamp::now());
    let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}});
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    until(
        &format!("{kind} {name} to answer a request"),
        PATIENCE,
        || async {
            let object = value(api, name).await?;
            ensure!(
                object["status"]["lastHandledReconcileAt"] == token,
                "its status is {}",
                object["status"]
            );
            Ok(object)
        },
    )
    .await
}

/// Waits until an object is Ready for its own generation.
///
/// # Errors
/// When it does not become so; its status is in the error.
pub async fn ready(api: &Api<DynamicObject>, kind: &str, name: &str) -> anyhow::Result<Value> {
    until(&format!("{kind} {name} to be Ready"), PATIENCE, || async {
        let object = value(api, name).await?;
        ensure!(is_ready(&object), "its status is {}", object["status"]);
        Ok(object)
    })
    .await
}

/// Whether an object is Ready and has seen its own generation.
#[must_use]
pub fn is_ready(object: &Value) -> bool {
    condition(object, "Ready").is_some_and(|ready| ready["status"] == "True")
        && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

/// A condition of an object.
#[must_use]
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == kind)
}

/// An object as plain JSON.
///
/// # Errors
/// When it is not there.
pub async fn value(api: &Api<DynamicObject>, name: &str) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(api.get(name).await?)?)
}

/// Waits until an object is gone.
///
/// # Errors
/// When it stays.
pub async fn gone(api: &Api<DynamicObject>, name: &str) -> anyhow::Result<()> {
    until(&format!("{name} to be gone"), PATIENCE, || async {
        match api.get_opt(name).await? {
            None => Ok(()),
            Some(left) => bail!("it is there, with finalizers {:?}", left.finalizers()),
        }
    })
    .await
}

fn over(mut usual: Value, spec: &Value) -> Value {
    if let (Some(all), Some(more)) = (usual.as_object_mut(), spec.as_object()) {
        all.extend(more.clone());
        all.retain(|_, value| !value.is_null());
    }
    usual
}
