use serde_json::{Value, json};

use super::{Schema, Schemas};

/// The merge keys at the end of a path, in which `[]` stands for a list's elements.
fn keys<'a>(schemas: &'a Schemas, api_version: &str, kind: &str, path: &str) -> Option<Vec<&'a str>> {
    let root = schemas.object(api_version, kind)?;
    path.split('.')
        .try_fold(root, |at, part| match part {
            "[]" => at.elements(),
            name => at.field(name),
        })
        .and_then(Schema::merge_keys)
}

#[test]
fn built_in_lists_know_their_keys() {
    let schemas = Schemas::default();
    let pod = "spec.template.spec";
    let table: &[(&str, &str, String, Option<&[&str]>)] = &[
        (
            "apps/v1",
            "Deployment",
            format!("{pod}.containers"),
            Some(&["name"]),
        ),
        (
            "apps/v1",
            "Deployment",
            format!("{pod}.containers.[].env"),
            Some(&["name"]),
        ),
        ("apps/v1", "Deployment", format!("{pod}.containers.[].args"), None),
        (
            "apps/v1",
            "Deployment",
            format!("{pod}.containers.[].ports"),
            Some(&["containerPort", "protocol"]),
        ),
        ("apps/v1", "Deployment", format!("{pod}.tolerations"), None),
        (
            "apps/v1",
            "StatefulSet",
            format!("{pod}.topologySpreadConstraints"),
            Some(&["topologyKey", "whenUnsatisfiable"]),
        ),
        ("apps/v1", "StatefulSet", "spec.volumeClaimTemplates".into(), None),
        (
            "batch/v1beta1",
            "CronJob",
            format!("spec.jobTemplate.{pod}.volumes"),
            Some(&["name"]),
        ),
        ("v1", "Service", "spec.ports".into(), Some(&["port", "protocol"])),
        ("v1", "Service", "metadata.finalizers".into(), Some(&[])),
        ("v1", "Service", "metadata.ownerReferences".into(), Some(&["uid"])),
        ("v1", "Service", "metadata.labels.anything".into(), None),
        ("v1", "ServiceAccount", "imagePullSecrets".into(), None),
        ("v1", "ServiceAccount", "secrets".into(), Some(&["name"])),
        ("networking.k8s.io/v1", "Ingress", "spec.rules".into(), None),
        // Not in v1.21: the version, and the field.
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "metadata.finalizers".into(),
            None,
        ),
        ("v1", "Pod", "spec.resourceClaims".into(), None),
        // What kustomize adds to every schema.
        (
            "kustomize.config.k8s.io/v1beta1",
            "Kustomization",
            "configMapGenerator".into(),
            Some(&["name"]),
        ),
        ("example.com/v1", "Deployment", format!("{pod}.containers"), None),
    ];
    for (api_version, kind, path, want) in table {
        let got = keys(&schemas, api_version, kind, path);
        assert_eq!(got.as_deref(), *want, "{api_version} {kind} {path}");
    }
}

#[test]
fn a_field_without_merge_information_is_known_all_the_same() {
    let schemas = Schemas::default();
    let autoscaler = schemas.object("autoscaling/v1", "HorizontalPodAutoscaler");
    let spec = autoscaler.and_then(|s| s.field("spec"));
    assert!(spec.and_then(|s| s.field("scaleTargetRef")).is_some());
    assert!(spec.and_then(|s| s.field("metrics")).is_none());
}

#[test]
fn scope_goes_by_version_and_kind() {
    let mut schemas = Schemas::default();
    for (api_version, kind, want) in [
        ("v1", "Namespace", true),
        ("v1", "ConfigMap", false),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", true),
        ("rbac.authorization.k8s.io/v1alpha1", "ClusterRole", false),
        ("networking.k8s.io/v1", "IngressClass", true),
        ("example.com/v1", "Namespace", false),
    ] {
        assert_eq!(
            schemas.is_cluster(api_version, kind),
            want,
            "{api_version} {kind}"
        );
    }
    let get = |kind| json!({"get": {"x-kubernetes-group-version-kind": {"group": "x.io", "version": "v1", "kind": kind}}});
    let document = json!({"paths": {
        "/apis/x.io/v1/worlds": get("World"),
        "/apis/x.io/v1/towns": get("Town"),
        "/apis/x.io/v1/namespaces/{namespace}/towns": get("Town"),
        "/api/v1/configmaps": {"get": {"x-kubernetes-group-version-kind": {"version": "v1", "kind": "ConfigMap"}}},
    }});
    schemas.choose(None, Some(&document)).expect("a schema");
    assert!(schemas.is_cluster("x.io/v1", "World"));
    assert!(
        !schemas.is_cluster("x.io/v1", "Town"),
        "one namespaced path is enough"
    );
    assert!(
        !schemas.is_cluster("v1", "ConfigMap"),
        "the built-in kinds stay as they are"
    );
}

fn document() -> Value {
    json!({"definitions": {
        "World": {
            "properties": {
                "towns": {
                    "type": "array", "items": {"$ref": "#/definitions/Town"},
                    "x-kubernetes-patch-strategy": "retainKeys,merge",
                    "x-kubernetes-patch-merge-key": "id", "x-kubernetes-list-map-keys": ["id", "zone"],
                },
                "roads": {"type": "array", "items": {}, "x-kubernetes-list-map-keys": ["id"]},
                "loop": {"$ref": "#/definitions/Loop"},
                "inner": {"$ref": "#/definitions/World/properties/towns"},
                "pod": {"$ref": "#/definitions/io.k8s.api.core.v1.PodSpec"},
            },
            "x-kubernetes-group-version-kind": [
                {"group": "x.io", "version": "v1", "kind": "World"}, {"version": "v1", "kind": "World"},
            ],
        },
        "Town": {"additionalProperties": {
            "type": ["array"], "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name",
        }},
        "Loop": {"$ref": "#/definitions/Loop"},
    }})
}

#[test]
fn a_custom_schema_is_read_as_it_stands() {
    let mut schemas = Schemas::default();
    schemas.choose(None, Some(&document())).expect("a schema");
    let table: &[(&str, Option<&[&str]>)] = &[
        ("towns", Some(&["id", "zone"])),
        ("inner", Some(&["id", "zone"])),
        ("towns.[].anything", Some(&["name"])),
        ("towns.[].anything.[]", None),
        ("roads", None),
        ("loop", None),
        // The built-in definitions are gone.
        ("pod.containers", None),
    ];
    for (path, want) in table {
        for api_version in ["x.io/v1", "v1"] {
            assert_eq!(
                keys(&schemas, api_version, "World", path).as_deref(),
                *want,
                "{path}"
            );
        }
    }
    assert!(schemas.object("apps/v1", "Deployment").is_none());
    assert!(
        schemas
            .object("kustomize.config.k8s.io/v1beta1", "Kustomization")
            .is_some()
    );
}

#[test]
fn what_came_before_a_custom_schema_decides_what_it_replaces() {
    let containers = |schemas: &Schemas| keys(schemas, "v1", "Pod", "spec.containers").is_some();
    let mut document = document();
    document["definitions"]["io.k8s.api.core.v1.PodSpec"] = json!({"properties": {}});
    document["definitions"]["io.k8s.api.core.v1.Pod"] = json!({
        "properties": {"spec": {"$ref": "#/definitions/io.k8s.api.core.v1.PodSpec"}},
    });
    let after = |before: fn(&Schemas)| {
        let mut schemas = Schemas::default();
        before(&schemas);
        schemas.choose(None, Some(&document)).expect("a schema");
        schemas
    };
    let none = after(|_| {});
    assert!(
        none.object("v1", "Pod").is_none(),
        "it replaces what was not used"
    );
    let merged = after(|s| _ = s.object("x.io/v1", "Any"));
    assert!(merged.object("v1", "Pod").is_some(), "it adds to what was used");
    assert!(!containers(&merged), "and hides definitions of the same name");
    let asked = after(|s| _ = s.is_cluster("x.io/v1", "Any"));
    assert!(containers(&asked), "what was asked for comes on top");
    assert!(keys(&asked, "v1", "World", "pod.containers").is_some());
    let known = after(|s| _ = s.is_cluster("v1", "Pod"));
    assert!(
        known.object("v1", "Pod").is_none(),
        "a known kind asks for nothing"
    );
}

#[test]
fn the_first_choice_wins() {
    let mut schemas = Schemas::default();
    schemas.choose(None, None).expect("no choice");
    schemas.choose(Some(""), None).expect("no choice");
    schemas.choose(Some("v1.21.2"), None).expect("built in");
    schemas.choose(Some("v9"), Some(&Value::Null)).expect("ignored");
    schemas.choose(None, Some(&document())).expect("ignored");
    assert!(schemas.object("v1", "Pod").is_some());
    assert!(schemas.object("v1", "World").is_none());
}

#[test]
fn a_choice_that_makes_no_sense_is_refused() {
    let vague = json!({"definitions": {"A": {"x-kubernetes-group-version-kind": [{"kind": "A"}]}}});
    for (version, document, want) in [
        (Some("v1.20.0"), None, "\"v1.20.0\" is not built in"),
        (Some(""), Some(json!({})), "not both"),
        (None, Some(json!([])), "must be a mapping"),
        (
            None,
            Some(json!({"definitions": []})),
            "definitions of an OpenAPI schema",
        ),
        (None, Some(json!({"definitions": {"A": 1}})), "definition A"),
        (
            None,
            Some(json!({"definitions": {"A": {"properties": {"b": {"type": 1}}}}})),
            "b: type has",
        ),
        (None, Some(vague), "needs version and kind"),
    ] {
        let error = Schemas::default()
            .choose(version, document.as_ref())
            .map_err(|e| e.to_string());
        assert!(
            error.as_ref().is_err_and(|e| e.contains(want)),
            "{want}: {error:?}"
        );
    }
}
