//! A tenant that is master in its own house, and tries the doors of ours.

use anyhow::ensure;
use serde_json::{Value, json};
use tenure_api::WORKER_RIGHTS_FINALIZER;
use tenure_api::rights::{
    ACT_AS_ROLE, HOME_ROLE, HOME_ROLES, RELEASE_ACCOUNT, RELEASE_ROLE, SUPERVISOR_ACCOUNT, TARGET_ROLE,
};
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, condition, flux, value};

use crate::world::{Ask, Caller, collection, reads, writes};

const ROLES: &str = "roles.rbac.authorization.k8s.io";
const BINDINGS: &str = "rolebindings.rbac.authorization.k8s.io";

fn everything() -> Value {
    json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])
}

async fn homes(stage: &Stage, tenant: &str) -> anyhow::Result<Value> {
    let tenant = value(&flux(&stage.client(), "Tenant", stage.tenure.system()), tenant).await?;
    ensure!(
        tenant["status"]["observedGeneration"] == tenant["metadata"]["generation"],
        "not seen yet"
    );
    Ok(tenant["status"]["homes"].clone())
}

async fn applies_a_map(team: &Team<'_>) -> anyhow::Result<()> {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}}).to_string();
    team.commit(&[("map.yaml", Some(&map))], "A map")?;
    team.git_repository(&json!({})).await?;
    team.kustomization("app", &json!({"targetNamespace": team.home()}))
        .await?;
    team.ready("Kustomization", "app").await.map(drop)
}

/// As it may have been left by an installation on an older cluster.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_may_impersonate_without_limits_is_named() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let fixture = TenantFixture::new("lent");
    let home = fixture.home.clone();
    let metadata = json!({"name": "left-over", "namespace": home});
    let left_over = [
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
            "rules": [{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "left-over"},
            "subjects": [{"kind": "ServiceAccount", "name": home, "namespace": stage.tenure.workers()}],
        }),
    ];
    let team = stage.tenant(fixture).await?;
    let bounded = stage.tenant(TenantFixture::new("bounded")).await?;
    stage.tenure.apply(&left_over).await?;
    for (team, reason) in [(&team, "LegacyRightsHeld"), (&bounded, "Supported")] {
        applies_a_map(team).await?;
        let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
        until(
            "the Tenant to say which right its worker has",
            PATIENCE,
            || async {
                let tenant = value(&tenants, &team.fixture.name).await?;
                let said = condition(&tenant, "ConstrainedImpersonation");
                ensure!(said.is_some_and(|said| said["reason"] == reason), "{said:?}");
                Ok(())
            },
        )
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_relabels_its_namespace_stays_where_it_is() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let other = TenantFixture::new("other");
    other.onboard(&stage.tenure).await?;
    let team = stage
        .tenant(TenantFixture::new("mover").may(everything()))
        .await?;
    let tenant = Caller::account(&stage.plane, team.home(), &team.fixture.account).await?;
    let labels = json!({"metadata": {"labels": {
        "tenure.dev/tenant": other.name, "toolkit.fluxcd.io/tenant": other.name,
    }}});
    tenant
        .answered(
            None,
            &Ask::merge(format!("/api/v1/namespaces/{}", team.home()), labels),
            200,
        )
        .await?;

    applies_a_map(&team).await?;
    until("both Tenants to have their homes", PATIENCE, || async {
        let (mine, theirs) = (
            homes(&stage, &team.fixture.name).await?,
            homes(&stage, &other.name).await?,
        );
        ensure!(
            mine[0]["namespace"] == team.home() && mine[0]["objects"] == 2,
            "{mine}"
        );
        ensure!(
            theirs[0]["namespace"] == other.home && theirs[1].is_null(),
            "{theirs}"
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_reaches_no_tenant_object_and_no_workers_token() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let fixture = TenantFixture::new("curious").may(everything());
    fixture.onboard(&stage.tenure).await?;
    let tenant = Caller::account(&stage.plane, &fixture.home, &fixture.account).await?;
    let (system, workers) = (stage.tenure.system(), stage.tenure.workers());
    let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}});
    let mut asks = Vec::new();
    for (kind, namespace) in [
        ("tenants.tenure.dev", system),
        ("secrets", system),
        ("configmaps", system),
        ("leases.coordination.k8s.io", system),
        ("serviceaccounts", workers),
        ("secrets", workers),
        (ROLES, workers),
        (BINDINGS, workers),
        (ROLES, system),
        (BINDINGS, system),
    ] {
        asks.extend(reads(kind, namespace).into_iter().chain(writes(kind, namespace)));
    }
    let tenants = collection("tenants.tenure.dev", system);
    asks.push(Ask::get(format!("{tenants}/{}", fixture.name)));
    asks.push(Ask::merge(
        format!("{tenants}/{}", fixture.name),
        json!({"spec": {"targets": ["kube-system"]}}),
    ));
    asks.push(Ask::merge(
        format!("{tenants}/{}/status", fixture.name),
        json!({"status": {}}),
    ));
    for (namespace, name) in [(workers, fixture.home.as_str()), (system, SUPERVISOR_ACCOUNT)] {
        asks.push(Ask::post(
            format!("{}/{name}/token", collection("serviceaccounts", namespace)),
            token.clone(),
        ));
    }
    for ask in &asks {
        tenant.forbidden(None, ask).await?;
    }
    let worker = format!("system:serviceaccount:{workers}:{}", fixture.home);
    tenant
        .forbidden(Some(&worker), &Ask::get(collection("secrets", &fixture.home)))
        .await?;
    tenant
        .answered(None, &Ask::get(collection("secrets", &fixture.home)), 200)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_of_a_home_widens_no_role_of_the_worker() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let fixture = TenantFixture::new("widener");
    fixture.onboard(&stage.tenure).await?;
    let tenant = Caller::account(&stage.plane, &fixture.home, &fixture.account).await?;
    let roles = collection(ROLES, &fixture.home);
    let wider = |group: &str, resource: &str, verb: &str| json!({"rules": [{"apiGroups": [group], "resources": [resource], "verbs": [verb]}]});
    for (role, body) in [
        (
            ACT_AS_ROLE,
            wider(
                "authentication.k8s.io",
                "serviceaccounts",
                "impersonate:serviceaccount",
            ),
        ),
        (TARGET_ROLE, wider("*", "*", "impersonate-on:serviceaccount:get")),
        (HOME_ROLE, wider("rbac.authorization.k8s.io", "roles", "escalate")),
        (HOME_ROLE, wider("*", "*", "*")),
    ] {
        let message = tenant
            .forbidden(None, &Ask::merge(format!("{roles}/{role}"), body))
            .await?;
        ensure!(
            message.contains("attempting to grant RBAC permissions not currently held"),
            "{message}"
        );
    }
    let subjects =
        json!({"subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": fixture.home}]});
    for role in HOME_ROLES {
        let binding = format!("{}/{role}", collection(BINDINGS, &fixture.home));
        tenant
            .forbidden(None, &Ask::merge(binding, subjects.clone()))
            .await?;
    }
    Ok(())
}

/// `patch` on a binding is needed to release it, and must be good for nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn no_identity_of_ours_hands_its_rights_to_another() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let fixture = TenantFixture::new("giver");
    fixture.onboard(&stage.tenure).await?;
    let workers = stage.tenure.workers();
    let thief =
        json!({"subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": fixture.home}]});
    let bindings = collection(BINDINGS, &fixture.home);
    for name in [fixture.home.as_str(), RELEASE_ACCOUNT] {
        let ours = Caller::account(&stage.plane, workers, name).await?;
        for role in HOME_ROLES {
            let binding = format!("{bindings}/{role}");
            ours.forbidden_or_invalid(&Ask::merge(&binding, thief.clone()))
                .await?;
            ours.forbidden_or_invalid(&Ask::merge(&binding, json!({"subjects": null})))
                .await?;
            let role = format!("{}/{role}", collection(ROLES, &fixture.home));
            let all = json!({"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
            ours.forbidden(None, &Ask::merge(&role, all)).await?;
        }
    }
    let release = Caller::account(&stage.plane, workers, RELEASE_ACCOUNT).await?;
    // RBAC lets an account pass on what it holds itself: that only the policy stops.
    let theft = Ask::merge(format!("{bindings}/{RELEASE_ROLE}?dryRun=All"), thief);
    until("the admission policy to be in force", PATIENCE, || async {
        let answer = release.ask(&theft).await?;
        let stopped = answer.code == 422 || answer.code == 403;
        let policy = answer
            .message()
            .contains("a worker may not change who has its rights");
        ensure!(
            stopped && policy && answer.message().contains(stage.tenure.policy()),
            "{answer:?}"
        );
        Ok(())
    })
    .await?;
    let binding = format!("{bindings}/{TARGET_ROLE}");
    let kept = release.answered(None, &Ask::get(&binding), 200).await?;
    ensure!(kept["subjects"][0]["name"] == fixture.home.as_str(), "{kept}");
    ensure!(
        kept["metadata"]["finalizers"] == json!([WORKER_RIGHTS_FINALIZER]),
        "{kept}"
    );
    // The policy stops the theft and not the release.
    let released = release
        .answered(
            None,
            &Ask::merge(&binding, json!({"metadata": {"finalizers": null}})),
            200,
        )
        .await?;
    ensure!(released["metadata"]["finalizers"].is_null(), "{released}");
    Ok(())
}
