//! A namespace moves from Flux to Tenure and back, and what runs in it does not notice.
//!
//! Flux's part is what its controllers leave on the API server: objects applied by `kustomize-controller` with its labels, and
//! Flux objects with its finalizer, status and inventory, each by the field manager that it has there.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use tenure_testkit::git::GitRepo;
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, flux, gone, objects, value};

const APPLIES: &str = "kustomize-controller";
const STATUS: &str = "gotk-kustomize-controller";
const FINALIZER: &str = "finalizers.fluxcd.io";

/// What the repository holds, by the name of its file.
fn manifests(replicas: u32) -> Vec<(&'static str, Value)> {
    let labels = json!({"app": "web"});
    let metadata = json!({"name": "web"});
    let containers = json!([{"name": "web", "image": "web:1"}]);
    vec![
        (
            "config.yaml",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "value"}}),
        ),
        (
            "service.yaml",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata,
                "spec": {"selector": labels, "ports": [{"port": 80}]}}),
        ),
        (
            "deployment.yaml",
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels}, "spec": {"containers": containers},
            }}}),
        ),
    ]
}

fn api(client: &Client, namespace: &str, kind: &str) -> Api<DynamicObject> {
    match kind {
        "ConfigMap" => objects(client, "", "v1", kind, "configmaps", namespace),
        "Service" => objects(client, "", "v1", kind, "services", namespace),
        _ => objects(client, "apps", "v1", kind, "deployments", namespace),
    }
}

/// One pass of Flux over the repository's objects.
async fn flux_applies(client: &Client, namespace: &str, replicas: u32) -> anyhow::Result<()> {
    let params = PatchParams::apply(APPLIES).force();
    for (_, mut object) in manifests(replicas) {
        object["metadata"]["namespace"] = namespace.into();
        object["metadata"]["labels"] = json!({
            "kustomize.toolkit.fluxcd.io/name": "app", "kustomize.toolkit.fluxcd.io/namespace": namespace,
        });
        let kind = object["kind"].as_str().context("a kind")?.to_owned();
        api(client, namespace, &kind)
            .patch("web", &params, &Patch::Apply(object))
            .await?;
    }
    Ok(())
}

fn inventory(namespace: &str) -> Value {
    let entry = |id: &str| json!({"id": format!("{namespace}_web_{id}"), "v": "v1"});
    json!({"entries": [entry("_ConfigMap"), entry("_Service"), entry("apps_Deployment")]})
}

/// The Flux objects as Flux has left them: finalizers, conditions, inventory, history.
async fn flux_has_reconciled(team: &Team<'_>, commit: &str) -> anyhow::Result<()> {
    let revision = format!("main@sha1:{commit}");
    let now = "2026-01-02T03:04:05Z";
    let ready = |reason: &str, message: &str| {
        json!([{"type": "Ready", "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": now, "observedGeneration": 1}])
    };
    let source = json!({
        "observedGeneration": 1,
        "conditions": ready("Succeeded", &format!("stored artifact for revision '{revision}'")),
        "artifact": {"digest": format!("sha256:{}", "0".repeat(64)), "lastUpdateTime": now, "path": "gitrepository/x.tar.gz",
            "revision": revision, "size": 300, "url": "http://source-controller.flux-system.svc.cluster.local./x.tar.gz"},
    });
    let kustomization = json!({
        "observedGeneration": 1,
        "conditions": ready("ReconciliationSucceeded", &format!("Applied revision: {revision}")),
        "inventory": inventory(team.home()),
        "lastAppliedRevision": revision, "lastAttemptedRevision": revision,
        "history": [{"digest": format!("sha256:{}", "1".repeat(64)), "firstReconciled": now, "lastReconciled": now,
            "lastReconciledDuration": "120ms", "lastReconciledStatus": "ReconciliationSucceeded", "totalReconciliations": 7,
            "metadata": {"revision": revision}}],
    });
    for (kind, manager, status) in [
        ("GitRepository", "source-controller", source),
        ("Kustomization", STATUS, kustomization),
    ] {
        let api = team.objects(kind);
        let params = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        let finalizer = json!({"metadata": {"finalizers": [FINALIZER]}});
        api.patch("app", &params, &Patch::Merge(finalizer)).await?;
        let status = json!({ "status": status });
        api.patch_status("app", &params, &Patch::Merge(status)).await?;
    }
    Ok(())
}

/// Who an object is, and whether anybody has written to it.
async fn versions(client: &Client, namespace: &str) -> anyhow::Result<BTreeMap<String, [String; 2]>> {
    let mut all = BTreeMap::new();
    for kind in ["ConfigMap", "Service", "Deployment"] {
        let object = value(&api(client, namespace, kind), "web").await?;
        let said = |field: &str| object["metadata"][field].to_string();
        // the Deployment's own controller writes its status
        let version = if kind == "Deployment" {
            "generation"
        } else {
            "resourceVersion"
        };
        all.insert(kind.to_owned(), [said("uid"), said(version)]);
    }
    Ok(all)
}

/// Who applies an object.
async fn appliers(client: &Client, namespace: &str, kind: &str) -> anyhow::Result<Vec<String>> {
    let object = api(client, namespace, kind).get("web").await?;
    let fields = object.metadata.managed_fields.unwrap_or_default();
    let applied = fields
        .into_iter()
        .filter(|entry| entry.operation.as_deref() == Some("Apply"));
    Ok(applied.filter_map(|entry| entry.manager).collect())
}

async fn replica_sets(client: &Client, namespace: &str) -> anyhow::Result<usize> {
    let sets: Api<k8s_openapi::api::apps::v1::ReplicaSet> = Api::namespaced(client.clone(), namespace);
    Ok(sets.list(&kube::api::ListParams::default()).await?.items.len())
}

/// The repository's files, as a commit has them.
fn commit(team: &Team<'_>, replicas: u32, left_out: Option<&str>) -> anyhow::Result<String> {
    let files: Vec<(String, Option<String>)> = manifests(replicas)
        .into_iter()
        .map(|(name, object)| {
            (
                name.to_owned(),
                (left_out != Some(name)).then(|| object.to_string()),
            )
        })
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_deref()))
        .collect();
    team.commit(&files, "change")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_moves_from_flux_and_back_and_nothing_in_it_is_touched() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let client = stage.client();
    let fixture = TenantFixture::new("moves");
    stage.tenure.apply(&fixture.surroundings()?).await?;
    stage.git_secret(&fixture.home, "git-ssh").await?;
    let repo = GitRepo::init(&stage.git, &format!("{}.git", fixture.name))?;
    let team = stage.team(fixture, repo);
    let home = team.home().to_owned();

    // Flux reconciles.
    let first = commit(&team, 0, None)?;
    flux_applies(&client, &home, 0).await?;
    team.git_repository(&json!({})).await?;
    team.kustomization("app", &json!({"targetNamespace": home}))
        .await?;
    flux_has_reconciled(&team, &first).await?;
    until("the Deployment's first ReplicaSet", PATIENCE, || async {
        ensure!(replica_sets(&client, &home).await? == 1, "there is none");
        Ok(())
    })
    .await?;
    let before = versions(&client, &home).await?;

    // Tenure takes over.
    stage.tenure.apply(&[team.fixture.object()]).await?;
    team.reconcile("GitRepository", "app").await?;
    team.reconcile("Kustomization", "app").await?;
    let adopted = team.applied("app", &first).await?;
    ensure!(
        versions(&client, &home).await? == before,
        "something was written to"
    );
    ensure!(
        replica_sets(&client, &home).await? == 1,
        "something was restarted"
    );
    for kind in ["ConfigMap", "Service", "Deployment"] {
        ensure!(appliers(&client, &home, kind).await? == [APPLIES], "{kind}");
    }
    ensure!(adopted["status"]["inventory"] == inventory(&home), "{adopted}");
    ensure!(
        adopted["metadata"]["finalizers"] == json!([FINALIZER]),
        "{adopted}"
    );

    // What Flux had applied is pruned when it leaves the source.
    let second = commit(&team, 0, Some("service.yaml"))?;
    team.reconcile("GitRepository", "app").await?;
    let object = team.applied("app", &second).await?;
    gone(&api(&client, &home, "Service"), "web").await?;
    ensure!(object["metadata"]["finalizers"] == json!([FINALIZER]), "{object}");

    // And back: the platform lets go of the namespace, Flux reconciles again.
    let third = commit(&team, 0, None)?;
    team.reconcile("GitRepository", "app").await?;
    team.applied("app", &third).await?;
    let before = versions(&client, &home).await?;
    let tenants = flux(&client, "Tenant", stage.tenure.system());
    super::delete(&tenants, &team.fixture.name).await?;
    gone(&tenants, &team.fixture.name).await?;
    let command = ["tenant", "release", &home, "--rights-only"];
    let said = stage.plane.tenure(&command, "").await?;
    ensure!(said.contains("objects in") && !said.starts_with("0 "), "{said}");
    flux_applies(&client, &home, 0).await?;
    ensure!(
        versions(&client, &home).await? == before,
        "Flux found something to change"
    );
    let left = value(&team.objects("Kustomization"), "app").await?;
    ensure!(left["status"]["inventory"] == inventory(&home), "{left}");
    ensure!(left["metadata"]["finalizers"] == json!([FINALIZER]), "{left}");
    for ours in ["annotations", "labels"] {
        let text = left["metadata"][ours].to_string();
        ensure!(
            !text.contains("tenure.dev"),
            "{ours} of Tenure's are left: {text}"
        );
    }
    for kind in ["ConfigMap", "Service", "Deployment"] {
        ensure!(appliers(&client, &home, kind).await? == [APPLIES], "{kind}");
    }
    Ok(())
}
