//! Files that are too large, too deep or not text.

use std::fmt::Write as _;

use tenure_kustomize::{Budget, MemFs, Options, build};

use crate::{OBJECT, budget, limit, one, within};

fn file(text: &str) -> String {
    limit(&[("kustomization.yaml", "resources: [a.yaml]\n"), ("a.yaml", text)])
}

#[test]
fn aliases_cannot_multiply_nodes_or_texts() {
    let mut bomb = "a0: &a0 [x]\n".to_owned();
    for i in 1..40 {
        let _ = writeln!(bomb, "a{i}: &a{i} [*a{p}, *a{p}, *a{p}]", p = i - 1);
    }
    assert!(file(&bomb).contains("nodes from anchors and aliases"));
    let text = format!(
        "big: &big {}\nall: [{}]\n",
        "x".repeat(1 << 20),
        "*big,".repeat(1000)
    );
    assert!(file(&text).contains("nodes from anchors and aliases"));
    let mut merges = "a0: &a0 {k0: v}\n".to_owned();
    for i in 1..40 {
        let _ = writeln!(
            merges,
            "a{i}: &a{i} {{<<: [*a{p}, *a{p}], x: *a{p}, y: *a{p}}}",
            p = i - 1
        );
    }
    assert!(file(&merges).contains("nodes from anchors and aliases"));
}

#[test]
fn anchors_inside_each_other_keep_one_copy_each_and_that_counts() {
    let open: String = (0..100).map(|i| format!("&a{i} [")).collect();
    let text = format!("{open}{}{}\n", "x,".repeat(20_000), "]".repeat(100));
    assert!(file(&text).contains("nodes from anchors and aliases"));
}

#[test]
fn a_long_list_takes_more_memory_than_text() {
    let text = format!(
        "apiVersion: v1\nkind: K\nmetadata: {{name: a}}\nl: [{}]\n",
        "1,".repeat(80_000)
    );
    assert!(file(&text).contains("bytes of objects"));
    let entries = format!("resources: [{}]\n", "a,".repeat(80_000));
    assert!(limit(&[("kustomization.yaml", &entries)]).contains("bytes of objects"));
}

#[test]
fn deep_nesting_is_refused_wherever_it_stands() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let maps = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for text in [&deep, &maps] {
        for files in [
            [("kustomization.yaml", "resources: [x]"), ("x", text.as_str())],
            [
                ("kustomization.yaml", "resources: [a.yaml]\npatches: [{path: x}]"),
                ("x", text),
            ],
            [
                (
                    "kustomization.yaml",
                    "resources: [a.yaml]\nreplacements: [{path: x}]",
                ),
                ("x", text),
            ],
            [
                ("kustomization.yaml", "resources: [a.yaml]\nconfigurations: [x]"),
                ("x", text),
            ],
            [
                ("kustomization.yaml", "resources: [a.yaml]\ncrds: [x]"),
                ("x", text),
            ],
            [
                ("kustomization.yaml", "resources: [a.yaml]\nopenapi: {path: x}"),
                ("x", text),
            ],
            [("kustomization.yaml", text), ("x", "")],
        ] {
            let all = [files[0], files[1], ("a.yaml", OBJECT)];
            assert!(within(budget(), &all).is_err());
        }
    }
}

#[test]
fn what_is_no_text_is_an_error_and_no_panic() {
    let files: [&[u8]; 7] = [
        b"\xff\xfe\x00a",
        b"\xef\xbb\xbf",
        b"\0",
        b"a: \0\n",
        b"\xef\xbb\xbf\xef\xbb\xbfa: b",
        b"a: \xed\xa0\x80",
        b"%YAML 9.9\n---\n\x80",
    ];
    for bytes in files {
        let fs = MemFs::new([
            ("kustomization.yaml", b"resources: [x]".to_vec()),
            ("x", bytes.to_vec()),
            ("k/kustomization.yaml", bytes.to_vec()),
        ]);
        assert!(build(&fs, "k", &Options::default()).is_err());
        let _ = build(&fs, ".", &Options::default());
    }
}

#[test]
fn messages_stay_short_whatever_they_are_about() {
    let big = "x".repeat(1 << 20);
    let object = format!("apiVersion: v1\nkind: K\nmetadata: {{name: {big}}}\n");
    let twice = format!("{object}---\n{object}");
    let key = format!("{big}: 1\n{big}: 2\n");
    for (kustomization, file) in [
        ("resources: [x]", twice.as_str()),
        ("resources: [x]", &key),
        (&format!("resources: [{big}]"), ""),
        (&format!("{big}: [1]"), ""),
        (
            &format!("resources: [a.yaml]\npatches: [{{target: {{name: '({big}'}}, patch: '[]'}}]"),
            "",
        ),
        (&format!("resources: [a.yaml]\nimages: [{{name: '({big}'}}]"), ""),
        (
            &format!("resources: [a.yaml]\npatches: [{{target: {{labelSelector: '({big}'}}, patch: '[]'}}]"),
            "",
        ),
    ] {
        let files = [
            ("kustomization.yaml", kustomization),
            ("x", file),
            ("a.yaml", OBJECT),
        ];
        let error = within(
            Budget {
                memory: 64 << 20,
                ..budget()
            },
            &files,
        )
        .expect_err("each is wrong")
        .to_string();
        assert!(error.len() < 3000, "{} bytes: {}", error.len(), &error[..200]);
    }
}

#[test]
fn many_objects_end_where_the_limit_is() {
    let items = "{kind: K, metadata: {name: a}},".repeat(3000);
    let list = format!("kind: List\nitems: [{items}]\n");
    let few = Budget {
        objects: 100,
        ..budget()
    };
    let error = within(few, &[("kustomization.yaml", "resources: [x]"), ("x", &list)]).expect_err("too many");
    assert!(error.to_string().contains("100 objects"), "{error}");
    let text: String = (0..5000)
        .map(|i| format!("- {{name: g{i}, literals: [a=b]}}\n"))
        .collect();
    assert!(one(&format!("configMapGenerator:\n{text}")).contains("limit of"));
}
