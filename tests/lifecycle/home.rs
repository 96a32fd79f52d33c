//! A home, or what its worker needs, taken away first.

use anyhow::ensure;
use serde_json::json;
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, gone, value};

use super::{
    accounts, bindings, config_map, config_maps, delete, delete_namespace, merge, namespace_gone, roles,
    settled, tenant_says,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_homes_namespace_deleted_first_goes_away_and_what_it_made_elsewhere_is_pruned() -> anyhow::Result<()>
{
    let stage = Stage::start().await?;
    let (team, target) = settled(&stage, "gone", &json!({})).await?;
    let client = stage.client();
    let here = config_map("here", team.home());
    let commit = team.commit(&[("here.yaml", Some(&here))], "One at home")?;
    team.reconcile("GitRepository", "app").await?;
    team.applied("app", &commit).await?;

    delete_namespace(&client, team.home()).await?;
    namespace_gone(&client, team.home()).await?;
    gone(&config_maps(&client, &target), "cm").await?;
    let message = tenant_says(&stage, &team.fixture.name, "does not exist any more").await?;
    assert!(message.contains("tenure tenant rights"), "{message}");

    // Nobody is woken for what is gone.
    let spawned = |metrics: &str| {
        metrics
            .lines()
            .find(|line| line.contains("spawn") && !line.starts_with('#'))
            .map(str::to_owned)
    };
    let before = spawned(&stage.tenure.supervisor_metrics().await?);
    let bystander = stage.tenant(TenantFixture::new("bystander")).await?;
    bystander.commit(&[("cm.yaml", Some(&config_map("cm", bystander.home())))], "Add")?;
    ensure!(
        before.is_some() && before == spawned(&stage.tenure.supervisor_metrics().await?),
        "{before:?}"
    );

    // The same home again.
    team.fixture.onboard(&stage.tenure).await?;
    tenant_says(&stage, &team.fixture.name, "every namespace can be served").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_without_any_object_goes_away_by_itself() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let fixture = TenantFixture::new("empty");
    fixture.onboard(&stage.tenure).await?;
    tenant_says(&stage, &fixture.name, "every namespace can be served").await?;
    delete_namespace(&stage.client(), &fixture.home).await?;
    namespace_gone(&stage.client(), &fixture.home).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_account_an_object_stays_and_says_so_until_the_account_is_back() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (team, target) = settled(&stage, "account", &json!({})).await?;
    let client = stage.client();
    delete(&accounts(&client, team.home()), "deployer").await?;
    delete(&team.objects("Kustomization"), "app").await?;
    let message = team.refused("Kustomization", "app", "PruneFailed").await?;
    assert!(
        message.contains("ServiceAccount") && message.contains("not found") && message.contains("Orphan"),
        "{message}"
    );
    value(&config_maps(&client, &target), "cm").await?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer", "namespace": team.home()}});
    stage.tenure.apply(&[account]).await?;
    gone(&team.objects("Kustomization"), "app").await?;
    gone(&config_maps(&client, &target), "cm").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_deleted_before_its_namespace_holds_nothing_up() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (team, target) = settled(&stage, "first", &json!({})).await?;
    let client = stage.client();
    delete(&accounts(&client, team.home()), "deployer").await?;
    delete(&team.objects("Kustomization"), "app").await?;
    team.refused("Kustomization", "app", "PruneFailed").await?;
    delete_namespace(&client, team.home()).await?;
    namespace_gone(&client, team.home()).await?;
    gone(&config_maps(&client, &target), "cm").await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_tenants_right_in_the_target_the_missing_rule_is_named_and_waited_for()
-> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (team, target) = settled(&stage, "unbound", &json!({})).await?;
    let client = stage.client();
    let name = format!("{}-deployer", team.fixture.name);
    delete(&bindings(&client, &target), &name).await?;
    delete(&team.objects("Kustomization"), "app").await?;
    let message = team.refused("Kustomization", "app", "PruneFailed").await?;
    for word in ["configmaps", &target, "deployer"] {
        assert!(message.contains(word), "{word} is missing in: {message}");
    }
    stage.tenure.apply(&team.fixture.surroundings()?).await?;
    gone(&team.objects("Kustomization"), "app").await?;
    gone(&config_maps(&client, &target), "cm").await
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_taken_by_force_are_named_by_the_tenant_with_the_command_that_cures() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let (team, _) = settled(&stage, "robbed", &json!({})).await?;
    let client = stage.client();
    let free = json!({"metadata": {"finalizers": null}});
    for api in [bindings(&client, team.home()), roles(&client, team.home())] {
        merge(&api, "tenure:act-as", &free).await?;
        delete(&api, "tenure:act-as").await?;
    }
    until("a pass to fail for it", PATIENCE, || async {
        let object = team.reconcile("Kustomization", "app").await?;
        ensure!(!tenure_tests::is_ready(&object), "{}", object["status"]);
        Ok(())
    })
    .await?;
    let message = tenant_says(&stage, &team.fixture.name, "roles/tenure:act-as").await?;
    assert!(message.contains("tenure tenant rights -f"), "{message}");

    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(
        file.path(),
        stage.tenure.localised(&team.fixture.object()).to_string(),
    )?;
    let path = file.path().display().to_string();
    let rights = stage.plane.tenure(&["tenant", "rights", "-f", &path], "").await?;
    let rights = tenure_yaml::parse(rights.as_bytes(), &tenure_yaml::Options::helm())?;
    let rights: Vec<_> = rights.into_iter().map(|document| document.value).collect();
    let tenant = serde_json::from_value(team.fixture.object())?;
    assert_eq!(
        rights,
        tenure_api::rights::worker_objects(&tenant, tenure_api::rights::Impersonation::Constrained)
    );
    stage.tenure.apply(&rights).await?;
    team.reconcile("Kustomization", "app").await?;
    team.ready("Kustomization", "app").await?;
    tenant_says(&stage, &team.fixture.name, "every namespace can be served").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_source_and_cache_an_object_is_pruned_from_its_inventory() -> anyhow::Result<()> {
    let mut stage = Stage::start().await?;
    let (home, target) = {
        let (team, target) = settled(&stage, "sourceless", &json!({})).await?;
        (team.home().to_owned(), target)
    };
    stage.tenure.kill_cache()?;
    let client = stage.client();
    let of = |kind: &str| tenure_tests::flux(&client, kind, &home);
    delete(&of("GitRepository"), "app").await?;
    gone(&of("GitRepository"), "app").await?;
    delete(&of("Kustomization"), "app").await?;
    gone(&of("Kustomization"), "app").await?;
    gone(&config_maps(&client, &target), "cm").await
}
