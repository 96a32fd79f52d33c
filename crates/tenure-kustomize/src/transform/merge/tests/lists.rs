use serde_json::Value;

use super::{CUSTOM, POD, SERVICE, check, merge, object, refused, yaml};
use crate::Budget;
use crate::meter::Meter;
use crate::schema::Schemas;

#[test]
fn lists_that_do_not_merge() {
    check(
        CUSTOM,
        &[
            (
                "the patch's list",
                "{a: [{name: x}, 2]}",
                "{a: [{name: y}]}",
                "{a: [{name: y}]}",
            ),
            (
                "as it is",
                "{a: [1]}",
                "{a: [null, {$patch: delete, b: null}, {$patch: replace}]}",
                "{a: [null, {$patch: delete, b: null}, {$patch: replace}]}",
            ),
            (
                "as it is where there was none",
                "{}",
                "{a: [null, {$patch: replace, b: null}]}",
                "{a: [null, {$patch: replace, b: null}]}",
            ),
            ("empty", "{a: [1]}", "{a: []}", "{a: []}"),
            ("null", "{a: [1], b: 2}", "{a: null}", "{b: 2}"),
            ("lists of lists", "{a: [[1], [2]]}", "{a: [[3]]}", "{a: [[3]]}"),
            (
                "an object inside brings its schema along",
                "{a: {apiVersion: v1, kind: Pod, spec: {containers: [{name: x}]}}}",
                "{a: {spec: {containers: [{name: y}]}}}",
                "{a: {apiVersion: v1, kind: Pod, spec: {containers: [{name: y}, {name: x}]}}}",
            ),
        ],
    );
}

#[test]
fn lists_that_merge_by_one_key() {
    check(
        POD,
        &[
            (
                "the patch's come first",
                "{containers: [{name: a}, {name: b}]}",
                "{containers: [{name: c}, {name: b, image: x}]}",
                "{containers: [{name: c}, {name: b, image: x}, {name: a}]}",
            ),
            (
                "delete",
                "{containers: [{name: a}, {name: b}]}",
                "{containers: [{name: a, $patch: delete}, {name: c, $patch: delete}]}",
                "{containers: [{name: b}]}",
            ),
            (
                "delete all of them",
                "{containers: [{name: a}]}",
                "{containers: [{name: a, $patch: delete}]}",
                "{containers: []}",
            ),
            (
                "replace of an element does nothing",
                "{containers: [{name: a, image: x}]}",
                "{containers: [{name: a, $patch: replace, command: [y]}]}",
                "{containers: [{name: a, image: x}]}",
            ),
            (
                "replace the list",
                "{containers: [{name: a}]}",
                "{containers: [{$patch: replace}, {name: b, image: null}]}",
                "{containers: [{name: b}]}",
            ),
            (
                "delete the list",
                "{containers: [{name: a}], x: 1}",
                "{containers: [{$patch: delete}, {name: b}]}",
                "{x: 1}",
            ),
            (
                "merge the list",
                "{containers: [{name: a}]}",
                "{containers: [{$patch: merge}, {name: b}]}",
                "{containers: [{name: b}, {name: a}]}",
            ),
            (
                "replace with nothing",
                "{containers: [{name: a}]}",
                "{containers: [{$patch: replace}]}",
                "{containers: []}",
            ),
            (
                "only the first directive counts",
                "{containers: [{name: a}]}",
                "{containers: [{name: b, $patch: replace}, {name: c, $patch: delete}]}",
                "{containers: [{name: b}, {name: a}]}",
            ),
            (
                "empty changes nothing",
                "{containers: [{name: a}]}",
                "{containers: []}",
                "{containers: [{name: a}]}",
            ),
            (
                "null",
                "{containers: [{name: a}], x: 1}",
                "{containers: null}",
                "{x: 1}",
            ),
            (
                "nested",
                "{containers: [{name: a, env: [{name: x, value: y}]}]}",
                "{containers: [{name: a, env: [{name: z, value: w}, {name: x, value: null, valueFrom: {}}]}]}",
                "{containers: [{name: a, env: [{name: z, value: w}, {name: x, valueFrom: {}}]}]}",
            ),
            (
                "an added list is tidied",
                "{}",
                "{containers: [{name: a, $patch: delete}, {name: b, x: null}]}",
                "{containers: [{name: b}]}",
            ),
            (
                "a key is compared as text",
                "{volumes: [{name: 1, a: 1}]}",
                "{volumes: [{name: '1', b: 2}]}",
                "{volumes: [{name: '1', a: 1, b: 2}]}",
            ),
            (
                "of the same in the patch, the first",
                "{containers: [{name: a}]}",
                "{containers: [{name: a, x: 1}, {name: a, y: 2}, {name: b, x: 1}, {name: b, y: 2}]}",
                "{containers: [{name: a, x: 1}, {name: b, x: 1}]}",
            ),
            (
                "of the same in an added list, the last",
                "{}",
                "{containers: [{name: a, x: 1}, {name: a, y: 2}]}",
                "{containers: [{name: a, y: 2}]}",
            ),
            (
                "of the same in the target, the last",
                "{containers: [{name: a, x: 1}, {name: b}, {name: a, y: 2}]}",
                "{z: 1}",
                "{containers: [{name: a, y: 2}, {name: b}], z: 1}",
            ),
        ],
    );
}

#[test]
fn lists_that_merge_by_several_keys() {
    check(
        SERVICE,
        &[
            (
                "both given",
                "{ports: [{port: 1, protocol: TCP}, {port: 1, protocol: UDP}]}",
                "{ports: [{port: 2, protocol: TCP}, {port: 1, protocol: UDP, name: x}]}",
                "{ports: [{port: 2, protocol: TCP}, {port: 1, protocol: TCP}, {port: 1, protocol: UDP, name: x}]}",
            ),
            (
                "given in no element",
                "{ports: [{port: 1}, {port: 2}]}",
                "{ports: [{port: 3}, {port: 2, name: x}]}",
                "{ports: [{port: 3}, {port: 2, name: x}, {port: 1}]}",
            ),
            (
                "missing in the target, the patch is lost",
                "{ports: [{port: 1, name: x}]}",
                "{ports: [{port: 1, protocol: TCP, name: y}]}",
                "{ports: [{port: 1, name: x}]}",
            ),
            (
                "missing in the patch, the patch is lost",
                "{ports: [{port: 1, protocol: TCP}]}",
                "{ports: [{port: 1, name: y}]}",
                "{ports: [{port: 1, protocol: TCP}]}",
            ),
            (
                "missing elsewhere",
                "{ports: [{port: 1, protocol: TCP}, {port: 2}]}",
                "{ports: [{port: 2, name: y}]}",
                "{ports: [{port: 1, protocol: TCP}, {port: 2, name: y}]}",
            ),
            (
                "delete",
                "{ports: [{port: 1, protocol: TCP}, {port: 2, protocol: UDP}]}",
                "{ports: [{port: 1, protocol: TCP, $patch: delete}]}",
                "{ports: [{port: 2, protocol: UDP}]}",
            ),
            (
                "delete without the second key",
                "{ports: [{port: 1, protocol: TCP}, {port: 2, protocol: UDP}]}",
                "{ports: [{port: 1, $patch: delete}]}",
                "{ports: [{port: 1, protocol: TCP}, {port: 2, protocol: UDP}]}",
            ),
        ],
    );
}

#[test]
fn lists_with_elements_that_lack_the_key() {
    check(
        POD,
        &[
            (
                "in the target, they displace the others",
                "{containers: [{name: a}, {image: x}]}",
                "{containers: [{name: b}]}",
                "{containers: [{image: x}]}",
            ),
            (
                "in the patch, they do the same and vanish",
                "{containers: [{name: a}]}",
                "{containers: [{image: x}]}",
                "{containers: []}",
            ),
            (
                "in an added list",
                "{}",
                "{containers: [{name: a}, {image: x}]}",
                "{containers: [{image: x}]}",
            ),
            (
                "replace, where there is no list",
                "{}",
                "{containers: [{$patch: replace}, {name: b}]}",
                "{containers: [{$patch: replace}]}",
            ),
            (
                "empty ones vanish",
                "{containers: [{name: a}, {}, null]}",
                "{containers: [{name: b}]}",
                "{containers: [{name: b}, {name: a}]}",
            ),
        ],
    );
    refused(
        POD,
        &[
            (
                "no mapping",
                "{containers: [x]}",
                "{containers: [{name: a}]}",
                "spec.containers: an element of the list must be a mapping with the field name, not \"x\"",
            ),
            (
                "nested",
                "{containers: [{name: a, env: [[]]}]}",
                "{x: 1}",
                "spec.containers.env: an element of the list must be a mapping with the field name",
            ),
        ],
    );
}

#[test]
fn lists_of_plain_values_that_merge() {
    let merge = |target: &str, patch: &str| {
        let whole = |list: &str| {
            yaml(&format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{name: a, finalizers: {list}}}}}"
            ))
        };
        let merged = object(
            &Schemas::default(),
            whole(target),
            whole(patch),
            &[],
            &Meter::new(Budget::default()),
        )
        .map_err(|e| e.to_string())?;
        Ok(merged
            .and_then(|m| m.pointer("/metadata/finalizers").cloned())
            .unwrap_or_default())
    };
    for (what, target, patch, want) in [
        ("the patch's come first", "[a, b]", "[c, b]", "[c, b, a]"),
        ("twice is once", "[a, b, a]", "[c, c]", "[c, a, b]"),
        ("empty changes nothing", "[a]", "[]", "[a]"),
        ("null", "[a]", "null", "null"),
        ("replace", "[a]", "[b, {$patch: replace}]", "[b]"),
        ("nulls vanish", "[a, null]", "[b]", "[b, a]"),
    ] {
        assert_eq!(merge(target, patch), Ok(yaml(want)), "{what}");
    }
    let error: Result<Value, String> = merge("[a]", "[{b: c}]");
    assert!(error.is_err_and(|e| e.contains("metadata.finalizers: a list of plain values")));
}

#[test]
fn long_lists_take_no_longer_than_they_must() {
    let list = |from: usize, to: usize| {
        let items: Vec<String> = (from..to)
            .map(|i| format!("{{port: {i}, protocol: TCP}}"))
            .collect();
        format!("{{ports: [{}]}}", items.join(","))
    };
    let merged = merge(SERVICE, &list(0, 5_000), &list(2_500, 7_500)).expect("it merges");
    assert_eq!(merged["ports"].as_array().map(Vec::len), Some(7_500));
    let mixed = format!(
        "{{ports: [{{port: 0}}, {}",
        list(1, 5_000).trim_start_matches("{ports: [")
    );
    let error = merge(SERVICE, &mixed, "{}");
    assert!(
        error.is_err_and(|e| e.contains("too many elements")),
        "searching is bounded"
    );
}

#[test]
fn doubling_is_bounded() {
    let keyless =
        "{containers: [{ports: [{a: 1}]}, {name: x, ports: [{containerPort: 1, protocol: TCP}, {b: 1}]}]}";
    let mut value = yaml(&format!("{POD}{keyless}}}"));
    for _ in 0..40 {
        match object(
            &Schemas::default(),
            value.clone(),
            yaml("{}"),
            &[],
            &Meter::new(Budget::default()),
        ) {
            Ok(Some(next)) => value = next,
            _ => return,
        }
    }
    assert!(value.to_string().len() < 1 << 20);
}
