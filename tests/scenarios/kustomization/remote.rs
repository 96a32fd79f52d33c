//! Applying to another cluster.

use std::sync::{Arc, OnceLock};

use axum::routing::get;
use axum::{Json, Router};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use tenure_testkit::control_plane::{ControlPlane, Options};
use tenure_testkit::serve::Site;
use tenure_tests::{Stage, Team, gone, value};

use crate::world::{play, says, settled};

/// Who issues this cluster's tokens, and whom they are for if nobody says.
const ISSUER: &str = "https://kubernetes.default.svc";

/// Puts a kubeconfig into the home: the control plane's own stands for another cluster, with a user that the
/// tenant's ServiceAccount is not.
async fn kubeconfig(
    stage: &Stage,
    team: &Team<'_>,
    name: &str,
    edit: impl Fn(&mut Value),
) -> anyhow::Result<()> {
    let mut config = serde_json::from_slice(&std::fs::read(stage.plane.kubeconfig_path())?)?;
    edit(&mut config);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": team.home()},
        "stringData": {"value.yaml": config.to_string()},
    });
    stage.tenure.apply(&[secret]).await
}

#[test]
fn objects_are_made_and_deleted_where_the_kubeconfig_says_as_its_user() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "remote").await?;
        let far = stage.plane.temp_namespace("far").await?;
        kubeconfig(&stage, &team, "far", |_| {}).await?;
        let spec = json!({"path": "./deploy", "targetNamespace": far.name(), "kubeConfig": {"secretRef": {"name": "far"}}});
        team.kustomization("there", &spec).await?;
        let object = team.ready("Kustomization", "there").await?;
        assert_eq!(
            object["status"]["inventory"]["entries"][0]["id"],
            json!(format!("{}_kept__ConfigMap", far.name()))
        );
        let maps: Api<ConfigMap> = Api::namespaced(stage.client(), far.name());
        assert!(
            maps.get_opt("kept").await?.is_some(),
            "made by somebody who has rights there"
        );
        // named, the account has to have rights of its own there
        let mut named = spec.clone();
        named["serviceAccountName"] = json!("deployer");
        team.kustomization("named", &named).await?;
        let message = team
            .refused("Kustomization", "named", "ReconciliationFailed")
            .await?;
        let who = format!("system:serviceaccount:{}:deployer", team.home());
        says(&message, &["Forbidden", &who])?;
        team.objects("Kustomization")
            .delete("there", &DeleteParams::default())
            .await?;
        gone(&team.objects("Kustomization"), "there").await?;
        assert!(maps.get_opt("kept").await?.is_none());
        Ok(())
    })
}

#[test]
fn a_kubeconfig_that_can_not_be_used_is_named_with_what_is_wrong() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "remote-bad").await?;
        let spec = |secret: &str| json!({"path": "./deploy", "targetNamespace": team.home(), "kubeConfig": {"secretRef": {"name": secret}}});
        team.kustomization("app", &spec("absent")).await?;
        let message = team
            .refused("Kustomization", "app", "ReconciliationFailed")
            .await?;
        let absent = format!(
            "unable to read KubeConfig secret '{}/absent' error: secrets \"absent\" not found",
            team.home()
        );
        assert_eq!(message, absent);
        let program = |config: &mut Value| config["users"][0]["user"]["exec"] = json!({"command": "sh"});
        kubeconfig(&stage, &team, "program", program).await?;
        team.kustomization("other", &spec("program")).await?;
        let message = team
            .refused("Kustomization", "other", "ReconciliationFailed")
            .await?;
        says(&message, &["users[].user.exec is not supported"])?;
        let metadata = |config: &mut Value| {
            config["clusters"][0]["cluster"]["server"] = json!("https://169.254.169.254")
        };
        kubeconfig(&stage, &team, "metadata", metadata).await?;
        team.kustomization("third", &spec("metadata")).await?;
        let message = team
            .refused("Kustomization", "third", "ReconciliationFailed")
            .await?;
        says(
            &message,
            &["the metadata service of a cloud, which the platform does not allow"],
        )?;
        let object = value(&team.objects("Kustomization"), "app").await?;
        let held = object["status"]["inventory"]["entries"].as_array().map(Vec::len);
        assert_eq!(held, Some(1), "what was applied before is not forgotten");
        Ok(())
    })
}

/// Another cluster, which takes the tokens of this one that are for it. This one's issuer can't be asked without a credential, so its
/// keys stand where anybody may read them.
async fn trusting(stage: &Stage, audience: &str) -> anyhow::Result<(ControlPlane, Site)> {
    let keys = stage.plane.kubectl(&["get", "--raw", "/openid/v1/jwks"]).await?;
    let host = Arc::new(OnceLock::new());
    let named = host.clone();
    let discovery = move || {
        let keys = format!("https://{}/keys", named.get().cloned().unwrap_or_default());
        async move { Json(json!({"issuer": ISSUER, "jwks_uri": keys})) }
    };
    let site = Router::new()
        .route("/keys", get(move || async move { keys }))
        .route("/discovery", get(discovery));
    let site = Site::start(site).await?;
    host.get_or_init(|| site.host());
    let trust = json!({
        "apiVersion": "apiserver.config.k8s.io/v1beta1", "kind": "AuthenticationConfiguration",
        "jwt": [{
            "issuer": {
                "url": ISSUER, "discoveryURL": format!("https://{}/discovery", site.host()),
                "certificateAuthority": site.ca(), "audiences": [audience],
            },
            "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
        }],
    });
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), trust.to_string())?;
    let options = Options {
        api_server_flags: vec![format!("--authentication-config={}", file.path().display())],
        issuer: Some(audience.to_owned()),
    };
    let plane = ControlPlane::start(options).await?;
    Ok((plane, site))
}

#[test]
fn a_cluster_that_trusts_this_ones_issuer_is_opened_by_a_token_of_the_home() -> anyhow::Result<()> {
    const AUDIENCE: &str = "https://far.example";
    play(|stage| async move {
        let team = settled(&stage, "remote-token").await?;
        let (far, _discovery) = trusting(&stage, AUDIENCE).await?;
        let there = far.temp_namespace("far").await?;
        let worker = format!("system:serviceaccount:{}:{}", stage.tenure.workers(), team.home());
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "home", "namespace": there.name()},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": worker}],
        });
        far.kubectl_with_input(&["apply", "-f", "-"], &binding.to_string())
            .await?;
        let endpoint = far.endpoint()?;
        let map = |name: &str, audience: &str| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": team.home()},
                "data": {"provider": "generic", "address": endpoint.url, "ca.crt": endpoint.ca, "audiences": audience},
            })
        };
        let maps = [map("far", AUDIENCE), map("here", ISSUER)];
        stage.tenure.apply(&maps).await?;
        let spec = |name: &str| json!({"path": "./deploy", "targetNamespace": there.name(), "kubeConfig": {"configMapRef": {"name": name}}});

        team.kustomization("there", &spec("far")).await?;
        team.ready("Kustomization", "there").await?;
        let maps: Api<ConfigMap> = Api::namespaced(far.admin_client(), there.name());
        assert!(maps.get_opt("kept").await?.is_some(), "made in the other cluster");

        team.kustomization("key", &spec("here")).await?;
        let message = team
            .refused("Kustomization", "key", "ReconciliationFailed")
            .await?;
        says(
            &message,
            &[
                "/here' can't be used",
                "this cluster takes tokens of that audience for its own",
            ],
        )?;

        team.objects("Kustomization")
            .delete("there", &DeleteParams::default())
            .await?;
        gone(&team.objects("Kustomization"), "there").await?;
        assert!(maps.get_opt("kept").await?.is_none(), "and deleted there");
        Ok(())
    })
}
