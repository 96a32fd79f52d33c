use std::time::Duration;

use serde_json::json;
use tenure_apply::inventory::Entry;
use tenure_apply::{HealthError, HealthRules, ObjectRef, Owner, Sightings, prune, wait_healthy};
use tokio_util::sync::CancellationToken;

use crate::world::World;

#[tokio::test]
async fn only_what_the_owner_still_owns_is_pruned() -> anyhow::Result<()> {
    let world = World::new().await?;
    let names = ["mine", "moved", "kept", "gone"];
    let mut objects: Vec<_> = names.iter().map(|n| world.config_map(n, "1")).collect();
    objects[2]["metadata"]["labels"] = json!({"kustomize.toolkit.fluxcd.io/prune": "disabled"});
    let mut stale = world.apply("app", &objects).await?.entries;
    world.apply("other", &[world.config_map("moved", "1")]).await?;
    world.kubectl(&["delete", "configmap", "gone"]).await?;
    stale.push(Entry {
        id: "_x_never.dev_Kind".into(),
        v: "v1".into(),
    });
    let owner = Owner {
        name: "app".into(),
        namespace: world.home.clone(),
    };
    let before = world.client.requests();
    let report = prune(&world.client, &world.discovery, &stale, &owner).await;
    assert_eq!(
        world.client.requests() - before,
        4,
        "one LIST, one DELETE, and one LIST for each that the owner has no more"
    );
    let ns = &world.home;
    assert_eq!(
        report.change_lines(),
        format!(
            "ConfigMap/{ns}/moved skipped\nConfigMap/{ns}/mine deleted\nConfigMap/{ns}/kept skipped\nConfigMap/{ns}/gone deleted"
        )
    );
    assert!(report.survivors.is_empty() && report.errors.is_empty());
    assert!(world.get("ConfigMap", "mine").await?.is_none());
    assert!(world.get("ConfigMap", "moved").await?.is_some());
    Ok(())
}

#[tokio::test]
async fn what_may_not_be_deleted_survives_in_the_inventory() -> anyhow::Result<()> {
    let world = World::new().await?;
    let mut stale = world.apply("app", &[world.config_map("a", "1")]).await?.entries;
    stale.push(Entry {
        id: format!("{}_s__Service", world.home),
        v: "v1".into(),
    });
    let owner = Owner {
        name: "app".into(),
        namespace: world.home.clone(),
    };
    let report = prune(&world.client, &world.discovery, &stale, &owner).await;
    assert_eq!(report.survivors, [stale[1].clone()]);
    let error = report.errors[0].to_string();
    assert!(
        error.contains("/s query failed: services is forbidden: "),
        "{error}"
    );
    assert!(
        world.get("ConfigMap", "a").await?.is_none(),
        "the rest is pruned all the same"
    );
    Ok(())
}

#[tokio::test]
async fn health_is_waited_for_by_watching() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (cancel, rules) = (CancellationToken::new(), HealthRules::default());
    let nothing = Sightings::default();
    let at = ObjectRef::of(&world.config_map("late", "1"));
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": world.home},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "none.invalid/x"}]}}}});
    let late = [world.config_map("late", "1")];
    let (waited, applied) = tokio::join!(
        wait_healthy(
            &world.client,
            &world.discovery,
            std::slice::from_ref(&at),
            &nothing,
            &rules,
            Duration::from_secs(60),
            &cancel
        ),
        world.apply("app", &late),
    );
    waited?;
    applied?;
    world.apply("app", std::slice::from_ref(&deployment)).await?;
    let targets = [ObjectRef::of(&deployment), at];
    let timeout = Duration::from_secs(1);
    let error = wait_healthy(
        &world.client,
        &world.discovery,
        &targets,
        &nothing,
        &rules,
        timeout,
        &cancel,
    )
    .await;
    let text = error.expect_err("no node runs it").to_string();
    assert!(
        text.ends_with(&format!(
            "timeout waiting for: [Deployment/{}/d status: 'InProgress']",
            world.home
        )),
        "{text}"
    );
    cancel.cancel();
    let error = wait_healthy(
        &world.client,
        &world.discovery,
        &targets,
        &nothing,
        &rules,
        timeout,
        &cancel,
    )
    .await;
    assert!(matches!(error, Err(HealthError::Cancelled)));
    Ok(())
}
