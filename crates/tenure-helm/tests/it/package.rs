//! Charts on their way into an archive.

use serde_json::json;
use tenure_helm::{Chart, DirFs, Limits, Package, PackageError, merge, read_values};

use crate::load::{archive, tree};

const PARENT: &[u8] = b"apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n- {name: db, version: 1.x, repository: https://charts.example.com}\n- {name: db, alias: cache, version: 1.x, repository: \"file://../db\"}\n";
const CHILD: &[u8] = b"apiVersion: v2\nname: db\nversion: 1.2.3\n";

fn package(files: &[(&str, &[u8])], path: &str) -> Package {
    let dir = tree(files);
    let fs = DirFs::open(dir.path()).expect("opens");
    Package::from_dir(&fs, path, &Limits::default()).expect("a chart")
}

fn loaded(package: &Package) -> Chart {
    let bytes = package.write().expect("packs");
    Chart::from_archive(&bytes, &Limits::default()).expect("a chart")
}

#[test]
fn a_directory_becomes_an_archive_of_the_same_chart_with_the_same_bytes_each_time() {
    let files: &[(&str, &[u8])] = &[
        ("c/Chart.yaml", CHILD),
        ("c/values.yaml", b"a: 1\n"),
        ("c/templates/x.yaml", b"kind: X\n"),
        ("c/docs/a.md", b"a"),
        ("c/.helmignore", b"docs/\n"),
        ("c/crds/y.yaml", b"kind: Y\n"),
    ];
    let one = package(files, "c");
    assert_eq!(
        one.write().expect("packs"),
        package(files, "c").write().expect("packs")
    );
    let chart = loaded(&one);
    assert_eq!((chart.name(), chart.metadata.version.as_str()), ("db", "1.2.3"));
    assert_eq!(chart.templates.len(), 1);
    assert_eq!(chart.crds().len(), 1);
    assert!(chart.files.iter().all(|file| !file.name.starts_with("docs/")));
}

#[test]
fn what_is_missing_is_asked_for_under_its_alias_until_it_is_there() {
    let mut parent = package(&[("c/Chart.yaml", PARENT)], "c");
    let names = |package: &Package| -> Vec<(String, String)> {
        let missing = package.missing().expect("readable");
        missing.into_iter().map(|one| (one.name, one.alias)).collect()
    };
    let (db, cache) = (
        ("db".to_owned(), String::new()),
        ("db".to_owned(), "cache".to_owned()),
    );
    assert_eq!(names(&parent), [db.clone(), cache]);
    let child = package(&[("c/Chart.yaml", CHILD)], "c");
    parent
        .add_archive("db", "1.2.3", &child.write().expect("packs"))
        .expect("a chart");
    parent.add("cache", &child).expect("a chart");
    assert_eq!(names(&parent), []);
    assert_eq!(loaded(&parent).dependencies.len(), 2);
    assert!(parent.add_archive("no", "1", b"no chart").is_err());
    assert_eq!(loaded(&parent).dependencies.len(), 2, "what failed left no trace");
}

#[test]
fn a_lock_file_counts_before_the_ranges() {
    let lock: &[u8] = b"dependencies:\n- {name: db, version: 1.1.0, repository: https://charts.example.com}\ndigest: x\ngenerated: x\n";
    let parent = package(&[("c/Chart.yaml", PARENT), ("c/Chart.lock", lock)], "c");
    let missing = parent.missing().expect("readable");
    let versions: Vec<_> = missing.iter().map(|one| one.version.as_str()).collect();
    assert_eq!(versions, ["1.1.0"]);
}

#[test]
fn values_and_version_are_replaced_and_the_rest_stays() {
    let files: &[(&str, &[u8])] = &[
        (
            "c/Chart.yaml",
            b"# why\napiVersion: v1\nname: db\nversion: v1.2\nappVersion: \"0123\"\n",
        ),
        ("c/values.yaml", b"a: 1\nb: {c: 1000000}\n"),
    ];
    let mut one = package(files, "c");
    let mut values = one.values().clone();
    merge(
        &mut values,
        read_values(b"b: {d: 0.5, e: \"0x1\"}\n").expect("a table"),
    );
    assert!(one.set_values(values.clone()).expect("it has values"));
    assert!(!one.set_values(values).expect("it has values"), "the same again");
    one.set_build("abc123.2").expect("a version");
    let chart = loaded(&one);
    assert_eq!(chart.metadata.version, "1.2.0+abc123.2");
    assert_eq!(chart.metadata.app_version, "0123");
    assert_eq!(
        serde_json::Value::Object((*chart.values).clone()),
        json!({"a": 1.0, "b": {"c": 1_000_000.0, "d": 0.5, "e": "0x1"}})
    );
    assert!(matches!(one.set_build("a b"), Err(PackageError::Version(..))));
    let mut none = package(&[("c/Chart.yaml", CHILD)], "c");
    let error = none
        .set_values(serde_json::Map::new())
        .expect_err("there are none");
    assert_eq!(error.to_string(), "failed to locate values file: values.yaml");
}

#[test]
fn an_archive_that_leads_out_of_itself_is_no_chart() {
    for name in ["c/../../etc/passwd", "c//etc/passwd"] {
        let bytes = archive(&[("c/Chart.yaml", CHILD), (name, b"x")]);
        assert!(
            Package::from_archive(&bytes, &Limits::default()).is_err(),
            "{name}"
        );
        assert!(
            tenure_helm::Metadata::from_archive(&bytes, &Limits::default()).is_err(),
            "{name}"
        );
    }
    let bomb = Limits {
        chart: 1 << 20,
        ..Limits::default()
    };
    let zeros = vec![0; 2 << 20];
    let bytes = archive(&[("c/Chart.yaml", CHILD), ("c/zeros", &zeros)]);
    assert!(bytes.len() < 64 << 10, "it is small until it is unpacked");
    assert!(Package::from_archive(&bytes, &bomb).is_err());
}
