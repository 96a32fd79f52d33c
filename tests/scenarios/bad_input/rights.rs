//! What the API server, or the Tenant, does not allow.

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, DeleteParams};
use serde_json::json;
use tenure_testkit::TenantFixture;
use tenure_tests::condition;

use super::{fails, recovers};
use crate::world::{config_map, kept, play, says, settled};

#[test]
fn a_missing_service_account_is_named_and_nothing_is_applied_without_it() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "no-account").await?;
        let before = kept(&stage, &team).await?;
        let accounts: Api<ServiceAccount> = Api::namespaced(stage.client(), team.home());
        let account = accounts.get("deployer").await?;
        accounts.delete("deployer", &DeleteParams::default()).await?;
        team.reconcile("Kustomization", "app").await?;
        let message = team
            .refused("Kustomization", "app", "ReconciliationFailed")
            .await?;
        let who = format!("ServiceAccount '{}/deployer' not found", team.home());
        says(&message, &[&who, "create it", "spec.serviceAccountName"])?;
        assert_eq!(kept(&stage, &team).await?, before);
        let again = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account.metadata.name, "namespace": team.home()}});
        stage.tenure.apply(&[again]).await?;
        team.reconcile("Kustomization", "app").await?;
        team.ready("Kustomization", "app").await?;
        Ok(())
    })
}

#[test]
fn an_account_that_is_not_the_tenants_stalls_until_another_is_named() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "odd-account").await?;
        let before = kept(&stage, &team).await?;
        let spec =
            json!({"path": "./deploy", "targetNamespace": team.home(), "serviceAccountName": "default"});
        team.kustomization("app", &spec).await?;
        let message = team.refused("Kustomization", "app", "AccessDenied").await?;
        let who = format!("{}/default", team.home());
        says(
            &message,
            &[&who, &team.fixture.name, "deployer", "spec.serviceAccounts"],
        )?;
        let object = tenure_tests::value(&team.objects("Kustomization"), "app").await?;
        assert!(
            condition(&object, "Stalled").is_some_and(|stalled| stalled["status"] == "True"),
            "{object}"
        );
        assert_eq!(kept(&stage, &team).await?, before);
        let spec =
            json!({"path": "./deploy", "targetNamespace": team.home(), "serviceAccountName": "deployer"});
        team.kustomization("app", &spec).await?;
        team.ready("Kustomization", "app").await?;
        Ok(())
    })
}

#[test]
fn a_forbidden_apply_names_object_verb_resource_and_identity_and_the_rule_that_is_missing()
-> anyhow::Result<()> {
    play(|stage| async move {
        let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]}]);
        let team = stage.tenant(TenantFixture::new("forbidden").may(rules)).await?;
        let commit = team.commit(&[("deploy/kept.yaml", Some(&config_map("kept", "old")))], "first")?;
        team.git_repository(&json!({})).await?;
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": team.home()}),
        )
        .await?;
        team.applied("app", &commit).await?;
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
        team.commit(&[("deploy/service.yaml", Some(service))], "more than allowed")?;
        let object = format!("Service/{}/web", team.home());
        let user = format!("system:serviceaccount:{}:deployer", team.home());
        let expected = [
            object.as_str(),
            user.as_str(),
            "Forbidden",
            "patch",
            "services",
            "apiGroups",
            "verbs",
        ];
        fails(&stage, &team, "ReconciliationFailed", &expected).await?;
        recovers(&team, &[("deploy/service.yaml", None)]).await
    })
}

#[test]
fn a_namespace_that_is_no_target_of_the_tenant_is_named_with_who_was_refused() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "odd-namespace").await?;
        let before = kept(&stage, &team).await?;
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": "does-not-exist"}),
        )
        .await?;
        let message = team
            .refused("Kustomization", "app", "ReconciliationFailed")
            .await?;
        says(
            &message,
            &["ConfigMap/does-not-exist/kept", "configmaps", "does-not-exist"],
        )?;
        assert_eq!(kept(&stage, &team).await?, before);
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": team.home()}),
        )
        .await?;
        team.ready("Kustomization", "app").await?;
        Ok(())
    })
}

#[test]
fn a_namespaced_object_without_a_namespace_is_named() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "no-namespace").await?;
        let before = kept(&stage, &team).await?;
        team.kustomization("app", &json!({"path": "./deploy"})).await?;
        let message = team
            .refused("Kustomization", "app", "ReconciliationFailed")
            .await?;
        says(&message, &["ConfigMap/kept", "namespace"])?;
        assert_eq!(kept(&stage, &team).await?, before);
        team.kustomization(
            "app",
            &json!({"path": "./deploy", "targetNamespace": team.home()}),
        )
        .await?;
        team.ready("Kustomization", "app").await?;
        Ok(())
    })
}

#[test]
fn an_account_that_no_cloud_knows_is_named_and_its_decryption_is_not_skipped() -> anyhow::Result<()> {
    play(|stage| async move {
        let team = settled(&stage, "unsupported").await?;
        let before = kept(&stage, &team).await?;
        let spec = json!({"path": "./deploy", "targetNamespace": team.home(), "decryption": {"provider": "sops", "serviceAccountName": "keys"}});
        team.kustomization("app", &spec).await?;
        let message = team.refused("Kustomization", "app", "BuildFailed").await?;
        says(
            &message,
            &["the identity of 'keys' for decryption", "/keys' not found"],
        )?;
        assert_eq!(kept(&stage, &team).await?, before);
        Ok(())
    })
}
