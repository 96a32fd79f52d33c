use super::*;
use serde_json::json;

fn eval(text: &str, object: &Value) -> Result<bool, String> {
    let expression = Expression::parse(text).map_err(|error| error.to_string())?;
    let fields = object.as_object().expect("an object");
    let values = fields.iter().map(|(name, value)| (name.as_str(), value));
    expression.is_true(values).map_err(|error| error.to_string())
}

fn compiled(text: &str) -> String {
    match Expression::compile(text, &["self", "dep"]) {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn expressions_are_about_the_fields_of_an_object() {
    let object = json!({
        "metadata": {"generation": 3, "labels": {"go": "1"}},
        "spec": {"list": [1, 2], "ratio": 0.5},
        "status": {"observedGeneration": 3, "conditions": [{"type": "Ready", "status": "True"}]},
    });
    for (text, wanted) in [
        ("metadata.generation == status.observedGeneration", true),
        ("metadata.generation + 1 == 4", true),
        ("metadata.generation == 3.0", true),
        ("spec.list == [1, 2]", true),
        ("spec.ratio < 1", true),
        ("'go' in metadata.labels", true),
        ("has(metadata.annotations)", false),
        (
            "status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')",
            true,
        ),
        ("status.conditions.exists(e, e.type == 'Stalled')", false),
        ("metadata.?annotations['x'].orValue('none') == 'none'", true),
        (
            "'abc'.upperAscii() == 'ABC' && base64.encode(b'hello') == 'aGVsbG8='",
            true,
        ),
        (
            "sets.contains(spec.list, [2]) && sets.intersects(spec.list, [2, 9])",
            true,
        ),
        ("sets.equivalent(spec.list, [2, 1, 1])", true),
    ] {
        assert_eq!(eval(text, &object), Ok(wanted), "{text}");
    }
}

#[test]
fn hours_are_those_of_utc_and_another_zone_is_an_error() {
    let object = json!({"status": {"at": "2026-01-02T03:04:05Z"}});
    for text in [
        "timestamp(status.at).getHours() == 3",
        "timestamp(status.at).getHours('UTC') == 3",
    ] {
        assert_eq!(eval(text, &object), Ok(true), "{text}");
    }
    let error = eval("timestamp(status.at).getHours('Europe/Berlin') == 4", &object);
    assert!(error.is_err(), "{error:?}");
}

#[test]
fn what_an_object_lacks_is_named_as_flux_names_it() {
    let object = json!({"metadata": {}, "spec": {"secret": "hunter2"}});
    for (text, why) in [
        ("!has(status.phase)", "no such attribute(s): status.phase"),
        ("status.a.b == 'x'", "no such attribute(s): status.a.b"),
        ("metadata.name == 'x'", "no such key: name"),
        ("spec.secret + 1 == 2", "no such overload"),
    ] {
        let wanted = format!("failed to evaluate the CEL expression '{text}': {why}");
        assert_eq!(eval(text, &object), Err(wanted));
    }
    let text = "spec.secret";
    assert_eq!(
        eval(text, &object),
        Err("failed to evaluate CEL expression as boolean: 'spec.secret'".to_owned())
    );
}

#[test]
fn a_bad_expression_is_refused_with_its_place() {
    assert_eq!(
        compiled("dep.("),
        "failed to parse the CEL expression 'dep.(': ERROR: <input>:1:5: Syntax error: no viable alternative at input '.('\n | dep.(\n | ....^"
    );
    assert_eq!(
        compiled("dep.status.ready && foo.bar"),
        "failed to parse the CEL expression 'dep.status.ready && foo.bar': ERROR: <input>:1:21: undeclared reference to 'foo' (in container '')\n | dep.status.ready && foo.bar\n | ....................^"
    );
    assert!(compiled("nothing(dep)").contains("undeclared reference to 'nothing'"));
}

#[test]
fn only_what_can_be_true_or_false_is_a_condition() {
    for text in [
        "has(dep.metadata.labels) && 'go' in dep.metadata.labels",
        "dep.status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')",
        "self.metadata.name == dep.metadata.name",
        "sets.contains([1], [1])",
        "dep.metadata.?labels.hasValue()",
        "self.spec.wait ? has(dep.status) : true",
        "true",
    ] {
        assert_eq!(compiled(text), "ok", "{text}");
    }
    for (text, got) in [
        ("1", "int"),
        ("'a'", "string"),
        ("dep.status.ready", "dyn"),
        ("size(dep)", "int"),
    ] {
        let wanted = format!("CEL expression output type mismatch: expected bool, got {got}");
        assert_eq!(compiled(text), wanted, "{text}");
    }
}

#[test]
fn loops_within_loops_and_long_texts_are_refused() {
    let nested = |depth: usize| {
        let open: String = (0..depth).map(|at| format!("a.all(x{at}, ")).collect();
        format!("{open}true{}", ")".repeat(depth))
    };
    assert!(Expression::parse(&nested(DEEPEST)).is_ok());
    assert!(matches!(
        Expression::parse(&nested(DEEPEST + 1)),
        Err(CelError::TooMuch(_))
    ));
    assert!(matches!(
        Expression::parse(&"x".repeat(LONGEST + 1)),
        Err(CelError::TooMuch(_))
    ));
    let brackets = format!("{}1{} == 1", "(".repeat(5000), ")".repeat(5000));
    assert!(Expression::parse(&brackets).is_err());
}
