use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ListParams, PostParams};
use std::time::Duration;
use tenure_core::Secret;
use tenure_testkit::control_plane::{ControlPlane, Options};
use tenure_testkit::{Node, apply_yaml, until};

const WORKLOADS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.org/web}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: once, image: example.org/once}]}
";

#[tokio::test]
async fn the_controllers_and_the_node_make_a_deployment_ready_and_a_job_complete() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.temp_namespace("node").await.unwrap();
    let ns = namespace.name();
    apply_yaml(&plane.admin_client(), WORKLOADS, Some(ns))
        .await
        .unwrap();
    let node = Node::new(plane.admin_client());
    node.make_deployment_ready(ns, "web").await.unwrap();
    node.complete_job(ns, "once").await.unwrap();

    let status = plane
        .kubectl(&["-n", ns, "rollout", "status", "deployment/web", "--timeout=5s"])
        .await;
    assert!(status.unwrap().contains("successfully rolled out"));
    namespace.delete().await.unwrap();
}

#[tokio::test]
async fn a_failing_deployment_exceeds_its_deadline_and_recovers() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.temp_namespace("node").await.unwrap();
    let ns = namespace.name();
    apply_yaml(&plane.admin_client(), WORKLOADS, Some(ns))
        .await
        .unwrap();
    let node = Node::new(plane.admin_client());
    node.fail_deployment(ns, "web").await.unwrap();

    let deployments: Api<Deployment> = Api::namespaced(plane.admin_client(), ns);
    let status = deployments.get("web").await.unwrap().status.unwrap();
    let conditions = status.conditions.unwrap();
    let progressing = conditions.iter().find(|c| c.type_ == "Progressing").unwrap();
    assert_eq!(progressing.reason.as_deref(), Some("ProgressDeadlineExceeded"));

    let auto = node.auto(&[ns]);
    until("the deployment to recover", Duration::from_secs(30), || async {
        let status = deployments.get("web").await?.status.context("no status")?;
        ensure!(status.available_replicas == Some(2), "{status:?}");
        Ok(())
    })
    .await
    .unwrap();
    drop(auto);
}

#[tokio::test]
async fn the_audit_log_says_who_asked_for_what_and_how_much_came_back() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.temp_namespace("audit").await.unwrap();
    let mark = plane.audit_mark().unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(plane.admin_client(), namespace.name());
    maps.list(&ListParams::default()).await.unwrap();
    maps.list_metadata(&ListParams::default()).await.unwrap();
    plane
        .kubectl(&[
            "-n",
            namespace.name(),
            "get",
            "secrets",
            "--as=system:serviceaccount:a:b",
        ])
        .await
        .expect_err("an account without a role may list nothing");

    let events = plane.audit_events(mark).unwrap();
    let ours =
        |resource: &str| {
            events
                .iter()
                .filter(|event| {
                    event.object.as_ref().is_some_and(|object| {
                        object.namespace == namespace.name() && object.resource == resource
                    }) && event.user == "rig-admin"
                })
                .collect::<Vec<_>>()
        };
    let lists = ours("configmaps");
    assert_eq!(
        lists
            .iter()
            .map(|e| (e.verb.as_str(), e.code, e.metadata_only))
            .collect::<Vec<_>>(),
        [("list", 200, false), ("list", 200, true),]
    );
    let refused = ours("secrets");
    assert_eq!(refused.len(), 1);
    assert_eq!(
        refused[0].impersonated_user.as_deref(),
        Some("system:serviceaccount:a:b")
    );
    assert_eq!(refused[0].code, 403);
}

#[tokio::test]
async fn kubectl_applies_what_it_is_given() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.temp_namespace("kubectl").await.unwrap();
    let map = "{apiVersion: v1, kind: ConfigMap, metadata: {name: given}, data: {a: b}}";
    let apply = ["-n", namespace.name(), "apply", "--server-side", "-f", "-"];
    plane.kubectl_with_input(&apply, map).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(plane.admin_client(), namespace.name());
    assert_eq!(maps.get("given").await.unwrap().data.unwrap()["a"], "b");

    let error = plane
        .kubectl_with_input(&apply, "kind: Nonsense")
        .await
        .unwrap_err();
    assert!(format!("{error:#}").contains("apiVersion"), "{error:#}");
}

#[tokio::test]
async fn tokens_of_an_old_key_stay_valid_only_while_it_is_kept() {
    let mut plane = ControlPlane::start(Options::default()).await.unwrap();
    let account = ("default", "default");
    let first = plane.token_for(account, None, 600).await.unwrap();
    plane.rotate_service_account_key(true).await.unwrap();
    let second = plane.token_for(account, None, 600).await.unwrap();
    assert_ne!(key_id(&first), key_id(&second));
    assert!(is_valid(&plane, &first).await);
    assert!(is_valid(&plane, &second).await);

    plane.rotate_service_account_key(false).await.unwrap();
    assert!(!is_valid(&plane, &first).await);
    assert!(!is_valid(&plane, &second).await);
}

#[tokio::test]
async fn nobody_restarts_what_others_use() {
    let mut plane = ControlPlane::shared().await.unwrap();
    plane
        .restart_api_server()
        .await
        .expect_err("the shared control plane is not ours");
    let version = plane.kubectl(&["version", "-o", "json"]).await.unwrap();
    assert!(version.contains("\"gitVersion\": \"v1.36.3\""), "{version}");
}

async fn is_valid(plane: &ControlPlane, token: &Secret) -> bool {
    let reviews: Api<TokenReview> = Api::all(plane.admin_client());
    let review = TokenReview {
        spec: TokenReviewSpec {
            token: token.expose_str().unwrap().to_owned(),
            ..TokenReviewSpec::default()
        },
        ..TokenReview::default()
    };
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    answer
        .status
        .and_then(|status| status.authenticated)
        .unwrap_or(false)
}

fn key_id(token: &Secret) -> String {
    use base64::Engine as _;
    let header = token.expose_str().unwrap().split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(header)
        .unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}
