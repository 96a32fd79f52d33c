//! Overlays of the shape of real ones, made up.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

fn put(dir: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = dir.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    }
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}

/// A Deployment with its Service, ConfigMap and ServiceAccount.
fn application(name: &str) -> String {
    format!(
        r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app: {name}, tier: backend}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      serviceAccountName: {name}
      containers:
      - name: main
        image: registry.example.org/app:v1
        args: [--port=8080, --config=/etc/app/config.yaml]
        env:
        - {{name: LEVEL, valueFrom: {{configMapKeyRef: {{name: {name}, key: level}}}}}}
        - {{name: MODE, value: "on"}}
        ports: [{{containerPort: 8080, name: http}}]
        resources: {{requests: {{cpu: 100m, memory: 64Mi}}, limits: {{memory: 128Mi}}}}
        volumeMounts: [{{name: config, mountPath: /etc/app}}]
      - {{name: proxy, image: registry.example.org/proxy:v1}}
      volumes: [{{name: config, configMap: {{name: {name}}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80, targetPort: http, name: http}}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}}}
data:
  level: "1"
  config.yaml: |
    listen: 8080
    peers:
    - one
    - two
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}}}
"#
    )
}

const OVER: &str = "namespace: prod
namePrefix: x-
labels: [{pairs: {team: a}, includeSelectors: true}]
images: [{name: registry.example.org/app, newTag: v9}]
";

/// A base of `objects` objects, and an overlay with `patches` patches of all kinds.
pub(super) fn layers(dir: &Path, objects: usize, patches: usize) -> anyhow::Result<()> {
    let mut base = "resources:\n".to_owned();
    for i in 0..objects / 4 {
        let _ = writeln!(base, "- app-{i}.yaml");
        put(
            dir,
            &format!("base/app-{i}.yaml"),
            &application(&format!("app-{i}")),
        )?;
    }
    put(dir, "base/kustomization.yaml", &base)?;
    let mut over = format!("resources: [../base]\n{OVER}patches:\n");
    for i in 0..patches {
        let patch = match i % 5 {
            0 => format!(
                "- target: {{kind: Deployment, name: 'app-{i}.*'}}\n  patch: |-\n    - op: add\n      path: /spec/template/spec/containers/0/env/-\n      value: {{name: P{i}, value: x}}\n"
            ),
            1 => format!(
                "- target: {{kind: Deployment}}\n  patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {{name: any}}\n    spec: {{template: {{spec: {{containers: [{{name: main, env: [{{name: E{i}, value: y}}]}}]}}}}}}\n"
            ),
            _ => format!(
                "- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {{name: app-{i}}}\n    spec: {{replicas: {i}}}\n"
            ),
        };
        over.push_str(&patch);
    }
    put(dir, "over/kustomization.yaml", &over)
}

/// What a platform is put together from: applications with CRDs of their own, roles, generated
/// configuration, components that every one of them includes, and an overlay over all.
pub(super) fn platform(dir: &Path, applications: usize) -> anyhow::Result<()> {
    let mut over =
        format!("resources:\n- namespace.yaml\n{OVER}components: [../components/quiet]\nreplacements:\n");
    over.push_str("- source: {kind: Namespace, name: prod, fieldPath: metadata.name}\n  targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.metadata.annotations.namespace], options: {create: true}}]\n");
    let mut bases = String::new();
    for i in 0..applications {
        let name = format!("app-{i}");
        let _ = writeln!(bases, "- ../apps/{name}/over");
        let at = |file: &str| format!("apps/{name}/{file}");
        put(
            dir,
            &at("over/kustomization.yaml"),
            &format!(
                "resources: [../base]\nnameSuffix: -{i}\ncommonAnnotations: {{part: {name}}}\ncomponents: [../../../components/guarded]\nreplicas: [{{name: {name}, count: 3}}]\nconfigMapGenerator:\n- {{name: settings, behavior: merge, literals: [mode=prod]}}\n"
            ),
        )?;
        put(
            dir,
            &at("base/kustomization.yaml"),
            "resources: [app.yaml, more.yaml, roles.yaml, crds]\nconfigMapGenerator: [{name: settings, literals: [mode=dev], files: [rules.txt]}]\nsecretGenerator: [{name: token, literals: [token=none]}]\n",
        )?;
        put(dir, &at("base/app.yaml"), &application(&name))?;
        let more: Vec<_> = (0..4).map(|n| application(&format!("{name}-part-{n}"))).collect();
        put(dir, &at("base/more.yaml"), &more.join("---\n"))?;
        put(dir, &at("base/roles.yaml"), &roles(&name))?;
        put(dir, &at("base/rules.txt"), &"a rule among many\n".repeat(500))?;
        put(
            dir,
            &at("base/crds/kustomization.yaml"),
            "resources: [a.yaml, b.yaml]\n",
        )?;
        for kind in ["a", "b"] {
            put(
                dir,
                &at(&format!("base/crds/{kind}.yaml")),
                &crd(&format!("{kind}{i}")),
            )?;
        }
    }
    over = over.replace("- namespace.yaml\n", &format!("- namespace.yaml\n{bases}"));
    put(
        dir,
        "over/namespace.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n",
    )?;
    put(dir, "over/kustomization.yaml", &over)?;
    let head = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";
    let guarded = "patches:\n- target: {kind: Deployment}\n  patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: any}\n    spec: {template: {spec: {securityContext: {runAsNonRoot: true}, containers: [{name: proxy, env: [{name: GUARD, value: x}]}]}}}\n";
    put(
        dir,
        "components/guarded/kustomization.yaml",
        &format!("{head}{guarded}"),
    )?;
    let quiet = "labels: [{pairs: {quiet: 'yes'}}]\npatches: [{target: {kind: Service}, patch: '[{op: add, path: /spec/sessionAffinity, value: None}]'}]\n";
    put(
        dir,
        "components/quiet/kustomization.yaml",
        &format!("{head}{quiet}"),
    )
}

fn roles(name: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules: [{{apiGroups: [apps], resources: [deployments], verbs: [get, list, watch]}}]\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}\nsubjects: [{{kind: ServiceAccount, name: {name}, namespace: default}}]\n"
    )
}

/// A definition with a schema of the size that Pod templates in them come to.
fn crd(name: &str) -> String {
    let mut text = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {name}s.example.org}}\nspec:\n  group: example.org\n  names: {{kind: {name}, plural: {name}s}}\n  scope: Namespaced\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n"
    );
    for i in 0..300 {
        let _ = writeln!(
            text,
            "          field{i}:\n            description: What field {i} is for, in a sentence of the length that such sentences have in practice.\n            type: object\n            properties:\n              inner:\n                type: array\n                items: {{type: object, required: [name], properties: {{name: {{type: string}}, value: {{type: string, maxLength: {i}}}}}}}\n              other: {{type: integer, format: int32, default: {i}}}"
        );
    }
    text
}
