//! Trees that go round in circles, and work that grows with the square of the input or faster.

use std::fmt::Write as _;

use crate::{OBJECT, late, limit, many, one, within};

#[test]
fn cycles_are_found_through_every_field() {
    for field in ["resources", "generators", "transformers", "validators"] {
        let (a, b) = (format!("{field}: [b]\n"), format!("{field}: [..]\n"));
        let error = within(
            crate::budget(),
            &[("kustomization.yaml", &a), ("b/kustomization.yaml", &b)],
        )
        .expect_err("a cycle");
        assert!(error.to_string().contains("includes itself"), "{field}: {error}");
    }
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncomponents: [../c]\n";
    let error = within(
        crate::budget(),
        &[
            ("kustomization.yaml", "components: [c]\n"),
            ("c/kustomization.yaml", component),
        ],
    )
    .expect_err("a cycle");
    assert!(error.to_string().contains("includes itself"), "{error}");
}

#[test]
fn bases_that_fan_out_are_stopped() {
    let mut files = vec![("kustomization.yaml".to_owned(), "resources: [d0/]\n".to_owned())];
    for i in 0..30 {
        let entries = format!("../d{},", i + 1).repeat(8);
        files.push((
            format!("d{i}/kustomization.yaml"),
            format!("resources: [{entries}]\n"),
        ));
    }
    files.push(("d30/kustomization.yaml".to_owned(), "namePrefix: x\n".to_owned()));
    let files: Vec<(&str, &str)> = files.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect();
    assert!(late(&files).contains("limit of"));
}

#[test]
fn one_directory_named_over_and_over_is_stopped() {
    let entries = "d,".repeat(30_000);
    let error = late(&[
        ("kustomization.yaml", &format!("resources: [{entries}]\n")),
        ("d/kustomization.yaml", "namePrefix: x\n"),
    ]);
    assert!(error.contains("limit of"), "{error}");
}

#[test]
fn definitions_that_refer_to_each_other_in_every_way_are_stopped() {
    let mut crds =
        "x.Root: {Schema: {properties: {kind: {}, apiVersion: {}, metadata: {}, a: {$ref: d0}}}}\n"
            .to_owned();
    for i in 0..60 {
        let _ = writeln!(
            crds,
            "d{i}: {{Schema: {{properties: {{a: {{$ref: d{n}}}, b: {{$ref: d{n}}}}}}}}}",
            n = i + 1
        );
    }
    assert!(
        late(&[
            ("kustomization.yaml", "resources: [a.yaml]\ncrds: [x]\n"),
            ("a.yaml", OBJECT),
            ("x", &crds)
        ])
        .contains("milliseconds")
    );
}

#[test]
fn schemas_that_refer_to_themselves_end() {
    let schema = r##"{"definitions": {
        "a": {"$ref": "#/definitions/b", "x-kubernetes-group-version-kind": [{"version": "v1", "kind": "ConfigMap"}]},
        "b": {"$ref": "#/definitions/a"},
        "c": {"properties": {"c": {"$ref": "#/definitions/c"}}}}}"##;
    let files = [
        (
            "kustomization.yaml",
            "resources: [a.yaml]\nopenapi: {path: x}\npatches: [{patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: w}}'}]\n",
        ),
        ("a.yaml", OBJECT),
        ("x", schema),
    ];
    assert_eq!(
        within(crate::budget(), &files).expect("a schema without an end is none"),
        1
    );
}

#[test]
fn field_specifications_are_counted() {
    let mut specs = "commonLabels:\n".to_owned();
    for i in 0..6000 {
        let _ = writeln!(specs, "- {{path: a/b{i}}}");
    }
    assert!(
        limit(&[
            ("kustomization.yaml", "resources: [a.yaml]\nconfigurations: [x]\n"),
            ("a.yaml", OBJECT),
            ("x", &specs)
        ])
        .contains("5000 field specifications")
    );
}

#[test]
fn time_ends_inside_of_the_long_steps() {
    let objects = many(2000);
    let patch = "- {target: {kind: ConfigMap, name: 'x.*'}, patch: '- {op: add, path: /data/x, value: y}'}\n";
    let image = "- {name: x, newTag: z}\n";
    let replacement = "- {sourceValue: v, targets: [{select: {kind: ConfigMap}, fieldPaths: [data.k]}]}\n";
    let var = "- {name: V, objref: {apiVersion: v1, kind: ConfigMap, name: zz}}\n";
    let variables: String = (0..5000)
        .map(|i| var.replace("name: V", &format!("name: V{i}")))
        .collect();
    for more in [
        format!("patches:\n{}", patch.repeat(1000)),
        format!("images:\n{}", image.repeat(1000)),
        format!("replacements:\n{}", replacement.repeat(1000)),
        format!("vars:\n{variables}"),
    ] {
        let error = late(&[
            ("kustomization.yaml", &format!("resources: [a.yaml]\n{more}")),
            ("a.yaml", &objects),
        ]);
        assert!(error.contains("milliseconds"), "{error}");
    }
}

#[test]
fn generators_that_merge_again_and_again_are_stopped() {
    let big = "x".repeat(100_000);
    let mut text = format!("configMapGenerator:\n- {{name: g, literals: ['b={big}']}}\n");
    for i in 0..5000 {
        let _ = writeln!(text, "- {{name: g, behavior: merge, literals: [k{i}=v]}}");
    }
    assert!(one(&text).contains("limit of"));
}

#[test]
fn references_among_objects_that_once_had_one_name_are_stopped() {
    let mut files = vec![("kustomization.yaml".to_owned(), String::new())];
    let mut entries = String::new();
    for i in 0..1500 {
        let _ = write!(entries, "d{i},");
        files.push((
            format!("d{i}/kustomization.yaml"),
            format!("namePrefix: p{i}-\nresources: [../a.yaml, ../b.yaml]\n"),
        ));
    }
    files[0].1 = format!("resources: [{entries}]\n");
    files.push(("a.yaml".to_owned(), OBJECT.to_owned()));
    let volumes = "{configMap: {name: a}},".repeat(20);
    files.push((
        "b.yaml".to_owned(),
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{volumes: [{volumes}]}}\n"),
    ));
    let fs = tenure_kustomize::MemFs::new(files);
    let options = tenure_kustomize::Options {
        budget: tenure_kustomize::Budget {
            time: std::time::Duration::from_millis(100),
            ..tenure_kustomize::Budget::default()
        },
        restriction: tenure_kustomize::LoadRestriction::None,
        ..tenure_kustomize::Options::default()
    };
    let started = std::time::Instant::now();
    let error = tenure_kustomize::build(&fs, ".", &options).expect_err("it takes too long");
    assert!(error.to_string().contains("limit of"), "{error}");
    assert!(started.elapsed().as_secs() < 30);
}
