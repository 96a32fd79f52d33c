//! `tenure tenant check`: that a tenant's walls stand, asked of the live cluster.

use anyhow::Context as _;
use kube::Client;
use kube::api::ListParams;
use serde_json::Value;
use tenure_api::rights::{Impersonation, worker_objects};
use tenure_api::{SYSTEM_NAMESPACE, TENURE_GROUP, Tenant, WORKERS_NAMESPACE};

use super::access::{Deed, Who, allowed};

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

/// The installation's own namespaces.
struct Own<'a> {
    system: &'a str,
    workers: &'a str,
}

/// What is asked: somebody may, or may not, do something.
struct Question {
    who: Who,
    verb: String,
    group: String,
    resource: String,
    name: Option<String>,
    namespace: String,
    may: bool,
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

impl Question {
    fn new(who: &Who, may: bool, verb: &str, group: &str, resource: &str, namespace: &str) -> Self {
        Self {
            who: who.clone(),
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            name: None,
            namespace: namespace.to_owned(),
            may,
        }
    }

    fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    fn deed(&self) -> Deed<'_> {
        Deed {
            verb: &self.verb,
            group: &self.group,
            resource: &self.resource,
            name: self.name.as_deref(),
            namespace: &self.namespace,
        }
    }
}

fn questions(
    tenant: &Tenant,
    others: &[&Tenant],
    impersonation: Impersonation,
    own: &Own<'_>,
) -> Vec<Question> {
    let workers = tenant
        .spec
        .namespaces
        .iter()
        .map(|home| Who::new(own.workers, home));
    let workers: Vec<Who> = workers.collect();
    let accounts = tenant.spec.service_accounts.iter();
    let accounts: Vec<Who> = accounts.map(|a| Who::new(&a.namespace, &a.name)).collect();
    let mut all = doors(tenant, impersonation, own);
    for worker in &workers {
        all.extend(own_walls(worker));
    }
    for who in workers.iter().chain(&accounts) {
        all.extend(walls(who, tenant, others, own));
    }
    all
}

/// What the Tenant's rights allow the workers, rule by rule.
fn doors(tenant: &Tenant, impersonation: Impersonation, own: &Own<'_>) -> Vec<Question> {
    let objects = worker_objects(tenant, impersonation);
    let text = |o: &Value, p: &str| {
        o.pointer(p)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let list = |rule: &Value, field: &str| -> Vec<String> {
        let items = rule.get(field).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut all = Vec::new();
    for role in objects.iter().filter(|o| text(o, "/kind") == "Role") {
        let (namespace, name) = (text(role, "/metadata/namespace"), text(role, "/metadata/name"));
        let bound = objects.iter().filter(|o| {
            text(o, "/kind") == "RoleBinding"
                && text(o, "/metadata/namespace") == namespace
                && text(o, "/roleRef/name") == name
        });
        let subjects = bound.flat_map(|b| b.get("subjects").and_then(Value::as_array).into_iter().flatten());
        for subject in subjects {
            let namespace_of = match text(subject, "/namespace") {
                workers if workers == WORKERS_NAMESPACE => own.workers.to_owned(),
                other => other,
            };
            let who = Who::new(&namespace_of, &text(subject, "/name"));
            for rule in role.get("rules").and_then(Value::as_array).into_iter().flatten() {
                let names = list(rule, "resourceNames");
                for group in list(rule, "apiGroups") {
                    for resource in list(rule, "resources") {
                        for verb in list(rule, "verbs") {
                            let question = Question::new(&who, true, &verb, &group, &resource, &namespace);
                            match names.as_slice() {
                                [] => all.push(question),
                                names => all.extend(names.iter().map(|name| {
                                    Question::new(&who, true, &verb, &group, &resource, &namespace)
                                        .named(name)
                                })),
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

/// What a worker may not do by itself, even at home: it acts as the tenant or not at all.
fn own_walls(worker: &Who) -> Vec<Question> {
    let home = worker.name.as_str();
    let deeds = [
        ("create", "", "serviceaccounts/token"),
        ("create", "", "pods/exec"),
        ("get", "", "pods/exec"),
        ("create", "", "pods"),
        ("patch", "apps", "deployments"),
        ("patch", "", "secrets"),
        ("delete", "", "secrets"),
        ("create", "rbac.authorization.k8s.io", "rolebindings"),
    ];
    let ask = |(verb, group, resource): (&str, &str, &str)| {
        Question::new(worker, false, verb, group, resource, home)
    };
    deeds.into_iter().map(ask).collect()
}

/// What neither a worker nor an account may do: anything in the whole cluster, in the system's namespaces, or at another
/// tenant's.
fn walls(who: &Who, tenant: &Tenant, others: &[&Tenant], own: &Own<'_>) -> Vec<Question> {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let everywhere = [
        ("*", "*", "*"),
        ("list", "", "secrets"),
        ("list", "", "configmaps"),
        ("patch", "", "namespaces"),
        ("patch", "", "nodes"),
        ("impersonate", "", "users"),
        ("impersonate", "", "groups"),
        ("impersonate", "", "serviceaccounts"),
        (
            "impersonate:serviceaccount",
            "authentication.k8s.io",
            "serviceaccounts",
        ),
        ("create", RBAC, "clusterrolebindings"),
        ("escalate", RBAC, "clusterroles"),
        ("bind", RBAC, "clusterroles"),
        ("escalate", RBAC, "roles"),
    ];
    let there = [
        ("get", "", "secrets"),
        ("list", "", "secrets"),
        ("patch", "", "configmaps"),
        ("patch", "apps", "deployments"),
        ("create", "", "pods"),
        ("create", "", "serviceaccounts/token"),
        ("patch", "kustomize.toolkit.fluxcd.io", "kustomizations"),
        ("patch", "source.toolkit.fluxcd.io", "gitrepositories"),
        ("create", RBAC, "rolebindings"),
    ];
    let ask = |namespace: &str, (verb, group, resource): (&str, &str, &str)| {
        Question::new(who, false, verb, group, resource, namespace)
    };
    let mut all: Vec<Question> = everywhere.into_iter().map(|deed| ask("", deed)).collect();
    let homes = others
        .iter()
        .flat_map(|other| &other.spec.namespaces)
        .map(String::as_str);
    let is_other = |namespace: &&str| {
        let spec = &tenant.spec;
        !spec
            .namespaces
            .iter()
            .chain(&spec.targets)
            .any(|own| own == namespace)
    };
    let system = ["kube-system", own.system, own.workers];
    for namespace in system.into_iter().chain(homes).filter(is_other) {
        all.extend(there.into_iter().map(|deed| ask(namespace, deed)));
    }
    all.push(ask(own.system, ("patch", TENURE_GROUP, "tenants")));
    for other in others {
        for account in other
            .spec
            .service_accounts
            .iter()
            .filter(|a| is_other(&a.namespace.as_str()))
        {
            let deed = (
                "impersonate:serviceaccount",
                "authentication.k8s.io",
                "serviceaccounts",
            );
            all.push(ask(&account.namespace, deed).named(&account.name));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str, home: &str) -> Tenant {
        let value = serde_json::json!({
            "apiVersion": "tenure.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE},
            "spec": {"namespaces": [home], "serviceAccounts": [{"namespace": home, "name": "deployer"}]},
        });
        serde_json::from_value(value).expect("a Tenant")
    }

    #[test]
    fn another_tenants_home_is_behind_a_wall_and_ones_own_behind_a_door() {
        let (own, other) = (tenant("a", "home-a"), tenant("b", "home-b"));
        let installed = Own {
            system: SYSTEM_NAMESPACE,
            workers: WORKERS_NAMESPACE,
        };
        let all = questions(&own, &[&other], Impersonation::Constrained, &installed);
        let asked = |may: bool, namespace: &str, resource: &str| {
            all.iter()
                .any(|q| q.may == may && q.namespace == namespace && q.resource == resource)
        };
        assert!(asked(true, "home-a", "kustomizations"));
        assert!(asked(false, "home-b", "kustomizations"));
        assert!(asked(false, "home-b", "serviceaccounts"));
        assert!(!asked(true, "home-b", "kustomizations"));
        assert!(asked(false, "", "secrets"), "a list of all Secrets");
    }
}
