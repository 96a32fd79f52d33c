//! Charts that mean harm: an error, never a panic, and never without end.

use std::time::{Duration, Instant};

use serde_json::Map;
use tenure_gotmpl::{Limits as RunLimits, Seeded};
use tenure_helm::{Chart, File, Limits, Options, Release, read_values, set};

use crate::render::renderer;

fn fails(template: &str) -> String {
    let renderer = renderer(&[("templates/a.yaml", template), ("values.yaml", "n: 1\n")]);
    let world = Seeded::new(1);
    let mut options = Options::new(Release::new("r", "ns"), &world);
    options.limits = RunLimits {
        steps: 1_000_000,
        output: 1 << 20,
        memory: 64 << 20,
        deadline: Some(Instant::now() + Duration::from_secs(20)),
        ..RunLimits::default()
    };
    let error = renderer.render(&Map::new(), &options).expect_err(template);
    error.to_string()
}

#[test]
fn templates_that_never_end_are_ended() {
    for template in [
        "{{ range $i, $_ := until 2000000000 }}x{{ end }}",
        "{{ range 2000000000 }}{{ range 2000000000 }}{{ end }}{{ end }}",
        "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}",
        "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}",
        "{{ define \"a\" }}{{ tpl \"{{ include \\\"a\\\" . }}\" . }}{{ end }}{{ include \"a\" . }}",
        "{{ repeat 2000000000 \"x\" }}",
        "{{ $s := \"x\" }}{{ range 64 }}{{ $s = printf \"%s%s\" $s $s }}{{ end }}{{ $s }}",
        "{{ indent 2000000000 \"x\" }}",
    ] {
        let error = fails(template);
        assert!(!error.is_empty());
    }
}

#[test]
fn a_chart_reads_nothing_but_itself() {
    for (template, want) in [
        ("a: {{ .Files.Get \"../secret\" | quote }}", "a: \"\""),
        ("a: {{ .Files.Get \"/etc/passwd\" | quote }}", "a: \"\""),
        ("a: {{ getHostByName \"localhost\" | quote }}", "a: \"\""),
        (
            "a: {{ lookup \"v1\" \"Secret\" \"\" \"\" | toJson | quote }}",
            "a: \"{}\"",
        ),
    ] {
        let renderer = renderer(&[("templates/a.yaml", template)]);
        let world = Seeded::new(1);
        let options = Options::new(Release::new("r", "ns"), &world);
        let rendered = renderer.render(&Map::new(), &options).expect("renders");
        assert_eq!(rendered.manifests[0].content, want);
    }
    for function in ["env", "expandenv"] {
        let error = fails(&format!("{{{{ {function} \"HOME\" }}}}"));
        assert!(error.contains("not defined"), "{error}");
    }
}

#[test]
fn malformed_input_is_an_error() {
    let limits = Limits::default();
    for text in [
        "",
        "[",
        "a: &a [*a]",
        "- x",
        "name: [",
        "\u{0}",
        "name: c\nversion: 1\ndependencies: 5",
    ] {
        let files = vec![File::new("Chart.yaml", text.as_bytes())];
        Chart::from_files(files, &limits).expect_err(text);
    }
    assert!(read_values(b"a: *x").is_err());
    assert!(read_values(&b"[".repeat(100_000)).is_err());
    for line in [
        "a[", "a[0", "a[0]", "a.", "[0]=1", "a={", "a[0][0", "a={x}y,", "\\",
    ] {
        // Some of these are nothing to Helm, and none may panic.
        let _ = set(line, &mut Map::new());
    }
}
