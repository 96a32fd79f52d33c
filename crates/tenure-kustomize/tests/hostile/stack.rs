//! Objects and paths deeper than the stack.

use std::fmt::Write as _;

use crate::{OBJECT, limit, one};

#[test]
fn objects_cannot_be_made_deep_by_copying() {
    // Each copies what is there into its own deepest place.
    let mut patch = "    - {op: replace, path: /data, value: {}}\n".to_owned();
    let mut inner = String::new();
    for _ in 0..12 {
        let _ = writeln!(patch, "    - {{op: copy, from: /data, path: /data{inner}/a}}");
        inner = format!("{inner}/a{inner}");
    }
    let error = one(&format!(
        "patches:\n- target: {{kind: ConfigMap}}\n  patch: |\n{patch}"
    ));
    assert!(error.contains("200 levels"), "{error}");
    let moves: String = (0..300).map(|i| format!("    - {{op: add, path: /n, value: {{}}}}\n    - {{op: move, from: /data, path: /n/m{i}}}\n    - {{op: move, from: /n, path: /data}}\n")).collect();
    let error = one(&format!(
        "patches:\n- target: {{kind: ConfigMap}}\n  patch: |\n{moves}"
    ));
    assert!(error.contains("levels"), "{error}");
}

#[test]
fn paths_have_an_end() {
    let long = "a/".repeat(100_000) + "b";
    let dots = "a.".repeat(100_000) + "b";
    let annotations = format!(
        "apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {{name: t}}\nannotations: {{a: b}}\nfieldSpecs: [{{path: {long}, create: true}}]\n"
    );
    let add = format!(
        "apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {{name: t}}\nvalue: x\ntargets: [{{fieldPath: {long}}}]\n"
    );
    let replacement = format!(
        "apiVersion: builtin\nkind: ReplacementTransformer\nmetadata: {{name: t}}\nreplacements: [{{sourceValue: x, targets: [{{select: {{kind: ConfigMap}}, fieldPaths: [{dots}], options: {{create: true}}}}]}}]\n"
    );
    for transformer in [annotations, add, replacement] {
        let error = limit(&[
            ("kustomization.yaml", "resources: [a.yaml]\ntransformers: [t]\n"),
            ("a.yaml", OBJECT),
            ("t", &transformer),
        ]);
        assert!(error.contains("200 levels"), "{error}");
    }
}

#[test]
fn a_long_chain_of_definitions_is_refused() {
    let mut crds =
        "x.Root: {Schema: {properties: {kind: {}, apiVersion: {}, metadata: {}, a: {$ref: d0}}}}\n"
            .to_owned();
    for i in 0..5000 {
        let _ = writeln!(
            crds,
            "d{i}: {{Schema: {{properties: {{a: {{$ref: d{n}}}}}}}}}",
            n = i + 1
        );
    }
    assert!(
        limit(&[
            ("kustomization.yaml", "resources: [a.yaml]\ncrds: [x]\n"),
            ("a.yaml", OBJECT),
            ("x", &crds)
        ])
        .contains("200 levels")
    );
}

#[test]
fn kustomizations_inside_each_other_have_an_end() {
    let files: Vec<(String, String)> = (0..200)
        .map(|i| {
            (
                format!("{}kustomization.yaml", "d/".repeat(i)),
                "resources: [d]\n".to_owned(),
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect();
    assert!(limit(&files).contains("64 nested kustomizations"));
}
