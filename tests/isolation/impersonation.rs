//! What constrained impersonation stops and the classic one does not.

use anyhow::ensure;
use serde_json::{Value, json};
use tenure_api::Tenant;
use tenure_api::rights::{Impersonation, worker_objects};
use tenure_testkit::TenantFixture;
use tenure_tests::Stage;

use crate::world::{Ask, Caller, collection, user};

const RBAC: &str = "rbac.authorization.k8s.io";

/// A tenant whose account may do more than its Tenant says: in one other namespace, and cluster-wide.
struct Overpowered {
    stage: Stage,
    fixture: TenantFixture,
    elsewhere: String,
    worker: Caller,
    tenant: Caller,
}

impl Overpowered {
    async fn with(impersonation: Impersonation) -> anyhow::Result<Self> {
        let stage = Stage::start().await?;
        let fixture = TenantFixture::new("overpowered");
        let decoded: Tenant = serde_json::from_value(fixture.object())?;
        let others: Vec<Value> = fixture
            .surroundings()?
            .into_iter()
            .filter(|object| object["metadata"]["labels"][tenure_api::TENANT_LABEL].is_null())
            .collect();
        stage.tenure.apply(&others).await?;
        stage
            .tenure
            .apply(&worker_objects(&decoded, impersonation))
            .await?;
        let elsewhere = stage.plane.temp_namespace("elsewhere").await?.name().to_owned();
        let subjects =
            json!([{"kind": "ServiceAccount", "name": fixture.account, "namespace": fixture.home}]);
        let (role, version) = (format!("isolation-{}", fixture.name), format!("{RBAC}/v1"));
        let more = [
            json!({
                "apiVersion": version, "kind": "ClusterRole", "metadata": {"name": role},
                "rules": [{"apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": ["get", "list"]}],
            }),
            json!({
                "apiVersion": version, "kind": "ClusterRoleBinding", "metadata": {"name": role}, "subjects": subjects,
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            }),
            json!({
                "apiVersion": version, "kind": "RoleBinding", "metadata": {"name": role, "namespace": elsewhere},
                "subjects": subjects, "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "admin"},
            }),
        ];
        stage.tenure.apply(&more).await?;
        let worker = Caller::account(&stage.plane, stage.tenure.workers(), &fixture.home).await?;
        let tenant = Caller::account(&stage.plane, &fixture.home, &fixture.account).await?;
        Ok(Self {
            stage,
            fixture,
            elsewhere,
            worker,
            tenant,
        })
    }

    fn user(&self) -> String {
        user(&self.fixture.home, &self.fixture.account)
    }

    /// What the account may do outside the Tenant.
    fn beyond(&self) -> Vec<Ask> {
        vec![
            Ask::get("/api/v1/namespaces"),
            Ask::get("/api/v1/nodes"),
            Ask::get(collection("configmaps", &self.elsewhere)),
            Ask::get(collection("secrets", &self.elsewhere)),
        ]
    }

    /// The cluster-scoped objects would outlive the test.
    async fn clean(self) -> anyhow::Result<()> {
        let name = format!("isolation-{}", self.fixture.name);
        self.stage
            .plane
            .kubectl(&["delete", "clusterrole,clusterrolebinding", &name])
            .await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_gets_nothing_from_what_its_tenants_account_may_do_elsewhere() -> anyhow::Result<()> {
    let there = Overpowered::with(Impersonation::Constrained).await?;
    for ask in there.beyond() {
        there.tenant.answered(None, &ask, 200).await?;
        let message = there.worker.forbidden(Some(&there.user()), &ask).await?;
        ensure!(
            message.contains("impersonate-on:serviceaccount:list"),
            "refused for another reason: {message}"
        );
    }
    there.clean().await
}

#[tokio::test(flavor = "multi_thread")]
async fn classic_impersonation_lends_all_that_the_account_may_do() -> anyhow::Result<()> {
    let there = Overpowered::with(Impersonation::Legacy).await?;
    for ask in there.beyond() {
        there.worker.answered(Some(&there.user()), &ask, 200).await?;
        there.worker.forbidden(None, &ask).await?;
    }
    there.clean().await
}

/// The account is `admin` in its home: nothing here is refused for want of its own rights.
#[tokio::test(flavor = "multi_thread")]
async fn acting_mints_no_token_opens_no_stream_and_neither_gets_nor_creates() -> anyhow::Result<()> {
    let there = Overpowered::with(Impersonation::Constrained).await?;
    let home = &there.fixture.home;
    let at = |kind: &str, rest: &str| format!("{}/{rest}", collection(kind, home));
    let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": home}});
    let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": home},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    let as_tenant = there.user();
    there
        .worker
        .answered(
            Some(&as_tenant),
            &Ask::apply(&at("configmaps", "kept"), map("kept")),
            201,
        )
        .await?;
    there
        .worker
        .answered(Some(&as_tenant), &Ask::apply(&at("pods", "p"), pod), 201)
        .await?;

    let streams = [
        "p/exec?command=id&stdout=true",
        "p/attach?stdout=true",
        "p/portforward?ports=80",
    ];
    let mut asks = vec![
        Ask::post(
            at("serviceaccounts", &format!("{}/token", there.fixture.account)),
            token,
        ),
        Ask::get(at("pods", "p/proxy/")),
        Ask::post(at("pods", "p/proxy/"), json!({})),
        Ask::get(at("pods", "p/log")),
        Ask::get(at("services", "s/proxy/")),
        Ask::get(at("configmaps", "kept")),
        Ask::put(at("configmaps", "kept"), map("kept")),
        Ask::post(collection("configmaps", home), map("new")),
        Ask::merge(at("pods", "p/ephemeralcontainers"), json!({})),
        Ask::merge(at("serviceaccounts", "default/token"), json!({})),
    ];
    for stream in streams {
        asks.push(Ask::websocket(at("pods", stream)));
        asks.push(Ask::post(at("pods", stream), json!({})));
    }
    for ask in &asks {
        let message = there.worker.forbidden(Some(&as_tenant), ask).await?;
        ensure!(
            message.contains("impersonate-on:serviceaccount:"),
            "{ask} is refused for another reason: {message}"
        );
    }
    // Most of them are the account's own right, so it was impersonation that stopped the worker.
    let mut allowed = 0;
    for ask in &asks {
        allowed += usize::from(there.tenant.ask(ask).await?.code != 403);
    }
    ensure!(
        allowed >= 12,
        "the account itself may do {allowed} of {}",
        asks.len()
    );

    there
        .worker
        .answered(Some(&as_tenant), &Ask::get(collection("configmaps", home)), 200)
        .await?;
    there
        .worker
        .answered(Some(&as_tenant), &Ask::delete(at("configmaps", "kept")), 200)
        .await?;
    there.clean().await
}
