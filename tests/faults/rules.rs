//! Tenants that change, go, and want the same home.

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, condition, flux, ready, value};

use crate::processes::metric;
use crate::set::{Crew, many};

/// Waits until the Tenant says so of its limits.
async fn within_limits(stage: &Stage, crew: &Crew, status: &str, part: &str) -> anyhow::Result<()> {
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    until(&format!("the Tenant to name {part:?}"), PATIENCE, || async {
        let tenant = value(&tenants, &crew.fixture.name).await?;
        let said = condition(&tenant, "WithinLimits").context("nothing is said")?;
        let message = said["message"].as_str().unwrap_or_default();
        ensure!(said["status"] == status && message.contains(part), "{said}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_tenant_may_not_is_said_on_the_object_and_on_the_tenant() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let set = many("one", 3);
    let crew = Crew::at_work(&stage, "bounded", &set).await?;
    let map = |n: usize| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: slow-{n}}}\n");
    crew.repo
        .write("slow/all.yaml", (0..2000).map(map).collect::<String>().as_bytes())?;
    let secret = b"apiVersion: v1\nkind: Secret\nmetadata: {name: other}\n";
    crew.repo.write("other/secret.yaml", secret)?;
    let commit = crew.commit(&set)?;
    crew.ask("GitRepository", "app").await?;
    crew.settled(&commit, &set).await?;

    let source = ("GitRepository", "app");
    for (rules, path, (kind, name), reason, said) in [
        (
            json!({"limits": {"renderTime": "1ms"}}),
            "./slow",
            ("Kustomization", "more"),
            "BuildFailed",
            "renderTime",
        ),
        (
            json!({"kinds": ["configmaps"]}),
            "./other",
            ("Kustomization", "more"),
            "ReconciliationFailed",
            "spec.kinds",
        ),
        (
            json!({"limits": {"artifactSize": "1Ki"}}),
            "./app",
            source,
            "ArchiveOperationFailed",
            "artifactSize",
        ),
        (
            json!({"sources": {"allow": ["https://elsewhere.example/"]}}),
            "./app",
            source,
            "AccessDenied",
            "sources.allow",
        ),
    ] {
        let narrow = crew.fixture.clone().with(&rules);
        stage.tenure.apply(&narrow.surroundings()?).await?;
        stage.tenure.apply(&[narrow.object()]).await?;
        crew.kustomization("more", &json!({"path": path})).await?;
        // something new to fetch
        crew.commit(&many(said, 2))?;
        crew.poke("GitRepository", "app").await?;
        crew.refused(kind, name, reason).await?;
        within_limits(&stage, &crew, "False", &format!("{kind}/{name}: ")).await?;
        within_limits(&stage, &crew, "False", said).await?;
    }
    stage.tenure.apply(&crew.fixture.surroundings()?).await?;
    stage.tenure.apply(&[crew.fixture.object()]).await?;
    within_limits(&stage, &crew, "True", "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_tenant_reaches_its_worker_and_what_it_forbade_before_is_tried_again() -> anyhow::Result<()>
{
    let stage = Stage::start().await?;
    let set = many("one", 5);
    let crew = Crew::at_work(&stage, "changed", &set).await?;
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "second", "namespace": crew.home()},
    });
    let right = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "second", "namespace": crew.home()},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "second", "namespace": crew.home()}],
    });
    stage.tenure.apply(&[account, right]).await?;
    crew.kustomization(
        "second",
        &json!({"serviceAccountName": "second", "path": "./none", "prune": false}),
    )
    .await?;
    crew.repo.write(
        "none/kustomization.yaml",
        b"configMapGenerator: [{name: generated, literals: [a=b]}]\n",
    )?;
    let commit = crew.commit(&set)?;
    crew.poke("GitRepository", "app").await?;
    crew.settled(&commit, &set).await?;
    crew.refused("Kustomization", "second", "AccessDenied").await?;
    within_limits(
        &stage,
        &crew,
        "False",
        "Kustomization/second: spec.serviceAccounts",
    )
    .await?;

    let accounts = json!([
        {"namespace": crew.home(), "name": crew.fixture.account}, {"namespace": crew.home(), "name": "second"},
    ]);
    let wider = crew.fixture.clone().with(&json!({"serviceAccounts": accounts}));
    stage.tenure.apply(&wider.surroundings()?).await?;
    stage.tenure.apply(&[wider.object()]).await?;
    crew.ready("Kustomization", "second").await?;

    let tight = wider.clone().with(&json!({"limits": {"objects": 3}}));
    stage.tenure.apply(&[tight.object()]).await?;
    let message = crew.refused("Kustomization", "app", "ResourceExhausted").await?;
    ensure!(message.contains("allows 3"), "{message}");
    within_limits(&stage, &crew, "False", "Kustomization/app: spec.limits.objects").await?;
    assert_eq!(crew.owned("app").await?, set, "what is there stays");
    stage
        .tenure
        .apply(&[wider.with(&json!({"limits": {"objects": 50}})).object()])
        .await?;
    crew.ready("Kustomization", "app").await?;
    within_limits(&stage, &crew, "True", "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_tenant_has_no_watch_and_no_worker_and_its_objects_stay() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let set = many("one", 5);
    let crew = Crew::at_work(&stage, "deleted", &set).await?;
    let gauges = ["homes", "watches", "workers_awake"].map(|name| format!("tenure_supervisor_{name}"));
    let page = stage.tenure.supervisor_metrics().await?;
    ensure!(
        metric(&page, &gauges[0])? == 1.0 && metric(&page, &gauges[1])? >= 2.0,
        "{page}"
    );
    crew.poke("Kustomization", "app").await?;
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    tenants
        .delete(&crew.fixture.name, &DeleteParams::default())
        .await?;
    until("the home to be given up", PATIENCE, || async {
        let page = stage.tenure.supervisor_metrics().await?;
        for gauge in &gauges {
            ensure!(metric(&page, gauge)? == 0.0, "{gauge} in\n{page}");
        }
        Ok(())
    })
    .await?;
    assert_eq!(
        crew.owned("app").await?,
        set,
        "deleting a Tenant deletes nothing of the tenant"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_tenants_that_name_a_home_the_older_has_it_and_the_other_inherits_it() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let crew = Crew::at_work(&stage, "older", &many("one", 3)).await?;
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    let older = value(&tenants, &crew.fixture.name).await?;
    let created: Timestamp = older["metadata"]["creationTimestamp"]
        .as_str()
        .context("a time")?
        .parse()?;
    until(
        "another second, which is how exact ages are",
        PATIENCE,
        || async {
            ensure!(
                Timestamp::now().as_second() > created.as_second() + 1,
                "it is still the same"
            );
            Ok(())
        },
    )
    .await?;
    // By name it would come first.
    let younger = TenantFixture {
        name: format!("a-{}", crew.fixture.name),
        ..crew.fixture.clone()
    };
    stage.tenure.apply(&[younger.object()]).await?;
    until("the younger one to be told", PATIENCE, || async {
        let tenant = value(&tenants, &younger.name).await?;
        let onboarded = condition(&tenant, "Onboarded").context("no condition")?;
        let message = onboarded["message"].as_str().unwrap_or_default();
        ensure!(
            onboarded["status"] == "False" && message.contains(&crew.fixture.name),
            "{onboarded}"
        );
        Ok(())
    })
    .await?;
    ready(&tenants, "Tenant", &crew.fixture.name).await?;
    let set = many("two", 3);
    let commit = crew.commit(&set)?;
    crew.poke("GitRepository", "app").await?;
    crew.settled(&commit, &set).await?;

    tenants
        .delete(&crew.fixture.name, &DeleteParams::default())
        .await?;
    ready(&tenants, "Tenant", &younger.name).await?;
    let set = many("three", 3);
    let commit = crew.commit(&set)?;
    crew.poke("GitRepository", "app").await?;
    crew.settled(&commit, &set).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isolation_level_that_is_not_there_is_said_aloud() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    let crew = Crew::at_work(&stage, "level", &many("one", 3)).await?;
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    let pod = Patch::Merge(json!({"spec": {"isolation": "pod"}}));
    tenants
        .patch(&crew.fixture.name, &PatchParams::default(), &pod)
        .await?;
    until("the Tenant to say so", PATIENCE, || async {
        let tenant = value(&tenants, &crew.fixture.name).await?;
        let isolation = condition(&tenant, "Isolation").context("no condition")?;
        let message = isolation["message"].as_str().unwrap_or_default();
        ensure!(
            isolation["status"] == "False" && isolation["reason"] == "LevelUnsupported",
            "{isolation}"
        );
        ensure!(
            message.contains("isolation.pods.enabled") && message.contains("process"),
            "{isolation}"
        );
        Ok(())
    })
    .await
}
