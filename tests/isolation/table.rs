//! What each identity may do is what the table says, rule by rule, in every namespace.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use tenure_api::Tenant;
use tenure_api::rights::{self, Impersonation, Rule};
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage};

use crate::world::{Ask, Caller};

/// Group, resource, object (empty: all) and verb.
type Right = (String, String, String, String);

/// Rules taken apart, so that two ways to write the same rights are equal.
fn rights(rules: &Value) -> BTreeSet<Right> {
    let texts = |rule: &Value, key: &str| -> Vec<String> {
        let list = rule[key].as_array().cloned().unwrap_or_default();
        list.iter()
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect()
    };
    let mut all = BTreeSet::new();
    for rule in rules.as_array().into_iter().flatten() {
        let mut names = texts(rule, "resourceNames");
        if names.is_empty() {
            names.push(String::new());
        }
        for path in texts(rule, "nonResourceURLs") {
            all.extend(
                texts(rule, "verbs")
                    .into_iter()
                    .map(|verb| (String::new(), path.clone(), String::new(), verb)),
            );
        }
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                for name in &names {
                    for verb in texts(rule, "verbs") {
                        all.insert((group.clone(), resource.clone(), name.clone(), verb));
                    }
                }
            }
        }
    }
    all
}

fn of_table(rules: &[Rule]) -> anyhow::Result<BTreeSet<Right>> {
    Ok(rights(&serde_json::to_value(rules)?))
}

/// What the API server says that the caller may do in a namespace, on resources and on paths.
async fn may(caller: &Caller, namespace: &str) -> anyhow::Result<BTreeSet<Right>> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let answer = caller.answered(None, &Ask::post(path, review), 201).await?;
    let status = &answer["status"];
    ensure!(
        status["incomplete"] == false,
        "the API server does not know all: {status}"
    );
    Ok(rights(&status["resourceRules"])
        .into_iter()
        .chain(rights(&status["nonResourceRules"]))
        .collect())
}

/// Both directions: nothing is missing, and nothing is there that is not in the table.
async fn has_exactly(
    caller: &Caller,
    anyone: &Caller,
    namespace: &str,
    expected: &BTreeSet<Right>,
) -> anyhow::Result<()> {
    let all = may(caller, namespace).await?;
    let baseline = may(anyone, namespace).await?;
    ensure!(
        baseline.iter().any(|right| right.1.starts_with('/')),
        "a fresh account may discover"
    );
    let own: BTreeSet<Right> = all.difference(&baseline).cloned().collect();
    let more: Vec<_> = own.difference(expected).collect();
    let missing: Vec<_> = expected.difference(&own).collect();
    ensure!(
        more.is_empty(),
        "{} may do more in {namespace} than the table says: {more:?}",
        caller.who
    );
    ensure!(
        missing.is_empty(),
        "{} lacks rights of the table in {namespace}: {missing:?}",
        caller.who
    );
    Ok(())
}

struct Cast {
    stage: Stage,
    fixtures: Vec<TenantFixture>,
    anyone: Caller,
    everywhere: Vec<String>,
}

/// Tenants of each profile that share a target, one of which reads an object of another's home.
async fn cast() -> anyhow::Result<Cast> {
    let stage = Stage::start().await?;
    let target = stage.plane.temp_namespace("shared").await?.name().to_owned();
    let strict = TenantFixture::new("strict")
        .target(&target)
        .with(&json!({"profile": "strict"}));
    let watching =
        TenantFixture::new("watching").with(&json!({"watchSecrets": true, "kinds": ["configmaps"]}));
    let compat = TenantFixture::new("compat").target(&target).with(&json!({
        "peers": [{"namespace": strict.home, "kind": "Kustomization", "name": "infra"}],
    }));
    let fixtures = vec![strict, watching, compat];
    let mut everywhere = vec![
        stage.tenure.system().to_owned(),
        stage.tenure.workers().to_owned(),
        target,
        "default".to_owned(),
        "kube-system".to_owned(),
    ];
    for fixture in &fixtures {
        fixture.onboard(&stage.tenure).await?;
        everywhere.push(fixture.home.clone());
    }
    let fresh = stage.plane.temp_namespace("fresh").await?;
    let anyone = Caller::account(&stage.plane, fresh.name(), "default").await?;
    everywhere.push(fresh.name().to_owned());
    Ok(Cast {
        stage,
        fixtures,
        anyone,
        everywhere,
    })
}

/// The table's rows for one worker and one namespace.
fn expected(tenant: &Tenant, home: &str, namespace: &str) -> anyhow::Result<BTreeSet<Right>> {
    let mut rules = Vec::new();
    if namespace == home {
        rules.extend(rights::home(tenant, home).rules);
        rules.extend(
            rights::act_as(tenant, home, Impersonation::Constrained)
                .into_iter()
                .flat_map(|grant| grant.rules),
        );
    }
    if namespace == home || tenant.spec.targets.iter().any(|target| target == namespace) {
        rules.extend(
            rights::target(tenant, Impersonation::Constrained)
                .into_iter()
                .flat_map(|grant| grant.rules),
        );
    }
    let peers: Vec<_> = tenant
        .spec
        .peers
        .iter()
        .filter(|peer| peer.namespace == namespace)
        .collect();
    rules.extend(rights::peer(&peers).rules);
    of_table(&rules)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_may_do_what_the_table_says_and_nothing_else_anywhere() -> anyhow::Result<()> {
    let cast = cast().await?;
    let mut somewhere = 0;
    for fixture in &cast.fixtures {
        let tenant: Tenant = serde_json::from_value(fixture.object())?;
        let worker = Caller::account(&cast.stage.plane, cast.stage.tenure.workers(), &fixture.home).await?;
        for namespace in &cast.everywhere {
            let expected = expected(&tenant, &fixture.home, namespace)?;
            somewhere += usize::from(!expected.is_empty());
            has_exactly(&worker, &cast.anyone, namespace, &expected).await?;
        }
    }
    assert_eq!(
        somewhere,
        3 + 2 + 1,
        "three homes, a target of two, a peer of one"
    );
    Ok(())
}

/// What these tests look for is found when it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_right_too_many_and_a_right_too_few_would_be_noticed() -> anyhow::Result<()> {
    let cast = cast().await?;
    let fixture = cast.fixtures.first().context("a tenant")?;
    let tenant: Tenant = serde_json::from_value(fixture.object())?;
    let worker = Caller::account(&cast.stage.plane, cast.stage.tenure.workers(), &fixture.home).await?;
    let mut expected = expected(&tenant, &fixture.home, &fixture.home)?;
    has_exactly(&worker, &cast.anyone, &fixture.home, &expected).await?;
    let right = (
        "apps".to_owned(),
        "deployments/scale".to_owned(),
        String::new(),
        "get".to_owned(),
    );
    expected.insert(right.clone());
    let missing = has_exactly(&worker, &cast.anyone, &fixture.home, &expected)
        .await
        .err();
    ensure!(
        missing.is_some_and(|error| error.to_string().contains("lacks")),
        "a missing right was not noticed"
    );
    expected.remove(&right);

    let version = "rbac.authorization.k8s.io/v1";
    let metadata = json!({"name": "too-much", "namespace": fixture.home});
    let role = json!({
        "apiVersion": version, "kind": "Role", "metadata": metadata,
        "rules": [{"apiGroups": [""], "resources": ["pods"], "resourceNames": ["one"], "verbs": ["get"]}],
    });
    let binding = json!({
        "apiVersion": version, "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "too-much"},
        "subjects": [{"kind": "ServiceAccount", "name": fixture.home, "namespace": cast.stage.tenure.workers()}],
    });
    cast.stage.tenure.apply(&[role, binding]).await?;
    until("the right too many to be noticed", PATIENCE, || async {
        let more = has_exactly(&worker, &cast.anyone, &fixture.home, &expected)
            .await
            .err();
        ensure!(
            more.is_some_and(|error| error.to_string().contains("may do more")),
            "it was not noticed"
        );
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_supervisor_may_do_what_the_table_says_and_nothing_else_anywhere() -> anyhow::Result<()> {
    let cast = cast().await?;
    let tenure = &cast.stage.tenure;
    let supervisor = Caller::account(&cast.stage.plane, tenure.system(), rights::SUPERVISOR_ACCOUNT).await?;
    for namespace in &cast.everywhere {
        let rules = if namespace == tenure.system() {
            rights::supervisor().rules
        } else if namespace == tenure.workers() {
            rights::minter().rules
        } else {
            Vec::new()
        };
        has_exactly(&supervisor, &cast.anyone, namespace, &of_table(&rules)?).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lets_go_of_rights_may_do_that_in_homes_and_nothing_else_anywhere() -> anyhow::Result<()> {
    let cast = cast().await?;
    let release = Caller::account(
        &cast.stage.plane,
        cast.stage.tenure.workers(),
        rights::RELEASE_ACCOUNT,
    )
    .await?;
    let homes: Vec<_> = cast.fixtures.iter().map(|fixture| &fixture.home).collect();
    for namespace in &cast.everywhere {
        let rules = if homes.contains(&namespace) {
            rights::release().rules
        } else {
            Vec::new()
        };
        has_exactly(&release, &cast.anyone, namespace, &of_table(&rules)?).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_we_did_not_name_has_no_right_of_ours() -> anyhow::Result<()> {
    let cast = cast().await?;
    for at in &cast.everywhere {
        // The controllers of the control plane live there.
        if at == "kube-system" {
            continue;
        }
        let bystander = Caller::account(&cast.stage.plane, at, "default").await?;
        for namespace in &cast.everywhere {
            has_exactly(&bystander, &cast.anyone, namespace, &BTreeSet::new()).await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_ours_is_bound_cluster_wide() -> anyhow::Result<()> {
    let cast = cast().await?;
    let bindings: Api<ClusterRoleBinding> = Api::all(cast.stage.client());
    let found = bindings.list(&ListParams::default()).await?.items;
    ensure!(!found.is_empty(), "Kubernetes has some of its own");
    let ours = [cast.stage.tenure.system(), cast.stage.tenure.workers()];
    for binding in found {
        let name = binding.metadata.name.unwrap_or_default();
        ensure!(
            !name.starts_with("tenure"),
            "{name} is a ClusterRoleBinding of ours"
        );
        for subject in binding.subjects.unwrap_or_default() {
            let namespace = subject.namespace.unwrap_or_default();
            ensure!(
                !ours.contains(&namespace.as_str()),
                "{name} binds {} of {namespace}",
                subject.name
            );
        }
    }
    Ok(())
}
