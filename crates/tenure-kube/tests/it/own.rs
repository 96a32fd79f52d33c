use std::collections::BTreeMap;

use tenure_core::Account;
use tenure_kube::{Discovery, EventDraft, EventKind, KUSTOMIZATION, Regarding};

use crate::world::World;

#[tokio::test]
async fn a_worker_reads_its_home_and_nothing_else() -> anyhow::Result<()> {
    let world = World::new().await?;
    let own = world.own();
    let dev = |namespace: &str| Account {
        namespace: namespace.parse().unwrap(),
        name: "dev".parse().unwrap(),
    };
    assert_eq!(
        own.whoami().await?,
        format!("system:serviceaccount:{}:worker", world.home)
    );
    assert!(own.account_exists(&dev(&world.home)).await?);
    let before = own.requests();
    assert!(own.account_exists(&dev("default")).await.is_err());
    assert_eq!(own.requests(), before, "refused before the wire");
    assert!(!own.namespace_terminating().await?);
    let ns = ["-n", world.home.as_str()];
    world
        .plane
        .kubectl(
            &[
                &["create", "secret", "generic", "s", "--from-literal=k=v"][..],
                &ns,
            ]
            .concat(),
        )
        .await?;
    world
        .plane
        .kubectl(&[&["create", "configmap", "c", "--from-literal=k=v"][..], &ns].concat())
        .await?;
    let secret = own.secret(&"s".parse()?).await?.unwrap_or_default();
    assert_eq!(secret.get("k").and_then(|s| s.expose_str()), Some("v"));
    assert_eq!(own.config_map(&"c".parse()?).await?.unwrap_or_default()["k"], "v");
    assert!(own.secret(&"none".parse()?).await?.is_none());
    assert!(own.self_check("get", "secrets", Some(&world.home)).await?);
    assert!(
        !own.self_check("create", "serviceaccounts/token", Some(&world.home))
            .await?
    );
    let error = own
        .list(KUSTOMIZATION)
        .await
        .expect_err("not bound to it, or no such kind");
    assert!(error.is_forbidden() || error.is_kind_missing(), "{error}");
    Ok(())
}

#[tokio::test]
async fn discovery_costs_two_requests_once_and_travels() -> anyhow::Result<()> {
    let world = World::new().await?;
    let own = world.own();
    let (discovery, again) = tokio::join!(own.discovery(), own.discovery());
    let discovery = discovery?;
    assert_eq!(
        discovery, again?,
        "whoever asks at the same time waits for the same answer"
    );
    own.discovery().await?;
    assert_eq!(own.requests(), 2);
    assert_eq!(
        discovery
            .resolve("apps/v1", "Deployment")
            .map(|i| (i.plural, i.namespaced)),
        Some(("deployments".into(), true))
    );
    assert_eq!(
        discovery.resolve("v1", "Namespace").map(|i| i.namespaced),
        Some(false)
    );
    let handed_on: Discovery = serde_json::from_str(&serde_json::to_string(&*discovery)?)?;
    let next = world.own();
    next.seed_discovery(handed_on);
    assert_eq!(next.discovery().await?, discovery);
    assert_eq!(next.requests(), 0);
    Ok(())
}

#[tokio::test]
async fn an_event_is_found_at_its_object() -> anyhow::Result<()> {
    let world = World::new().await?;
    let draft = EventDraft {
        regarding: Regarding {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            name: "c".into(),
            ..Regarding::default()
        },
        kind: EventKind::Normal,
        reason: "Progressing".into(),
        message: "hello".into(),
        controller: "kustomize-controller".into(),
        annotations: BTreeMap::from([("x.dev/revision".into(), "main@sha1:1".into())]),
    };
    world.own().event(draft).await?;
    let path = "jsonpath={.items[*].involvedObject.name},{.items[*].message},{.items[*].source.component}";
    let found = world
        .plane
        .kubectl(&[
            "get",
            "events",
            "-n",
            &world.home,
            "--field-selector=reason=Progressing",
            "-o",
            path,
        ])
        .await?;
    assert_eq!(found, "c,hello,kustomize-controller");
    Ok(())
}
