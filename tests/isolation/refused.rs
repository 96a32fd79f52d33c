//! What a tenant's objects may not bring about, and what their conditions then say.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, condition, value};

use crate::world::user;

fn map(namespace: &str, value: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made", "namespace": namespace},
        "data": {"value": value},
    })
    .to_string()
}

/// Reason and message of a Kustomization that is not Ready, whose message has this text.
async fn complaint(team: &Team<'_>, name: &str, text: &str) -> anyhow::Result<(String, String)> {
    let api = team.objects("Kustomization");
    until(&format!("{name} to complain of {text:?}"), PATIENCE, || async {
        let object = value(&api, name).await?;
        let ready = condition(&object, "Ready").context("no Ready condition yet")?;
        let message = ready["message"].as_str().unwrap_or_default();
        ensure!(
            ready["status"] == "False" && message.contains(text),
            "it is {ready}"
        );
        Ok((
            ready["reason"].as_str().unwrap_or_default().to_owned(),
            message.to_owned(),
        ))
    })
    .await
}

fn maps(stage: &Stage, namespace: &str) -> Api<ConfigMap> {
    Api::namespaced(stage.client(), namespace)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kustomization_writes_nothing_next_door_and_says_why() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let victim = TenantFixture::new("victim");
    victim.onboard(&stage.tenure).await?;
    let team = stage.tenant(TenantFixture::new("intruder")).await?;
    team.commit(
        &[("map.yaml", Some(&map(&victim.home, "planted")))],
        "Plant something",
    )?;
    team.git_repository(&json!({})).await?;
    let mark = stage.plane.audit_mark()?;
    team.kustomization("app", &json!({})).await?;
    let (_, message) = complaint(&team, "app", "forbidden").await?;
    let worker = user(stage.tenure.workers(), team.home());
    for part in [
        "configmaps",
        "patch",
        &worker,
        &victim.home,
        "apiGroups: [\"\"]",
        "resources: [\"configmaps\"]",
    ] {
        ensure!(message.contains(part), "{part:?} is missing in: {message}");
    }
    ensure!(
        message.contains("impersonate-on:serviceaccount:patch"),
        "the verb of the rule: {message}"
    );
    ensure!(
        maps(&stage, &victim.home).get_opt("made").await?.is_none(),
        "it was written"
    );
    let refused = stage.plane.audit_events(mark)?.into_iter().filter(|event| {
        event.user == worker
            && event.code == 403
            && event.object.as_ref().is_some_and(|o| o.namespace == victim.home)
    });
    ensure!(refused.count() > 0, "it was the API server that refused");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_next_door_is_not_read() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let owner = stage.tenant(TenantFixture::new("owner")).await?;
    owner.commit(&[("map.yaml", Some(&map(owner.home(), "private")))], "A map")?;
    owner.git_repository(&json!({})).await?;
    owner.ready("GitRepository", "app").await?;
    let team = stage.tenant(TenantFixture::new("reader")).await?;
    let mark = stage.plane.audit_mark()?;
    let source = json!({"kind": "GitRepository", "name": "app", "namespace": owner.home()});
    team.kustomization(
        "app",
        &json!({"sourceRef": source, "targetNamespace": team.home()}),
    )
    .await?;
    let (reason, message) = complaint(&team, "app", owner.home()).await?;
    ensure!(reason == "AccessDenied", "the reason is {reason}: {message}");
    ensure!(
        maps(&stage, team.home()).get_opt("made").await?.is_none(),
        "it was written"
    );
    let worker = user(stage.tenure.workers(), team.home());
    let asked = stage.plane.audit_events(mark)?.into_iter().find(|event| {
        event.user == worker
            && event
                .object
                .as_ref()
                .is_some_and(|object| object.namespace == owner.home())
    });
    ensure!(asked.is_none(), "{asked:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_acts_as_an_account_that_the_tenant_does_not_name() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let team = stage.tenant(TenantFixture::new("borrower")).await?;
    let other = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "other", "namespace": team.home()},
    });
    stage.tenure.apply(&[other]).await?;
    team.commit(&[("map.yaml", Some(&map(team.home(), "x")))], "A map")?;
    team.git_repository(&json!({})).await?;
    let mark = stage.plane.audit_mark()?;
    team.kustomization("app", &json!({"serviceAccountName": "other"}))
        .await?;
    let (reason, message) = complaint(&team, "app", "can't act as").await?;
    ensure!(reason == "AccessDenied", "the reason is {reason}: {message}");
    let stalled = value(&team.objects("Kustomization"), "app").await?;
    ensure!(
        condition(&stalled, "Stalled").is_some_and(|stalled| stalled["status"] == "True"),
        "{}",
        stalled["status"]
    );
    ensure!(
        maps(&stage, team.home()).get_opt("made").await?.is_none(),
        "it was written"
    );
    let other = user(team.home(), "other");
    let acted = stage
        .plane
        .audit_events(mark)?
        .into_iter()
        .any(|event| event.impersonated_user.as_ref() == Some(&other));
    ensure!(!acted, "it was not even tried");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_the_tenant_without_a_role_is_refused_by_the_api_server() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let team = stage.tenant(TenantFixture::new("hopeful")).await?;
    let (home, account) = (team.home(), &team.fixture.account);
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "other", "namespace": home},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "other", "namespace": home}],
    });
    let other = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "other", "namespace": home}});
    let named = json!({"serviceAccounts": [
        {"namespace": home, "name": account}, {"namespace": home, "name": "other"},
    ]});
    // The Tenant names two, the Role act-as still one.
    let tenant = team.fixture.clone().with(&named).object();
    stage.tenure.apply(&[other, binding, tenant]).await?;
    team.commit(&[("map.yaml", Some(&map(home, "x")))], "A map")?;
    team.git_repository(&json!({})).await?;
    team.kustomization("app", &json!({"serviceAccountName": "other"}))
        .await?;
    let (_, message) = complaint(&team, "app", "impersonate:serviceaccount").await?;
    for part in [
        "authentication.k8s.io",
        "serviceaccounts",
        "resourceNames: [\"other\"]",
        &user(stage.tenure.workers(), home),
    ] {
        ensure!(message.contains(part), "{part:?} is missing in: {message}");
    }
    ensure!(
        maps(&stage, home).get_opt("made").await?.is_none(),
        "it was written"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_as_an_account_that_was_deleted() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let team = stage.tenant(TenantFixture::new("orphaned")).await?;
    team.commit(&[("map.yaml", Some(&map(team.home(), "before")))], "Before")?;
    team.git_repository(&json!({})).await?;
    team.kustomization("app", &json!({})).await?;
    team.ready("Kustomization", "app").await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(stage.client(), team.home());
    accounts
        .delete(&team.fixture.account, &DeleteParams::default())
        .await?;
    // The API server itself would allow it: rights are bound to the name.
    let mark = stage.plane.audit_mark()?;
    team.commit(&[("map.yaml", Some(&map(team.home(), "after")))], "After")?;
    team.reconcile("GitRepository", "app").await?;
    let (_, message) = complaint(&team, "app", "not found").await?;
    ensure!(
        message.contains(&format!("{}/{}", team.home(), team.fixture.account)),
        "which account: {message}"
    );
    let found = maps(&stage, team.home()).get("made").await?;
    ensure!(
        found.data.is_some_and(|data| data["value"] == "before"),
        "it was written"
    );
    let tenant = user(team.home(), &team.fixture.account);
    let wrote = stage.plane.audit_events(mark)?.into_iter().find(|event| {
        event.impersonated_user.as_ref() == Some(&tenant) && !["list", "watch"].contains(&event.verb.as_str())
    });
    ensure!(wrote.is_none(), "{wrote:?}");
    Ok(())
}
