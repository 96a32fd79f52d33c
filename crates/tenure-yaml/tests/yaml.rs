//! How text becomes values and values become text.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tenure_yaml::{Limits, Location, Options, Reason, locate, parse, parse_one, to_string};

fn v3(text: &str) -> Result<Value, String> {
    parse_one(text.as_bytes(), &Options::kustomize()).map_err(|e| e.to_string())
}

fn v2(text: &str) -> Result<Value, String> {
    parse_one(text.as_bytes(), &Options::helm()).map_err(|e| e.to_string())
}

#[test]
fn the_two_dialects_differ_where_gos_packages_do() {
    let cases = [
        ("a: yes", json!({"a": "yes"}), json!({"a": true})),
        ("on: x", json!({"on": "x"}), json!({"true": "x"})),
        (
            "a: 2001-01-01",
            json!({"a": "2001-01-01T00:00:00Z"}),
            json!({"a": "2001-01-01"}),
        ),
        ("a: 0123", json!({"a": 83}), json!({"a": 83})),
        ("a: 1_000", json!({"a": 1000}), json!({"a": 1000})),
        ("a: 0o17", json!({"a": 15}), json!({"a": 15})),
        ("a: 1e3", json!({"a": 1000}), json!({"a": 1000})),
        ("a: ~", json!({"a": null}), json!({"a": null})),
        ("a: !!str 1", json!({"a": "1"}), json!({"a": "1"})),
        (
            "a: &x {b: 1}\nc: {<<: *x, d: 2}",
            json!({"a": {"b": 1}, "c": {"d": 2, "b": 1}}),
            json!({"a": {"b": 1}, "c": {"d": 2, "b": 1}}),
        ),
    ];
    for (text, three, two) in cases {
        assert_eq!(v3(text), Ok(three), "{text}");
        assert_eq!(v2(text), Ok(two), "{text}");
    }
}

#[test]
fn errors_say_where_and_why() {
    assert_eq!(
        v3("a: 1\nb: 2\na: 3"),
        Err("3:1: key \"a\" is already defined on line 1".into())
    );
    assert_eq!(v3("a: .nan"), Err("1:4: .nan has no JSON form".into()));
    assert_eq!(
        v3("s: {1: a}"),
        Err("1:5: the key \"1\" is not a string: put it in quotes".into())
    );
    assert!(v3("a:\n  b: [1\nc: 2\n").is_err_and(|e| e.starts_with("3:") || e.starts_with("2:")));
    assert!(
        parse(b"a: \xff", &Options::helm())
            .is_err_and(|e| e.reason == Reason::NotUtf8 && e.location == Location { line: 1, column: 4 })
    );
}

#[test]
fn limits_hold_for_bytes_nodes_depth_documents_and_aliases() {
    let limits = Limits {
        bytes: 400,
        nodes: 60,
        alias_nodes: 20,
        depth: 5,
        documents: 3,
    };
    let fails = |text: &str| matches!(parse(text.as_bytes(), &Options::helm().with_limits(limits)), Err(e) if matches!(e.reason, Reason::TooBig { .. }));
    assert!(!fails("a: [1, 2]"));
    assert!(fails(&"#".repeat(401)));
    assert!(fails(&"- a\n".repeat(70)));
    assert!(fails("[[[[[[1]]]]]]") || parse(b"[[[[[[1]]]]]]", &Options::helm().with_limits(limits)).is_err());
    assert!(fails("a\n---\nb\n---\nc\n---\nd\n"));
    assert!(fails("a: &a [1,2,3,4]\nb: &b [*a,*a]\nc: [*b,*b]\n"));
}

#[test]
fn a_long_commented_out_block_is_read() {
    let text = format!("a: 1\n{}b: 2\n", "# comment\n".repeat(500));
    assert_eq!(v3(&text), Ok(json!({"a": 1, "b": 2})));
}

#[test]
fn a_pointer_finds_its_line() {
    let at = |pointer| {
        locate(b"a: 1\nb:\n- x\n- c: y\n", &Options::helm(), 0, pointer).map(|l| (l.line, l.column))
    };
    assert_eq!(at("/b/1/c"), Some((4, 3)));
    assert_eq!(at("/b/0"), Some((3, 3)));
    assert_eq!(at("/nope"), None);
}

#[test]
fn text_is_written_as_kustomize_writes_it() {
    let cases = [
        (json!({"b": [1, {"c": []}], "a": {}}), "a: {}\nb:\n- 1\n- c: []\n"),
        (
            json!({"a": "yes", "b": "1", "c": "", "d": "x: y", "e": "- x", "f": "it's"}),
            "a: \"yes\"\nb: \"1\"\nc: \"\"\nd: 'x: y'\ne: '- x'\nf: it's\n",
        ),
        (
            json!({"a": "x\ny\n", "b": "x\ny", "c": "x\n\n"}),
            "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |+\n  x\n\n",
        ),
        (
            json!({"a": "x \ny", "b": "a\tb"}),
            "a: \"x \\ny\"\nb: \"a\\tb\"\n",
        ),
        (json!([[1], {"a": [2]}]), "- - 1\n- a:\n  - 2\n"),
    ];
    for (value, text) in cases {
        assert_eq!(to_string(&value), text);
    }
    let long = format!("{} {}", "x".repeat(85), "y");
    assert_eq!(
        to_string(&json!({"a": long})),
        format!("a: {}\n  y\n", "x".repeat(85))
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[-a-z0-9:#'\"{}\\[\\]~_.+ \n\t]{0,14}".prop_map(Value::from),
        "[a-z]{1,9}( [a-z]{1,30}){0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[-a-z0-9:# ']{0,6}", inner), 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect::<Map<_, _>>()))
        ]
    })
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, &Options::kustomize());
        let _ = parse(&bytes, &Options::helm());
    }

    #[test]
    fn what_is_written_reads_back_the_same_in_both_dialects(value in any_value()) {
        let text = to_string(&value);
        prop_assert_eq!(v3(&text), Ok(value.clone()), "{}", text);
        prop_assert_eq!(v2(&text), Ok(value.clone()), "{}", text);
    }
}

#[test]
fn what_a_value_does_not_tell_is_kept_as_it_was_written() {
    let text =
        b"a: {n: 1.10, s: '1.10', t: x, i: 7}\nb: [~, 0x10, 2001-01-01, true, True]\nc: &c 1e3\nd: *c\n";
    let documents = parse(text, &Options::kustomize().as_nodes()).expect("reads");
    let kept: Vec<(&str, &str)> = documents[0]
        .texts
        .iter()
        .map(|(at, text)| (at.as_str(), text.as_str()))
        .collect();
    assert_eq!(
        kept,
        [
            ("/a/n", "1.10"),
            ("/b/0", "~"),
            ("/b/1", "0x10"),
            ("/b/2", "2001-01-01"),
            ("/b/4", "True"),
            ("/c", "1e3"),
            ("/d", "1e3"),
        ]
    );
    let without = parse(text, &Options::kustomize()).expect("reads");
    assert_eq!(without[0].texts, []);
}

#[test]
fn a_block_that_ends_the_text_has_only_the_breaks_that_are_there() {
    let read = |text: &str| parse_one(text.as_bytes(), &Options::kustomize()).expect("reads");
    assert_eq!(read("a: |\n  x\n  y"), json!({"a": "x\ny"}));
    assert_eq!(read("a: |\n  x\n"), json!({"a": "x\n"}));
    assert_eq!(read("a: |+\n  x"), json!({"a": "x"}));
    assert_eq!(read("a: |\n  x\nb: y"), json!({"a": "x\n", "b": "y"}));
    assert_eq!(read("a: |\n  x\n# c"), json!({"a": "x\n"}));
    assert_eq!(read("a: |\n  x\n  "), json!({"a": "x\n"}));
}
