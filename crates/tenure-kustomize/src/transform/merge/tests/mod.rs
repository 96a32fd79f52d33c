mod lists;

use serde_json::Value;

use super::{for_selected, object};
use crate::Budget;
use crate::meter::Meter;
use crate::schema::Schemas;

fn yaml(text: &str) -> Value {
    tenure_yaml::parse_one(text.as_bytes(), &tenure_yaml::Options::kustomize()).expect("the test is YAML")
}

const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: ";
const SERVICE: &str = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: ";
const CUSTOM: &str = "{apiVersion: x.io/v1, kind: Foo, metadata: {name: a}, spec: ";

/// What is left of `spec`, or the error.
fn merge(head: &str, target: &str, patch: &str) -> Result<Value, String> {
    let whole = |spec: &str| yaml(&format!("{head}{spec}}}"));
    let merged = object(
        &Schemas::default(),
        whole(target),
        whole(patch),
        &[],
        &Meter::new(Budget::default()),
    );
    let left = merged.map_err(|e| e.to_string())?.expect("the object stays");
    Ok(left.get("spec").cloned().unwrap_or_default())
}

/// Each row: what it shows, the target's spec, the patch's, and what the real tool made of them.
type Rows<'a> = &'a [(&'a str, &'a str, &'a str, &'a str)];

fn check(head: &str, rows: Rows<'_>) {
    for (what, target, patch, want) in rows {
        let got = merge(head, target, patch);
        assert_eq!(got, Ok(yaml(want)), "{what}: {target} with {patch}");
    }
}

fn refused(head: &str, rows: Rows<'_>) {
    for (what, target, patch, want) in rows {
        let got = merge(head, target, patch);
        assert!(
            got.as_ref().is_err_and(|e| e.contains(want)),
            "{what}: {got:?}, not {want:?}"
        );
    }
}

#[test]
fn mappings() {
    check(
        CUSTOM,
        &[
            (
                "fields are added and replaced",
                "{a: 1, b: {c: 2}}",
                "{b: {c: 3, d: 4}, e: 5}",
                "{a: 1, b: {c: 3, d: 4}, e: 5}",
            ),
            (
                "null takes a field away",
                "{a: 1, b: {c: 2, d: 3}}",
                "{a: null, b: {c: null}}",
                "{b: {d: 3}}",
            ),
            (
                "null takes a mapping away",
                "{a: 1, b: {c: 2}}",
                "{b: null}",
                "{a: 1}",
            ),
            (
                "null for nothing is nothing",
                "{a: 1}",
                "{b: null, c: {d: null}}",
                "{a: 1, c: {}}",
            ),
            (
                "a null of the target stays",
                "{a: null, b: {c: null}}",
                "{b: {d: 1}}",
                "{a: null, b: {c: null, d: 1}}",
            ),
            (
                "a null of the target is filled",
                "{a: null}",
                "{a: {b: 1}}",
                "{a: {b: 1}}",
            ),
            (
                "an empty mapping changes nothing",
                "{a: {b: 1}}",
                "{a: {}}",
                "{a: {b: 1}}",
            ),
            ("an empty mapping is added", "{a: 1}", "{b: {}}", "{a: 1, b: {}}"),
            (
                "delete",
                "{a: 1, b: {c: 2}}",
                "{b: {$patch: delete, d: 1}}",
                "{a: 1}",
            ),
            (
                "delete of nothing",
                "{a: 1}",
                "{b: {$patch: delete, d: 1}}",
                "{a: 1}",
            ),
            (
                "replace",
                "{a: 1, b: {c: 2}}",
                "{b: {$patch: replace, d: {e: 1, f: null}}}",
                "{a: 1, b: {d: {e: 1}}}",
            ),
            (
                "replace of nothing",
                "{a: 1}",
                "{b: {$patch: replace, d: 1}}",
                "{a: 1, b: {d: 1}}",
            ),
            (
                "merge",
                "{b: {c: 2}}",
                "{b: {$patch: merge, d: 1}}",
                "{b: {c: 2, d: 1}}",
            ),
            (
                "directives in what is added",
                "{a: 1}",
                "{b: {c: {$patch: delete}, d: {$patch: replace, e: 1}}}",
                "{a: 1, b: {d: {e: 1}}}",
            ),
            (
                "an unknown directive for nothing is data",
                "{a: 1}",
                "{b: {$patch: foo, c: 1}}",
                "{a: 1, b: {$patch: foo, c: 1}}",
            ),
            (
                "other directives are data",
                "{a: 1, b: 2}",
                "{$retainKeys: [a], $setElementOrder/c: [x], $deleteFromPrimitiveList/d: [y]}",
                "{a: 1, b: 2, $retainKeys: [a], $setElementOrder/c: [x], $deleteFromPrimitiveList/d: [y]}",
            ),
        ],
    );
    refused(
        CUSTOM,
        &[
            (
                "unknown directive",
                "{b: {c: 1}}",
                "{b: {$patch: foo}}",
                "spec.b: unknown $patch directive \"foo\"",
            ),
            (
                "unknown inside of what is added",
                "{}",
                "{b: {c: {$patch: foo}}}",
                "spec.b.c: unknown $patch",
            ),
            (
                "no text",
                "{b: {c: 1}}",
                "{b: {$patch: null}}",
                "spec.b: unknown $patch directive null",
            ),
            (
                "scalar for mapping",
                "{a: {b: 1}}",
                "{a: 1}",
                "spec.a: the patch has a scalar where the object has a mapping",
            ),
            (
                "list for scalar",
                "{a: 1}",
                "{a: []}",
                "spec.a: the patch has a list where the object has a scalar",
            ),
        ],
    );
}

#[test]
fn new_fields_come_last_and_sorted() {
    let merged = merge(CUSTOM, "{z: 1, y: 2, x: 3}", "{d: 1, y: 9, c: 1, z: null}").expect("it merges");
    let names: Vec<&String> = merged.as_object().expect("a mapping").keys().collect();
    assert_eq!(names, ["y", "x", "c", "d"]);
}

#[test]
fn scalars() {
    check(
        CUSTOM,
        &[
            ("a number for a word", "{a: abc}", "{a: 5}", "{a: 5}"),
            ("a word for a number", "{a: 5}", "{a: abc}", "{a: abc}"),
            ("a quoted number for a number", "{a: 5}", "{a: '6'}", "{a: '6'}"),
            (
                "what was quoted stays a string",
                "{a: '5', b: 'true', c: '', d: 'null'}",
                "{a: 6, b: false, c: 1, d: 2}",
                "{a: '6', b: 'false', c: '1', d: '2'}",
            ),
        ],
    );
}

#[test]
fn whole_objects() {
    let merge = |target: &str, patch: &str| {
        object(
            &Schemas::default(),
            yaml(target),
            yaml(patch),
            &[],
            &Meter::new(Budget::default()),
        )
    };
    let pod = |spec: &str| format!("{{apiVersion: v1, kind: Pod, spec: {spec}}}");
    let gone = merge(&pod("{}"), "{$patch: delete}").expect("it merges");
    assert_eq!(gone, None);
    let replaced = merge(&pod("{a: 1}"), "{$patch: replace, kind: X, spec: {b: 2}}").expect("it merges");
    assert_eq!(
        replaced,
        Some(yaml(&pod("{a: 1}"))),
        "a whole object is not replaced"
    );
    // A patch needs no kind, and where the target's is not known, the patch's is taken.
    let containers = |name: &str| format!("{{containers: [{{name: {name}}}]}}");
    let want = yaml("[{name: b}, {name: a}]");
    let known = merge(&pod(&containers("a")), &format!("{{spec: {}}}", containers("b")));
    let target = format!("{{apiVersion: x.io/v1, kind: Pod, spec: {}}}", containers("a"));
    let unknown = merge(&target, &pod(&containers("b")));
    for merged in [known, unknown] {
        let merged = merged.expect("it merges").expect("the object stays");
        assert_eq!(merged.pointer("/spec/containers"), Some(&want));
    }
}

#[test]
fn labels_and_annotations_of_a_patch_that_selects_are_texts() {
    for (what, patch, want) in [
        (
            "scalars",
            "{labels: {a: null, b: 5, c: true, $patch: replace}, name: n}",
            "{name: n, labels: {a: 'null', b: '5', c: 'true', $patch: replace}}",
        ),
        (
            "collections",
            "{annotations: {a: [1], b: {}}}",
            "{annotations: {a: '', b: ''}}",
        ),
        ("nothing", "{labels: {}, annotations: null, name: n}", "{name: n}"),
    ] {
        let whole = |metadata: &str| yaml(&format!("{{metadata: {metadata}, data: {{a: null}}}}"));
        assert_eq!(for_selected(&whole(patch)), whole(want), "{what}");
    }
}
