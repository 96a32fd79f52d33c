//! The installation, the remotes, and the objects on them.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tenure_testkit::git::{GitRepo, HttpsGitServer};
use tenure_testkit::oci::Registry;
use tenure_testkit::{TenantFixture, until};

use crate::bench::PATIENCE;
use crate::bench::stage::{Stage, is_ready};
use crate::bench::world::{onboard, tenant};
use crate::bench::write::{apply_all, get};

/// Namespaces with objects.
pub(super) const HOMES: usize = 50;
/// Different passwords, each of them in as many namespaces.
pub(super) const CREDENTIALS: usize = 5;
/// What is in the repository.
const FILES: usize = 800;
const FILE: usize = 64 << 10;
/// Where sources lie in the API.
const API: &str = "/apis/source.toolkit.fluxcd.io/v1";

pub(super) struct Scene {
    pub(super) stage: Stage,
    pub(super) git: HttpsGitServer,
    pub(super) registry: Registry,
    /// The repository that all use.
    pub(super) repo: GitRepo,
    /// The repository of the one object that is measured alone.
    pub(super) other: GitRepo,
    pub(super) alone: TenantFixture,
    pub(super) homes: Vec<TenantFixture>,
}

impl Scene {
    /// Tenants are onboarded and have their Secrets; the supervisor does not run.
    pub(super) async fn start(binary: &Path) -> anyhow::Result<Self> {
        let stage = Stage::start(binary.to_owned()).await?;
        let git = HttpsGitServer::start().await?;
        let registry = Registry::start().await?;
        for number in 0..CREDENTIALS {
            git.set_password(&user(number), &password(number));
            registry.set_password(&user(number), &password(number))?;
        }
        let repo = repository(&git, "all.git", 1)?;
        let other = repository(&git, "alone.git", 2)?;
        let alone = tenant("bench-alone");
        let homes: Vec<_> = (0..HOMES)
            .map(|number| tenant(&format!("bench-source-{number:03}")))
            .collect();
        onboard(&stage, std::slice::from_ref(&alone)).await?;
        onboard(&stage, &homes).await?;
        let this = Self {
            stage,
            git,
            registry,
            repo,
            other,
            alone,
            homes,
        };
        let all = this.homes.iter().chain([&this.alone]).enumerate();
        let secrets: Vec<_> = all
            .flat_map(|(number, home)| this.secrets(&home.home, number))
            .collect();
        apply_all(&this.stage.client, &secrets).await?;
        Ok(this)
    }

    fn secrets(&self, namespace: &str, number: usize) -> Vec<Value> {
        let number = number % CREDENTIALS;
        let secret = |name: &str, kind: &str, data: Value| {
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
                "type": kind, "stringData": data,
            })
        };
        let config = self.registry.docker_config(&user(number), &password(number));
        vec![
            secret(
                "git",
                "Opaque",
                json!({"username": user(number), "password": password(number), "ca.crt": self.git.ca()}),
            ),
            secret(
                "registry",
                "kubernetes.io/dockerconfigjson",
                json!({".dockerconfigjson": config}),
            ),
            secret("registry-ca", "Opaque", json!({"ca.crt": self.registry.ca()})),
        ]
    }

    /// A GitRepository on a repository of this scene.
    pub(super) fn source(&self, home: &str, name: &str, repo: &GitRepo, interval: &str) -> Value {
        json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": name, "namespace": home},
            "spec": {
                "interval": interval, "url": self.git.url(repo.name()), "ref": {"branch": "main"},
                "secretRef": {"name": "git"}, "timeout": "5m0s",
            },
        })
    }

    /// An OCIRepository on one artifact.
    pub(super) fn image(&self, home: &str, name: &str, repository: &str) -> Value {
        json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "OCIRepository",
            "metadata": {"name": name, "namespace": home},
            "spec": {
                "interval": "2h0m0s", "url": self.registry.url(repository), "ref": {"tag": "latest"},
                "secretRef": {"name": "registry"}, "certSecretRef": {"name": "registry-ca"},
            },
        })
    }

    /// Waits until so many objects of a kind are Ready, in namespaces whose name begins so, and their revision ends so.
    pub(super) async fn ready(
        &self,
        plural: &str,
        count: usize,
        namespaces: &str,
        revision: &str,
    ) -> anyhow::Result<Vec<Value>> {
        until("every source to be Ready", PATIENCE, || async {
            let list = get(&self.stage.client, &format!("{API}/{plural}")).await?;
            let items = list["items"].as_array().context("no items")?.iter();
            let ready: Vec<_> = items
                .filter(|item| {
                    let namespace = item["metadata"]["namespace"].as_str().unwrap_or_default();
                    let at = item["status"]["artifact"]["revision"]
                        .as_str()
                        .unwrap_or_default();
                    namespace.starts_with(namespaces) && at.ends_with(revision) && is_ready(item)
                })
                .cloned()
                .collect();
            ensure!(ready.len() == count, "{} of {count} are", ready.len());
            Ok(ready)
        })
        .await
    }
}

fn user(number: usize) -> String {
    format!("user-{number}")
}

fn password(number: usize) -> String {
    format!("password-of-{number}")
}

/// Files that don't compress, as many bytes as the bound says.
pub(super) fn repository(git: &HttpsGitServer, name: &str, seed: u64) -> anyhow::Result<GitRepo> {
    let repo = GitRepo::init(git, name)?;
    let mut noise = Noise(seed);
    for number in 0..FILES {
        let path = format!("data/{:02}/{number:04}.bin", number % 40);
        repo.write(&path, &noise.take(FILE))?;
    }
    repo.commit(&[("README.md", Some("for the benchmark\n"))], "first")?;
    Ok(repo)
}

/// The same bytes in every run; xorshift64*.
pub(super) struct Noise(pub(super) u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        let words = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(count).collect()
    }
}
