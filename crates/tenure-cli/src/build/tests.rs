use std::fs;
use std::path::Path;

use clap::Parser as _;
use tempfile::TempDir;

use super::{Args, built, output};

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn tree(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("has a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    dir
}

fn run(dir: &Path, flags: &[&str]) -> Result<String, String> {
    let flags = flags
        .iter()
        .map(|flag| flag.replace("{}", &dir.display().to_string()));
    let line =
        Line::try_parse_from(std::iter::once("build".to_owned()).chain(flags)).map_err(|e| e.to_string())?;
    built(&line.args)
        .map(|built| built.to_yaml())
        .map_err(|e| e.to_string())
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: \"${v}\"}\n";
const SPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n";

#[test]
fn without_a_flag_the_order_is_that_of_the_kustomize_command() {
    let dir = tree(&[
        ("app/kustomization.yaml", "resources: [../base]\nnamePrefix: p-\n"),
        ("base/kustomization.yaml", "resources: [map.yaml, space.yaml]\n"),
        ("base/map.yaml", MAP),
        ("base/space.yaml", SPACE),
    ]);
    let kinds = |text: String| {
        text.lines()
            .filter_map(|l| l.strip_prefix("kind: "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let legacy = run(dir.path(), &["{}/app"]).expect("builds");
    assert_eq!(kinds(legacy), ["Namespace", "ConfigMap"]);
    let plain = run(dir.path(), &["{}/app", "--reorder", "none"]).expect("builds");
    assert_eq!(kinds(plain), ["ConfigMap", "Namespace"]);
}

#[test]
fn files_beside_the_directory_need_the_flag_for_it_and_the_root_bounds_everything() {
    let dir = tree(&[
        ("app/kustomization.yaml", "resources: [../map.yaml]\n"),
        ("map.yaml", MAP),
    ]);
    let refused = run(dir.path(), &["{}/app"]).expect_err("beside");
    assert!(
        refused.contains("map.yaml is not in or below the directory"),
        "{refused}"
    );
    run(
        dir.path(),
        &["{}/app", "--load-restrictor", "LoadRestrictionsNone"],
    )
    .expect("builds");
    let flags = [
        "{}/app",
        "--load-restrictor=LoadRestrictionsNone",
        "--root={}/app",
    ];
    let outside = run(dir.path(), &flags).expect_err("outside");
    assert!(outside.contains("leaves the repository"), "{outside}");
}

#[test]
fn what_would_run_a_program_is_refused() {
    let dir = tree(&[
        ("kustomization.yaml", "resources: [map.yaml]\n"),
        ("map.yaml", MAP),
    ]);
    for flag in [
        "--enable-helm",
        "--enable-exec",
        "--enable-alpha-plugins",
        "--network",
    ] {
        let refused = run(dir.path(), &["{}", flag]).expect_err("refused");
        assert!(refused.starts_with(&format!("{flag} is refused")), "{refused}");
    }
}

#[test]
fn a_kustomization_object_is_built_from_its_source() {
    let dir = tree(&[("deploy/map.yaml", MAP)]);
    let object = "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: one}\nspec:\n  path: ./deploy\n  targetNamespace: there\n  postBuild: {substitute: {v: inline}, substituteFrom: [{kind: Secret, name: s}]}\n  commonMetadata: {labels: {l: x}}\n  patchesStrategicMerge: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {more: \"1\"}}]\n";
    let file = tree(&[("object.yaml", object)]);
    let path = file.path().join("object.yaml").display().to_string();
    let text = run(dir.path(), &["{}", "-f", &path, "--variable", "v=given"]).expect("builds");
    assert_eq!(
        text,
        "apiVersion: v1\ndata:\n  k: inline\n  more: \"1\"\nkind: ConfigMap\nmetadata:\n  labels:\n    l: x\n  name: a\n  namespace: there\n"
    );
    let missing = run(dir.path(), &["{}", "-f", &path, "--name", "two"]).expect_err("no such name");
    assert!(missing.contains("no Kustomization named \"two\""), "{missing}");
}

#[test]
fn a_directory_gets_a_file_for_each_object() {
    let dir = tree(&[
        ("kustomization.yaml", "resources: [map.yaml, space.yaml]\n"),
        ("map.yaml", MAP),
        ("space.yaml", SPACE),
    ]);
    let out = tempfile::tempdir().expect("a directory");
    let line = Line::try_parse_from(["build", &dir.path().display().to_string()]).expect("parses");
    output::write(out.path(), &built(&line.args).expect("builds")).expect("written");
    let mut names: Vec<_> = fs::read_dir(out.path())
        .expect("listed")
        .map(|entry| entry.expect("read").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, ["v1_configmap_a.yaml", "v1_namespace_n.yaml"]);
}
