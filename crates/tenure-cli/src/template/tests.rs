use std::fs;

use clap::Parser as _;
use tempfile::TempDir;

use super::{Args, print};

#[derive(clap::Parser)]
#[command(disable_version_flag = true)]
struct Line {
    #[command(flatten)]
    args: Args,
}

const CHART: &[(&str, &str)] = &[
    ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
    ("crds/d.yaml", "kind: CustomResourceDefinition\n"),
    ("templates/map.yaml", "kind: ConfigMap\n"),
    ("templates/other.yaml", "kind: Secret\n"),
    (
        "templates/test.yaml",
        "kind: Pod\nmetadata: {annotations: {helm.sh/hook: test}}\n",
    ),
];

fn chart() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (path, text) in CHART {
        let path = dir.path().join("c").join(path);
        fs::create_dir_all(path.parent().expect("has a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    dir
}

fn run(dir: &TempDir, flags: &[&str]) -> Result<String, String> {
    let flags = flags
        .iter()
        .map(|flag| flag.replace("{}", &dir.path().display().to_string()));
    let line = Line::try_parse_from(std::iter::once("template".to_owned()).chain(flags))
        .map_err(|error| error.to_string())?;
    let mut printed = Vec::new();
    print(&line.args, &mut printed).map_err(|error| error.to_string())?;
    String::from_utf8(printed).map_err(|error| error.to_string())
}

#[test]
fn flags_choose_what_is_printed() {
    let dir = chart();
    let sources = |flags: &[&str]| -> Vec<String> {
        let text = run(&dir, flags).expect("renders");
        text.lines()
            .filter_map(|line| line.strip_prefix("# Source: c/"))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        sources(&["r", "{}/c"]),
        [
            "templates/other.yaml",
            "templates/map.yaml",
            "templates/test.yaml"
        ]
    );
    assert_eq!(
        sources(&["r", "{}/c", "--skip-tests", "--include-crds"])[0],
        "crds/d.yaml"
    );
    assert_eq!(sources(&["r", "{}/c", "--no-hooks"]).len(), 2);
    assert_eq!(
        sources(&["r", "{}/c", "-s", "templates/m*"]),
        ["templates/map.yaml"]
    );
    // Of a flag that is there twice the last one counts.
    let flags = [
        "r",
        "{}/c",
        "--no-hooks",
        "--no-hooks=false",
        "--kube-version",
        "x",
        "--kube-version",
        "1.30",
    ];
    assert_eq!(sources(&flags).len(), 3);
    let missing = run(&dir, &["r", "{}/c", "-s", "nope"]).expect_err("no such template");
    assert_eq!(missing, "could not find template nope in chart");
}

#[test]
fn files_are_written_below_the_directory_and_nowhere_else() {
    let dir = chart();
    let said = run(&dir, &["r", "{}/c", "--output-dir", "{}/out", "--release-name"]).expect("writes");
    assert_eq!(said.matches("wrote ").count(), 3);
    let text = fs::read_to_string(dir.path().join("out/r/c/templates/map.yaml")).expect("written");
    assert_eq!(text, "---\n# Source: c/templates/map.yaml\nkind: ConfigMap\n\n");
    let outside = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(dir.path().join("trap")).expect("made");
    std::os::unix::fs::symlink(outside.path(), dir.path().join("trap/c")).expect("linked");
    run(&dir, &["r", "{}/c", "--output-dir", "{}/trap"]).expect_err("leads out");
    assert_eq!(fs::read_dir(outside.path()).expect("read").count(), 0);
}

#[test]
fn what_would_run_a_program_or_reach_out_is_refused() {
    let dir = chart();
    for flag in [
        "--post-renderer=x",
        "--validate",
        "--dry-run=server",
        "--dependency-update",
        "--enable-dns",
        "--repo=https://example.com",
    ] {
        let refused = run(&dir, &["r", "{}/c", flag]).expect_err(flag);
        assert!(refused.contains(" is refused: "), "{refused}");
    }
    let remote = run(&dir, &["r", "oci://example.com/c"]).expect_err("remote");
    assert!(remote.ends_with("rendering fetches nothing"), "{remote}");
    run(
        &dir,
        &["r", "{}/c", "--dry-run", "--wait", "--timeout", "1s", "--atomic"],
    )
    .expect("changes nothing");
}

#[test]
fn a_root_bounds_what_is_read() {
    let dir = chart();
    fs::write(dir.path().join("secret"), "kind: Secret\n").expect("written");
    std::os::unix::fs::symlink("../../secret", dir.path().join("c/templates/link.yaml")).expect("linked");
    let text = run(&dir, &["r", "{}/c"]).expect("follows the link");
    assert!(text.contains("templates/link.yaml"));
    run(&dir, &["r", "{}/c", "--root", "{}/c"]).expect_err("leads out");
}

#[test]
fn names_are_chosen_as_helm_chooses_them() {
    let dir = chart();
    run(&dir, &["{}/c"]).expect("without a name");
    for (flags, want) in [
        (
            &["R", "{}/c"][..],
            "release name check failed: release name \"R\": invalid release name",
        ),
        (
            &["a", "{}/c", "-g"],
            "cannot set --generate-name and also specify a name",
        ),
        (
            &["a", "b", "c", "d"],
            "expected at most two arguments, unexpected arguments: c, d",
        ),
        (&["a", "/nonexistent"], "path \"/nonexistent\" not found"),
    ] {
        let error = run(&dir, flags).expect_err(want);
        assert!(error.starts_with(want), "{error}");
    }
}

#[test]
fn kustomize_changes_what_is_printed() {
    let dir = chart();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    for (name, text) in [
        (
            "c/templates/map.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        ),
        (
            "c/templates/other.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: b}\n",
        ),
        (
            "c/templates/test.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n",
        ),
    ] {
        file(name, text);
    }
    let patch = "patch: '- {op: add, path: /metadata/labels, value: {l: x}}', target: {name: .*}";
    let one = file("one.yaml", &format!("patches: [{{{patch}}}]\n"));
    let list = file("list.yaml", &format!("- kustomize: {{patches: [{{{patch}}}]}}\n"));
    let with = |flags: &[&str]| {
        let all = [
            &[
                "r",
                "{}/c",
                "--post-renderer",
                "kustomize",
                "--post-renderer-args",
            ],
            flags,
        ]
        .concat();
        run(&dir, &all)
    };
    for path in [&one, &list] {
        let text = with(&[path]).expect("renders");
        assert_eq!(text.matches("labels:\n    l: x").count(), 3, "{text}");
    }
    let text = with(&[&one, "--post-renderer-strategy", "nohooks"]).expect("renders");
    assert_eq!(text.matches("labels:\n    l: x").count(), 2, "{text}");
    let other = file("other.yaml", "namePrefix: x-\n");
    let error = with(&[&other]).expect_err("not for post-renderers");
    assert!(
        error.ends_with("the field namePrefix is not for post-renderers"),
        "{error}"
    );
    run(&dir, &["r", "{}/c", "--post-renderer", "kustomize"]).expect_err("no file");
    run(&dir, &["r", "{}/c", "--post-renderer-args", &one]).expect_err("no post-renderer");
}
