//! What people rely on in a Kustomization.

mod decryption;
mod deletion;
mod dependencies;
mod drift;
mod health;
mod key_services;
mod overlay;
mod remote;
mod requests;
mod sharing;
mod variables;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, Stage, Team};

/// The ConfigMaps of a tenant's home.
fn maps(stage: &Stage, team: &Team<'_>) -> Api<ConfigMap> {
    Api::namespaced(stage.client(), team.home())
}

/// The value of `key` in a ConfigMap; nothing when it is not there.
pub(crate) async fn data(stage: &Stage, team: &Team<'_>, name: &str) -> anyhow::Result<Option<String>> {
    let found = maps(stage, team).get_opt(name).await?;
    Ok(found.map(|map| map.data.unwrap_or_default().remove("key").unwrap_or_default()))
}

/// Commits, has the source fetched, and waits until `app` has applied it.
pub(crate) async fn roll(team: &Team<'_>, files: &[(&str, Option<&str>)]) -> anyhow::Result<()> {
    let commit = team.commit(files, "change")?;
    team.reconcile("GitRepository", "app").await?;
    team.applied("app", &commit).await?;
    Ok(())
}

/// The messages of the events about an object, sorted by time, once `enough` of them are there.
pub(crate) async fn events(
    stage: &Stage,
    team: &Team<'_>,
    name: &str,
    enough: &str,
) -> anyhow::Result<Vec<String>> {
    let api: Api<k8s_openapi::api::core::v1::Event> = Api::namespaced(stage.client(), team.home());
    until(
        &format!("an event of {name} that says {enough:?}"),
        PATIENCE,
        || async {
            let mut found = api.list(&kube::api::ListParams::default()).await?.items;
            found.retain(|event| event.involved_object.name.as_deref() == Some(name));
            found.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
            let line = |event: &k8s_openapi::api::core::v1::Event| {
                let part = |text: &Option<String>| text.clone().unwrap_or_default();
                let kind = event.involved_object.kind.clone().unwrap_or_default();
                format!(
                    "{kind} {} {} {}",
                    part(&event.type_),
                    part(&event.reason),
                    part(&event.message)
                )
            };
            let lines: Vec<String> = found.iter().map(line).collect();
            anyhow::ensure!(
                lines.iter().any(|line| line.contains(enough)),
                "there are {lines:?}"
            );
            Ok(lines)
        },
    )
    .await
}
