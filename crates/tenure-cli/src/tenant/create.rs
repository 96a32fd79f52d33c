//! `tenure tenant create`: the folder that onboards a tenant, as `tenants/base` has one for each.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};
use tenure_api::Tenant;
use tenure_api::rights::{DEFAULT_KINDS, Impersonation, worker_objects};

use super::kinds;
use super::role::{self, Needed};

/// Flags of `tenure tenant create`.
#[derive(clap::Args)]
pub struct Args {
    /// The tenant's name
    name: String,
    /// A home, where the tenant's Flux objects, Secrets and accounts live; may be given again
    #[arg(short, long = "namespace", required = true)]
    namespaces: Vec<String>,
    /// A namespace that it applies to besides; may be given again
    #[arg(short, long = "target")]
    targets: Vec<String>,
    /// The account that its Kustomizations act as, in each home; the tenant's name if not given
    #[arg(long)]
    service_account: Option<String>,
    /// Beginning of a URL that it may fetch; may be given again; none allows every URL
    #[arg(long = "source", value_name = "PREFIX")]
    sources: Vec<String>,
    /// The Secret of the home for URLs that begin so; may be given again
    #[arg(long = "secret", value_name = "PREFIX=NAME")]
    secrets: Vec<String>,
    /// A checkout of its repository: its account may do what that needs, and no more
    #[arg(long)]
    repository: Option<PathBuf>,
    /// Leave out the namespaces: they are there
    #[arg(long)]
    skip_namespaces: bool,
    /// For API servers before 1.36: the older form of impersonation, which binds less tightly
    #[arg(long)]
    legacy_impersonation: bool,
    #[command(flatten)]
    places: super::Namespaces,
    /// Directory for the files; without it everything is printed
    #[arg(short, long)]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let files = files(args)?;
    let Some(dir) = &args.output else {
        let texts: Vec<&str> = files.iter().map(|(_, text)| text.as_str()).collect();
        crate::say(texts.join("---\n").trim_end());
        return Ok(());
    };
    fs::create_dir_all(dir).with_context(|| format!("failed to make {}", dir.display()))?;
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": names,
    });
    let kustomization = ("kustomization.yaml", tenure_yaml::to_string(&kustomization));
    for (name, text) in files.iter().chain([&kustomization]) {
        let path = dir.join(name);
        anyhow::ensure!(
            !path.exists(),
            "{} is there already; nothing is overwritten",
            path.display()
        );
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    crate::say(&format!("Look at {0}, then: kubectl apply -k {0}", dir.display()));
    Ok(())
}

/// The files by name.
fn files(args: &Args) -> anyhow::Result<Vec<(&'static str, String)>> {
    let needed = match &args.repository {
        Some(path) => {
            let target = args.targets.first();
            Some(role::needed(path, &args.namespaces, account(args), target)?)
        }
        None => None,
    };
    let tenant = tenant(args, needed.as_ref())?;
    let impersonation = match args.legacy_impersonation {
        true => Impersonation::Legacy,
        false => Impersonation::Constrained,
    };
    let rights = worker_objects(&tenant, impersonation);
    let mut files = Vec::new();
    if !args.skip_namespaces {
        let all = args
            .namespaces
            .iter()
            .chain(&args.targets)
            .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        files.push(("namespaces.yaml", stream(all)));
    }
    let written = serde_json::to_value(&tenant).context("the Tenant can't be written")?;
    files.push(("tenant.yaml", stream([written].into_iter())));
    files.push((
        "rbac.yaml",
        stream(rights.iter().map(|object| args.places.places().renamed(object))),
    ));
    files.push(("accounts.yaml", accounts(args, &tenant, needed.as_ref())));
    Ok(files)
}

fn tenant(args: &Args, needed: Option<&Needed>) -> anyhow::Result<Tenant> {
    let name = account(args);
    let accounts = args
        .namespaces
        .iter()
        .map(|home| json!({"namespace": home, "name": name}));
    let secrets = args.secrets.iter().map(|pair| {
        let (prefix, name) = pair
            .rsplit_once('=')
            .with_context(|| format!("--secret {pair:?} must be PREFIX=NAME"))?;
        Ok(json!({"prefix": prefix, "name": name}))
    });
    let secrets: Vec<Value> = secrets.collect::<anyhow::Result<_>>()?;
    let beyond = needed.map(|needed| &needed.beyond).filter(|all| !all.is_empty());
    let kinds = beyond.map(|all| kinds::whole(all.iter().map(String::as_str)));
    let tenant: Tenant = serde_json::from_value(json!({
        "apiVersion": "tenure.dev/v1alpha1", "kind": "Tenant",
        "metadata": {"name": args.name, "namespace": args.places.system_namespace},
        "spec": {
            "namespaces": args.namespaces, "targets": args.targets,
            "serviceAccounts": accounts.collect::<Vec<_>>(),
            "sources": {"allow": args.sources, "secrets": secrets},
            "kinds": kinds,
        },
    }))
    .context("the flags make no Tenant")?;
    let errors: Vec<String> = tenant.validate().iter().map(ToString::to_string).collect();
    anyhow::ensure!(
        errors.is_empty(),
        "the flags make no valid Tenant: {}",
        errors.join("; ")
    );
    Ok(tenant)
}

fn account(args: &Args) -> &str {
    args.service_account.as_deref().unwrap_or(&args.name)
}

/// The tenant's accounts, and what they may do.
fn accounts(args: &Args, tenant: &Tenant, needed: Option<&Needed>) -> String {
    let name = account(args);
    let accounts = args.namespaces.iter().map(|home| {
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": home},
            "automountServiceAccountToken": false,
        })
    });
    let accounts = stream(accounts);
    let roles = match needed {
        Some(needed) => needed.roles.clone(),
        None => usual(args, tenant),
    };
    match roles.as_str() {
        "" => accounts,
        roles => format!("{accounts}---\n{roles}"),
    }
}

/// Without a repository to go by: the default kinds, but for those that hand on rights.
fn usual(args: &Args, tenant: &Tenant) -> String {
    let mut rules = Vec::<(&str, Vec<&str>)>::new();
    for kind in DEFAULT_KINDS {
        let (plural, group) = kind.split_once('.').unwrap_or((kind, ""));
        if group == "rbac.authorization.k8s.io" {
            continue;
        }
        match rules.iter_mut().find(|(of, _)| *of == group) {
            Some((_, plurals)) => plurals.push(plural),
            None => rules.push((group, vec![plural])),
        }
    }
    let verbs = ["list", "watch", "create", "patch", "delete"];
    let rules = rules
        .into_iter()
        .map(|(group, plurals)| json!({"apiGroups": [group], "resources": plurals, "verbs": verbs}));
    let rules: Vec<Value> = rules.collect();
    let subjects = tenant.spec.service_accounts.iter().map(
        |account| json!({"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}),
    );
    let subjects: Vec<Value> = subjects.collect();
    let name = &args.name;
    let all = args.namespaces.iter().chain(&args.targets).flat_map(|namespace| {
        let metadata = json!({"name": name, "namespace": namespace});
        [
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
                "subjects": subjects,
            }),
        ]
    });
    stream(all)
}

fn stream(objects: impl Iterator<Item = Value>) -> String {
    let texts: Vec<String> = objects.map(|object| tenure_yaml::to_string(&object)).collect();
    texts.join("---\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn made(flags: &[&str]) -> anyhow::Result<Vec<(&'static str, String)>> {
        files(
            &Cli::try_parse_from(["create"].iter().chain(flags))
                .expect("flags")
                .args,
        )
    }

    #[test]
    fn a_folder_has_the_tenant_its_workers_rights_and_its_accounts() {
        let flags = ["dev", "-n", "apps", "-t", "web", "--secret", "ssh://git@=git-ssh"];
        let files = made(&flags).expect("valid");
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            ["namespaces.yaml", "tenant.yaml", "rbac.yaml", "accounts.yaml"]
        );
        let all: Vec<Value> = files
            .iter()
            .flat_map(|(_, text)| {
                tenure_yaml::parse(text.as_bytes(), &tenure_yaml::Options::helm()).expect("YAML")
            })
            .map(|document| document.value)
            .collect();
        let tenant = all.iter().find(|o| o["kind"] == "Tenant").expect("a Tenant");
        assert_eq!(tenant["spec"]["sources"]["secrets"][0]["name"], "git-ssh");
        assert_eq!(
            tenant["spec"]["serviceAccounts"],
            json!([{"namespace": "apps", "name": "dev"}])
        );
        let roles = all
            .iter()
            .filter(|o| o["kind"] == "Role" && o["metadata"]["name"] == "dev");
        assert_eq!(roles.count(), 2, "one in the home, one in the target");
        assert!(!files[3].1.contains("rbac.authorization.k8s.io\n  resources"));
        assert!(
            !all.iter()
                .any(|o| o["kind"].as_str().is_some_and(|k| k.starts_with("Cluster")))
        );
    }

    #[test]
    fn names_that_no_tenant_may_have_are_refused() {
        let error = made(&["dev", "-n", "kube-system"]).expect_err("not a home");
        assert!(error.to_string().contains("kube-system"), "{error}");
    }

    /// The objects of the Tenant that is made for a repository, and those of its accounts.
    fn made_for(files: &[(&str, &str)], flags: &[&str]) -> (Value, Vec<Value>) {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(dir.path().join(name), text).expect("is written");
        }
        let path = dir.path().to_str().expect("UTF-8");
        let made = made(&[flags, &["--repository", path]].concat()).expect("valid");
        let parsed = |wanted: &str| -> Vec<Value> {
            let (_, text) = made.iter().find(|(name, _)| *name == wanted).expect("a file");
            let documents = tenure_yaml::parse(text.as_bytes(), &tenure_yaml::Options::helm());
            documents.expect("YAML").into_iter().map(|d| d.value).collect()
        };
        (parsed("tenant.yaml").remove(0), parsed("accounts.yaml"))
    }

    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n";

    #[test]
    fn the_account_of_each_home_may_do_what_the_repository_needs() {
        let kustomization = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: more, namespace: one}\nspec: {path: ./elsewhere, prune: true, sourceRef: {kind: GitRepository, name: r}}\n";
        let flags = ["dev", "-n", "one", "-n", "two", "-t", "prod"];
        let (tenant, objects) = made_for(&[("m.yaml", MAP), ("k.yaml", kustomization)], &flags);
        let all = |kind: &str| -> Vec<String> {
            let of_kind = objects.iter().filter(|o| o["kind"] == kind);
            let name = |o: &Value| format!("{} in {}", o["metadata"]["name"], o["metadata"]["namespace"]);
            of_kind.map(|o| name(o).replace('"', "")).collect()
        };
        let wanted = [
            "dev in one",
            "one:dev in prod",
            "two:dev in one",
            "two:dev in prod",
        ];
        assert_eq!(all("Role"), wanted);
        assert_eq!(all("RoleBinding"), wanted);
        assert_eq!(tenant["spec"].get("kinds"), None, "the default is enough");
    }

    #[test]
    fn kinds_that_the_default_lacks_are_written_with_the_default() {
        let monitor = "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: m}\n";
        let flags = ["dev", "-n", "apps", "-t", "prod"];
        let (tenant, _) = made_for(&[("m.yaml", MAP), ("s.yaml", monitor)], &flags);
        let kinds = tenant["spec"]["kinds"].as_array().expect("a list");
        for kind in ["configmaps", "servicemonitors.monitoring.coreos.com"] {
            assert!(kinds.contains(&json!(kind)), "{kind} in {kinds:?}");
        }
    }

    #[test]
    fn a_repository_that_needs_no_role_leaves_no_empty_document() {
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n";
        let (_, objects) = made_for(&[("n.yaml", namespace)], &["dev", "-n", "apps"]);
        let kinds: Vec<_> = objects.iter().map(|o| o["kind"].clone()).collect();
        assert_eq!(kinds, ["ServiceAccount"]);
    }
}
