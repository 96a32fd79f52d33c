//! What is shipped and rendered: `deploy/`, the chart, `tenants/` and the onboarding of Tenants.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tenure_api::rights::{
    Impersonation, RELEASE_ACCOUNT, RELEASE_ROLE, pod_objects, release_objects, supervisor_objects,
    watch_objects, worker_objects,
};
use tenure_api::{SYSTEM_NAMESPACE, Tenant, WORKERS_NAMESPACE};

fn root() -> PathBuf {
    PathBuf::from("..")
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    Ok(())
}

/// The chart's text with the defaults in it; a value that is not known stays and breaks the YAML.
fn filled(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("{{-")).collect();
    lines
        .join("\n")
        .replace(" | quote }}", " }}")
        .replace("{{ .Values.namespaces.system }}", SYSTEM_NAMESPACE)
        .replace("{{ .Values.namespaces.workers }}", WORKERS_NAMESPACE)
        .replace("{{ .Values.image }}", "tenure")
        .replace("{{ .Values.replicas }}", "1")
        .replace("{{ .Values.cache.replicas }}", "1")
        .replace("{{ .Values.watch }}", "namespaced")
}

fn objects(dir: &str) -> anyhow::Result<Vec<Value>> {
    let mut paths = Vec::new();
    files(&root().join(dir), &mut paths)?;
    let mut all = Vec::new();
    // of mode `cluster`, which nobody has who does not ask for it
    paths.retain(|path| !path.ends_with("rbac/watch.yaml"));
    for path in paths {
        let text = filled(&std::fs::read_to_string(&path)?);
        ensure!(
            !text.contains("{{ .Values"),
            "{} has a value that this test does not know",
            path.display()
        );
        let documents = tenure_yaml::parse(text.as_bytes(), &tenure_yaml::Options::helm());
        let documents = documents.with_context(|| path.display().to_string())?;
        all.extend(
            documents
                .into_iter()
                .map(|document| document.value)
                .filter(|value| value["kind"].is_string()),
        );
    }
    Ok(all)
}

fn tenant(spec: Value) -> anyhow::Result<Tenant> {
    let object = json!({"metadata": {"name": "team", "namespace": SYSTEM_NAMESPACE}, "spec": spec});
    Ok(serde_json::from_value(object)?)
}

/// Tenants of every shape, each with whether it asks to list Secrets.
fn tenants() -> anyhow::Result<Vec<(Tenant, bool)>> {
    let base = |more: Value| {
        let mut spec = json!({
            "namespaces": ["one", "two"], "targets": ["one", "shared"],
            "serviceAccounts": [{"namespace": "one", "name": "a"}, {"namespace": "two", "name": "b"}],
            "peers": [{"namespace": "infra", "kind": "GitRepository", "name": "shared"}],
        });
        if let (Some(all), Some(more)) = (spec.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
        }
        tenant(spec)
    };
    Ok(vec![
        (base(json!({}))?, false),
        (base(json!({"profile": "strict"}))?, false),
        (base(json!({"profile": "strict", "watchSecrets": true}))?, false),
        (base(json!({"watchSecrets": true}))?, true),
        (
            base(json!({"kinds": ["configmaps", "pods/exec", "deployments.apps"]}))?,
            false,
        ),
        (base(json!({"serviceAccounts": []}))?, false),
    ])
}

fn texts<'a>(rule: &'a Value, key: &str) -> Vec<&'a str> {
    rule[key]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The rules of our own Roles; a tenant's Roles are the tenant's.
fn rules(objects: &[Value]) -> Vec<&Value> {
    let ours = objects.iter().filter(|object| {
        matches!(object["kind"].as_str(), Some("Role" | "ClusterRole"))
            && object["metadata"]["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("tenure:"))
    });
    ours.flat_map(|role| role["rules"].as_array().into_iter().flatten())
        .collect()
}

fn is_modest(objects: &[Value], lists_secrets: bool) -> anyhow::Result<()> {
    let rules = rules(objects);
    let verbs: Vec<_> = rules.iter().flat_map(|rule| texts(rule, "verbs")).collect();
    let constrained = verbs
        .iter()
        .any(|verb| verb.starts_with("impersonate:") || verb.starts_with("impersonate-on:"));
    ensure!(
        !(constrained && verbs.contains(&"impersonate")),
        "both ways to impersonate"
    );
    for rule in &rules {
        for key in ["apiGroups", "resources", "verbs", "resourceNames"] {
            ensure!(
                !texts(rule, key).iter().any(|text| text.contains('*')),
                "a wildcard in {rule}"
            );
        }
        for verb in [
            "escalate",
            "bind",
            "impersonate-on:serviceaccount:get",
            "impersonate-on:serviceaccount:create",
        ] {
            ensure!(!texts(rule, "verbs").contains(&verb), "{verb} in {rule}");
        }
        let named = !texts(rule, "resourceNames").is_empty();
        ensure!(
            named
                || !texts(rule, "verbs")
                    .iter()
                    .any(|verb| *verb == "impersonate" || verb.starts_with("impersonate:")),
            "{rule}"
        );
        let reads = |verb| texts(rule, "verbs").contains(&verb);
        let secrets = texts(rule, "resources").contains(&"secrets");
        ensure!(
            !secrets || lists_secrets || !(reads("list") || reads("watch")),
            "Secrets are listed by {rule}"
        );
        let streams = ["exec", "attach", "portforward", "proxy"];
        for resource in texts(rule, "resources") {
            ensure!(
                !streams
                    .iter()
                    .any(|stream| resource.ends_with(&format!("/{stream}"))),
                "{resource} in {rule}"
            );
        }
    }
    for object in objects {
        ensure!(
            object["kind"] != "ClusterRoleBinding",
            "a ClusterRoleBinding: {}",
            object["metadata"]["name"]
        );
        if object["kind"] == "RoleBinding" {
            is_narrow(object)?;
        }
    }
    Ok(())
}

/// Who lives in our namespaces is bound to Roles of the table, and to one ClusterRole that we wrote.
fn is_narrow(binding: &Value) -> anyhow::Result<()> {
    let (kind, name) = (
        &binding["roleRef"]["kind"],
        binding["roleRef"]["name"].as_str().unwrap_or_default(),
    );
    for subject in binding["subjects"].as_array().into_iter().flatten() {
        let ours = [WORKERS_NAMESPACE, SYSTEM_NAMESPACE]
            .iter()
            .any(|ours| subject["namespace"] == *ours);
        let release = subject["name"] == RELEASE_ACCOUNT && name == RELEASE_ROLE && *kind == "ClusterRole";
        ensure!(
            !ours || release || (*kind == "Role" && name.starts_with("tenure:")),
            "{subject} is bound to {kind} {name}"
        );
        ensure!(
            subject["kind"] == "ServiceAccount" || !name.starts_with("tenure:"),
            "{name} is bound to {subject}"
        );
    }
    Ok(())
}

#[test]
fn what_is_shipped_gives_no_power_that_the_design_does_not_name() -> anyhow::Result<()> {
    for dir in ["deploy", "helm/tenure/templates", "tenants"] {
        let objects = objects(dir)?;
        ensure!(!rules(&objects).is_empty(), "{dir} has Roles of ours");
        is_modest(&objects, false).with_context(|| dir.to_owned())?;
    }
    Ok(())
}

/// Mode `cluster` is another matter: it is given on request only, and is to list and watch Flux objects.
#[test]
fn the_one_right_in_all_namespaces_is_not_part_of_an_installation() -> anyhow::Result<()> {
    let all = std::fs::read_to_string(root().join("deploy/kustomization.yaml"))?;
    ensure!(
        all.contains("rbac/supervisor.yaml") && !all.contains("watch.yaml"),
        "{all}"
    );
    let chart = std::fs::read_to_string(root().join("helm/tenure/templates/rbac/watch.yaml"))?;
    ensure!(
        chart.starts_with("{{- if eq .Values.watch \"cluster\" }}\n"),
        "{chart}"
    );
    let text = std::fs::read_to_string(root().join("deploy/rbac/watch.yaml"))?;
    let given = tenure_yaml::parse(text.as_bytes(), &tenure_yaml::Options::helm())?;
    let given: Vec<Value> = given.into_iter().map(|document| document.value).collect();
    ensure!(given == watch_objects(), "{text}");
    for rule in rules(&given) {
        ensure!(texts(rule, "verbs") == ["list", "watch"], "{rule}");
    }
    Ok(())
}

/// Workers in pods are given on request only, and the right to make pods with them: there, and nowhere else.
#[test]
fn the_right_to_make_pods_is_not_part_of_an_installation() -> anyhow::Result<()> {
    let all = std::fs::read_to_string(root().join("deploy/kustomization.yaml"))?;
    ensure!(!all.contains("pods.yaml"), "{all}");
    for file in ["rbac/pods.yaml", "components/pods.yaml"] {
        let chart = std::fs::read_to_string(root().join("helm/tenure/templates").join(file))?;
        ensure!(
            chart.starts_with("{{- if .Values.isolation.pods.enabled }}\n"),
            "{chart}"
        );
    }
    let text = std::fs::read_to_string(root().join("deploy/rbac/pods.yaml"))?;
    let given = tenure_yaml::parse(text.as_bytes(), &tenure_yaml::Options::helm())?;
    let given: Vec<Value> = given.into_iter().map(|document| document.value).collect();
    ensure!(given == pod_objects(), "{text}");
    for object in &given {
        ensure!(object["metadata"]["namespace"] == WORKERS_NAMESPACE, "{object}");
    }
    for rule in rules(&given) {
        ensure!(texts(rule, "resources") == ["pods"], "{rule}");
    }
    let others = objects("deploy")?;
    let others: Vec<Value> = others
        .into_iter()
        .filter(|object| !given.contains(object))
        .collect();
    let makes_pods = |rule: &&&Value| texts(rule, "resources").contains(&"pods");
    ensure!(
        rules(&others).iter().find(makes_pods).is_none(),
        "another Role has it"
    );
    Ok(())
}

#[test]
fn no_tenant_is_onboarded_with_more_in_either_way_to_impersonate() -> anyhow::Result<()> {
    for impersonation in [Impersonation::Constrained, Impersonation::Legacy] {
        for (tenant, lists_secrets) in tenants()? {
            let mut objects = worker_objects(&tenant, impersonation);
            objects.extend(supervisor_objects());
            objects.extend(pod_objects());
            objects.extend(release_objects());
            is_modest(&objects, lists_secrets)
                .with_context(|| format!("{impersonation:?} {:?}", tenant.spec))?;
        }
    }
    Ok(())
}

/// What this file looks for is found when it is there.
#[test]
fn a_careless_manifest_would_be_noticed() {
    let role = |rules: Value| json!({"kind": "Role", "metadata": {"name": "tenure:home", "namespace": "x"}, "rules": rules});
    let rule = |group: &str, resource: &str, verb: &str| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
    let binding = |kind: &str, name: &str| {
        json!({
            "kind": "RoleBinding", "metadata": {"name": "x", "namespace": "x"}, "roleRef": {"kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "x", "namespace": WORKERS_NAMESPACE}],
        })
    };
    let mut named = rule("", "serviceaccounts", "impersonate");
    named["resourceNames"] = json!(["a"]);
    for (what, object) in [
        (
            "both",
            role(json!([
                named,
                rule("", "pods", "impersonate-on:serviceaccount:list")
            ])),
        ),
        (
            "any account",
            role(json!([rule("", "serviceaccounts", "impersonate")])),
        ),
        ("any kind", role(json!([rule("", "*", "get")]))),
        (
            "escalation",
            role(json!([rule("rbac.authorization.k8s.io", "roles", "escalate")])),
        ),
        ("all Secrets", role(json!([rule("", "secrets", "list")]))),
        ("exec", role(json!([rule("", "pods/exec", "get")]))),
        ("admin", binding("ClusterRole", "admin")),
        ("a stranger's Role", binding("Role", "somebody")),
        (
            "cluster-wide",
            json!({"kind": "ClusterRoleBinding", "metadata": {"name": "tenure"}}),
        ),
    ] {
        assert!(is_modest(&[object], false).is_err(), "{what} was not noticed");
    }
}

#[test]
fn the_cache_is_shipped_without_a_token() -> anyhow::Result<()> {
    for dir in ["deploy", "helm/tenure/templates"] {
        let all = objects(dir)?;
        let account = all
            .iter()
            .find(|o| o["kind"] == "ServiceAccount" && o["metadata"]["name"] == "tenure-cache");
        ensure!(account.context("an account")?["automountServiceAccountToken"] == false);
        let cache = all
            .iter()
            .find(|o| o["kind"] == "Deployment" && o["metadata"]["name"] == "tenure-cache");
        let pod = &cache.context("a Deployment")?["spec"]["template"]["spec"];
        ensure!(
            pod["automountServiceAccountToken"] == false && pod["serviceAccountName"] == "tenure-cache",
            "{pod}"
        );
        ensure!(
            !pod.to_string().contains("serviceAccountToken\":{") && !pod.to_string().contains("hostPath"),
            "{pod}"
        );
        let secrets: Vec<_> = pod["volumes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|v| v["secret"]["secretName"].as_str())
            .collect();
        ensure!(secrets == [tenure_api::CACHE_TLS], "it mounts {secrets:?}");
        let bound = all
            .iter()
            .filter(|o| o["kind"] == "RoleBinding")
            .any(|o| o["subjects"].to_string().contains("tenure-cache"));
        ensure!(!bound, "the cache's account has a right");
    }
    Ok(())
}
