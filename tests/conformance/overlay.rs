//! A made-up tree: a base of workloads, an overlay above it, and sometimes a layer or component between.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

/// Scalars that YAML and its users disagree about.
const ODD: [&str; 16] = [
    "plain",
    "\"123\"",
    "123",
    "1.10",
    "0x10",
    "1e3",
    "yes",
    "\"no\"",
    "~",
    "2001-12-14",
    "'single # quoted'",
    "\"tab\\tand \\u00e9\"",
    "- ",
    "a: b",
    "very long text that goes on and on until it is well beyond the eighty columns that a line may have",
    "\"\"",
];

fn workload(rng: &mut StdRng, kind: &str, name: &str) -> String {
    let (version, indent) = match kind {
        "CronJob" => ("batch/v1", "jobTemplate: {spec: {template: TEMPLATE}}"),
        "Job" => ("batch/v1", "template: TEMPLATE"),
        _ => (
            "apps/v1",
            "replicas: 2, selector: {matchLabels: {app: NAME}}, template: TEMPLATE",
        ),
    };
    let pull = if rng.random() {
        ", imagePullSecrets: [{name: secret}]"
    } else {
        ""
    };
    let template = format!(
        "{{metadata: {{labels: {{app: NAME}}}}, spec: {{serviceAccountName: account{pull}, containers: [\
         {{name: main, image: 'nginx:1.0', args: [\"$(SERVICE)\"], env: [{{name: A, value: a}}, {{name: K, valueFrom: \
         {{configMapKeyRef: {{name: config, key: k}}}}}}], ports: [{{containerPort: 80}}]}}, {{name: side, image: \
         registry.example.com:5000/side@sha256:abc}}], volumes: [{{name: v, configMap: {{name: config}}}}]}}}}"
    );
    format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: NAME}}\nspec: {{{}}}\n",
        indent.replace("TEMPLATE", &template)
    )
    .replace("NAME", name)
}

fn objects(rng: &mut StdRng) -> String {
    let mut all = Vec::new();
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"] {
        if rng.random_bool(0.5) {
            let name = format!("w-{}", kind.to_lowercase());
            all.push(workload(rng, kind, &name));
        }
    }
    all.push(workload(rng, "Deployment", "web"));
    all.push("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80, name: http}]}\n".into());
    all.push("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: account}\n".into());
    let odd: Vec<String> = (0..rng.random_range(0..6))
        .filter_map(|i| Some(format!("  k{i}: {}\n", ODD.choose(rng)?)))
        .filter(|line| !line.ends_with("- \n") && !line.contains("a: b"))
        .collect();
    let data = if odd.is_empty() {
        String::new()
    } else {
        format!("data:\n{}", odd.concat())
    };
    all.push(format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: odd\n  annotations: {{note: \"n\"}}\n{data}"
    ));
    let some = [
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\nsubjects: [{kind: ServiceAccount, name: account}, {kind: ServiceAccount, name: default, namespace: x}]\n",
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, annotations: {nginx.ingress.kubernetes.io/auth-secret: secret}}\nspec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}}], tls: [{secretName: secret}]}\n",
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 3}\n",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: space}\n",
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: p}\nspec: {selector: {matchLabels: {app: web}}}\n",
        "apiVersion: example.com/v1\nkind: Site\nmetadata: {name: site}\nspec: {image: 'nginx:1.0', pages: [{name: a}, {name: b}], ref: {name: config}}\n",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: in-list}, data: {x: \"1\"}}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: local, annotations: {config.kubernetes.io/local-config: \"true\"}}\n",
    ];
    all.extend(
        some.iter()
            .filter(|_| rng.random_bool(0.4))
            .map(|text| (*text).to_owned()),
    );
    all.join("---\n")
}

/// Lines of a kustomization file that change something, each with its chance.
const FIELDS: [&str; 30] = [
    "namePrefix: p-\n",
    "nameSuffix: -s\n",
    "namespace: there\n",
    "commonLabels: {team: a}\n",
    "labels: [{pairs: {l: \"1\"}}, {pairs: {m: \"2\"}, includeTemplates: true}]\n",
    "labels: [{pairs: {l: \"1\"}, includeSelectors: true, fields: [{path: spec/labels, create: true, kind: Site}]}]\n",
    "commonAnnotations: {owner: me, number: \"5\"}\n",
    "images: [{name: nginx, newTag: \"2\"}, {name: 'registry.example.com:5000/side', newName: side, digest: 'sha256:def'}]\n",
    "images: [{name: nginx, newName: other/nginx, tagSuffix: -x}]\n",
    "replicas: [{name: web, count: 5}]\n",
    "configMapGenerator: [{name: more, literals: [a=b, 'c=\"d\"']}]\n",
    "configMapGenerator: [{name: config, behavior: merge, literals: [k=over]}]\n",
    "secretGenerator: [{name: token, literals: [t=1], type: example.com/token, options: {disableNameSuffixHash: true, labels: {g: \"1\"}, immutable: true}}]\n",
    "generatorOptions: {annotations: {made: here}}\n",
    "patches: [{target: {kind: Deployment, name: web}, patch: '[{\"op\": \"replace\", \"path\": \"/spec/replicas\", \"value\": 7}]'}]\n",
    "patches: [{patch: \"{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {spec: {containers: [{name: main, env: [{name: A, $patch: delete}, {name: N, value: n}]}, {name: new, image: new}]}}}}\"}]\n",
    "patches: [{target: {kind: '.*Set|Deployment', labelSelector: '!none'}, patch: \"{apiVersion: apps/v1, kind: Deployment, metadata: {name: any, annotations: {patched: 'yes'}}, spec: {template: {spec: {volumes: null, nodeSelector: {a: b}}}}}\"}]\n",
    "patches: [{target: {kind: Service}, options: {allowNameChange: true}, patch: \"{apiVersion: v1, kind: Service, metadata: {name: renamed}}\"}]\n",
    "patchesStrategicMerge: [\"{apiVersion: v1, kind: ConfigMap, metadata: {name: odd}, data: {added: 'x', k0: null}}\"]\n",
    "patchesJson6902: [{target: {group: apps, version: v1, kind: Deployment, name: web}, patch: \"- {op: add, path: /metadata/annotations, value: {j: k}}\"}]\n",
    "replacements: [{source: {kind: Service, name: web, fieldPath: spec.ports.0.port}, targets: [{select: {kind: Deployment}, fieldPaths: [spec.replicas], options: {create: true}}]}]\n",
    "replacements: [{source: {kind: Service, name: web}, targets: [{select: {name: web, kind: Deployment}, fieldPaths: ['spec.template.spec.containers.[name=main].image'], options: {delimiter: ':', index: 1}}]}]\n",
    "vars: [{name: SERVICE, objref: {kind: Service, name: web, apiVersion: v1}}]\n",
    "transformers: [\"{apiVersion: builtin, kind: AnnotationsTransformer, metadata: {name: t}, annotations: {by: t}, fieldSpecs: [{path: metadata/annotations, create: true, kind: Service}]}\"]\n",
    "generators: [\"{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: plugged}, literals: [a=1]}\"]\n",
    "configurations: [config.yaml]\n",
    "buildMetadata: [originAnnotations]\n",
    "buildMetadata: [managedByLabel, transformerAnnotations]\n",
    "sortOptions: {order: legacy}\n",
    "nameprefix: odd-case-\n",
];

fn fields(rng: &mut StdRng, share: f64) -> String {
    let mut out = String::new();
    for field in FIELDS.iter().filter(|_| rng.random_bool(share)) {
        let name = field.split(':').next().unwrap_or_default();
        // Of fields in two variants the first stays.
        if !out.lines().any(|line| {
            line.to_lowercase()
                .starts_with(&format!("{}:", name.to_lowercase()))
        }) {
            out.push_str(field);
        }
    }
    out
}

/// Files by path; `over` is what to build.
pub(crate) fn tree(rng: &mut StdRng) -> Vec<(String, String)> {
    let config = "nameReference:\n- {kind: ConfigMap, version: v1, fieldSpecs: [{kind: Site, path: spec/ref/name}]}\nimages: [{kind: Site, path: spec/image}]\n";
    let generators = "configMapGenerator: [{name: config, literals: [k=v]}]\nsecretGenerator: [{name: secret, literals: [p=q]}]\n";
    let mut files = vec![
        ("base/objects.yaml".to_owned(), objects(rng)),
        (
            "base/kustomization.yaml".to_owned(),
            format!(
                "resources: [objects.yaml]\n{generators}{}",
                if rng.random() { "namePrefix: b-\n" } else { "" }
            ),
        ),
    ];
    let mut below = "../base";
    if rng.random_bool(0.3) {
        let middle = format!("resources: [../base]\n{}", fields(rng, 0.06));
        files.push(("middle/kustomization.yaml".to_owned(), middle));
        below = "../middle";
    }
    let mut over = format!("resources: [{below}]\n{}", fields(rng, 0.1));
    if rng.random_bool(0.3) {
        over.push_str("components: [../part]\n");
        let part = fields(rng, 0.06);
        let header = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: []\n";
        files.push(("part/kustomization.yaml".to_owned(), format!("{header}{part}")));
    }
    files.push(("over/kustomization.yaml".to_owned(), over));
    for dir in ["over", "middle", "part"] {
        files.push((format!("{dir}/config.yaml"), config.to_owned()));
    }
    files
}
