use serde_json::{Value, json};
use tenure_oci::Reference;

use super::*;
use crate::testing::home;

fn question(spec: &Value) -> plan::Question {
    let mut full =
        json!({"interval": "1m0s", "chart": "podinfo", "sourceRef": {"kind": "HelmRepository", "name": "r"}});
    for (key, value) in spec.as_object().expect("a spec") {
        full[key] = value.clone();
    }
    let object = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmChart",
        "metadata": {"name": "app", "namespace": "apps", "generation": 3}, "spec": full,
    });
    let home = home("apps", &[]);
    match ChartSource::plan(&Observed {
        object: &object,
        home: &home,
    }) {
        Plan::Resolve(resolve) => resolve.question,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_version_says_what_made_the_chart() {
    let revision = json!({"reconcileStrategy": "Revision"});
    let values = json!({"valuesFiles": ["a.yaml"]});
    let both = json!({"reconcileStrategy": "Revision", "valuesFiles": ["a.yaml"]});
    let commit = format!("main@sha1:{}", "0123456789abcdef".repeat(3));
    for (spec, source, wanted) in [
        (json!({}), Some(commit.as_str()), None),
        (revision.clone(), Some(commit.as_str()), Some("0123456789ab")),
        (
            revision.clone(),
            Some("sha256:fedcba9876543210"),
            Some("fedcba987654"),
        ),
        (revision, None, None),
        (values, Some(commit.as_str()), Some("3")),
        (both, Some(commit.as_str()), Some("0123456789ab.3")),
    ] {
        let found = question(&spec).build_metadata(source);
        assert_eq!(found.as_deref(), wanted, "{spec} {source:?}");
    }
}

#[test]
fn the_old_field_goes_before_the_new_one() {
    let question = question(&json!({"valuesFile": "old.yaml", "valuesFiles": ["new.yaml"]}));
    assert_eq!(question.spec.all_values_files(), ["old.yaml", "new.yaml"]);
    assert_eq!(question.spec.version(), "*");
}

#[test]
fn a_whole_version_is_a_tag_and_all_else_a_range() {
    for version in ["1.2.3", "v1.2.3", "1.2.3-rc.1"] {
        assert_eq!(remote::reference(version), Reference::Tag(version.to_owned()));
    }
    assert_eq!(
        remote::reference("1.2.3+build.1"),
        Reference::Tag("1.2.3_build.1".to_owned())
    );
    for range in [
        "*",
        "1.x",
        "1.2",
        ">=1.0.0 <2.0.0",
        "1.2.x",
        "^1.2.3",
        ">=1.2.3",
        "1.2.3 - 2.0.0",
    ] {
        let Reference::Semver {
            range: found,
            underscore_is_plus,
            ..
        } = remote::reference(range)
        else {
            panic!("{range} is a range");
        };
        assert!(found == range && underscore_is_plus);
    }
}
