use super::*;
use crate::testing::name;
use serde_json::json;

fn object(kind: &str, of: &str) -> ObjectRef {
    ObjectRef {
        group: "apps".into(),
        version: "v1".into(),
        kind: kind.into(),
        namespace: "apps".into(),
        name: of.into(),
    }
}

fn report(changes: &[(&str, &str, Action)]) -> Report {
    let change = |(kind, of, action): &(&str, &str, Action)| Change {
        object: object(kind, of),
        action: *action,
    };
    Report {
        changes: changes.iter().map(change).collect(),
        ..Report::default()
    }
}

fn waited_for(applied: &Report, spec: serde_json::Value) -> Vec<String> {
    let mut full =
        json!({"interval": "5m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "repo"}});
    for (field, value) in spec.as_object().expect("a mapping") {
        full[field] = value.clone();
    }
    let spec: KustomizationSpec = serde_json::from_value(full).expect("a spec");
    let key = ObjectKey {
        kind: "Kustomization".into(),
        name: name("app"),
    };
    let found = targets(&dealt_with(applied), &spec, &key, &name("apps"));
    found
        .iter()
        .map(|object| format!("{}/{}", object.kind, object.name))
        .collect()
}

#[test]
fn what_was_skipped_and_the_kustomization_itself_are_not_waited_for() {
    let applied = report(&[
        ("Deployment", "web", Action::Created),
        ("Deployment", "kept", Action::Unchanged),
        ("Deployment", "foreign", Action::Skipped),
        ("Kustomization", "app", Action::Configured),
        ("Kustomization", "other", Action::Configured),
    ]);
    assert_eq!(
        waited_for(&applied, json!({"wait": true})),
        ["Deployment/web", "Deployment/kept", "Kustomization/other"]
    );
}

#[test]
fn named_checks_count_only_without_wait() {
    let applied = report(&[("Deployment", "web", Action::Created)]);
    let checks = json!([{"kind": "Deployment", "name": "named"}, {"kind": "Kustomization", "name": "app", "namespace": "apps", "apiVersion": "kustomize.toolkit.fluxcd.io/v1"}]);
    assert_eq!(
        waited_for(&applied, json!({"healthChecks": checks})),
        ["Deployment/named"]
    );
    assert_eq!(
        waited_for(&applied, json!({"wait": true, "healthChecks": checks})),
        ["Deployment/web"]
    );
    assert!(waited_for(&applied, json!({})).is_empty());
}

#[test]
fn a_named_check_without_a_namespace_gets_none() {
    let check = |namespace: Option<&str>| {
        let check = json!({"kind": "Deployment", "name": "web", "namespace": namespace});
        checked(&serde_json::from_value(check).expect("a check")).namespace
    };
    assert_eq!(check(Some("other")), "other");
    assert_eq!(check(None), "");
}

#[test]
fn a_failed_apply_names_what_it_changed_before_and_ends_with_a_line_break() {
    let so_far = report(&[
        ("Deployment", "web", Action::Created),
        ("Deployment", "kept", Action::Unchanged),
    ]);
    assert_eq!(
        with_changes("Deployment/apps/db dry-run failed\n".to_owned(), &so_far),
        "Deployment/apps/db dry-run failed\nDeployment/apps/web created\n"
    );
    assert_eq!(with_changes("no".to_owned(), &Report::default()), "no\n");
}

#[test]
fn only_what_was_deleted_is_waited_for() {
    let pruned = Pruned {
        changes: report(&[
            ("Deployment", "web", Action::Deleted),
            ("Deployment", "marked", Action::Skipped),
        ])
        .changes,
        survivors: Vec::new(),
    };
    assert_eq!(pruned.deleted(), [object("Deployment", "web")]);
}

#[test]
fn what_could_not_be_deleted_is_listed_as_flux_lists_it() {
    assert_eq!(
        undeleted(&["a".to_owned(), "b".to_owned()]),
        "delete failed, errors: a;b;"
    );
}
