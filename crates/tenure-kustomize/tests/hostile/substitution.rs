//! Expressions of post-build substitution.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use tenure_kustomize::flux::{substitute, substitute_within};
use tenure_kustomize::{Budget, Objects};

fn fails(text: &str, value: &str) -> String {
    let variables = BTreeMap::from([("v".to_owned(), value.to_owned())]);
    let mut objects = Objects::from_iter([json!({"kind": "K", "metadata": {"name": "a"}, "text": text})]);
    let started = Instant::now();
    let error = substitute(&mut objects, &variables, true).expect_err("it must not be done");
    assert!(started.elapsed() < Duration::from_secs(60), "{error}");
    error.to_string()
}

#[test]
fn a_value_many_times_is_stopped() {
    let big = "x".repeat(1 << 20);
    assert!(fails(&"${v}".repeat(100_000), &big).contains("exceeds"));
    assert!(fails(&format!("${{w:-{}}}", "${v}".repeat(100_000)), &big).contains("exceeds"));
    assert!(fails(&"${#v}".repeat(100_000), &big).contains("copy and compare"));
}

#[test]
fn a_value_in_every_place_of_another_is_stopped() {
    let big = "x".repeat(1 << 20);
    assert!(fails("${v//x/${v}}", &big).contains("exceeds"));
}

#[test]
fn globs_of_any_length_on_values_of_any_length_are_stopped() {
    let big = "x".repeat(1 << 20);
    let stars = "*x".repeat(100_000);
    for op in ["#", "##", "%", "%%"] {
        assert!(fails(&format!("${{v{op}{stars}y}}"), &big).contains("copy and compare"));
    }
}

#[test]
fn all_objects_together_have_a_limit() {
    let variables = BTreeMap::from([("v".to_owned(), "x".repeat(1 << 20))]);
    let mut objects = Objects::from_iter(vec![json!({"kind": "K", "text": "${v}"}); 100]);
    let budget = Budget {
        memory: 16 << 20,
        ..Budget::default()
    };
    let error = substitute_within(&mut objects, &variables, true, budget).expect_err("too much");
    assert!(error.to_string().contains("bytes of objects"), "{error}");
}
