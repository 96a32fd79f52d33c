//! Life's end: namespaces, accounts, rights, Tenants and the installation itself, taken away in any order. And what the
//! platform team's commands say while they are there.

mod adoption;
mod commands;
mod home;
mod policy;
mod rights;
mod source;
mod tenant;
mod uninstall;

use anyhow::bail;
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use tenure_testkit::{TenantFixture, until};
use tenure_tests::{PATIENCE, Stage, Team, flux, objects, value};

/// A ConfigMap in a namespace, as a file of a repository.
fn config_map(name: &str, namespace: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}})
        .to_string()
}

fn config_maps(client: &Client, namespace: &str) -> Api<DynamicObject> {
    objects(client, "", "v1", "ConfigMap", "configmaps", namespace)
}

/// A tenant with a target, and one Kustomization `app` that applied `cm` to the target.
async fn settled<'a>(stage: &'a Stage, prefix: &str, spec: &Value) -> anyhow::Result<(Team<'a>, String)> {
    let fixture = TenantFixture::new(prefix);
    let target = format!("{}-target", fixture.name);
    let fixture = fixture.target(&target).may(json!([
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]},
    ]));
    let team = stage.tenant(fixture).await?;
    team.commit(
        &[("cm.yaml", Some(&config_map("cm", &target)))],
        "Add a ConfigMap",
    )?;
    team.git_repository(&json!({})).await?;
    team.kustomization("app", spec).await?;
    team.ready("Kustomization", "app").await?;
    Ok((team, target))
}

async fn delete(api: &Api<DynamicObject>, name: &str) -> anyhow::Result<()> {
    api.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

async fn merge(api: &Api<DynamicObject>, name: &str, patch: &Value) -> anyhow::Result<()> {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

async fn delete_namespace(client: &Client, name: &str) -> anyhow::Result<()> {
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    namespaces.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

/// Waits until a namespace is gone; what keeps it is in the error.
async fn namespace_gone(client: &Client, name: &str) -> anyhow::Result<()> {
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    until(&format!("namespace {name} to be gone"), PATIENCE, || async {
        match namespaces.get_opt(name).await? {
            None => Ok(()),
            Some(left) => bail!("{:?}", left.status),
        }
    })
    .await
}

/// Waits until the message of the Tenant's condition `Onboarded` has this text.
async fn tenant_says(stage: &Stage, tenant: &str, text: &str) -> anyhow::Result<String> {
    let tenants = flux(&stage.client(), "Tenant", stage.tenure.system());
    until(
        &format!("the Tenant {tenant} to say {text:?}"),
        PATIENCE,
        || async {
            let object = value(&tenants, tenant).await?;
            let condition = tenure_tests::condition(&object, "Onboarded")
                .cloned()
                .unwrap_or_default();
            let message = condition["message"].as_str().unwrap_or_default();
            if !message.contains(text) {
                bail!("it says {condition}");
            }
            Ok(message.to_owned())
        },
    )
    .await
}

fn roles(client: &Client, namespace: &str) -> Api<DynamicObject> {
    objects(
        client,
        "rbac.authorization.k8s.io",
        "v1",
        "Role",
        "roles",
        namespace,
    )
}

fn bindings(client: &Client, namespace: &str) -> Api<DynamicObject> {
    objects(
        client,
        "rbac.authorization.k8s.io",
        "v1",
        "RoleBinding",
        "rolebindings",
        namespace,
    )
}

fn accounts(client: &Client, namespace: &str) -> Api<DynamicObject> {
    objects(client, "", "v1", "ServiceAccount", "serviceaccounts", namespace)
}
