//! A Tenant taken away, alone or with all that onboarded it.

use anyhow::ensure;
use serde_json::{Value, json};
use tenure_testkit::git::GitRepo;
use tenure_testkit::{TenantFixture, apply_yaml, until};
use tenure_tests::{PATIENCE, Stage, flux, gone, ready, value};

use super::{config_maps, delete, delete_namespace, namespace_gone, roles, settled};

#[tokio::test(flavor = "multi_thread")]
async fn without_its_tenant_a_home_stays_as_it_is_until_one_command_lets_it_go() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (team, target) = settled(&stage, "orphan", &json!({})).await?;
    let client = stage.client();
    delete(
        &flux(&client, "Tenant", stage.tenure.system()),
        &team.fixture.name,
    )
    .await?;
    delete_namespace(&client, team.home()).await?;
    until(
        "the home's rights to be let go: no Tenant needs them",
        PATIENCE,
        || async {
            ensure!(
                roles(&client, team.home())
                    .get_opt("tenure:home")
                    .await?
                    .is_none()
            );
            Ok(())
        },
    )
    .await?;
    for kind in ["Kustomization", "GitRepository"] {
        let object = value(&team.objects(kind), "app").await?;
        assert_eq!(
            object["metadata"]["finalizers"],
            json!(["finalizers.fluxcd.io"]),
            "nobody serves it"
        );
    }
    let said = stage
        .plane
        .tenure(&["tenant", "release", team.home()], "")
        .await?;
    assert!(said.contains("2 objects"), "{said}");
    namespace_gone(&client, team.home()).await?;
    value(&config_maps(&client, &target), "cm").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_whose_tenant_went_while_nobody_watched_is_let_go_by_the_next_supervisor() -> anyhow::Result<()>
{
    let mut stage = Stage::start().await?;
    let client = stage.client();
    let fixture = TenantFixture::new("unseen");
    fixture.onboard(&stage.tenure).await?;
    super::tenant_says(&stage, &fixture.name, "every namespace can be served").await?;
    stage.tenure.kill_supervisor()?;
    delete(&flux(&client, "Tenant", stage.tenure.system()), &fixture.name).await?;
    stage.tenure.start_supervisor().await?;
    delete_namespace(&client, &fixture.home).await?;
    namespace_gone(&client, &fixture.home).await
}

const SOURCE: &str = r#"{"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "app", "namespace": "flux-system"},
  "spec": {"interval": "1m", "url": "URL", "ref": {"branch": "main"}}}"#;
const APP: &str = r#"{"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "app", "namespace": "flux-system"},
  "spec": {"interval": "5m", "prune": true, "path": "./", "sourceRef": {"kind": "GitRepository", "name": "app"}}}"#;

/// `tenants/base/dev-team` as a folder with this installation's namespaces.
async fn folder(stage: &Stage) -> anyhow::Result<tempfile::TempDir> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let built = stage
        .plane
        .kubectl(&["kustomize", &format!("{root}/tenants/base/dev-team")])
        .await?;
    let documents = tenure_yaml::parse(built.as_bytes(), &tenure_yaml::Options::helm())?;
    let objects: Vec<Value> = documents
        .iter()
        .map(|document| stage.tenure.localised(&document.value))
        .collect();
    let folder = tempfile::tempdir()?;
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    std::fs::write(folder.path().join("all.yaml"), list.to_string())?;
    std::fs::write(
        folder.path().join("kustomization.yaml"),
        r#"{"resources": ["all.yaml"]}"#,
    )?;
    Ok(folder)
}

async fn work(stage: &Stage) -> anyhow::Result<()> {
    let client = stage.client();
    stage.git_secret("flux-system", "git-ssh").await?;
    let repo = GitRepo::init(
        &stage.git,
        &format!("{:?}.git", std::time::Instant::now())
            .replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', ""),
    )?;
    repo.commit(&[("cm.yaml", Some(&super::config_map("cm", "default")))], "Add")?;
    apply_yaml(&client, &SOURCE.replace("URL", &stage.git.url(repo.name())), None).await?;
    apply_yaml(&client, APP, None).await?;
    ready(
        &flux(&client, "Kustomization", "flux-system"),
        "Kustomization",
        "app",
    )
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_folder_is_applied_and_deleted_and_both_end_by_themselves() -> anyhow::Result<()> {
    let stage = Stage::alone().await?;
    let client = stage.client();
    apply_yaml(
        &client,
        "{apiVersion: v1, kind: Namespace, metadata: {name: flux-system}}",
        None,
    )
    .await?;
    let folder = folder(&stage).await?;
    let path = folder.path().display().to_string();
    let maps = config_maps(&client, "default");

    // In the README's order: first the objects, so that the worker prunes, then the folder.
    stage.plane.kubectl(&["apply", "-k", &path]).await?;
    work(&stage).await?;
    stage
        .plane
        .kubectl(&[
            "delete",
            "kustomizations,gitrepositories",
            "--all",
            "-n",
            "flux-system",
            "--timeout=60s",
        ])
        .await?;
    gone(&maps, "cm").await?;
    stage
        .plane
        .kubectl(&["delete", "-k", &path, "--timeout=60s"])
        .await?;

    // All at once: nobody is left to prune, and nothing hangs.
    stage.plane.kubectl(&["apply", "-k", &path]).await?;
    work(&stage).await?;
    stage
        .plane
        .kubectl(&["delete", "-k", &path, "--timeout=60s"])
        .await?;
    let rights = roles(&client, "flux-system")
        .list(&kube::api::ListParams::default())
        .await?;
    assert!(rights.items.is_empty(), "{rights:?}");
    value(&maps, "cm").await?;
    stage
        .plane
        .tenure(&["tenant", "release", "flux-system"], "")
        .await?;
    delete_namespace(&client, "flux-system").await?;
    namespace_gone(&client, "flux-system").await
}
