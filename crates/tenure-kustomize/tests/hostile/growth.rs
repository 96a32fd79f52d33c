//! Data that grows by being copied.

use tenure_kustomize::Budget;

use crate::{budget, late, limit, limit_within, many, one};

const MEMORY: &str = "bytes of objects";

#[test]
fn a_patch_that_copies_into_itself_is_stopped() {
    let doubling = "    - {op: add, path: /data/x, value: {}}\n".to_owned()
        + &(0..40).fold(String::new(), |all, i| {
            all + &format!("    - {{op: copy, from: /data, path: /data/x/n{i}}}\n")
        });
    let error = one(&format!(
        "patches:\n- target: {{kind: ConfigMap}}\n  patch: |\n{doubling}"
    ));
    assert!(
        error.starts_with("kustomization.yaml:3:3: patches/0: "),
        "{error}"
    );
    let list = (0..60).fold("    - {op: add, path: /l, value: []}\n".to_owned(), |all, _| {
        all + "    - {op: copy, from: /l, path: /l/-}\n    - {op: copy, from: /l, path: /l/-}\n"
    });
    assert!(
        one(&format!(
            "patches:\n- target: {{kind: ConfigMap}}\n  patch: |\n{list}"
        ))
        .contains("limit of")
    );
}

#[test]
fn replacements_that_multiply_are_stopped() {
    let chain = (0..40).fold("replacements:\n".to_owned(), |all, _| {
        all + "- source: {kind: ConfigMap, fieldPath: data.k}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.k], options: {delimiter: '/', index: -1}}]\n"
    });
    assert!(one(&chain).contains(MEMORY));
    let nested = (0..40).fold("replacements:\n".to_owned(), |all, i| {
        all + &format!("- source: {{kind: ConfigMap, fieldPath: data}}\n  targets: [{{select: {{kind: ConfigMap}}, fieldPaths: [data.n{i}], options: {{create: true}}}}]\n")
    });
    assert!(one(&nested).contains(MEMORY));
}

#[test]
fn a_replacement_inside_of_text_counts() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: 'x: y', big: z}\n";
    let chain = (0..40).fold("resources: [a.yaml]\nreplacements:\n".to_owned(), |all, _| {
        all + "- source: {kind: ConfigMap, fieldPath: data.k}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.k.x]}]\n"
    });
    assert!(limit(&[("kustomization.yaml", &chain), ("a.yaml", text)]).contains(MEMORY));
}

#[test]
fn a_large_value_for_every_object_is_stopped() {
    let big = "x".repeat(64 << 10);
    let objects = many(500);
    for more in [
        format!("commonAnnotations: {{a: {big}}}\n"),
        format!("labels: [{{pairs: {{a: {big}}}}}]\n"),
        format!("namePrefix: {big}\n"),
        format!("namespace: {big}\n"),
        format!(
            "patches:\n- target: {{kind: ConfigMap}}\n  patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {{name: x}}\n    data: {{b: {big}}}\n"
        ),
        format!(
            "patches:\n- target: {{kind: ConfigMap}}\n  patch: |\n    - {{op: add, path: /data/b, value: {big}}}\n"
        ),
        format!(
            "replacements: [{{sourceValue: {big}, targets: [{{select: {{kind: ConfigMap}}, fieldPaths: [data.k]}}]}}]\n"
        ),
    ] {
        let error = limit(&[
            ("kustomization.yaml", &format!("resources: [a.yaml]\n{more}")),
            ("a.yaml", &objects),
        ]);
        assert!(error.contains(MEMORY), "{error}");
    }
}

#[test]
fn variables_that_grow_are_stopped() {
    let uses = "$(V)".repeat(100_000);
    let object = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: a, annotations: {{v: {}}}}}\nspec: {{containers: [{{name: c, command: ['{uses}']}}]}}\n",
        "x".repeat(1000)
    );
    let file = "resources: [a.yaml]\nvars: [{name: V, objref: {apiVersion: v1, kind: Pod, name: a}, fieldref: {fieldPath: 'metadata.annotations.v'}}]\n";
    assert!(limit(&[("kustomization.yaml", file), ("a.yaml", &object)]).contains(MEMORY));
}

#[test]
fn fields_created_in_every_element_are_stopped() {
    let object = format!(
        "apiVersion: v1\nkind: K\nmetadata: {{name: a}}\nl: [{}]\n",
        "{},".repeat(50_000)
    );
    let path = "x/".repeat(150) + "y";
    let file = "resources: [a.yaml]\ntransformers: [t.yaml]\n";
    let transformer = format!(
        "apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {{name: t}}\nannotations: {{a: b}}\nfieldSpecs: [{{path: l/{path}, create: true}}]\n"
    );
    let error = limit(&[
        ("kustomization.yaml", file),
        ("a.yaml", &object),
        ("t.yaml", &transformer),
    ]);
    assert!(error.contains(MEMORY), "{error}");
}

#[test]
fn transformers_of_a_few_bytes_each_count() {
    let labels = (0..2000).fold("labels: [".to_owned(), |all, _| all + "{pairs: {a: b}},") + "]\n";
    assert!(one(&labels).contains("limit of"));
}

#[test]
fn notes_of_every_transformation_are_stopped() {
    let objects = many(300);
    let patches = (0..300).fold("patches:\n".to_owned(), |all, _| {
        all + "- {target: {kind: ConfigMap}, patch: '- {op: add, path: /data/x, value: y}'}\n"
    });
    let file =
        format!("resources: [a.yaml]\nbuildMetadata: [originAnnotations, transformerAnnotations]\n{patches}");
    assert!(late(&[("kustomization.yaml", &file), ("a.yaml", &objects)]).contains("limit of"));
}

#[test]
fn a_little_that_is_indented_a_lot_is_refused() {
    let object = format!(
        "apiVersion: v1\nkind: K\nmetadata: {{name: a}}\nl: {}{}{}\n",
        "[".repeat(110),
        "1,".repeat(10_000),
        "]".repeat(110)
    );
    let tight = Budget {
        memory: 1 << 20,
        ..budget()
    };
    let error = limit_within(
        tight,
        &[
            ("kustomization.yaml", "resources: [a.yaml]\n"),
            ("a.yaml", &object),
        ],
    );
    assert!(error.contains("bytes of output"), "{error}");
}
