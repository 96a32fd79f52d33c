//! `tenure uninstall` with an installation that runs.

use kube::api::{Api, DynamicObject, ListParams};
use serde_json::json;
use tenure_testkit::until;
use tenure_tests::{PATIENCE, Stage, flux, gone, objects, value};

use super::{config_maps, namespace_gone, settled};

/// Stands for the programs' Pod: no node runs here, so the test ends it when its Deployment is gone.
async fn programs(stage: &Stage) -> anyhow::Result<()> {
    let labels = json!({"app.kubernetes.io/part-of": "flux", "app": "tenure"});
    let metadata = json!({"name": "tenure-supervisor", "namespace": stage.tenure.system(), "labels": labels});
    let containers = json!([{
        "name": "tenure", "image": "tenure",
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
    }]);
    let restricted = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    stage
        .tenure
        .apply(&[
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
                "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "tenure"}}, "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": containers, "securityContext": restricted},
                }},
            }),
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
                "spec": {
                    "containers": containers, "securityContext": restricted, "terminationGracePeriodSeconds": 0,
                },
            }),
        ])
        .await
}

/// Answers the questions; when the Deployment is gone it ends the programs, as the cluster would.
async fn uninstall(stage: &mut Stage, flags: &[&str], answers: &str) -> anyhow::Result<String> {
    let client = stage.client();
    let Stage { plane, tenure, .. } = stage;
    let (system, workers) = (tenure.system().to_owned(), tenure.workers().to_owned());
    let mut args = vec![
        "uninstall",
        "--system-namespace",
        &system,
        "--workers-namespace",
        &workers,
    ];
    args.extend(flags);
    let ends = async {
        gone(
            &objects(&client, "apps", "v1", "Deployment", "deployments", &system),
            "tenure-supervisor",
        )
        .await?;
        tenure.kill_supervisor()?;
        tenure.kill_cache()?;
        let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(client.clone(), &system);
        let now = kube::api::DeleteParams {
            grace_period_seconds: Some(0),
            ..Default::default()
        };
        pods.delete("tenure-supervisor", &now).await?;
        anyhow::Ok(())
    };
    let (said, ended) = tokio::join!(plane.tenure(&args, answers), ends);
    ended?;
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn uninstalled_with_pruning_nothing_is_left_but_the_crds() -> anyhow::Result<()> {
    let mut stage = Stage::alone().await?;
    let (home, target) = {
        let (team, target) = settled(&stage, "pruned", &json!({})).await?;
        (team.home().to_owned(), target)
    };
    programs(&stage).await?;
    let said = uninstall(&mut stage, &[], "y\ny\n").await?;
    assert!(
        said.contains("[y/N]") && said.contains("Tenure is removed"),
        "{said}"
    );
    gone(&config_maps(&stage.client(), &target), "cm").await?;
    removed(&stage, &[&home, &target]).await?;
    let left = flux(&stage.client(), "Kustomization", &home)
        .list(&ListParams::default())
        .await?;
    assert!(left.items.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn uninstalled_without_pruning_every_object_stays_and_none_is_held() -> anyhow::Result<()> {
    let mut stage = Stage::alone().await?;
    let (home, target) = {
        let (team, target) = settled(&stage, "kept", &json!({})).await?;
        (team.home().to_owned(), target)
    };
    programs(&stage).await?;
    let said = stage
        .plane
        .tenure(
            &["uninstall", "--system-namespace", stage.tenure.system(), "--keep"],
            "n\n",
        )
        .await?;
    assert!(said.contains("Nothing was changed"), "{said}");
    uninstall(&mut stage, &["--keep", "--yes"], "").await?;
    value(&config_maps(&stage.client(), &target), "cm").await?;
    let object = value(&flux(&stage.client(), "Kustomization", &home), "app").await?;
    assert_eq!(object["metadata"].get("finalizers"), None);
    removed(&stage, &[&home, &target]).await?;
    super::delete_namespace(&stage.client(), &home).await?;
    namespace_gone(&stage.client(), &home).await
}

async fn removed(stage: &Stage, places: &[&str]) -> anyhow::Result<()> {
    let client = stage.client();
    for namespace in [stage.tenure.system(), stage.tenure.workers()] {
        namespace_gone(&client, namespace).await?;
    }
    for namespace in places {
        let rights: Vec<DynamicObject> = super::roles(&client, namespace)
            .list(&ListParams::default().labels(tenure_api::TENANT_LABEL))
            .await?
            .items;
        assert!(rights.is_empty(), "{rights:?}");
    }
    let gone = stage
        .plane
        .kubectl(&[
            "get",
            "clusterroles,clusterrolebindings,validatingadmissionpolicies",
            "-o",
            "name",
        ])
        .await?;
    assert!(!gone.contains("tenure"), "{gone}");
    let crds = stage.plane.kubectl(&["get", "crds", "-o", "name"]).await?;
    assert!(
        crds.contains("tenants.tenure.dev") && crds.contains("kustomizations"),
        "{crds}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_pruned_stops_the_uninstall_before_anything_is_removed() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (team, target) = settled(&stage, "stuck", &json!({})).await?;
    let name = format!("{}-deployer", team.fixture.name);
    super::delete(&super::bindings(&stage.client(), &target), &name).await?;
    let args = [
        "uninstall",
        "--system-namespace",
        stage.tenure.system(),
        "--workers-namespace",
        stage.tenure.workers(),
        "--prune",
        "--yes",
        "--timeout",
        "3",
    ];
    let error = stage
        .plane
        .tenure(&args, "")
        .await
        .expect_err("it can't be pruned");
    assert!(error.to_string().contains("Nothing was removed"), "{error}");
    until("the Tenant to be there", PATIENCE, || async {
        value(
            &flux(&stage.client(), "Tenant", stage.tenure.system()),
            &team.fixture.name,
        )
        .await
    })
    .await?;
    Ok(())
}
