use std::fs;
use std::path::Path;

use clap::Parser as _;
use serde_json::{Value, json};

use super::*;

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("has a parent")).expect("is made");
        fs::write(path, text).expect("is written");
    }
    dir
}

fn found(root: &Path, flags: &[&str]) -> anyhow::Result<Needs> {
    let path = root.to_str().expect("UTF-8");
    let always = ["role", path, "--service-account", "apps/deployer"];
    let cli = Cli::try_parse_from(always.iter().chain(flags)).expect("flags");
    needs(&cli.args, Catalog::default())
}

/// The rules by `account in namespace`.
fn rules(needs: &Needs, by_name: bool) -> Value {
    let all = needs.places.keys().map(|place| {
        let shown = format!("{} in {}", place.account, place.namespace);
        (shown, Value::from(print::rules(needs, place, by_name)))
    });
    Value::Object(all.collect())
}

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: default}\n";
const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n";

#[test]
fn a_directory_needs_what_an_apply_and_a_prune_of_its_objects_take() {
    let dir = repository(&[("web.yaml", DEPLOYMENT), ("settings.yaml", CONFIG)]);
    let needs = found(dir.path(), &["--namespace", "prod"]).expect("builds");
    assert_eq!(
        rules(&needs, false),
        json!({
            "apps/deployer in default": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list", "watch", "create", "patch", "delete"]}],
            "apps/deployer in prod": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch", "create", "patch", "delete"]}],
        })
    );
    let named = rules(&needs, true);
    assert_eq!(
        named["apps/deployer in default"][0]["resourceNames"],
        json!(["web"])
    );
}

#[test]
fn kustomizations_in_the_repository_count_for_their_own_accounts() {
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: web, namespace: shop}\nspec: {path: ./web, prune: false, serviceAccountName: web, targetNamespace: shop-web, sourceRef: {kind: GitRepository, name: shop}, healthChecks: [{apiVersion: batch/v1, kind: Job, name: migrate, namespace: shop-jobs}]}\n";
    let dir = repository(&[("cluster/flux.yaml", flux), ("web/settings.yaml", CONFIG)]);
    let path = dir.path().join("cluster");
    let root = dir.path().to_str().expect("UTF-8");
    let needs = found(&path, &["--root", root]).expect("builds");
    assert_eq!(
        rules(&needs, false),
        json!({
            "apps/deployer in shop": [{"apiGroups": ["kustomize.toolkit.fluxcd.io"], "resources": ["kustomizations"], "verbs": ["list", "watch", "create", "patch", "delete"]}],
            "shop/web in shop-web": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch", "create", "patch"]}],
            "shop/web in shop-jobs": [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "watch"]}],
        }),
        "it is not pruned, so nothing is deleted"
    );
}

#[test]
fn a_release_counts_for_what_its_chart_renders_and_for_helms_own_secrets() {
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: apps}\nspec: {targetNamespace: prod, values: {on: true}, chart: {spec: {chart: ./chart, sourceRef: {kind: GitRepository, name: r}}}}\n";
    let template =
        "{{ if .Values.on }}apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Release.Name }}}\n{{ end }}";
    let dir = repository(&[
        ("flux/release.yaml", release),
        ("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("chart/templates/a.yaml", template),
    ]);
    let root = dir.path().to_str().expect("UTF-8");
    let needs = found(&dir.path().join("flux"), &["--root", root]).expect("renders");
    let rules = rules(&needs, true);
    assert_eq!(
        rules["apps/deployer in prod"][0]["resourceNames"],
        json!(["prod-web"])
    );
    assert_eq!(
        rules["apps/deployer in apps"][1],
        json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch", "create", "patch", "delete"]}),
        "each revision's Secret has another name"
    );
    let absent = release.replace("./chart", "./nowhere");
    let file = dir.path().join("absent.yaml");
    fs::write(&file, absent).expect("is written");
    let needs = found(dir.path(), &["--file", file.to_str().expect("UTF-8")]).expect("is noted");
    assert!(
        needs.gaps.iter().any(|n| n.contains("--chart web=PATH")),
        "{:?}",
        needs.gaps
    );
}

#[test]
fn a_role_in_the_repository_gives_away_only_what_its_author_has() {
    let rbac = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, namespace: prod}\nrules: [{apiGroups: [''], resources: [pods], verbs: [get]}]\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b, namespace: prod}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\n";
    let dir = repository(&[("rbac.yaml", rbac)]);
    let needs = found(dir.path(), &[]).expect("builds");
    let rules = rules(&needs, false);
    let rules = rules["apps/deployer in prod"].as_array().expect("rules").clone();
    assert!(
        rules.contains(&json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})),
        "{rules:?}"
    );
    assert!(
        rules.contains(&json!({"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "resourceNames": ["view"], "verbs": ["bind"]})),
        "{rules:?}"
    );
}

#[test]
fn what_no_role_can_allow_is_said() {
    let all = "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n---\napiVersion: example.org/v1\nkind: Thing\nmetadata: {name: t, namespace: x}\n";
    let dir = repository(&[("all.yaml", all), ("lost.yaml", CONFIG)]);
    let needs = found(dir.path(), &[]).expect("builds");
    let mut remarks = print::remarks(&needs);
    remarks.extend(print::kinds_remark(&needs));
    let remarks = remarks.join("\n");
    for words in [
        "Namespace n",
        "things.example.org",
        "ConfigMap settings has no namespace",
        "kinds: [configmaps, ",
        "kustomizations.kustomize.toolkit.fluxcd.io, things.example.org]",
    ] {
        assert!(remarks.contains(words), "{words} in {remarks}");
    }
}

#[test]
fn the_roles_that_are_printed_can_be_applied() {
    let dir = repository(&[("web.yaml", DEPLOYMENT)]);
    let text = print::roles(&found(dir.path(), &[]).expect("builds"), false);
    assert!(
        text.starts_with("# What ServiceAccount apps/deployer needs in namespace default, for 1 object.\n")
    );
    let documents = tenure_yaml::parse(text.as_bytes(), &tenure_yaml::Options::helm()).expect("YAML");
    let kinds: Vec<_> = documents.iter().map(|d| d.value["kind"].clone()).collect();
    assert_eq!(kinds, ["Role", "RoleBinding"]);
    assert_eq!(documents[1].value["subjects"][0]["namespace"], "apps");
    assert_eq!(
        documents[0].value["metadata"]["name"],
        documents[1].value["roleRef"]["name"]
    );
}
