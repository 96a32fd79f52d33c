//! What a Kustomization gets built from its source.

use tenure_kustomize::flux::{CommonMetadata, Overlay, build};
use tenure_kustomize::{DirFs, Image, MemFs, Patch, Reason};

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - {name: main, image: 'nginx:1'}\n      volumes:\n      - {name: c, configMap: {name: cfg}}\n";
const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cfg}\n";

fn names(fs: &MemFs, path: &str) -> Result<Vec<String>, String> {
    let built = build(fs, path, &Overlay::default()).map_err(|e| e.to_string())?;
    Ok(built
        .objects
        .iter()
        .map(|o| o["metadata"]["name"].as_str().unwrap_or_default().to_owned())
        .collect())
}

fn object(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
}

#[test]
fn a_plain_directory_is_walked_and_a_kustomization_below_it_is_one_resource() {
    let fs = MemFs::new([
        ("app/b.yaml", object("b")),
        ("app/a.yml", object("a")),
        ("app/notes.txt", "not yaml: [".to_owned()),
        ("app/deep/er/c.yaml", object("c")),
        (
            "app/own/kustomization.yaml",
            "namePrefix: own-\nresources: [d.yaml]\n".to_owned(),
        ),
        ("app/own/d.yaml", object("d")),
        ("app/own/unused.yaml", object("unused")),
    ]);
    assert_eq!(
        names(&fs, "./app"),
        Ok(vec!["a".into(), "b".into(), "c".into(), "own-d".into()])
    );
    assert_eq!(names(&fs, "/app/deep"), Ok(vec!["c".into()]));
}

#[test]
fn an_empty_directory_builds_nothing() {
    assert_eq!(names(&MemFs::new([("app/readme.md", "")]), "app"), Ok(vec![]));
}

#[test]
fn errors_name_file_line_and_reason() {
    let list = |bad: &str| names(&MemFs::new([("app/x.yaml", bad)]), "app").expect_err("a broken directory");
    assert!(
        list("apiVersion: v1\nkind: A\nmetadata:\n  name: a\n b: [\n").starts_with("app/x.yaml:5:"),
        "{}",
        list("a: 1\n b: [\n")
    );
    assert_eq!(
        list(&format!("{CONFIG}---\nreplicas: 3\n")),
        "app/x.yaml:5:1: not a Kubernetes object: apiVersion is missing"
    );
    assert_eq!(
        list("a: 1\na: 2\n"),
        "app/x.yaml:2:1: key \"a\" is already defined on line 1"
    );
    let fs = MemFs::new([("app/kustomization.yaml", "resources:\n- gone.yaml\n")]);
    assert_eq!(
        names(&fs, "app"),
        Err("app/kustomization.yaml:2:3: resources/0: no such file or directory: app/gone.yaml".into())
    );
    let fs = MemFs::new([(
        "app/kustomization.yaml",
        "resources: []\nhelmCharts:\n- name: x\n",
    )]);
    assert_eq!(
        names(&fs, "app"),
        Err("app/kustomization.yaml:2:1: helmCharts: this field is not supported".into())
    );
}

#[test]
fn paths_outside_the_root_are_refused_in_files_and_clamped_in_the_spec() {
    let inside = object("inside");
    let fs = MemFs::new([
        ("app/kustomization.yaml", "resources: [../../etc]\n"),
        ("abs/kustomization.yaml", "resources: [/etc]\n"),
        ("x/inside.yaml", &inside),
    ]);
    for path in ["x", "../x", "/../../x"] {
        assert_eq!(names(&fs, path), Ok(vec!["inside".to_owned()]), "{path}");
    }
    assert!(
        names(&fs, "app")
            .expect_err("outside")
            .contains("leaves the repository")
    );
    assert!(names(&fs, "abs").expect_err("absolute").contains("is absolute"));
    assert_eq!(
        names(&fs, "./gone"),
        Err("kustomization path not found: ./gone".into())
    );
}

#[test]
fn remote_bases_are_refused_without_showing_a_password() {
    for url in [
        "https://u:hunter2@example.com/x",
        "git@host.example:a/b",
        "github.com/a/b",
        "ssh://git@h/x?ref=v1",
        "git::https://x/y",
    ] {
        let fs = MemFs::new([("app/kustomization.yaml", format!("resources: ['{url}']\n"))]);
        let error = names(&fs, "app").expect_err(url);
        assert!(
            error.contains("remote resource") && !error.contains("hunter2"),
            "{error}"
        );
    }
}

#[test]
fn a_kustomization_that_includes_itself_is_an_error() {
    let fs = MemFs::new([
        ("a/kustomization.yaml", "resources: [../b]\n"),
        ("b/kustomization.yaml", "resources: [../a]\n"),
    ]);
    assert!(names(&fs, "a").expect_err("a cycle").contains("includes itself"));
}

#[test]
fn the_overlay_changes_namespace_names_images_patches_and_metadata() {
    let fs = MemFs::new([("app/d.yaml", DEPLOYMENT), ("app/c.yaml", CONFIG)]);
    let overlay = Overlay {
        target_namespace: Some("prod".into()),
        name_prefix: Some("p-".into()),
        images: vec![Image {
            name: "nginx".into(),
            new_tag: Some("2".into()),
            ..Image::default()
        }],
        patches: vec![Patch {
            patch: Some(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 4}\n".into(),
            ),
            ..Patch::default()
        }],
        common_metadata: CommonMetadata {
            labels: [("team".to_owned(), "x".to_owned())].into(),
            ..CommonMetadata::default()
        },
        components: vec!["gone".into()],
        ignore_missing_components: true,
        ..Overlay::default()
    };
    let built = build(&fs, "app", &overlay).expect("builds");
    let deployment = &built.objects.into_vec()[1];
    assert_eq!(
        deployment["metadata"],
        serde_json::json!({"name": "p-web", "namespace": "prod", "labels": {"team": "x"}})
    );
    assert_eq!(deployment["spec"]["replicas"], 4);
    assert_eq!(
        deployment["spec"]["template"]["spec"]["containers"][0]["image"],
        "nginx:2"
    );
    assert_eq!(
        deployment["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"],
        "p-cfg"
    );
    let strict = Overlay {
        components: vec!["gone".into()],
        ..Overlay::default()
    };
    assert!(build(&fs, "app", &strict).is_err());
}

#[test]
fn a_link_out_of_the_root_is_refused_and_a_dropped_one_is_explained() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    std::fs::create_dir(&root).expect("a root");
    std::fs::write(dir.path().join("secret.yaml"), CONFIG).expect("a file outside");
    std::os::unix::fs::symlink("../secret.yaml", root.join("x.yaml")).expect("a link");
    let fs = DirFs::open(&root).expect("opens");
    let error = build(&fs, ".", &Overlay::default()).expect_err("a link that leaves");
    assert!(
        error
            .to_string()
            .contains("symbolic link x.yaml leaves the repository"),
        "{error}"
    );

    std::fs::remove_file(root.join("x.yaml")).expect("removes");
    std::fs::write(root.join("kustomization.yaml"), "resources: [x.yaml]\n").expect("writes");
    let fs = DirFs::open(&root)
        .expect("opens")
        .with_dropped([("x.yaml", "../secret.yaml")]);
    let error = build(&fs, ".", &Overlay::default()).expect_err("a missing file");
    assert!(matches!(error.reason(), Reason::NotFound(..)));
    assert!(
        error.to_string().ends_with(
            "(x.yaml is a symbolic link to ../secret.yaml; links that leave the repository are not followed)"
        ),
        "{error}"
    );
}
