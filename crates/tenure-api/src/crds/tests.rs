use super::crds;
use serde_json::{Value, json};

fn crd(name: &str) -> Value {
    crds()
        .into_iter()
        .find(|crd| crd["metadata"]["name"] == name)
        .expect(name)
}

fn walk(schema: &Value, path: &str, see: &mut dyn FnMut(&str, &Value)) {
    see(path, schema);
    for (key, child) in schema["properties"].as_object().into_iter().flatten() {
        walk(child, &format!("{path}.{key}"), see);
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            walk(&schema[key], &format!("{path}[]"), see);
        }
    }
}

#[test]
fn every_schema_is_structural() {
    for crd in crds() {
        for version in crd["spec"]["versions"].as_array().expect("versions") {
            walk(&version["schema"]["openAPIV3Schema"], "", &mut |path, schema| {
                let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
                assert!(open || schema["type"].is_string(), "{path} has no type");
                assert!(schema.get("nullable").is_none(), "{path}");
                for name in schema["required"].as_array().into_iter().flatten() {
                    assert!(
                        schema["properties"].get(name.as_str().expect("a name")).is_some(),
                        "{path}: {name}"
                    );
                }
            });
        }
    }
}

#[test]
fn flux_kinds_serve_two_versions_with_one_schema_and_store_v1() {
    for name in [
        "gitrepositories.source.toolkit.fluxcd.io",
        "ocirepositories.source.toolkit.fluxcd.io",
        "helmrepositories.source.toolkit.fluxcd.io",
        "helmcharts.source.toolkit.fluxcd.io",
        "buckets.source.toolkit.fluxcd.io",
        "kustomizations.kustomize.toolkit.fluxcd.io",
    ] {
        let versions = crd(name)["spec"]["versions"].clone();
        assert_eq!(versions[0]["schema"], versions[1]["schema"]);
        assert_eq!(
            [
                &versions[0]["name"],
                &versions[0]["storage"],
                &versions[1]["storage"]
            ],
            [&json!("v1"), &json!(true), &json!(false)]
        );
        assert_eq!(
            [&versions[1]["name"], &versions[1]["deprecated"]],
            [&json!("v1beta2"), &json!(true)]
        );
        assert!(versions[0].get("deprecated").is_none());
    }
}

#[test]
fn flux_check_finds_the_crds_and_substitution_leaves_them_alone() {
    let crd = crd("gitrepositories.source.toolkit.fluxcd.io");
    assert_eq!(crd["metadata"]["labels"]["app.kubernetes.io/part-of"], "flux");
    assert_eq!(
        crd["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/substitute"],
        "disabled"
    );
}

#[test]
fn a_new_object_is_in_progress_and_only_foreign_shapes_are_open() {
    for crd in crds() {
        for version in crd["spec"]["versions"].as_array().expect("versions") {
            let whole = &version["schema"]["openAPIV3Schema"];
            // nobody of ours observes what somebody else makes, and nothing is wanted of a list
            let kind = crd["spec"]["names"]["kind"].as_str().expect("a kind");
            let observed = match kind {
                "ExternalArtifact" | "Artifact" => Value::Null,
                _ => json!({"observedGeneration": -1}),
            };
            assert_eq!(whole["properties"]["status"]["default"], observed);
            let mut open = Vec::new();
            walk(whole, "", &mut |path, schema| {
                if schema["x-kubernetes-preserve-unknown-fields"] == true {
                    open.push(path.to_owned());
                }
            });
            let patches = [
                ".spec.patchesJson6902[].patch[].value",
                ".spec.patchesStrategicMerge[]",
            ];
            let expected: &[&str] = if crd["spec"]["names"]["kind"] == "Kustomization" {
                &patches
            } else {
                &[]
            };
            assert_eq!(open, expected);
        }
    }
}

/// A field that the type knows and the schema does not would be pruned by the API server.
#[test]
fn the_types_and_the_schemas_know_the_same_fields() {
    let text = "x".to_owned();
    let offered = |url: &str| crate::SourceStatus {
        url: Some(url.to_owned()),
        artifact: Some(crate::Artifact::default()),
        ..Default::default()
    };
    let source = serde_json::to_value(crate::GitRepositoryStatus {
        url: Some(text.clone()),
        content_config_checksum: Some(text.clone()),
        artifact: Some(crate::Artifact::default()),
        ..Default::default()
    });
    let image = serde_json::to_value(crate::OciRepositoryStatus {
        source: offered(&text),
        content_config_checksum: Some(text.clone()),
        observed_layer_selector: Some(crate::OciLayerSelector {
            media_type: Some(text.clone()),
            operation: Some(text.clone()),
        }),
        ..Default::default()
    });
    let pulled = serde_json::to_value(crate::OciRepositorySpec {
        reference: Some(crate::OciRepositoryRef {
            semver_filter: Some(text.clone()),
            ..Default::default()
        }),
        verify: Some(crate::OciVerification {
            match_oidc_identity: Some(Vec::new()),
            ..Default::default()
        }),
        cert_secret_ref: Some(crate::LocalObjectReference::default()),
        proxy_secret_ref: Some(crate::LocalObjectReference::default()),
        service_account_name: Some(text.clone()),
        insecure: true,
        ..Default::default()
    });
    let full = |text: &str| Some(text.to_owned());
    let reference = || Some(crate::LocalObjectReference::default());
    let helm_repository = serde_json::to_value(crate::HelmRepositorySpec {
        kind: full("oci"),
        interval: full("1m"),
        timeout: full("1m"),
        secret_ref: reference(),
        cert_secret_ref: reference(),
        pass_credentials: true,
        provider: full("aws"),
        access_from: Some(json!({"namespaceSelectors": []})),
        ..Default::default()
    });
    let chart = serde_json::to_value(crate::HelmChartSpec {
        version: full("1.x"),
        reconcile_strategy: full("Revision"),
        values_files: Some(Vec::new()),
        values_file: full("a.yaml"),
        verify: Some(crate::OciVerification {
            match_oidc_identity: Some(Vec::new()),
            ..Default::default()
        }),
        ..Default::default()
    });
    let charted = serde_json::to_value(crate::HelmChartStatus {
        observed_chart_name: full("app"),
        observed_source_artifact_revision: full("1"),
        observed_values_files: Some(Vec::new()),
        source: offered("http://x"),
    });
    let bucket = serde_json::to_value(crate::BucketSpec {
        provider: full("aws"),
        sts: Some(crate::BucketSts {
            secret_ref: reference(),
            cert_secret_ref: reference(),
            ..Default::default()
        }),
        region: full("r"),
        prefix: full("p"),
        service_account_name: full("s"),
        proxy_secret_ref: reference(),
        ignore: full("*"),
        ..Default::default()
    });
    let tenant = serde_json::to_value(crate::TenantSpec {
        kinds: Some(Vec::new()),
        watch_secrets: true,
        suspend: true,
        profile: crate::Profile::Strict,
        isolation: crate::Isolation::Pod,
        limits: crate::Limits {
            memory: Some(text),
            egress_ports: Some(vec![1]),
            ..Default::default()
        },
        ..Default::default()
    });
    for (schema, value) in [
        (super::git_repository::status(), source),
        (super::oci_repository::status(), image),
        (super::oci_repository::spec(), pulled),
        (super::helm_repository::spec(), helm_repository),
        (super::helm_chart::spec(), chart),
        (super::helm_chart::status(), charted),
        (super::bucket::spec(), bucket),
        (super::tenant::spec(), tenant),
    ] {
        known(&schema, &value.expect("a value"), "");
    }
}

fn known(schema: &Value, value: &Value, path: &str) {
    for (key, child) in value.as_object().into_iter().flatten() {
        let found = schema["properties"].get(key);
        known(
            found.unwrap_or_else(|| panic!("{path}.{key} is not in the schema")),
            child,
            &format!("{path}.{key}"),
        );
    }
}

/// What a schema does not name the API server cuts off.
#[test]
fn all_that_a_supervisor_says_of_a_home_is_in_the_schema() {
    let some = || vec!["some".to_owned()];
    let report = crate::HomeReport {
        phase: "Failing".to_owned(),
        last_error: Some("some".to_owned()),
        trouble: some(),
        sandbox: Some(some()),
        missing: some(),
        hindered: Some("some".to_owned()),
        quarantined: some(),
        held: true,
        over_budget: Some("some".to_owned()),
        over_limit: some(),
        legacy_rights: true,
        ..crate::HomeReport::default()
    };
    let said = serde_json::to_value(report).expect("it is plain");
    let schema = crd("tenants.tenure.dev")["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    let of_home = &schema["properties"]["status"]["properties"]["elsewhere"]["additionalProperties"];
    let known = of_home["properties"].as_object().expect("fields");
    let said = said.as_object().expect("fields");
    assert_eq!(said.keys().collect::<Vec<_>>(), known.keys().collect::<Vec<_>>());
}
