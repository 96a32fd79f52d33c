use std::cell::RefCell;

use serde_json::Map;
use tenure_gotmpl::Seeded;
use tenure_helm::{
    Chart, File, HookEvent, Limits, Options, Release, Rendered, Renderer, Selection, execution_order, set,
};

pub(crate) const HEAD: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\n";

pub(crate) fn renderer(files: &[(&str, &str)]) -> Renderer {
    let files = files
        .iter()
        .map(|(name, text)| File::new(name, text.as_bytes()))
        .chain([File::new("Chart.yaml", HEAD.as_bytes())]);
    Renderer::new(Chart::from_files(files.collect(), &Limits::default()).expect("loads"))
        .expect("installable")
}

fn render(renderer: &Renderer, line: &str) -> Rendered {
    let world = Seeded::new(1);
    let mut values = Map::new();
    set(line, &mut values).expect("sets");
    renderer
        .render(&values, &Options::new(Release::new("r", "ns"), &world))
        .expect("renders")
}

#[test]
fn a_chart_is_rendered_again_with_other_values() {
    let renderer = renderer(&[
        ("values.yaml", "a: {b: 1}\n"),
        (
            "templates/a.yaml",
            "kind: A\nb: {{ .Values.a.b }}{{ $_ := set .Values.a \"b\" \"changed\" }}\n",
        ),
    ]);
    for (line, want) in [("", "b: 1"), ("a.b=2", "b: 2"), ("", "b: 1")] {
        let text = render(&renderer, line).manifests[0].content.clone();
        assert_eq!(text, format!("kind: A\n{want}\n"));
    }
}

#[test]
fn rendering_again_parses_no_template_again() {
    let part = |name: &str| format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
    let renderer = renderer(&[
        (
            "requirements.yaml",
            "dependencies: [{name: sub, version: 1.x, condition: sub.enabled}]\n",
        ),
        ("charts/sub/Chart.yaml", &part("sub")),
        (
            "charts/sub/templates/a.yaml",
            "kind: Sub\nx: {{ tpl \"{{ .Values.x }}\" . }}\n",
        ),
        ("templates/_h.tpl", "{{ define \"h\" }}{{ .Values.x }}{{ end }}"),
        ("templates/a.yaml", "kind: A\nx: {{ include \"h\" . }}\n"),
    ]);
    render(&renderer, "x=1");
    // Three templates, and the text that one of them gives to `tpl`.
    assert_eq!(renderer.templates_parsed(), 4);
    render(&renderer, "x=2,sub.x=3");
    assert_eq!(renderer.templates_parsed(), 4);
    // Other templates take part now.
    render(&renderer, "sub.enabled=false");
    assert_eq!(renderer.templates_parsed(), 6);
    for line in ["x=3", "x=4,sub.enabled=false", "sub.enabled=true"] {
        render(&renderer, line);
    }
    assert_eq!(renderer.templates_parsed(), 6);
}

#[test]
fn a_renderer_is_for_all_threads() {
    let renderer = renderer(&[("templates/a.yaml", "kind: A\nx: {{ .Values.x }}\n")]);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let renderer = &renderer;
            scope.spawn(move || {
                let text = render(renderer, &format!("x={n}")).manifests[0].content.clone();
                assert_eq!(text, format!("kind: A\nx: {n}\n"));
            });
        }
    });
}

#[test]
fn hooks_run_by_weight_and_then_by_name() {
    let hook = |name: &str, weight: i64| {
        format!(
            "kind: Job\nmetadata:\n  name: {name}\n  annotations: {{helm.sh/hook: pre-install, helm.sh/hook-weight: \"{weight}\"}}\n"
        )
    };
    let text = [hook("b", 5), hook("a", 5), hook("z", -1), hook("m", 0)].join("---\n");
    let rendered = render(&renderer(&[("templates/h.yaml", &text)]), "");
    let names: Vec<_> = execution_order(&rendered.hooks, HookEvent::PreInstall)
        .iter()
        .map(|hook| hook.name.as_str())
        .collect();
    assert_eq!(names, ["z", "m", "a", "b"]);
    assert!(execution_order(&rendered.hooks, HookEvent::PostInstall).is_empty());
}

#[test]
fn notes_are_apart_from_the_manifests() {
    let rendered = render(
        &renderer(&[("templates/NOTES.txt", "Hello {{ .Release.Name }}")]),
        "",
    );
    assert_eq!(rendered.notes, "Hello r");
    let all = Selection {
        crds: true,
        hooks: true,
        tests: true,
    };
    assert_eq!(rendered.to_text(all), "\n");
}

#[test]
fn warnings_are_told_as_they_are_in_helm() {
    let heard = RefCell::new(Vec::new());
    let warn = |text: &str| heard.borrow_mut().push(text.to_owned());
    let renderer = renderer(&[("values.yaml", "a: 1\nt: {b: {c: 1}}\n")]);
    let world = Seeded::new(1);
    let mut options = Options::new(Release::new("r", "ns"), &world);
    options.warn = &warn;
    let mut values = Map::new();
    set("a.b=1,t.b=2", &mut values).expect("sets");
    renderer.render(&values, &options).expect("renders");
    assert_eq!(
        heard.take(),
        [
            "warning: skipped value for c.a: Not a table.",
            "warning: cannot overwrite table with non table for c.t.b (map[c:1])"
        ]
    );
}
