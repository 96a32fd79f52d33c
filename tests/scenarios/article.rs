//! The example that Tenure starts from, to the letter: only host and port of the Git URL are ours.

use anyhow::ensure;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tenure_testkit::git::GitRepo;
use tenure_testkit::{apply_yaml, until};
use tenure_tests::{PATIENCE, Stage, condition, flux, gone, ready, request, value};

const DEPLOYMENT: &str = include_str!("article/frontend-deployment.yaml");
const GIT_REPOSITORY: &str = include_str!("article/gitrepository.yaml");
const KUSTOMIZATION: &str = include_str!("article/kustomization.yaml");
const FILE: &str = "path/to/your/repo/frontend-deployment.yaml";

#[tokio::test(flavor = "multi_thread")]
async fn the_articles_documents_deploy_frontend_in_both_api_versions() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    onboard(&stage).await?;
    for version in ["v1beta2", "v1"] {
        whole_life(&stage, version).await?;
    }
    Ok(())
}

/// Commit, apply, roll forward, break, mend, drift, remove.
async fn whole_life(stage: &Stage, version: &str) -> anyhow::Result<()> {
    let client = stage.client();
    let repo = GitRepo::init(&stage.git, &format!("your-org/your-repo-{version}.git"))?;
    let first = repo.commit(&[(FILE, Some(DEPLOYMENT))], "Add the frontend")?;
    let url = stage.git.url(repo.name());
    let source = GIT_REPOSITORY
        .replace("ssh://git@github.com/your-org/your-repo.git", &url)
        .replace("v1beta2", version);
    ensure!(source.contains(&url), "the article's URL is replaced");
    apply_yaml(&client, &source, None).await?;
    apply_yaml(&client, &KUSTOMIZATION.replace("v1beta2", version), None).await?;

    let kustomizations = flux(&client, "Kustomization", "flux-system");
    let sources = flux(&client, "GitRepository", "flux-system");
    ready(&sources, "GitRepository", "flux-gotk-system").await?;
    let object = ready(&kustomizations, "Kustomization", "frontend-app").await?;
    assert_eq!(
        object["status"]["lastAppliedRevision"],
        format!("main@sha1:{first}")
    );
    assert_eq!(
        object["status"]["inventory"]["entries"],
        json!([{"id": "default_frontend_apps_Deployment", "v": "v1"}])
    );
    let message = condition(&object, "Ready").map(|ready| ready["message"].clone());
    assert_eq!(
        message,
        Some(json!(format!("Applied revision: main@sha1:{first}")))
    );
    two_pods(&client).await?;
    as_people_read_it(stage, &first).await?;

    let second = repo.commit(
        &[(FILE, Some(&DEPLOYMENT.replace("nginx:latest", "nginx:1.27")))],
        "Roll forward",
    )?;
    request(&sources, "GitRepository", "flux-gotk-system").await?;
    applied(&kustomizations, &second).await?;
    assert_eq!(image(&client).await?, "nginx:1.27");

    let broken = DEPLOYMENT.replace("  replicas: 2", "  replicas: [2");
    let third = repo.commit(&[(FILE, Some(&broken))], "Break the YAML")?;
    request(&sources, "GitRepository", "flux-gotk-system").await?;
    let message = build_failed(&kustomizations, &third).await?;
    assert!(
        message.contains("frontend-deployment.yaml:"),
        "file and line: {message}"
    );
    assert_eq!(image(&client).await?, "nginx:1.27", "the cluster is as it was");
    let now = value(&kustomizations, "frontend-app").await?;
    assert_eq!(
        now["status"]["lastAppliedRevision"],
        format!("main@sha1:{second}")
    );

    let fourth = repo.commit(&[(FILE, Some(DEPLOYMENT))], "Mend it")?;
    request(&sources, "GitRepository", "flux-gotk-system").await?;
    applied(&kustomizations, &fourth).await?;

    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "default");
    let by_hand = json!({"spec": {"replicas": 5}});
    deployments
        .patch("frontend", &PatchParams::default(), &Patch::Merge(by_hand))
        .await?;
    request(&kustomizations, "Kustomization", "frontend-app").await?;
    assert_eq!(
        deployments
            .get("frontend")
            .await?
            .spec
            .and_then(|spec| spec.replicas),
        Some(2),
        "drift is corrected"
    );

    repo.commit(
        &[(FILE, None), ("path/to/your/repo/.keep", Some(""))],
        "Remove the frontend",
    )?;
    request(&sources, "GitRepository", "flux-gotk-system").await?;
    until("the Deployment to be pruned", PATIENCE, || async {
        ensure!(
            deployments.get_opt("frontend").await?.is_none(),
            "it is still there"
        );
        Ok(())
    })
    .await?;

    kustomizations
        .delete("frontend-app", &DeleteParams::default())
        .await?;
    sources
        .delete("flux-gotk-system", &DeleteParams::default())
        .await?;
    gone(&kustomizations, "frontend-app").await?;
    gone(&sources, "flux-gotk-system").await
}

/// The tenant `dev-team` as `tenants/` has it, with the Git server's key in its Secret.
async fn onboard(stage: &Stage) -> anyhow::Result<()> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let built = stage
        .plane
        .kubectl(&["kustomize", &format!("{root}/tenants/base/dev-team")])
        .await?;
    apply_yaml(
        &stage.client(),
        "{apiVersion: v1, kind: Namespace, metadata: {name: flux-system}}",
        None,
    )
    .await?;
    let documents = tenure_yaml::parse(built.as_bytes(), &tenure_yaml::Options::helm())?;
    let objects: Vec<Value> = documents.into_iter().map(|document| document.value).collect();
    stage.tenure.apply(&objects).await?;
    stage.git_secret("flux-system", "git-ssh").await
}

async fn two_pods(client: &kube::Client) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    until("two Pods of frontend", PATIENCE, || async {
        let found = pods
            .list(&ListParams::default().labels("app=frontend"))
            .await?
            .items;
        let alive = found
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .count();
        ensure!(alive == 2, "there are {alive}");
        Ok(())
    })
    .await
}

/// `kubectl get` shows the columns that people know, filled.
async fn as_people_read_it(stage: &Stage, commit: &str) -> anyhow::Result<()> {
    let table = stage
        .plane
        .kubectl(&["get", "kustomizations,gitrepositories", "-n", "flux-system"])
        .await?;
    for expected in ["AGE", "READY", "STATUS", "URL", "True"] {
        ensure!(table.contains(expected), "{expected} is missing in:\n{table}");
    }
    ensure!(
        table.contains(&format!("Applied revision: main@sha1:{commit}")),
        "{table}"
    );
    ensure!(
        table.contains(&format!("stored artifact for revision 'main@sha1:{commit}'")),
        "{table}"
    );
    Ok(())
}

async fn image(client: &kube::Client) -> anyhow::Result<String> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "default");
    let deployment = serde_json::to_value(deployments.get("frontend").await?)?;
    Ok(deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}

type Objects = Api<kube::api::DynamicObject>;

async fn applied(api: &Objects, commit: &str) -> anyhow::Result<()> {
    until(&format!("{commit} to be applied"), PATIENCE, || async {
        let object = value(api, "frontend-app").await?;
        let revision = format!("main@sha1:{commit}");
        ensure!(
            object["status"]["lastAppliedRevision"] == revision && tenure_tests::is_ready(&object),
            "{}",
            object["status"]
        );
        Ok(())
    })
    .await
}

async fn build_failed(api: &Objects, commit: &str) -> anyhow::Result<String> {
    until("the broken commit to be refused", PATIENCE, || async {
        let object = value(api, "frontend-app").await?;
        let attempted = object["status"]["lastAttemptedRevision"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let ready = condition(&object, "Ready").cloned().unwrap_or_default();
        ensure!(
            attempted.ends_with(commit) && ready["reason"] == "BuildFailed",
            "{}",
            object["status"]
        );
        Ok(ready["message"].as_str().unwrap_or_default().to_owned())
    })
    .await
}
