use super::Index;
use crate::{HttpError, Missing};

const INDEX: &str = r#"
apiVersion: v1
entries:
  app:
  - {name: app, version: 1.0.0, urls: [charts/app-1.0.0.tgz], created: "2024-01-01T00:00:00Z"}
  - {name: app, version: 1.10.0, urls: [charts/app-1.10.0.tgz]}
  - {name: app, version: v1.9.0, urls: [charts/app-1.9.0.tgz]}
  - {name: app, version: 2.0.0-rc.1, urls: [x.tgz]}
  - {name: app, version: "1.2", urls: [exact.tgz]}
  - {name: app, version: nightly, urls: [nightly.tgz]}
  - {name: app, version: 3.0.0+a, urls: [a.tgz], created: "2024-02-02T00:00:00Z"}
  - {name: app, version: 3.0.0+b, urls: [b.tgz], created: "2024-03-03T00:00:00.5+01:00"}
  - {name: app, version: 3.0.0+c, urls: [c.tgz], created: "2024-01-01T00:00:00Z"}
  - {name: other, version: 9.9.9, urls: [liar.tgz]}
  - {version: 9.9.9}
  - null
  - text
  empty: []
generated: "2024-01-01T00:00:00Z"
"#;

fn index() -> Index {
    Index::parse("https://charts.example", INDEX.as_bytes()).expect("an index")
}

#[test]
fn an_exact_version_wins_and_then_the_highest_in_the_range() {
    let index = index();
    for (wanted, found) in [
        ("1.0.0", "1.0.0"),
        ("1.2", "1.2"),
        ("nightly", "nightly"),
        ("1.x", "1.10.0"),
        ("~1.9", "v1.9.0"),
        (">=2.0.0-0 <3.0.0-0", "2.0.0-rc.1"),
        ("", "3.0.0+b"),
        ("*", "3.0.0+b"),
        ("3.0.0", "3.0.0+b"),
        ("3.0.0+a", "3.0.0+a"),
    ] {
        let version = index
            .select("app", wanted)
            .unwrap_or_else(|e| panic!("{wanted}: {e}"));
        assert_eq!(version.version, found, "{wanted}");
    }
}

#[test]
fn what_is_missing_is_told_from_what_is_no_version() {
    let index = index();
    let missing = |chart: &str, wanted: &str| match index.select(chart, wanted) {
        Err(HttpError::NotFound { what, .. }) => Some(what),
        _ => None,
    };
    assert_eq!(missing("none", "*"), Some(Missing::Chart("none".to_owned())));
    for (chart, wanted) in [("app", "4.x"), ("empty", "*"), ("app", "9.9.9")] {
        let what = Missing::Version(chart.to_owned(), wanted.to_owned());
        assert_eq!(missing(chart, wanted), Some(what));
    }
    let error = index.select("app", "latest").expect_err("no range");
    assert!(matches!(error, HttpError::InvalidReference { .. }), "{error}");
}

#[test]
fn the_revision_is_of_the_bytes_and_the_artifact_is_json() {
    let index = index();
    assert_eq!(index.digest(), tenure_core::Digest::of(INDEX.as_bytes()));
    let again = Index::parse("x", &index.to_json()).expect("JSON is read too");
    assert_eq!(again.select("app", "1.x").expect("there").version, "1.10.0");
    assert_eq!(again.charts().collect::<Vec<_>>(), ["app", "empty"]);
}

#[test]
fn what_is_no_index_is_refused() {
    let bomb = format!(
        "apiVersion: v1\na: &a [{}]\n{}",
        "x,".repeat(100),
        (1..9)
            .map(|n| format!("b{n}: &b{n} [{}]\n", "*a,".repeat(99)))
            .collect::<String>()
    );
    for bad in [
        "",
        "[]",
        "entries: {}",
        "apiVersion: v1\n  x: [",
        "<html>not found</html>",
        &bomb,
    ] {
        let error = Index::parse("https://charts.example", bad.as_bytes());
        let refused = matches!(error, Err(HttpError::Malformed { .. }));
        assert!(refused, "{:?}", bad.chars().take(40).collect::<String>());
    }
}
