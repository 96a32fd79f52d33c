use std::time::Duration;

use futures::StreamExt;
use tenure_core::Secret;
use tenure_kube::{By, Cluster, Connection, FluxKind, MetaEvent, MetadataClient, OwnClient};
use tenure_testkit::control_plane::{ControlPlane, Options};

use crate::world::{World, config_maps};

const RULES: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: meta}
rules: [{apiGroups: [coordination.k8s.io, x.invalid], resources: [leases, things], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: meta}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: meta}
subjects: [{kind: ServiceAccount, name: worker}]
"#;
/// A kind that no server serves.
const THING: FluxKind = FluxKind {
    group: "x.invalid",
    version: "v1",
    kind: "Thing",
    plural: "things",
};
/// A kind that every server serves.
const LEASE: FluxKind = FluxKind {
    group: "coordination.k8s.io",
    version: "v1",
    kind: "Lease",
    plural: "leases",
};

#[tokio::test]
async fn a_caller_that_nobody_polls_keeps_nobody_from_connecting() -> anyhow::Result<()> {
    let world = World::new().await?;
    let endpoint = world.plane.endpoint()?;
    let connection = Connection::open(&Cluster {
        url: endpoint.url,
        ca_pem: endpoint.ca.into_bytes(),
    })?;
    let client = || OwnClient::new(&connection, world.token.clone(), world.name());
    let (forgotten, other) = (client(), client());
    let mut begun = Box::pin(forgotten.whoami());
    assert!(futures::poll!(&mut begun).is_pending(), "it has to connect first");
    tokio::time::timeout(Duration::from_secs(20), other.whoami()).await??;
    begun.await?;
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_refused_is_an_error_until_it_is_replaced() -> anyhow::Result<()> {
    let world = World::new().await?;
    let good = world.plane.token_for((&world.home, "worker"), None, 600).await?;
    world.token.set(Secret::from("not-a-token".to_owned()));
    let error = world.own().whoami().await.expect_err("an unknown token");
    assert!(error.is_unauthorized(), "{error}");
    world.token.set(good);
    world.own().whoami().await?;
    Ok(())
}

#[tokio::test]
async fn a_metadata_watch_says_what_is_missing_and_follows_what_happens() -> anyhow::Result<()> {
    let world = World::new().await?;
    let client = MetadataClient::new(&world.connection, world.token.clone(), world.name());
    assert!(matches!(
        client.watch(THING).next().await,
        Some(MetaEvent::Forbidden(_))
    ));
    let mut events = client.watch(LEASE);
    assert!(matches!(events.next().await, Some(MetaEvent::Forbidden(_))));
    let ns = ["-n", world.home.as_str()];
    world
        .plane
        .kubectl_with_input(&[&["apply", "-f", "-"][..], &ns].concat(), RULES)
        .await?;
    loop {
        match events.next().await {
            Some(MetaEvent::Reset(all)) => break assert!(all.is_empty()),
            Some(MetaEvent::Forbidden(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        client.watch(THING).next().await,
        Some(MetaEvent::KindMissing)
    ));
    let lease = "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata:\n  name: l\n  annotations: {reconcile.fluxcd.io/requestedAt: now}\n";
    world
        .plane
        .kubectl_with_input(&[&["apply", "-f", "-"][..], &ns].concat(), lease)
        .await?;
    match events.next().await {
        Some(MetaEvent::Applied(meta)) => {
            assert_eq!(
                (&*meta.name, meta.asked.as_deref(), meta.deleting),
                ("l", Some("now"), false)
            );
        }
        other => panic!("{other:?}"),
    }
    world
        .plane
        .kubectl(&[&["delete", "lease", "l"][..], &ns].concat())
        .await?;
    assert!(matches!(events.next().await, Some(MetaEvent::Deleted(meta)) if &*meta.name == "l"));
    Ok(())
}

#[tokio::test]
async fn more_watches_than_a_connection_carries_all_answer() -> anyhow::Result<()> {
    let world = World::new().await?;
    let client = world.acting("dev");
    let (kind, ns) = (config_maps(), Some(world.home.as_str()));
    let version = client.list_at(&kind, ns, By::All).await?.resource_version;
    let mut streams = Vec::new();
    for _ in 0..120 {
        streams.push(client.watch(&kind, ns, By::All, &version).await?);
    }
    assert_eq!(world.connection.open_connections(), 2);
    drop(streams);
    client.list(&kind, ns, By::All).await?;
    assert_eq!(
        world.connection.open_connections(),
        1,
        "what is not needed is closed"
    );
    Ok(())
}

#[tokio::test]
async fn a_restart_of_the_api_server_is_survived() -> anyhow::Result<()> {
    let world = World::on(ControlPlane::start(Options::default()).await?).await?;
    let World {
        mut plane,
        home,
        connection,
        token,
    } = world;
    let own = OwnClient::new(&connection, token, home.parse()?);
    own.whoami().await?;
    plane.kill_api_server()?;
    let waiting = tokio::spawn({
        let own = own.clone();
        async move { own.whoami().await }
    });
    plane.start_api_server().await?;
    // The one that was under way may have given up; whatever comes next finds the new server.
    if let Err(error) = waiting.await? {
        assert!(
            error.is_transient() || error.is_unauthorized() || error.is_forbidden(),
            "{error}"
        );
    }
    own.whoami().await?;
    Ok(())
}
