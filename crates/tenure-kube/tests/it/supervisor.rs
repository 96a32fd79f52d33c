use std::time::Duration;

use tenure_kube::{LeaseState, SupervisorClient, TokenCell};

use crate::world::World;

/// The supervisor's rights, in one namespace that is both the system's and the workers'.
const RULES: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: supervisor}
rules:
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, patch]}
- {apiGroups: [""], resources: [serviceaccounts], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [serviceaccounts/token], verbs: [create]}
- {apiGroups: [""], resources: [configmaps], resourceNames: [keys], verbs: [get, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: supervisor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: supervisor}
subjects: [{kind: ServiceAccount, name: default}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: keys}
"#;

async fn supervisor(world: &World) -> anyhow::Result<SupervisorClient> {
    world
        .plane
        .kubectl_with_input(&["apply", "-n", &world.home, "-f", "-"], RULES)
        .await?;
    let token = TokenCell::new(world.plane.token_for((&world.home, "default"), None, 600).await?);
    let client = SupervisorClient::new(&world.connection, token, world.name(), world.name());
    while client.worker_accounts().await.is_err_and(|e| e.is_forbidden()) {}
    Ok(client)
}

#[tokio::test]
async fn the_supervisor_mints_tokens_and_keeps_the_issuers_keys() -> anyhow::Result<()> {
    let world = World::new().await?;
    let client = supervisor(&world).await?;
    assert!(client.worker_accounts().await?.contains(&"worker".to_owned()));
    let minted = client.mint(&"worker".parse()?, &[], 600).await?;
    assert!(!minted.token.is_empty());
    world.token.set(minted.token);
    assert_eq!(
        world.own().whoami().await?,
        format!("system:serviceaccount:{}:worker", world.home)
    );
    assert!(
        client
            .mint(&"nobody".parse()?, &[], 600)
            .await
            .expect_err("no such account")
            .is_not_found()
    );
    let keys = client.issuer_keys().await?;
    assert!(keys.contains("\"keys\""), "{keys}");
    assert!(client.issuer().await?.starts_with("https://"));
    assert!(client.put_issuer_keys(&"keys".parse()?, &keys).await?);
    assert!(
        !client.put_issuer_keys(&"keys".parse()?, &keys).await?,
        "nothing new, nothing written"
    );
    assert!(client.version().await? >= (1, 36));
    Ok(())
}

#[tokio::test]
async fn of_two_only_one_holds_a_lease_until_it_is_released_or_silent() -> anyhow::Result<()> {
    let world = World::new().await?;
    let client = supervisor(&world).await?;
    let name = "bucket-0".parse()?;
    let mut alice = client.lease(&name, "alice", Duration::from_secs(3600));
    let mut bob = client.lease(&name, "bob", Duration::from_secs(1));
    let taken = |by: &str| LeaseState::Taken {
        holder: by.to_owned(),
    };
    assert!(matches!(alice.acquire().await?, LeaseState::Held { .. }));
    assert_eq!(bob.acquire().await?, taken("alice"));
    assert_eq!(
        bob.renew().await?,
        taken("alice"),
        "renewing what one does not hold takes nothing"
    );
    assert!(matches!(alice.renew().await?, LeaseState::Held { .. }));
    alice.release().await?;
    assert!(matches!(bob.acquire().await?, LeaseState::Held { .. }));
    assert_eq!(alice.acquire().await?, taken("bob"));
    // Bob says no more: alice takes over once his second is over by her own clock.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while alice.acquire().await? == taken("bob") {
        assert!(
            tokio::time::Instant::now() < deadline,
            "a silent holder was never replaced"
        );
    }
    assert_eq!(bob.renew().await?, taken("alice"));
    Ok(())
}
