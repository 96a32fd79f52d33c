//! `tenure tenant check`: that a tenant's walls stand, asked of the live cluster.

mod questions;

use anyhow::Context as _;
use kube::Client;
use kube::api::ListParams;
use tenure_api::rights::Impersonation;
use tenure_api::{SYSTEM_NAMESPACE, TENURE_GROUP, Tenant, WORKERS_NAMESPACE};

use super::access::allowed;
use questions::{Own, questions};

/// Flags of `tenure tenant check`.
#[derive(clap::Args)]
pub struct Args {
    /// The Tenant
    name: String,
    /// Where Tenants live
    #[arg(long, default_value = SYSTEM_NAMESPACE)]
    system_namespace: String,
    /// Where the workers' accounts live
    #[arg(long, default_value = WORKERS_NAMESPACE)]
    workers_namespace: String,
    /// For API servers before 1.36
    #[arg(long)]
    legacy_impersonation: bool,
    /// Show what is as it should be, too
    #[arg(short, long)]
    verbose: bool,
    /// The kubeconfig's context
    #[arg(long)]
    context: Option<String>,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    crate::runtime()?.block_on(answer(args))
}

async fn answer(args: Args) -> anyhow::Result<()> {
    let client = crate::cluster::client(args.context.clone()).await?;
    let tenants = tenants(&client, &args.system_namespace).await?;
    let tenant = tenants
        .iter()
        .find(|tenant| tenant.name() == args.name)
        .with_context(|| {
            format!(
                "there is no Tenant '{}' in '{}'",
                args.name, args.system_namespace
            )
        })?;
    let impersonation = match args.legacy_impersonation {
        true => Impersonation::Legacy,
        false => Impersonation::Constrained,
    };
    let others: Vec<&Tenant> = tenants.iter().filter(|t| t.name() != args.name).collect();
    let own = Own {
        system: &args.system_namespace,
        workers: &args.workers_namespace,
    };
    let questions = questions(tenant, &others, impersonation, &own);
    let mut wrong = 0;
    for question in &questions {
        let deed = question.deed();
        let may = allowed(&client, &question.who, deed).await?;
        let who = format!("{}/{}", question.who.namespace, question.who.name);
        match (may == question.may, may) {
            (true, _) if !args.verbose => {}
            (true, true) => crate::say(&format!("ok      {who} may {deed}")),
            (true, false) => crate::say(&format!("ok      {who} may not {deed}")),
            (false, true) => crate::say(&format!("BREACH  {who} may {deed}")),
            (false, false) => crate::say(&format!("MISSING {who} may not {deed}")),
        }
        wrong += usize::from(may != question.may);
    }
    anyhow::ensure!(
        wrong == 0,
        "{wrong} of {} answers are not as they should be; what is missing is rendered by `tenure tenant rights`, what is too much is held by a binding that names the account or its groups",
        questions.len()
    );
    crate::say(&format!(
        "The walls of Tenant '{}' stand: {} questions, each answered as it should be.",
        args.name,
        questions.len()
    ));
    Ok(())
}

async fn tenants(client: &Client, namespace: &str) -> anyhow::Result<Vec<Tenant>> {
    let api = crate::cluster::api(
        client,
        TENURE_GROUP,
        "v1alpha1",
        "Tenant",
        "tenants",
        Some(namespace),
    );
    let found = api
        .list(&ListParams::default())
        .await
        .with_context(|| format!("failed to list tenants in '{namespace}'"))?;
    let read = found.items.into_iter().map(|object| {
        let value = serde_json::to_value(object)?;
        Ok(serde_json::from_value(value)?)
    });
    read.collect()
}
