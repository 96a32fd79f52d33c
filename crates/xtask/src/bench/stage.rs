//! The real parts that are measured, and how to ask them things.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use futures::StreamExt as _;
use futures::stream;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_testkit::control_plane::Options as PlaneOptions;
use tenure_testkit::git::{Access, SshGitServer};
use tenure_testkit::install::Options;
use tenure_testkit::{ControlPlane, Installation, until};

use super::policy::AUDIT_POLICY;
use super::process::{self, Part};
use super::{PATIENCE, write};

/// What the programs log: as they come, and when a worker is started.
const LOG: &str = "info,kube=warn,hyper=warn,h2=warn,tenure_supervisor::runtime=debug";

/// The cache names so many artifacts at most.
const LISTED: usize = 500;

pub(super) struct Stage {
    pub(super) tenure: Installation,
    pub(super) plane: ControlPlane,
    pub(super) git: SshGitServer,
    pub(super) client: Client,
    key: (String, String),
    _policy: TempDir,
}

impl Stage {
    /// Everything up, but for the supervisor.
    pub(super) async fn start(binary: PathBuf) -> anyhow::Result<Self> {
        Self::watching(binary, "namespaced").await
    }

    /// The same, with a supervisor that watches homes so.
    pub(super) async fn watching(binary: PathBuf, mode: &'static str) -> anyhow::Result<Self> {
        let policy = tempfile::tempdir()?;
        let file = policy.path().join("audit-policy.yaml");
        fs::write(&file, AUDIT_POLICY)?;
        let flags = vec![format!("--audit-policy-file={}", file.display())];
        let plane = ControlPlane::start(PlaneOptions {
            api_server_flags: flags,
            ..PlaneOptions::default()
        })
        .await?;
        let git = SshGitServer::start().await?;
        let (identity, _) = git.authorized_keypair(Access::All)?;
        let key = (identity, git.known_hosts()?);
        let options = Options {
            binary: Some(binary),
            log: Some(LOG.to_owned()),
            watch: Some(mode),
            ..Options::default()
        };
        let mut tenure = Installation::start_with(&plane, options).await?;
        tenure.kill_supervisor()?;
        let client = plane.admin_client();
        Ok(Self {
            tenure,
            plane,
            git,
            client,
            key,
            _policy: policy,
        })
    }

    /// A Secret that opens every repository of the Git server.
    pub(super) fn secret(&self, namespace: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git-ssh", "namespace": namespace},
            "stringData": {"identity": self.key.0, "known_hosts": self.key.1},
        })
    }

    /// The process of a part that there is one of.
    pub(super) fn pid(&self, part: Part) -> anyhow::Result<u32> {
        let found = process::ours().into_iter().find(|process| process.part == part);
        Ok(found
            .with_context(|| format!("{} does not run", part.name()))?
            .pid)
    }

    /// A number from the supervisor's metrics.
    pub(super) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let text = self.tenure.supervisor_metrics().await?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line
            .with_context(|| format!("no metric {name}"))?
            .trim()
            .parse()?)
    }

    /// Waits until no worker runs.
    pub(super) async fn asleep(&self) -> anyhow::Result<()> {
        until("every worker to leave", PATIENCE, || async {
            let awake = self.metric("tenure_supervisor_workers_awake").await?;
            ensure!(awake == 0.0, "{awake} are awake");
            Ok(())
        })
        .await
    }

    /// Waits until so many Kustomizations are `wanted`. By a watch: to list them again and again would be
    /// most of what the API server does.
    pub(super) async fn until_all(
        &self,
        what: &str,
        count: usize,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<()> {
        let kind = GroupVersionKind::gvk("kustomize.toolkit.fluxcd.io", "v1", "Kustomization");
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &ApiResource::from_gvk(&kind));
        let so = AtomicUsize::new(0);
        let watched = async {
            loop {
                let all = api.list(&ListParams::default()).await?;
                let version = all.metadata.resource_version.unwrap_or_default();
                let changes = api.watch(&WatchParams::default(), &version).await?;
                let there = all.items.into_iter().map(|object| Ok(WatchEvent::Added(object)));
                let mut events = stream::iter(there).chain(changes).boxed();
                let mut they: BTreeSet<String> = BTreeSet::new();
                while let Some(event) = events.next().await {
                    let object = match event? {
                        WatchEvent::Added(object) | WatchEvent::Modified(object) => object,
                        WatchEvent::Error(_) => break,
                        _ => continue,
                    };
                    let object = serde_json::to_value(object)?;
                    match wanted(&object) {
                        true => they.insert(key(&object)),
                        false => they.remove(&key(&object)),
                    };
                    so.store(they.len(), Ordering::Relaxed);
                    if they.len() == count {
                        return anyhow::Ok(());
                    }
                }
            }
        };
        let ended = tokio::time::timeout(PATIENCE, watched).await;
        ended.with_context(|| format!("{what}: {} of {count} are", so.load(Ordering::Relaxed)))?
    }

    /// Waits until the supervisor has listed what the cache has: so much of it as it lists, and nothing else.
    pub(super) async fn until_cached(
        &self,
        count: usize,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<()> {
        let count = count.min(LISTED);
        until("the list of what is cached", PATIENCE, || async {
            let list = write::get(&self.client, "/apis/tenure.dev/v1alpha1/artifacts").await?;
            let items = list["items"].as_array().context("no items")?;
            let there = items.iter().filter(|item| wanted(item)).count();
            // one that was looked at once more before it moved may have the place of another
            ensure!(there + count / 50 >= count, "{there} of {count} are");
            Ok(())
        })
        .await
    }

    /// The status of every Kustomization by `namespace/name`, with whether it is Ready.
    pub(super) async fn kustomizations(&self) -> anyhow::Result<BTreeMap<String, bool>> {
        let list = write::get(
            &self.client,
            "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
        )
        .await?;
        let items = list["items"].as_array().context("no items")?;
        Ok(items.iter().map(|item| (key(item), is_ready(item))).collect())
    }
}

fn key(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text("namespace"), text("name"))
}

/// Ready, for its own generation.
pub(super) fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}
