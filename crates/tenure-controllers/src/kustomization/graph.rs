//! Who waits for whom in a home, from the raw objects.

use serde_json::Value;
use tenure_core::{Name, ObjectKey, Revision};

use crate::Snapshot;

const KIND: &str = "Kustomization";
const CHART: &str = "HelmChart";
const REPOSITORY: &str = "GitRepository";

/// What `key` needs before it makes sense to work on it: its source and its dependencies, where they
/// are in the same home.
#[must_use]
pub fn needs(snapshot: &Snapshot, key: &ObjectKey) -> Vec<ObjectKey> {
    let (consumes, depends) = (key.kind == KIND || key.kind == CHART, key.kind == KIND);
    if !consumes {
        return Vec::new();
    }
    let Some(object) = snapshot.get(key) else {
        return Vec::new();
    };
    source_of(&object)
        .into_iter()
        .chain(depends.then(|| dependencies_of(&object)).into_iter().flatten())
        .collect()
}

/// The Kustomizations and charts whose source is `source`.
#[must_use]
pub fn consumers_of(snapshot: &Snapshot, source: &ObjectKey) -> Vec<ObjectKey> {
    let of = |kind| {
        select(snapshot, kind, |object| {
            source_of(object).as_ref() == Some(source)
        })
    };
    of(CHART).into_iter().chain(of(KIND)).collect()
}

/// Whether something of the home is made of the artifact of `source`.
pub(crate) fn is_consumed(snapshot: &Snapshot, source: &ObjectKey) -> bool {
    let included = |object: &Value| {
        let list = object.pointer("/spec/include").and_then(Value::as_array);
        let names = list
            .into_iter()
            .flatten()
            .map(|one| one["repository"]["name"].as_str());
        names.flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    // what includes others is made of its own artifact too
    let composes = || {
        snapshot
            .get(source)
            .is_some_and(|object| !included(&object).is_empty())
    };
    let by_another = |object: &Value| included(object).iter().any(|name| *name == source.name.as_str());
    !consumers_of(snapshot, source).is_empty()
        || source.kind == REPOSITORY && (composes() || !select(snapshot, REPOSITORY, by_another).is_empty())
}

/// Whether some consumer of `source` has not even tried this revision.
pub(crate) fn is_behind(snapshot: &Snapshot, source: &ObjectKey, revision: &Revision) -> bool {
    let revision = revision.to_string();
    let behind = |object: &Value, field: &str| {
        let rests = object.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true);
        !rests && object.pointer(field).and_then(Value::as_str) != Some(revision.as_str())
    };
    // a chart says which revision it was made of, and not which it could not be made of
    let stalled = |object: &Value| {
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|one| one["type"] == "Stalled" && one["status"] == "True")
    };
    let any = |kind, field, stands: &dyn Fn(&Value) -> bool| {
        let found = select(snapshot, kind, |object| {
            source_of(object).as_ref() == Some(source) && behind(object, field) && !stands(object)
        });
        !found.is_empty()
    };
    any(KIND, "/status/lastAttemptedRevision", &|_| false)
        || any(CHART, "/status/observedSourceArtifactRevision", &stalled)
}

/// The Kustomizations that depend on `object`.
#[must_use]
pub fn dependants_of(snapshot: &Snapshot, object: &ObjectKey) -> Vec<ObjectKey> {
    select(snapshot, KIND, |candidate| {
        dependencies_of(candidate).contains(object)
    })
}

fn select(snapshot: &Snapshot, kind: &str, wanted: impl Fn(&Value) -> bool) -> Vec<ObjectKey> {
    let all = snapshot.of_kind(kind).into_iter();
    let mut keys: Vec<_> = all
        .filter(|(_, object)| wanted(object))
        .map(|(key, _)| key)
        .collect();
    keys.sort();
    keys
}

fn source_of(object: &Value) -> Option<ObjectKey> {
    local(object, object.pointer("/spec/sourceRef")?, None)
}

fn dependencies_of(object: &Value) -> Vec<ObjectKey> {
    let list = object.pointer("/spec/dependsOn").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|reference| local(object, reference, Some(KIND)))
        .collect()
}

/// The key that a reference means, if it stays in the object's own namespace.
fn local(object: &Value, reference: &Value, kind: Option<&str>) -> Option<ObjectKey> {
    let own = object.pointer("/metadata/namespace").and_then(Value::as_str);
    let there = reference
        .get("namespace")
        .and_then(Value::as_str)
        .filter(|namespace| !namespace.is_empty());
    if there.is_some() && there != own {
        return None;
    }
    let kind = kind.or_else(|| reference.get("kind").and_then(Value::as_str))?;
    let name = Name::new(reference.get("name").and_then(Value::as_str)?).ok()?;
    Some(ObjectKey {
        kind: kind.to_owned(),
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::name;
    use serde_json::json;

    fn key(kind: &str, of: &str) -> ObjectKey {
        ObjectKey {
            kind: kind.into(),
            name: name(of),
        }
    }

    fn snapshot(objects: &[(&str, Value)]) -> Snapshot {
        let snapshot = Snapshot::default();
        for (of, spec) in objects {
            let object = json!({"metadata": {"name": of, "namespace": "apps"}, "spec": spec});
            snapshot.put(key(KIND, of), object);
        }
        snapshot
    }

    #[test]
    fn bytes_are_needed_of_what_something_is_made_of() {
        let snapshot = snapshot(&[(
            "app",
            json!({"sourceRef": {"kind": "GitRepository", "name": "used"}}),
        )]);
        let include = json!({"include": [{"repository": {"name": "part"}}]});
        for (of, spec) in [
            ("used", json!({})),
            ("part", json!({})),
            ("alone", json!({})),
            ("whole", include),
        ] {
            let object = json!({"metadata": {"name": of, "namespace": "apps"}, "spec": spec});
            snapshot.put(key(REPOSITORY, of), object);
        }
        for (of, consumed) in [("used", true), ("part", true), ("whole", true), ("alone", false)] {
            assert_eq!(is_consumed(&snapshot, &key(REPOSITORY, of)), consumed, "{of}");
        }
        assert!(
            !is_consumed(&snapshot, &key("OCIRepository", "used")),
            "another kind"
        );
    }

    #[test]
    fn consumers_and_dependants_are_those_of_the_same_namespace() {
        let repo = json!({"kind": "GitRepository", "name": "repo"});
        let elsewhere = json!({"kind": "GitRepository", "name": "repo", "namespace": "other"});
        let snapshot = snapshot(&[
            ("base", json!({"sourceRef": repo})),
            (
                "app",
                json!({"sourceRef": repo, "dependsOn": [{"name": "base"}, {"name": "x", "namespace": "other"}]}),
            ),
            (
                "foreign",
                json!({"sourceRef": elsewhere, "dependsOn": [{"name": "base", "namespace": "apps"}]}),
            ),
        ]);
        assert_eq!(
            consumers_of(&snapshot, &key("GitRepository", "repo")),
            [key(KIND, "app"), key(KIND, "base")]
        );
        assert_eq!(
            dependants_of(&snapshot, &key(KIND, "base")),
            [key(KIND, "app"), key(KIND, "foreign")]
        );
        assert_eq!(
            needs(&snapshot, &key(KIND, "app")),
            [key("GitRepository", "repo"), key(KIND, "base")]
        );
        assert_eq!(needs(&snapshot, &key("GitRepository", "repo")), []);
    }

    #[test]
    fn a_consumer_is_behind_until_it_has_tried_the_revision() {
        let spec = json!({"sourceRef": {"kind": "GitRepository", "name": "repo"}});
        let snapshot = snapshot(&[("app", spec.clone())]);
        let (repo, new) = (
            key("GitRepository", "repo"),
            Revision::git(Some("main"), &"b".repeat(40)),
        );
        assert!(is_behind(&snapshot, &repo, &new), "it has tried nothing");
        let tried = json!({"metadata": {"name": "app"}, "spec": spec, "status": {"lastAttemptedRevision": new.to_string()}});
        snapshot.put(key(KIND, "app"), tried.clone());
        assert!(!is_behind(&snapshot, &repo, &new));
        assert!(is_behind(
            &snapshot,
            &repo,
            &Revision::git(Some("main"), &"c".repeat(40))
        ));
        let mut resting = tried;
        resting["spec"]["suspend"] = json!(true);
        snapshot.put(key(KIND, "app"), resting);
        assert!(
            !is_behind(&snapshot, &repo, &Revision::git(Some("main"), &"c".repeat(40))),
            "suspended"
        );
    }
}
