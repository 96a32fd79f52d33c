//! What the tests here stand on: one installation for all that run at the same time, and a tenant
//! that has something to lose.

use std::future::Future;
use std::sync::{Arc, LazyLock, Weak};

use anyhow::ensure;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::{Value, json};
use tenure_testkit::TenantFixture;
use tenure_tests::{Stage, Team, value};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

/// Outlives every test, so that the clients and servers of the stage do too.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a machine with threads"));
static STAGE: Mutex<Weak<Stage>> = Mutex::const_new(Weak::new());

/// Plays a test on the stage that is up, or on a new one. The last test to end takes it down.
pub(crate) fn play<F>(test: impl FnOnce(Arc<Stage>) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    RUNTIME.block_on(async { test(stage().await?).await })
}

/// The same on an installation of the test's own, on the control plane that all share.
pub(crate) fn play_alone<F>(test: impl FnOnce(Arc<Stage>) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    RUNTIME.block_on(async { test(Arc::new(RUNTIME.spawn(Stage::start()).await??)).await })
}

async fn stage() -> anyhow::Result<Arc<Stage>> {
    let mut shared = STAGE.lock().await;
    if let Some(stage) = shared.upgrade() {
        return Ok(stage);
    }
    let stage = Arc::new(RUNTIME.spawn(Stage::start()).await??);
    *shared = Arc::downgrade(&stage);
    Ok(stage)
}

/// A ConfigMap manifest.
pub(crate) fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: {value}\n")
}

/// A tenant whose Kustomization `app` has applied the ConfigMap `kept` from the directory `deploy`.
pub(crate) async fn settled<'a>(stage: &'a Stage, name: &str) -> anyhow::Result<Team<'a>> {
    let team = stage.tenant(TenantFixture::new(name)).await?;
    let commit = team.commit(&[("deploy/kept.yaml", Some(&config_map("kept", "old")))], "first")?;
    team.git_repository(&json!({})).await?;
    team.kustomization(
        "app",
        &json!({"path": "./deploy", "targetNamespace": team.home()}),
    )
    .await?;
    team.applied("app", &commit).await?;
    Ok(team)
}

/// What must not change while something is wrong.
#[derive(Debug, PartialEq)]
pub(crate) struct Kept {
    version: Option<String>,
    inventory: Value,
    revision: Value,
}

/// The ConfigMap `kept`, and what `app` says it holds.
pub(crate) async fn kept(stage: &Stage, team: &Team<'_>) -> anyhow::Result<Kept> {
    let maps: Api<ConfigMap> = Api::namespaced(stage.client(), team.home());
    let object = value(&team.objects("Kustomization"), "app").await?;
    Ok(Kept {
        version: maps.get("kept").await?.metadata.resource_version,
        inventory: object["status"]["inventory"].clone(),
        revision: object["status"]["lastAppliedRevision"].clone(),
    })
}

/// Whether a message says all of this.
pub(crate) fn says(message: &str, expected: &[&str]) -> anyhow::Result<()> {
    for part in expected {
        ensure!(
            message.contains(part),
            "the message does not say {part:?}: {message}"
        );
    }
    Ok(())
}
