//! What the fields of a kustomization file do.

use serde_json::{Value, json};
use tenure_kustomize::{Budget, MemFs, Options, build};

fn objects(files: &[(&str, &str)], dir: &str) -> Result<Vec<Value>, String> {
    build(&MemFs::new(files.iter().copied()), dir, &Options::default())
        .map(|b| b.objects.into_vec())
        .map_err(|e| e.to_string())
}

/// One Deployment patched with `patch`, as its pod spec.
fn pod(patch: &str) -> Result<Value, String> {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: [{name: a, image: x, env: [{name: A, value: '1'}]}, {name: b, image: y}], volumes: [{name: v, emptyDir: {}}]}}}\n";
    let patch = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec: {{template: {{spec: {patch}}}}}\n"
    );
    let built = objects(
        &[
            (
                "kustomization.yaml",
                "resources: [d.yaml]\npatches: [{path: p.yaml}]\n",
            ),
            ("d.yaml", deployment),
            ("p.yaml", &patch),
        ],
        ".",
    )?;
    Ok(built[0]["spec"]["template"]["spec"].clone())
}

#[test]
fn lists_with_a_merge_key_are_joined_and_others_replaced() {
    let merged = pod("{containers: [{name: b, image: z}, {name: new, image: n}]}").expect("merges");
    let names: Vec<&Value> = merged["containers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|c| &c["name"])
        .collect();
    assert_eq!(names, ["b", "new", "a"]);
    assert_eq!(merged["containers"][0], json!({"name": "b", "image": "z"}));
    let args = pod("{containers: [{name: a, args: [x]}]}").expect("merges");
    assert_eq!(
        args["containers"][0],
        json!({"name": "a", "image": "x", "env": [{"name": "A", "value": "1"}], "args": ["x"]})
    );
}

#[test]
fn directives_delete_and_replace_and_others_are_data() {
    assert_eq!(
        pod("{containers: [{name: a, $patch: delete}]}").expect("deletes")["containers"],
        json!([{"name": "b", "image": "y"}])
    );
    assert_eq!(
        pod("{containers: [{$patch: replace}, {name: c}]}").expect("replaces")["containers"],
        json!([{"name": "c"}])
    );
    assert_eq!(
        pod("{$patch: replace, hostNetwork: true}"),
        Ok(json!({"hostNetwork": true}))
    );
    assert_eq!(pod("{volumes: null}").expect("removes").get("volumes"), None);
    // The tool knows no other directives: they stay in the object as they are.
    let patch = "{$retainKeys: [x], $setElementOrder/containers: [{name: b}, {name: a}]}";
    let kept = pod(patch).expect("merges");
    assert_eq!(kept["containers"][0]["name"], "a");
    assert_eq!(kept["$retainKeys"], json!(["x"]));
    assert_eq!(kept["$setElementOrder/containers"][0]["name"], "b");
    assert!(
        pod("{$patch: explode}")
            .expect_err("unknown")
            .contains("unknown $patch directive")
    );
}

#[test]
fn a_patch_must_find_its_object_unless_it_selects() {
    let files = |patch: &'static str| {
        [
            ("kustomization.yaml", patch),
            (
                "c.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: abc, labels: {tier: x}}\n",
            ),
        ]
    };
    let miss = objects(
        &files(
            "resources: [c.yaml]\npatches:\n- patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: zzz}}'\n",
        ),
        ".",
    );
    assert_eq!(
        miss,
        Err("kustomization.yaml:3:3: patches/0: no object matches the patch for ConfigMap zzz".into())
    );
    let by = |target: &str| {
        let text = format!(
            "resources: [c.yaml]\npatches:\n- patch: '- {{op: add, path: /data, value: {{hit: x}}}}'\n  target: {target}\n"
        );
        objects(
            &[
                ("kustomization.yaml", &text),
                (
                    "c.yaml",
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: abc, labels: {tier: x}}\n",
                ),
            ],
            ".",
        )
        .map(|o| o[0].get("data").is_some())
    };
    assert_eq!(by("{name: ab}"), Ok(false), "patterns are anchored");
    assert_eq!(by("{name: ab.*}"), Ok(true));
    assert_eq!(by("{labelSelector: 'tier in (x, y),!gone'}"), Ok(true));
    assert_eq!(by("{labelSelector: tier!=x}"), Ok(false));
    assert!(
        by("{name: '(a{1000}){1000}'}").is_err(),
        "the size of patterns is bounded"
    );
}

#[test]
fn references_follow_names_through_prefix_namespace_and_hash() {
    let files = [
        (
            "base/kustomization.yaml",
            "namePrefix: p-\nnamespace: ns\nresources: [all.yaml]\nconfigMapGenerator: [{name: cfg, literals: [a=b]}]\n",
        ),
        (
            "base/all.yaml",
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: rb, namespace: old}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}\nsubjects: [{kind: ServiceAccount, name: sa}, {kind: ServiceAccount, name: default}, {kind: User, name: sa}]\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: pod}\nspec: {serviceAccountName: sa, containers: [{name: c, envFrom: [{configMapRef: {name: cfg}}]}]}\n",
        ),
        (
            "over/kustomization.yaml",
            "nameSuffix: -s\nresources: [../base]\n",
        ),
    ];
    let built = objects(&files, "over").expect("builds");
    let binding = &built[2];
    // Any subject of an account's name is taken for it, whatever its kind: so has the tool it.
    assert_eq!(binding["roleRef"]["name"], "p-r-s");
    assert_eq!(
        binding["subjects"],
        json!([{"kind": "ServiceAccount", "name": "p-sa-s", "namespace": "ns"}, {"kind": "ServiceAccount", "name": "default", "namespace": "ns"}, {"kind": "User", "name": "p-sa-s", "namespace": "ns"}])
    );
    assert_eq!(built[3]["spec"]["serviceAccountName"], "p-sa-s");
    let config = built[4]["metadata"]["name"].as_str().expect("a name");
    assert!(
        config.starts_with("p-cfg-s-") && config.len() == "p-cfg-s-".len() + 10,
        "{config}"
    );
    assert_eq!(
        built[3]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"],
        config
    );
}

#[test]
fn a_hash_depends_on_the_content_and_not_on_the_name() {
    let name = |generator: &str, prefix: &str| {
        let text = format!("namePrefix: '{prefix}'\n{generator}");
        let built = objects(&[("kustomization.yaml", &text)], ".").expect("builds");
        built[0]["metadata"]["name"]
            .as_str()
            .and_then(|n| n.rsplit('-').next())
            .map(str::to_owned)
    };
    let one = name("configMapGenerator: [{name: a, literals: [k=v]}]\n", "");
    assert_eq!(
        one,
        name("configMapGenerator: [{name: b, literals: ['k=\"v\"']}]\n", "x-")
    );
    assert_ne!(
        one,
        name("configMapGenerator: [{name: a, literals: [k=w]}]\n", "")
    );
    assert_eq!(
        name(
            "secretGenerator: [{name: plain, options: {disableNameSuffixHash: true}}]\n",
            ""
        ),
        Some("plain".into())
    );
}

#[test]
fn labels_reach_selectors_only_if_asked_to() {
    let built = |extra: &str| {
        let text = format!("resources: [d.yaml]\nlabels:\n- pairs: {{a: b}}\n{extra}");
        objects(
            &[
                ("kustomization.yaml", &text),
                (
                    "d.yaml",
                    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n",
                ),
            ],
            ".",
        )
        .expect("builds")
        .remove(0)
    };
    let path = |v: &Value, p: &str| v.pointer(p).is_some();
    let (meta, selector, template) = (
        "/metadata/labels/a",
        "/spec/selector/matchLabels/a",
        "/spec/template/metadata/labels/a",
    );
    for (extra, want) in [
        ("", [true, false, false]),
        ("  includeTemplates: true\n", [true, false, true]),
        ("  includeSelectors: true\n", [true, true, true]),
    ] {
        let object = built(extra);
        assert_eq!(
            [
                path(&object, meta),
                path(&object, selector),
                path(&object, template)
            ],
            want,
            "{extra}"
        );
    }
}

#[test]
fn two_objects_of_one_identity_are_refused() {
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let error = objects(
        &[
            ("kustomization.yaml", "resources: [a.yaml, b.yaml]\n"),
            ("a.yaml", object),
            ("b.yaml", object),
        ],
        ".",
    );
    assert_eq!(
        error,
        Err(
            "kustomization.yaml:1:21: resources/1: ConfigMap a is defined twice, in a.yaml and in b.yaml"
                .into()
        )
    );
}

#[test]
fn budgets_end_a_build() {
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
    let fs = MemFs::new([
        ("kustomization.yaml", "resources: [a.yaml]\n"),
        ("a.yaml", object),
    ]);
    let fails = |budget| {
        build(
            &fs,
            ".",
            &Options {
                budget,
                ..Options::default()
            },
        )
        .map(|_| ())
        .map_err(|e| e.to_string())
    };
    assert_eq!(fails(Budget::default()), Ok(()));
    for (budget, what) in [
        (
            Budget {
                objects: 1,
                ..Budget::default()
            },
            "objects",
        ),
        (
            Budget {
                bytes: 50,
                ..Budget::default()
            },
            "bytes",
        ),
        (
            Budget {
                files: 2,
                ..Budget::default()
            },
            "files",
        ),
        (
            Budget {
                depth: 0,
                ..Budget::default()
            },
            "nested kustomizations",
        ),
    ] {
        assert!(fails(budget).expect_err(what).contains(what));
    }
}

#[test]
fn a_generator_needs_keys() {
    for bad in [
        "literals: ['=b']",
        "literals: [b]",
        "files: ['=a.txt']",
        "files: [gone.txt]",
        "envs: [bad.env]",
    ] {
        let text = format!("secretGenerator: [{{name: s, {bad}}}]\n");
        let built = objects(
            &[
                ("kustomization.yaml", &text),
                ("a.txt", "x"),
                ("bad.env", "a b=hunter2\n"),
            ],
            ".",
        );
        let error = built.expect_err(bad);
        assert!(
            error.starts_with("kustomization.yaml:1:19: secretGenerator/0: ") && !error.contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn keys_that_the_tool_cannot_read_again_are_refused() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let noted = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {'1': x}}\n";
    let quoted =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {'1': x}}\ndata: {'true': x}\n";
    let cases = [
        (
            "configMapGenerator: [{name: g, literals: ['1=a']}]\n",
            map,
            "configMapGenerator/0",
        ),
        (
            "secretGenerator: [{name: g, literals: [true=a]}]\n",
            map,
            "secretGenerator/0",
        ),
        ("commonLabels: {'1.5': x}\n", map, "commonLabels"),
        ("commonLabels: {y: x}\n", map, "\"true\""),
        ("labels: [{pairs: {'2001-01-01': x}}]\n", map, "labels/0"),
        ("", noted, "annotations of ConfigMap a"),
    ];
    for (fields, manifest, said) in cases {
        let file = format!("resources: [a.yaml]\n{fields}");
        let error = objects(&[("kustomization.yaml", &file), ("a.yaml", manifest)], ".");
        let error = error.expect_err(fields);
        assert!(
            error.contains(said) && error.contains("is not read as a string"),
            "{error}"
        );
    }
    // In quotes from the start they stay in quotes.
    objects(
        &[
            ("kustomization.yaml", "resources: [a.yaml]\n"),
            ("a.yaml", quoted),
        ],
        ".",
    )
    .expect("builds");
}

#[test]
fn configurations_and_kustomizations_have_no_unknown_fields() {
    let cases = [
        ("foo: bar\n", "foo: unknown field"),
        ("images: [{path: x, foo: bar}]\n", "images: unknown field \"foo\""),
        (
            "nameReference: [{kind: A, foo: b}]\n",
            "nameReference: unknown field",
        ),
        ("images: []\nimages: []\n", "images"),
    ];
    for (config, said) in cases {
        let files = [
            ("kustomization.yaml", "configurations: [c.yaml]\n"),
            ("c.yaml", config),
        ];
        let error = objects(&files, ".").expect_err(config);
        assert!(error.starts_with("c.yaml") && error.contains(said), "{error}");
    }
    let error = objects(&[("kustomization.yaml", "resources: []\ninventory: {}\n")], ".");
    assert!(error.expect_err("unknown").contains("inventory: unknown field"));
    objects(&[("kustomization.yaml", "namePrefix: a\nhelmCharts: []\n")], ".").expect("empty and known");
}
