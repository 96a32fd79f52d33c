//! What `tenure tenant` says of a live tenant.

use anyhow::ensure;
use serde_json::json;
use tenure_testkit::{TenantFixture, apply_yaml, until};
use tenure_tests::{PATIENCE, Stage, Team};

const WEB: &str = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "NS"}, "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}}"#;
const SETTINGS: &str =
    r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "NS"}}"#;

/// A tenant whose account may do nothing at all, with a Kustomization of two objects for its target.
async fn powerless<'a>(stage: &'a Stage, prefix: &str) -> anyhow::Result<(Team<'a>, String)> {
    let fixture = TenantFixture::new(prefix);
    let target = format!("{}-target", fixture.name);
    let team = stage.tenant(fixture.target(&target).may(json!([]))).await?;
    let files = [("app/web.yaml", WEB), ("app/settings.yaml", SETTINGS)]
        .map(|(path, text)| (path, text.replace("NS", &target)));
    let changes = files.each_ref().map(|(path, text)| (*path, Some(text.as_str())));
    team.commit(&changes, "Add two objects")?;
    team.git_repository(&json!({})).await?;
    team.kustomization("app", &json!({"path": "./app", "prune": true, "wait": true}))
        .await?;
    Ok((team, target))
}

async fn command(stage: &Stage, args: &[&str]) -> anyhow::Result<String> {
    stage.plane.tenure(args, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_role_is_enough_to_apply_wait_and_prune_and_no_more_is_in_force() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (team, target) = powerless(&stage, "role").await?;
    let home = team.home().to_owned();
    let message = team
        .refused("Kustomization", "app", "ReconciliationFailed")
        .await?;
    ensure!(message.contains("cannot"), "{message}");

    let said = command(&stage, &["tenant", "explain", "kustomization/app", "-n", &home]).await?;
    ensure!(
        said.contains("verbs: [list, watch, create, patch, delete]"),
        "{said}"
    );
    ensure!(
        said.contains(&format!(
            "a Role in {target} that is bound to ServiceAccount {home}/{}",
            team.fixture.account
        )),
        "{said}"
    );

    let checkout = tempfile::tempdir()?;
    std::fs::write(checkout.path().join("web.yaml"), WEB.replace("NS", &target))?;
    std::fs::write(
        checkout.path().join("settings.yaml"),
        SETTINGS.replace("NS", &target),
    )?;
    let path = checkout.path().display().to_string();
    let account = format!("{home}/{}", team.fixture.account);
    let flags = ["tenant", "role", &path, "--service-account", &account];
    let lacks = command(&stage, &[&flags[..], &["--audit"]].concat()).await?;
    ensure!(
        lacks.contains("missing create, delete, list, patch, watch on deployments.apps"),
        "{lacks}"
    );

    // the narrowest form: these objects by name
    let roles = command(&stage, &[&flags[..], &["--by-name"]].concat()).await?;
    apply_yaml(&stage.client(), &roles, None).await?;
    team.reconcile("Kustomization", "app").await?;
    team.ready("Kustomization", "app").await?;
    let audit = command(&stage, &[&flags[..], &["--audit"]].concat()).await?;
    ensure!(audit.contains("allow what is needed and no more"), "{audit}");

    team.commit(&[("app/web.yaml", None)], "Take the Deployment away")?;
    team.reconcile("GitRepository", "app").await?;
    let deployments = tenure_tests::objects(
        &stage.client(),
        "apps",
        "v1",
        "Deployment",
        "deployments",
        &target,
    );
    tenure_tests::gone(&deployments, "web").await?;
    std::fs::remove_file(checkout.path().join("web.yaml"))?;
    let audit = command(&stage, &[&flags[..], &["--audit"]].concat()).await?;
    ensure!(
        audit.contains("need not allow") && audit.contains("deployments.apps"),
        "{audit}"
    );

    let fine = command(&stage, &["tenant", "explain", "ks/app", "-n", &home]).await?;
    ensure!(fine.contains("nothing was refused"), "{fine}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_the_walls_standing_and_names_a_breach_and_a_missing_right() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (team, target) = powerless(&stage, "check").await?;
    let (system, workers) = (stage.tenure.system(), stage.tenure.workers());
    let name = team.fixture.name.clone();
    let args = [
        "tenant",
        "check",
        &name,
        "--system-namespace",
        system,
        "--workers-namespace",
        workers,
    ];
    let stands = until("the walls to stand", PATIENCE, || async {
        command(&stage, &args).await
    })
    .await?;
    ensure!(stands.contains("The walls of Tenant"), "{stands}");

    let breach = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": format!("{name}-breach"), "namespace": "kube-system"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": team.fixture.account, "namespace": team.home()}],
    });
    apply_yaml(&stage.client(), &breach.to_string(), None).await?;
    until("the breach to be named", PATIENCE, || async {
        let Err(error) = command(&stage, &args).await else {
            anyhow::bail!("nothing was found")
        };
        ensure!(
            format!("{error:#}").contains("not as they should be"),
            "{error:#}"
        );
        Ok(())
    })
    .await?;
    let bindings = super::bindings(&stage.client(), "kube-system");
    super::delete(&bindings, &format!("{name}-breach")).await?;

    let own = super::bindings(&stage.client(), &target);
    super::delete(&own, &format!("tenure:target:{name}")).await?;
    until("the missing right to be named", PATIENCE, || async {
        let Err(error) = command(&stage, &args).await else {
            anyhow::bail!("nothing was found")
        };
        ensure!(format!("{error:#}").contains("tenure tenant rights"), "{error:#}");
        Ok(())
    })
    .await
}
