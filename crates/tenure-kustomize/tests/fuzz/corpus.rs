//! The trees to start from: the stored cases, which use every field, and some of Flux's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Paths and contents.
pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

const OVER: &str = "resources: [../base]\nnamespace: n\nnamePrefix: p-\nlabels: [{pairs: {a: b}, includeSelectors: true}]\nimages: [{name: i, newTag: '2'}]\nreplicas: [{name: d, count: 3}]\ncomponents: [../c]\npatches: [{path: p.yaml}, {target: {kind: Deployment}, patch: '[{op: copy, from: /metadata, path: /spec/x}]'}]\n";
const BASE: &str = "resources: [d.yaml]\nconfigMapGenerator: [{name: g, literals: [a=b], files: [data.txt], envs: [e.env]}]\nsecretGenerator: [{name: s, literals: ['k=${A}']}]\ngeneratorOptions: {labels: {x: y}}\nvars: [{name: V, objref: {apiVersion: apps/v1, kind: Deployment, name: d}}]\n";
const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, annotations: {v: $(V), s: '${A:-x}'}}\nspec:\n  replicas: 1\n  selector: {matchLabels: {a: x}}\n  template:\n    metadata: {labels: {a: x}}\n    spec:\n      containers:\n      - {name: c, image: 'i:1', command: [$(V), '${A}'], env: [{name: E, valueFrom: {configMapKeyRef: {name: g, key: a}}}]}\n      volumes: [{name: v, secret: {secretName: s}}]\n";
const COMPONENT: &str = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nreplacements: [{source: {kind: Deployment, name: d, fieldPath: spec.replicas}, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.r], options: {create: true}}]}]\ntransformers: ['{apiVersion: builtin, kind: AnnotationsTransformer, metadata: {name: t}, annotations: {k: v}, fieldSpecs: [{path: metadata/annotations, create: true}]}']\n";

pub(crate) fn trees() -> Vec<Tree> {
    let own = [
        ("over/kustomization.yaml", OVER),
        (
            "over/p.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: [{name: c, args: [x]}, {name: e, $patch: delete}]}}}\n",
        ),
        ("base/kustomization.yaml", BASE),
        ("base/d.yaml", DEPLOYMENT),
        ("base/data.txt", "text\n"),
        ("base/e.env", "# a comment\nK=v\nL\n"),
        ("c/kustomization.yaml", COMPONENT),
        ("plain/a.yaml", DEPLOYMENT),
        (
            "plain/deep/b.yml",
            "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}]\n",
        ),
    ];
    let mut trees = vec![
        own.iter()
            .map(|(p, c)| ((*p).to_owned(), c.as_bytes().to_vec()))
            .collect(),
    ];
    let dir = Path::new("tests/cases");
    let mut cases: Vec<_> = fs::read_dir(dir)
        .expect("the cases")
        .map(|e| e.expect("a case").path())
        .collect();
    cases.sort();
    trees.extend(
        cases
            .iter()
            .map(|path| case(&fs::read_to_string(path).expect("a readable case"))),
    );
    trees
}

/// The files of a stored case; its last part is what it comes to.
fn case(text: &str) -> Tree {
    let mut tree = Tree::new();
    let parts: Vec<&str> = format!("\n{text}").leak().split("\n-- ").skip(1).collect();
    for part in parts.iter().take(parts.len().saturating_sub(1)) {
        let (name, content) = part.split_once(" --\n").expect("a header ends its line");
        tree.insert(name.to_owned(), format!("{content}\n").into_bytes());
    }
    tree
}

pub(crate) fn shown(tree: &Tree) -> String {
    let file = |(path, content): (&String, &Vec<u8>)| {
        format!("-- {path} --\n{}\n", String::from_utf8_lossy(content))
    };
    tree.iter().map(file).collect()
}
