use std::time::Duration;

use futures::StreamExt;
use tenure_core::ownership::Write;
use tenure_kube::{SupervisorClient, TokenCell};

use crate::world::World;

/// The supervisor's rights, in one namespace that is both the system's and the workers'.
const RULES: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: supervisor}
rules:
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, patch, delete]}
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
async fn supervisors_know_each_other_by_their_leases_and_write_only_what_they_know() -> anyhow::Result<()> {
    let world = World::new().await?;
    let client = supervisor(&world).await?;
    let lease = Duration::from_secs(30);
    let (alice, bob) = ("alice".parse()?, "bob".parse()?);
    let write = |version: Option<&str>, holder: Option<&str>, seen: &[&str]| Write {
        version: version.map(str::to_owned),
        holder: holder.and_then(|holder| holder.parse().ok()),
        seen: seen.iter().filter_map(|member| member.parse().ok()).collect(),
    };
    let mut shown = client.watch_members();
    let first = client
        .write_member(&alice, &write(None, Some("alice/1-0"), &[]), lease)
        .await?;
    let record = shown.next().await.expect("it never ends");
    assert_eq!((record.identity.as_str(), &record.version), ("alice", &first));
    let again = client
        .write_member(&alice, &write(None, Some("alice/2-0"), &[]), lease)
        .await;
    assert!(again.expect_err("it is there").is_conflict());
    let seen = write(Some(&first), Some("alice/1-0"), &["bob/1-0"]);
    let second = client.write_member(&alice, &seen, lease).await?;
    let late = client.write_member(&alice, &seen, lease).await;
    assert!(late.expect_err("it has changed").is_conflict());
    let lost = client
        .write_member(&bob, &write(Some("1"), Some("bob/1-0"), &[]), lease)
        .await;
    assert!(lost.expect_err("there is none").is_not_found());
    let members = client.members().await?;
    assert_eq!(members.len(), 1);
    assert_eq!(members[0].seen, seen.seen);
    client.delete_member("alice", &first).await?;
    assert_eq!(client.members().await?.len(), 1, "another one than was to go");
    let left = client
        .write_member(&alice, &write(Some(&second), None, &[]), lease)
        .await?;
    let members = client.members().await?;
    assert_eq!((&members[0].holder, members[0].seen.len()), (&None, 0));
    client.delete_member("alice", &left).await?;
    assert_eq!(client.members().await?, []);
    client.delete_member("alice", &left).await?;
    Ok(())
}
