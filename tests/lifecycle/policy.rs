//! What `spec.prune` and `spec.deletionPolicy` leave behind.

use anyhow::ensure;
use serde_json::json;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, Stage, gone, value};

use super::{config_maps, delete, merge, settled};

#[tokio::test(flavor = "multi_thread")]
async fn each_deletion_policy_keeps_and_takes_what_it_says() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let client = stage.client();
    for (spec, stays) in [
        (json!({"prune": true}), false),
        (json!({"prune": false}), true),
        (json!({"prune": true, "deletionPolicy": "Orphan"}), true),
        (json!({"prune": false, "deletionPolicy": "Delete"}), false),
        (json!({"prune": true, "deletionPolicy": "MirrorPrune"}), false),
        (json!({"prune": true, "suspend": true}), true),
    ] {
        let (team, target) = settled_with(&stage, &spec).await?;
        delete(&team.objects("Kustomization"), "app").await?;
        gone(&team.objects("Kustomization"), "app").await?;
        let left = config_maps(&client, &target).get_opt("cm").await?;
        assert_eq!(left.is_some(), stays, "{spec}");
    }
    Ok(())
}

/// Suspended only after it has applied.
async fn settled_with<'a>(
    stage: &'a Stage,
    spec: &serde_json::Value,
) -> anyhow::Result<(tenure_tests::Team<'a>, String)> {
    let mut first = spec.clone();
    let suspend = first.as_object_mut().and_then(|spec| spec.remove("suspend"));
    let (team, target) = settled(stage, "policy", &first).await?;
    if suspend.is_some() {
        merge(
            &team.objects("Kustomization"),
            "app",
            &json!({"spec": {"suspend": true}}),
        )
        .await?;
    }
    Ok((team, target))
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_for_termination_keeps_the_object_until_the_last_one_is_gone() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (team, target) = settled(&stage, "waits", &json!({"deletionPolicy": "WaitForTermination"})).await?;
    let client = stage.client();
    let maps = config_maps(&client, &target);
    merge(
        &maps,
        "cm",
        &json!({"metadata": {"finalizers": ["example.org/hold"]}}),
    )
    .await?;
    delete(&team.objects("Kustomization"), "app").await?;
    until("the ConfigMap to be deleted", PATIENCE, || async {
        ensure!(maps.get("cm").await?.metadata.deletion_timestamp.is_some());
        Ok(())
    })
    .await?;
    // A later piece of work that is done shows that the worker waits, and is not merely slow.
    delete(&team.objects("GitRepository"), "app").await?;
    gone(&team.objects("GitRepository"), "app").await?;
    value(&team.objects("Kustomization"), "app").await?;
    merge(&maps, "cm", &json!({"metadata": {"finalizers": null}})).await?;
    gone(&team.objects("Kustomization"), "app").await
}
