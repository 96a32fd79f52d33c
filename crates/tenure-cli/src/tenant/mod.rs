//! What a platform team does with a Tenant.
//!
//! `tenure tenant rights`: the objects that let a worker act for a tenant, from the Tenant alone.
//! `tenure tenant release`: the end of a home that has no worker any more.

mod access;
mod check;
mod create;
mod explain;
mod kinds;
mod role;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tenure_api::rights::{Impersonation, Places, worker_objects};
use tenure_api::{SYSTEM_NAMESPACE, Tenant, WORKERS_NAMESPACE};

/// What can be done with a Tenant.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Print the worker's ServiceAccount, Roles and RoleBindings for a Tenant, ready for kubectl apply
    Rights(Rights),
    /// Write the manifests that onboard a tenant
    Create(create::Args),
    /// Ask the cluster whether a tenant's walls stand: what its workers and accounts may do, and may not
    Check(check::Args),
    /// Say which rule an object lacks that was refused something
    Explain(explain::Args),
    /// Print the smallest Roles that let a repository be applied, pruned and health-checked
    Role(Box<role::Args>),
    /// Let a former home's objects go: take Tenure's finalizers off them and leave what they applied
    Release(Release),
}

/// Flags of `tenure tenant release`.
#[derive(clap::Args)]
pub struct Release {
    /// The namespace that no Tenant names any more, or whose worker cannot work
    namespace: String,
    /// Of the worker's rights only: another controller, such as Flux, goes on with the Flux objects
    #[arg(long)]
    rights_only: bool,
    /// The kubeconfig's context
    #[arg(long)]
    context: Option<String>,
}

/// Flags of `tenure tenant rights`.
#[derive(clap::Args)]
pub struct Rights {
    /// File with the Tenant, or - for standard input
    #[arg(short, long)]
    file: PathBuf,
    /// For API servers before 1.36: the older form of impersonation, which binds less tightly
    #[arg(long)]
    legacy_impersonation: bool,
    #[command(flatten)]
    namespaces: Namespaces,
}

/// The namespaces of an installation, where its chart has renamed them.
#[derive(clap::Args)]
pub(crate) struct Namespaces {
    /// Where Tenants live
    #[arg(long, default_value = SYSTEM_NAMESPACE)]
    system_namespace: String,
    /// Where the workers' accounts live
    #[arg(long, default_value = WORKERS_NAMESPACE)]
    workers_namespace: String,
}

impl Namespaces {
    fn places(&self) -> Places<'_> {
        Places {
            system: &self.system_namespace,
            workers: &self.workers_namespace,
        }
    }
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Rights(args) => rights(&args),
        Command::Create(args) => create::run(&args),
        Command::Check(args) => check::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Role(args) => role::run(*args),
        Command::Release(args) => crate::runtime()?.block_on(release(args)),
    }
}

async fn release(args: Release) -> anyhow::Result<()> {
    let client = crate::cluster::client(args.context).await?;
    let freed = match args.rights_only {
        true => crate::release::release_rights(&client, &args.namespace).await?,
        false => crate::release::release(&client, &args.namespace).await?,
    };
    crate::say(&format!(
        "{freed} objects in '{}' are free of Tenure's finalizers; what they applied stays.",
        args.namespace
    ));
    Ok(())
}

fn rights(args: &Rights) -> anyhow::Result<()> {
    let text = read(&args.file)?;
    let impersonation = if args.legacy_impersonation {
        Impersonation::Legacy
    } else {
        Impersonation::Constrained
    };
    crate::say(render(&text, impersonation, args.namespaces.places())?.trim_end());
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin()
            .read_to_string(&mut text)
            .context("failed to read standard input")?;
    } else {
        text = fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    }
    Ok(text)
}

/// The objects as one YAML stream.
fn render(text: &str, impersonation: Impersonation, places: Places<'_>) -> anyhow::Result<String> {
    let options = tenure_yaml::Options::helm();
    let documents = tenure_yaml::parse(text.as_bytes(), &options).context("the file is not YAML")?;
    let mut out = String::new();
    for document in documents {
        if document.value.get("kind").and_then(serde_json::Value::as_str) != Some("Tenant") {
            continue;
        }
        let tenant: Tenant = serde_json::from_value(document.value).context("the Tenant can't be read")?;
        let errors: Vec<_> = tenant.validate().iter().map(ToString::to_string).collect();
        anyhow::ensure!(
            errors.is_empty(),
            "the Tenant '{}' is not valid: {}",
            tenant.name(),
            errors.join("; ")
        );
        for object in worker_objects(&tenant, impersonation) {
            if !out.is_empty() {
                out.push_str("---\n");
            }
            out.push_str(&tenure_yaml::to_string(&places.renamed(&object)));
        }
    }
    anyhow::ensure!(!out.is_empty(), "the file holds no object of kind Tenant");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Places<'_> = Places {
        system: SYSTEM_NAMESPACE,
        workers: WORKERS_NAMESPACE,
    };

    const TENANT: &str = "apiVersion: tenure.dev/v1alpha1\nkind: Tenant\nmetadata: {name: dev, namespace: tenure-system}\nspec: {namespaces: [apps], targets: [web], serviceAccounts: [{namespace: apps, name: deployer}]}\n";

    #[test]
    fn rights_are_roles_in_the_tenants_namespaces_and_an_account_among_the_workers() {
        let text = render(TENANT, Impersonation::Constrained, USUAL).expect("valid");
        let documents =
            tenure_yaml::parse(text.as_bytes(), &tenure_yaml::Options::helm()).expect("our own YAML");
        let kinds: Vec<_> = documents
            .iter()
            .filter_map(|d| d.value["kind"].as_str().map(str::to_owned))
            .collect();
        assert!(
            kinds
                .iter()
                .all(|kind| ["ServiceAccount", "Role", "RoleBinding"].contains(&kind.as_str())),
            "{kinds:?}"
        );
        assert!(text.contains("impersonate:serviceaccount") && !text.contains("- impersonate\n"));
    }

    #[test]
    fn where_the_workers_have_another_namespace_the_rights_are_theirs() {
        let places = Places {
            workers: "elsewhere",
            ..USUAL
        };
        let text = render(TENANT, Impersonation::Constrained, places).expect("valid");
        assert!(
            text.contains("namespace: elsewhere") && !text.contains(WORKERS_NAMESPACE),
            "{text}"
        );
    }

    #[test]
    fn a_file_without_a_tenant_says_so() {
        let error = render("kind: ConfigMap\n", Impersonation::Constrained, USUAL).expect_err("no Tenant");
        assert!(error.to_string().contains("kind Tenant"), "{error}");
    }
}
