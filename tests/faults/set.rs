//! A tenant whose repository holds a set of ConfigMaps, and the same set on the cluster. It holds on to
//! no part of the installation, so that each can be killed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tenure_testkit::git::GitRepo;
use tenure_testkit::{TenantFixture, apply_yaml, until};
use tenure_tests::{PATIENCE, Stage, condition, flux, is_ready, objects, ready, request, value};

const OWNER: &str = "kustomize.toolkit.fluxcd.io/name";

/// What the repository says: names of ConfigMaps and the value in each.
pub(crate) type Set = BTreeMap<String, String>;

/// `count` ConfigMaps whose names start with `prefix`.
pub(crate) fn many(prefix: &str, count: usize) -> Set {
    (0..count)
        .map(|number| (format!("{prefix}-{number:02}"), prefix.to_owned()))
        .collect()
}

/// A tenant at work.
pub(crate) struct Crew {
    client: Client,
    url: String,
    pub(crate) fixture: TenantFixture,
    pub(crate) repo: GitRepo,
}

impl Crew {
    /// Onboarded, with a repository and nothing in its home.
    pub(crate) async fn onboard(stage: &Stage, fixture: TenantFixture) -> anyhow::Result<Self> {
        let team = stage.tenant(fixture).await?;
        let url = stage.git.url(team.repo.name());
        Ok(Self {
            client: stage.client(),
            url,
            fixture: team.fixture,
            repo: team.repo,
        })
    }

    /// With `set` applied by the Kustomization `app`.
    pub(crate) async fn at_work(stage: &Stage, name: &str, set: &Set) -> anyhow::Result<Self> {
        // one object is worked on all the time here, which a Tenant's default pace is made against
        let patient = json!({"limits": {"retriesPerMinute": 60_000}});
        let crew = Self::onboard(stage, TenantFixture::new(name).with(&patient)).await?;
        crew.set_up(set).await?;
        Ok(crew)
    }

    /// Makes GitRepository and Kustomization `app` for `set`, and waits for it.
    pub(crate) async fn set_up(&self, set: &Set) -> anyhow::Result<()> {
        let first = self.commit(set)?;
        self.source("app", &json!({})).await?;
        self.kustomization("app", &json!({})).await?;
        self.settled(&first, set).await
    }

    pub(crate) fn home(&self) -> &str {
        &self.fixture.home
    }

    /// Makes the repository's directory `app` hold exactly this set.
    pub(crate) fn commit(&self, set: &Set) -> anyhow::Result<String> {
        let document = |(name, value): (&String, &String)| {
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: {value:?}\n")
        };
        let documents: Vec<String> = set.iter().map(document).collect();
        self.repo
            .commit(&[("app/all.yaml", Some(&documents.join("---\n")))], "Another set")
    }

    /// A GitRepository on this repository, with `spec` over the usual one.
    pub(crate) async fn source(&self, name: &str, spec: &Value) -> anyhow::Result<()> {
        let usual = json!({
            "interval": "1h", "url": self.url, "ref": {"branch": "main"}, "secretRef": {"name": "git-ssh"},
        });
        self.put(
            "source.toolkit.fluxcd.io/v1",
            "GitRepository",
            name,
            over(usual, spec),
        )
        .await
    }

    /// A Kustomization of the directory `app` on the source `app`, with `spec` over the usual one.
    pub(crate) async fn kustomization(&self, name: &str, spec: &Value) -> anyhow::Result<()> {
        let usual = json!({
            "interval": "1h", "retryInterval": "1s", "path": "./app", "prune": true,
            "targetNamespace": self.home(), "sourceRef": {"kind": "GitRepository", "name": "app"},
        });
        self.put(
            "kustomize.toolkit.fluxcd.io/v1",
            "Kustomization",
            name,
            over(usual, spec),
        )
        .await
    }

    async fn put(&self, api_version: &str, kind: &str, name: &str, spec: Value) -> anyhow::Result<()> {
        let metadata = json!({"name": name, "namespace": self.home()});
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec});
        apply_yaml(&self.client, &object.to_string(), None).await?;
        Ok(())
    }

    pub(crate) fn objects(&self, kind: &str) -> Api<DynamicObject> {
        flux(&self.client, kind, self.home())
    }

    pub(crate) fn config_maps(&self) -> Api<DynamicObject> {
        objects(&self.client, "", "v1", "ConfigMap", "configmaps", self.home())
    }

    /// Asks for a look at an object, and waits for the answer.
    pub(crate) async fn ask(&self, kind: &str, name: &str) -> anyhow::Result<Value> {
        request(&self.objects(kind), kind, name).await
    }

    /// Asks for a look at an object, without waiting for it.
    pub(crate) async fn poke(&self, kind: &str, name: &str) -> anyhow::Result<String> {
        let token = jiff::Timestamp::now().to_string();
        let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}});
        self.objects(kind)
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(token)
    }

    pub(crate) async fn ready(&self, kind: &str, name: &str) -> anyhow::Result<Value> {
        ready(&self.objects(kind), kind, name).await
    }

    /// Waits until the Ready condition is False with this reason; its message.
    pub(crate) async fn refused(&self, kind: &str, name: &str, reason: &str) -> anyhow::Result<String> {
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

    /// Whether the Kustomization `app` says that it has applied this commit.
    pub(crate) async fn is_applied(&self, commit: &str) -> anyhow::Result<bool> {
        let object = value(&self.objects("Kustomization"), "app").await?;
        let revision = object["status"]["lastAppliedRevision"]
            .as_str()
            .unwrap_or_default();
        Ok(revision.ends_with(commit) && is_ready(&object))
    }

    /// Waits until a commit is applied, and all that `app` owns on the cluster is what it says: nothing
    /// lost, nothing left behind, and the inventory knows all of it.
    pub(crate) async fn settled(&self, commit: &str, set: &Set) -> anyhow::Result<()> {
        let what = format!("Kustomization app to apply {commit}");
        let api = self.objects("Kustomization");
        let object = until(&what, PATIENCE, || async {
            let object = value(&api, "app").await?;
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
        .await?;
        self.is_exactly(&object, set).await
    }

    /// What `app` owns on the cluster, by its labels and by its inventory, is `set`.
    pub(crate) async fn is_exactly(&self, object: &Value, set: &Set) -> anyhow::Result<()> {
        let found = self.owned("app").await?;
        ensure!(
            found == *set,
            "on the cluster is {found:?}, in the repository {set:?}"
        );
        let listed = inventory(object);
        let expected: BTreeSet<_> = set
            .keys()
            .map(|name| format!("{}_{name}__ConfigMap", self.home()))
            .collect();
        ensure!(listed == expected, "the inventory is {listed:?}");
        Ok(())
    }

    /// What carries the labels of that Kustomization.
    pub(crate) async fn owned(&self, kustomization: &str) -> anyhow::Result<Set> {
        let labelled = ListParams::default().labels(&format!("{OWNER}={kustomization}"));
        let found = self.config_maps().list(&labelled).await?.items.into_iter();
        let pair = |object: DynamicObject| {
            let value = object.data["data"]["value"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            (object.metadata.name.unwrap_or_default(), value)
        };
        Ok(found.map(pair).collect())
    }

    /// Waits until at least `count` of those whose name starts with `prefix` are on the cluster.
    pub(crate) async fn midway(&self, prefix: &str, count: usize) -> anyhow::Result<()> {
        until(&format!("{count} objects of {prefix}"), PATIENCE, || async {
            let found = self.owned("app").await?;
            let there = found.keys().filter(|name| name.starts_with(prefix)).count();
            ensure!(there >= count, "there are {there}");
            Ok(())
        })
        .await
    }

    /// Waits until the source has that commit.
    pub(crate) async fn fetched(&self, commit: &str) -> anyhow::Result<()> {
        let api = self.objects("GitRepository");
        until(&format!("the source to have {commit}"), PATIENCE, || async {
            let object = value(&api, "app").await?;
            let revision = object["status"]["artifact"]["revision"]
                .as_str()
                .unwrap_or_default();
            ensure!(
                revision.ends_with(commit) && is_ready(&object),
                "its status is {}",
                object["status"]
            );
            Ok(())
        })
        .await
    }
}

fn inventory(object: &Value) -> BTreeSet<String> {
    let entries = object["status"]["inventory"]["entries"]
        .as_array()
        .into_iter()
        .flatten();
    entries
        .filter_map(|entry| Some(entry["id"].as_str()?.to_owned()))
        .collect()
}

fn over(mut usual: Value, spec: &Value) -> Value {
    if let (Some(all), Some(more)) = (usual.as_object_mut(), spec.as_object()) {
        all.extend(more.clone());
    }
    usual
}
