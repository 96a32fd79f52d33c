//! What holds for every input.

use proptest::prelude::*;
use tenure_kustomize::flux::{self, Overlay};
use tenure_kustomize::{FileSystem, MemFs, Options, RelPath, build};

const FIELDS: &[&str] = &[
    "resources",
    "components",
    "patches",
    "patchesJson6902",
    "images",
    "labels",
    "configMapGenerator",
    "namespace",
    "replicas",
    "kind",
    "commonLabels",
];

fn tree() -> MemFs {
    let object = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    MemFs::new([
        (
            "base/kustomization.yaml",
            "resources: [a.yaml]\nconfigMapGenerator: [{name: g, files: [data.txt]}]\n".to_owned(),
        ),
        ("base/a.yaml", object("a")),
        ("base/data.txt", "text".to_owned()),
        ("base/other.yaml", object("other")),
        (
            "over/kustomization.yaml",
            "resources: [../base]\npatches: [{path: p.yaml}]\n".to_owned(),
        ),
        ("over/p.yaml", object("a") + "data: {k: v}\n"),
        ("plain/b.yaml", object("b")),
        ("plain/deep/c.yaml", object("c")),
        ("readme.md", "hello".to_owned()),
    ])
}

const PATHS: &[&str] = &[
    "base/kustomization.yaml",
    "base/a.yaml",
    "base/data.txt",
    "base/other.yaml",
    "over/kustomization.yaml",
    "over/p.yaml",
    "plain/b.yaml",
    "plain/deep/c.yaml",
    "plain/new.yaml",
    "readme.md",
    "over/Kustomization",
    "plain/deep/kustomization.yml",
];

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let fs = MemFs::new([("kustomization.yaml", bytes.clone()), ("x.yaml", bytes.clone()), ("plain/y.yaml", bytes)]);
        let _ = build(&fs, ".", &Options::default());
        let _ = flux::build(&fs, "plain", &Overlay::default());
    }

    #[test]
    fn random_fields_never_panic(field in prop::sample::select(FIELDS), value in "[-{}\\[\\]a-z0-9:, /.*&!|>\"'\n]{0,80}") {
        let fs = MemFs::new([
            ("kustomization.yaml", format!("resources: [x.yaml]\n{field}: {value}\n").into_bytes()),
            ("k/kustomization.yaml", format!("{field}: {value}\n").into_bytes()),
            ("x.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n".to_vec()),
        ]);
        let _ = build(&fs, ".", &Options::default());
        let _ = build(&fs, "k", &Options::default());
    }

    #[test]
    fn what_the_read_set_does_not_name_cannot_change_the_result(path in prop::sample::select(PATHS), content in "[a-z: \n{}]{0,40}", dir in prop::sample::select(&["base", "over", "plain"][..])) {
        let before = tree();
        let first = flux::build(&before, dir, &Overlay::default()).expect("the tree builds");
        prop_assert!(first.read_set.unchanged(&before));
        let mut after = before.clone();
        after.insert(path, content);
        if first.read_set.unchanged(&after) {
            let second = flux::build(&after, dir, &Overlay::default()).expect("nothing it reads has changed");
            prop_assert_eq!(first.objects, second.objects);
        } else {
            let relative = RelPath::parse(path).expect("a path");
            let hit = first.read_set.iter().any(|(seen, _)| relative == *seen || relative.parent() == *seen);
            prop_assert!(hit, "{} is not in the read set", path);
            prop_assert!(after.kind(&relative).is_ok());
        }
    }
}
