//! `tenure uninstall`: off the cluster, in an order that leaves nothing stuck.
//!
//! With `--prune` the tenants' Kustomizations are deleted first, while the workers are still there to
//! take away, as the tenant, what each had applied. Without it the workers go first and every finalizer
//! of ours is released, so that objects stay and nothing hangs. CustomResourceDefinitions stay either
//! way: other installations, and the tenants' own manifests, may live on them.

use std::io::{BufRead as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use kube::{Client, ResourceExt as _};
use tenure_api::rights::{RELEASE_ROLE, WORKER_POLICY};
use tenure_api::{SYSTEM_NAMESPACE, TENANT_LABEL, TENURE_GROUP, Tenant, WORKERS_NAMESPACE};

use crate::cluster::{api, client};
use crate::release::{FLUX, listed, release};
use crate::say;

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
/// How long a namespace, or the programs, may take to go.
const PATIENCE: Duration = Duration::from_secs(120);

/// Flags of `tenure uninstall`.
#[derive(clap::Args)]
pub struct Args {
    /// Delete what the tenants applied, as their Kustomizations say
    #[arg(long, conflicts_with = "keep")]
    prune: bool,
    /// Leave what the tenants applied as it is
    #[arg(long)]
    keep: bool,
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
    /// How long pruning may take, in seconds
    #[arg(long, default_value_t = 300)]
    timeout: u64,
    /// The kubeconfig's context
    #[arg(long)]
    context: Option<String>,
    /// Where Tenure's own programs are
    #[arg(long, default_value = SYSTEM_NAMESPACE)]
    system_namespace: String,
    /// Where the workers' ServiceAccounts are
    #[arg(long, default_value = WORKERS_NAMESPACE)]
    workers_namespace: String,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let client = client(args.context.clone()).await?;
    let tenants = tenants(&client, &args.system_namespace).await?;
    let homes: Vec<String> = tenants
        .iter()
        .flat_map(|tenant| tenant.spec.namespaces.clone())
        .collect();
    say(&format!(
        "Tenure in '{}' serves {} tenants with {} namespaces.",
        args.system_namespace,
        tenants.len(),
        homes.len()
    ));
    let prune = match (args.prune, args.keep) {
        (true, _) => true,
        (_, true) => false,
        _ => ask("Delete what the tenants applied, as their Kustomizations say? [y/N] ")?,
    };
    if !args.yes
        && !ask(if prune {
            "Prune, then remove Tenure? [y/N] "
        } else {
            "Remove Tenure and leave every applied object? [y/N] "
        })?
    {
        say("Nothing was changed.");
        return Ok(());
    }
    if prune {
        prune_homes(&client, &homes, Duration::from_secs(args.timeout)).await?;
    }
    let system = args.system_namespace.as_str();
    remove_programs(&client, system).await?;
    for home in &homes {
        release(&client, home).await?;
    }
    remove_rights(&client, &tenants).await?;
    remove_tenants(&client, system, &tenants).await?;
    remove_cluster_wide(&client, &args.workers_namespace).await?;
    remove_namespaces(&client, &[args.workers_namespace.as_str(), system]).await?;
    say("Tenure is removed. The CustomResourceDefinitions stay; delete them by hand once nothing uses them.");
    Ok(())
}

async fn tenants(client: &Client, system: &str) -> anyhow::Result<Vec<Tenant>> {
    let tenants = api(
        client,
        TENURE_GROUP,
        "v1alpha1",
        "Tenant",
        "tenants",
        Some(system),
    );
    let list = tenants
        .list(&ListParams::default())
        .await
        .with_context(|| format!("failed to list the Tenants in '{system}'"))?;
    let read = |object: DynamicObject| {
        let name = object.name_any();
        serde_json::to_value(object)
            .and_then(serde_json::from_value)
            .with_context(|| format!("failed to read the Tenant '{name}'"))
    };
    list.items.into_iter().map(read).collect()
}

fn ask(question: &str) -> anyhow::Result<bool> {
    let mut out = std::io::stdout();
    out.write_all(question.as_bytes())?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("failed to read the answer; pass --prune or --keep, and --yes")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Deletes the Kustomizations and waits until the workers have let every one of them go.
async fn prune_homes(client: &Client, homes: &[String], timeout: Duration) -> anyhow::Result<()> {
    let (group, kind, plural) = FLUX[0];
    let deadline = Instant::now() + timeout;
    for home in homes {
        let kustomizations = api(client, group, "v1", kind, plural, Some(home));
        for object in listed(&kustomizations, &ListParams::default()).await? {
            delete(&kustomizations, &object.name_any()).await?;
        }
    }
    for home in homes {
        let kustomizations = api(client, group, "v1", kind, plural, Some(home));
        loop {
            let left = listed(&kustomizations, &ListParams::default()).await?;
            if left.is_empty() {
                say(&format!("pruned '{home}'"));
                break;
            }
            let names: Vec<_> = left.iter().map(kube::ResourceExt::name_any).collect();
            anyhow::ensure!(
                Instant::now() < deadline,
                "in '{home}' still not pruned after {}s: {}. Nothing was removed; look at their Ready condition, or run again with --keep",
                timeout.as_secs(),
                names.join(", ")
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    Ok(())
}

/// The programs go before the finalizers do: a worker that still ran would add them again.
async fn remove_programs(client: &Client, system: &str) -> anyhow::Result<()> {
    let deployments = api(client, "apps", "v1", "Deployment", "deployments", Some(system));
    let pods = api(client, "", "v1", "Pod", "pods", Some(system));
    // as `flux check` knows them
    let ours = ListParams::default().labels("app.kubernetes.io/part-of=flux");
    for deployment in deployments.list(&ours).await? {
        delete(&deployments, &deployment.name_any()).await?;
    }
    let deadline = Instant::now() + PATIENCE;
    while !pods.list(&ours).await?.items.is_empty() {
        anyhow::ensure!(
            Instant::now() < deadline,
            "the pods in '{system}' do not end; nothing else was removed"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

async fn remove_rights(client: &Client, tenants: &[Tenant]) -> anyhow::Result<()> {
    for tenant in tenants {
        let peers = tenant.spec.peers.iter().map(|peer| peer.namespace.clone());
        let places = tenant
            .spec
            .namespaces
            .iter()
            .chain(&tenant.spec.targets)
            .cloned()
            .chain(peers);
        let which = ListParams::default().labels(&format!("{TENANT_LABEL}={}", tenant.name()));
        for namespace in places {
            for (kind, plural) in [("RoleBinding", "rolebindings"), ("Role", "roles")] {
                let objects = api(client, RBAC, "v1", kind, plural, Some(&namespace));
                for object in listed(&objects, &which).await? {
                    delete(&objects, &object.name_any()).await?;
                }
            }
        }
    }
    Ok(())
}

async fn remove_tenants(client: &Client, system: &str, tenants: &[Tenant]) -> anyhow::Result<()> {
    let objects = api(
        client,
        TENURE_GROUP,
        "v1alpha1",
        "Tenant",
        "tenants",
        Some(system),
    );
    for tenant in tenants {
        delete(&objects, tenant.name()).await?;
    }
    Ok(())
}

/// The ClusterRole goes with the last home of the cluster, the admission policy with its installation.
async fn remove_cluster_wide(client: &Client, workers: &str) -> anyhow::Result<()> {
    let bindings = api(client, RBAC, "v1", "RoleBinding", "rolebindings", None);
    let homes = ListParams::default().fields(&format!("metadata.name={RELEASE_ROLE}"));
    if listed(&bindings, &homes).await?.is_empty() {
        delete(
            &api(client, RBAC, "v1", "ClusterRole", "clusterroles", None),
            RELEASE_ROLE,
        )
        .await?;
    }
    let policies = api(
        client,
        ADMISSION,
        "v1",
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        None,
    );
    let bindings = api(
        client,
        ADMISSION,
        "v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        None,
    );
    for policy in listed(&policies, &ListParams::default()).await? {
        let name = policy.name_any();
        let ours = policy
            .data
            .to_string()
            .contains(&format!(":serviceaccount:{workers}:"));
        if name.starts_with(WORKER_POLICY) && ours {
            delete(&bindings, &name).await?;
            delete(&policies, &name).await?;
        }
    }
    Ok(())
}

async fn remove_namespaces(client: &Client, names: &[&str]) -> anyhow::Result<()> {
    let namespaces = api(client, "", "v1", "Namespace", "namespaces", None);
    for name in names {
        delete(&namespaces, name).await?;
    }
    let deadline = Instant::now() + PATIENCE;
    for name in names {
        while let Some(left) = namespaces.get_opt(name).await? {
            anyhow::ensure!(
                Instant::now() < deadline,
                "namespace '{name}' does not go: {}",
                left.data
                    .pointer("/status/conditions")
                    .cloned()
                    .unwrap_or_default()
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    Ok(())
}

/// Deletes one object; one that is not there is deleted already.
async fn delete(objects: &Api<DynamicObject>, name: &str) -> anyhow::Result<()> {
    match objects.delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error).with_context(|| format!("failed to delete '{name}'")),
    }
}
