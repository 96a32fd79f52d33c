//! The chart: the files of `deploy/` with values in place of names, so that the defaults give the same.

use serde_json::json;
use tenure_api::{FLUX_GROUPS, SYSTEM_NAMESPACE, WORKERS_NAMESPACE};

use super::components::IMAGE;
use super::{Files, HEADER};

/// Text of `deploy/`, and the value that takes its place.
const VALUES: [(&str, &str); 4] = [
    (IMAGE, "{{ .Values.image }}"),
    (SYSTEM_NAMESPACE, "{{ .Values.namespaces.system }}"),
    (WORKERS_NAMESPACE, "{{ .Values.namespaces.workers }}"),
    ("replicas: 1", "replicas: {{ .Values.replicas }}"),
];

pub(super) fn files(deploy: &Files) -> Files {
    let mut files = Files::new();
    for (path, text) in deploy
        .iter()
        .filter(|(path, _)| !path.ends_with("kustomization.yaml"))
    {
        let inside = path.strip_prefix("deploy").unwrap_or(path);
        let mut template = text.clone();
        for (from, to) in VALUES {
            template = template.replace(from, to);
        }
        if inside.starts_with("crds") {
            template = guarded(
                &template,
                inside.file_stem().and_then(|s| s.to_str()).unwrap_or_default(),
            );
        }
        files.insert(
            format!("helm/tenure/templates/{}", inside.display()).into(),
            template,
        );
    }
    let version = env!("CARGO_PKG_VERSION");
    let chart = json!({
        "apiVersion": "v2", "name": "tenure", "type": "application", "version": version, "appVersion": version,
        "description": "Multi-tenant GitOps with Flux's API and Role-scoped rights only.",
        "kubeVersion": ">=1.33.0-0",
    });
    let values = json!({
        "image": IMAGE,
        "replicas": 1,
        "namespaces": {"system": SYSTEM_NAMESPACE, "workers": WORKERS_NAMESPACE},
        "crds": {"install": true, "takeOver": false},
    });
    let (text, flag) = (
        json!({"type": "string", "minLength": 1}),
        json!({"type": "boolean"}),
    );
    let closed =
        |properties| json!({"type": "object", "additionalProperties": false, "properties": properties});
    let schema = closed(json!({
        "global": {"type": "object"},
        "image": text,
        "replicas": {"type": "integer", "minimum": 0},
        "namespaces": closed(json!({"system": text, "workers": text})),
        "crds": closed(json!({"install": flag, "takeOver": flag})),
    }));
    files.insert("helm/tenure/Chart.yaml".into(), super::stream(&[chart]));
    files.insert("helm/tenure/values.yaml".into(), super::stream(&[values]));
    files.insert("helm/tenure/values.schema.json".into(), format!("{schema:#}\n"));
    files
}

/// A CRD that another owner installed is left alone unless asked for.
fn guarded(template: &str, name: &str) -> String {
    let body = template.strip_prefix(HEADER).unwrap_or(template);
    let (open, close) = if FLUX_GROUPS.iter().any(|group| name.ends_with(group)) {
        let found = format!(
            r#"{{{{- $found := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "{name}" }}}}"#
        );
        let ours = r#"(eq "tenure" (dig "metadata" "labels" "app.kubernetes.io/managed-by" "" $found))"#;
        let open = format!(
            "{found}\n{{{{- if and .Values.crds.install (or (not $found) {ours} .Values.crds.takeOver) }}}}\n"
        );
        (open, "{{- end }}\n")
    } else {
        ("{{- if .Values.crds.install }}\n".to_owned(), "{{- end }}\n")
    };
    format!("{HEADER}{open}{body}{close}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_values_give_the_files_of_deploy() {
        let deploy = super::super::deploy();
        let chart = files(&deploy);
        let mut compared = 0;
        for (path, expected) in deploy
            .iter()
            .filter(|(path, _)| !path.ends_with("kustomization.yaml"))
        {
            let name = path.strip_prefix("deploy").expect("in deploy");
            let template = &chart[&std::path::Path::new("helm/tenure/templates").join(name)];
            let lines = template
                .split_inclusive('\n')
                .filter(|line| !line.starts_with("{{-"));
            let mut rendered: String = lines.collect();
            for (value, placeholder) in VALUES {
                rendered = rendered.replace(placeholder, value);
            }
            assert_eq!(&rendered, expected, "{}", path.display());
            assert!(!rendered.contains("{{"), "{}", path.display());
            compared += 1;
        }
        assert!(compared >= 7);
    }
}
