use futures::StreamExt;
use serde_json::{Value, json};
use tenure_kube::{ApplyParams, By, DeleteParams, Deletion, ResourceInfo, WatchEvent};

use crate::world::{World, config_maps};

fn config_map(ns: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": ns}, "data": {"k": value}})
}

fn params(dry_run: bool) -> ApplyParams {
    ApplyParams {
        field_manager: "test".into(),
        force: true,
        dry_run,
    }
}

#[tokio::test]
async fn a_tenant_applies_lists_watches_and_deletes_with_a_role_and_constrained_impersonation()
-> anyhow::Result<()> {
    let world = World::new().await?;
    let (client, kind, ns) = (world.acting("dev"), config_maps(), Some(world.home.as_str()));
    let dry = client
        .apply(&kind, &config_map(&world.home, "1"), &params(true))
        .await?;
    assert!(dry.created);
    let listing = client.list_at(&kind, ns, By::Name("a")).await?;
    assert!(listing.items.is_empty(), "a dry-run writes nothing");
    let mut events = client
        .watch(&kind, ns, By::Name("a"), &listing.resource_version)
        .await?;
    assert!(
        client
            .apply(&kind, &config_map(&world.home, "1"), &params(false))
            .await?
            .created
    );
    assert!(
        !client
            .apply(&kind, &config_map(&world.home, "2"), &params(false))
            .await?
            .created
    );
    let items = client.list(&kind, ns, By::Name("a")).await?;
    assert_eq!(
        (items.len(), &items[0]["kind"], &items[0]["data"]["k"]),
        (1, &json!("ConfigMap"), &json!("2"))
    );
    let ops = json!([{"op": "replace", "path": "/data/k", "value": "3"}]);
    client.patch_json(&kind, ns, "a", &ops, "test").await?;
    let wrong = DeleteParams {
        uid: Some("other".into()),
        ..DeleteParams::default()
    };
    let refused = client
        .delete(&kind, ns, "a", &wrong)
        .await
        .expect_err("another object's uid");
    assert!(refused.is_conflict(), "{refused}");
    assert_eq!(
        client.delete(&kind, ns, "a", &DeleteParams::default()).await?,
        Deletion::Deleted
    );
    assert_eq!(
        client.delete(&kind, ns, "a", &DeleteParams::default()).await?,
        Deletion::NotFound
    );
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        match event? {
            WatchEvent::Applied(object) => seen.push(object["data"]["k"].clone()),
            WatchEvent::Deleted(_) => break,
            WatchEvent::Bookmark(_) => {}
        }
    }
    assert_eq!(seen, ["1", "2", "3"]);
    Ok(())
}

#[tokio::test]
async fn a_refusal_names_the_rule_that_is_missing() -> anyhow::Result<()> {
    let world = World::new().await?;
    let services = ResourceInfo {
        plural: "services".into(),
        kind: "Service".into(),
        ..config_maps()
    };
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": world.home}});
    let error = world
        .acting("dev")
        .apply(&services, &service, &params(false))
        .await
        .expect_err("not in the Role");
    let rule = error.missing_rule().expect("the server says it");
    assert_eq!(
        (rule.verb.as_str(), rule.resource.as_str()),
        ("patch", "services"),
        "{error}"
    );
    assert_eq!(rule.namespace.as_deref(), Some(world.home.as_str()));
    assert_eq!(rule.user, format!("system:serviceaccount:{}:dev", world.home));
    Ok(())
}

#[tokio::test]
async fn a_worker_cannot_act_as_an_account_it_was_not_given() -> anyhow::Result<()> {
    let world = World::new().await?;
    let kind = config_maps();
    let error = world
        .acting("default")
        .list(&kind, Some(&world.home), By::All)
        .await
        .expect_err("not in act-as");
    let rule = error
        .missing_rule()
        .unwrap_or_else(|| panic!("a rule in: {error}"));
    assert_eq!(rule.user, format!("system:serviceaccount:{}:worker", world.home));
    assert!(rule.verb.starts_with("impersonate"), "{rule}");
    let error = world
        .acting("dev")
        .list(&kind, None, By::All)
        .await
        .expect_err("the whole cluster");
    assert!(error.is_forbidden(), "{error}");
    Ok(())
}
