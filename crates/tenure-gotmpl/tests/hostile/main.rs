//! Templates that want too much: each ends with an error, soon, and with little memory.

use std::time::{Duration, Instant};

use tenure_gotmpl::{Error, Limits, Map, Seeded, Templates, Value, with_deep_stack};

fn limits() -> Limits {
    Limits {
        steps: 1_000_000,
        output: 4 << 20,
        memory: 64 << 20,
        ..Limits::default()
    }
}

fn try_with(text: &str, limits: Limits) -> Result<String, Error> {
    let mut templates = Templates::new();
    templates.parse("t", text).expect("a template");
    let world = Seeded::new(1);
    let mut session = templates.session(&world, limits);
    let dot: Map = [("t", "{{ tpl .t . }}")].into_iter().collect();
    session.execute("t", &Value::from(dot)).map(|out| out.to_string())
}

fn refused(text: &str) {
    let error = try_with(text, limits()).expect_err(text);
    assert!(error.is_limit(), "{text}: {error}");
}

#[test]
fn endless_loops_run_out_of_steps() {
    refused("{{ range 9223372036854775807 }}{{ end }}");
    refused("{{ range until 100000000 }}{{ end }}");
    refused("{{ range until 999 }}{{ range until 999 }}{{ range until 999 }}{{ end }}{{ end }}{{ end }}");
    refused("{{ seq 1 1000000000 }}");
}

#[test]
fn large_texts_are_not_made() {
    refused("{{ repeat 1000000000 \"x\" | len }}");
    refused("{{ indent 1000000000 \"x\" | len }}");
    refused("{{ printf \"%999999d%999999d\" 1 2 | repeat 100 | len }}");
    refused("{{ $x := \"0123456789\" }}{{ range until 64 }}{{ $x = printf \"%s%s\" $x $x }}{{ end }}");
    refused(
        "{{ $x := repeat 1000000 \"x\" }}{{ join \",\" (list $x $x $x $x $x $x $x $x) | repeat 20 | len }}",
    );
    refused("{{ range 100000 }}{{ repeat 1000 \"x\" }}{{ end }}");
    refused("{{ randBytes 1000000000 }}");
    refused("{{ replace \"x\" (repeat 100000 \"y\") (repeat 100000 \"x\") | len }}");
}

#[test]
fn small_values_that_print_large_are_not_printed() {
    let laughs = "{{ $d := list 1 }}{{ range until 60 }}{{ $d = list $d $d }}{{ end }}";
    for end in [
        "{{ $d }}",
        "{{ toJson $d }}",
        "{{ toYaml $d }}",
        "{{ toToml $d }}",
        "{{ deepCopy $d }}",
    ] {
        let error = try_with(&format!("{laughs}{end}"), limits()).expect_err(end);
        assert!(error.is_limit(), "{end}: {error}");
    }
}

#[test]
fn circles_end() {
    let circle = "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}";
    for end in [
        "{{ $d }}",
        "{{ toJson $d }}",
        "{{ toYaml $d }}",
        "{{ toToml $d }}",
        "{{ deepCopy $d }}",
    ] {
        let error = try_with(&format!("{circle}{end}"), limits()).expect_err(end);
        assert!(error.is_limit(), "{end}: {error}");
    }
    try_with(
        &format!("{circle}{{{{ deepEqual $d (dict \"d\" $d) }}}}"),
        limits(),
    )
    .expect("an answer");
}

#[test]
fn recursion_ends_on_any_stack() {
    for text in [
        "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
        "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}",
        "{{ tpl .t . }}",
    ] {
        try_with(text, limits()).expect_err(text);
        with_deep_stack(|| try_with(text, limits()).expect_err(text).to_string().len()).expect("a thread");
    }
}

#[test]
fn helms_depth_of_includes_is_reached_on_a_deep_stack() {
    let text =
        "{{ define \"a\" }}{{ if gt . 0 }}{{ include \"a\" (int (sub . 1)) }}{{ else }}end{{ end }}{{ end }}";
    let result = with_deep_stack(|| {
        let result = try_with(&format!("{text}{{{{ include \"a\" 900 }}}}"), limits());
        result.map_err(|error| error.to_string())
    });
    assert_eq!(result.expect("a thread"), Ok("end".into()));
}

#[test]
fn deep_nesting_is_not_parsed() {
    let mut templates = Templates::new();
    for text in [
        format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000)),
        "{{ if 1 }}".repeat(100_000),
        format!("{{{{ if 1 }}}}{}", "{{ else if 1 }}".repeat(100_000)),
        "{{ block \"x\" . }}".repeat(100_000),
    ] {
        templates.parse("deep", text).expect_err("too deep");
    }
}

#[test]
fn expressions_that_explode_are_refused() {
    let error = try_with(
        "{{ mustRegexMatch \"((((a{99}){99}){99}){99})\" \"a\" }}",
        limits(),
    );
    assert!(
        error
            .expect_err("too large")
            .to_string()
            .contains("error parsing regexp")
    );
    let started = Instant::now();
    let text = "{{ regexMatch \"^(a*)*$\" (printf \"%sb\" (repeat 100000 \"a\")) }}";
    assert_eq!(try_with(text, limits()).expect("an answer"), "false");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_deadline_is_kept() {
    let limits = Limits {
        steps: u64::MAX,
        deadline: Some(Instant::now() + Duration::from_millis(200)),
        ..limits()
    };
    let error = try_with("{{ range 9223372036854775807 }}{{ end }}", limits).expect_err("late");
    assert!(error.is_limit() && error.to_string().contains("out of time"));
}
