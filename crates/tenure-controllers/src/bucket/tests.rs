use std::collections::BTreeMap;

use serde_json::{Value, json};
use tenure_core::Retry;

use super::*;
use crate::source::plan::Resolve;
use crate::testing::home;
use crate::{Home, SecretFor};

fn object(spec: &Value) -> Value {
    let mut full = json!({"interval": "1m0s", "endpoint": "minio.example.com:9000", "bucketName": "team"});
    for (key, value) in spec.as_object().expect("a spec") {
        full[key] = value.clone();
    }
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "Bucket",
        "metadata": {"name": "app", "namespace": "apps", "generation": 1}, "spec": full,
    })
}

fn planned(object: &Value, home: &Home) -> Plan<plan::Question> {
    BucketSource::plan(&Observed { object, home })
}

fn resolved(spec: &Value, home: &Home) -> Resolve<plan::Question> {
    match planned(&object(spec), home) {
        Plan::Resolve(resolve) => *resolve,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_store_is_asked_over_https_unless_the_object_says_otherwise() {
    let home = home("apps", &[]);
    let usual = resolved(&json!({}), &home).question;
    assert_eq!(usual.endpoint.remote_key(), "https://minio.example.com:9000");
    let plain = resolved(&json!({"insecure": true, "prefix": "a/", "region": "eu"}), &home).question;
    assert_eq!(plain.endpoint.remote_key(), "http://minio.example.com:9000");
    assert_eq!((plain.prefix.as_str(), plain.region.as_str()), ("a/", "eu"));
}

#[test]
fn what_can_never_work_is_said_and_not_tried() {
    let home = home("apps", &[]);
    for (spec, reason, part) in [
        (
            json!({"endpoint": "https://minio"}),
            "URLInvalid",
            "spec.endpoint",
        ),
        (
            json!({"endpoint": "bob:CANARY@minio"}),
            "URLInvalid",
            "spec.endpoint",
        ),
        (json!({"endpoint": ""}), "URLInvalid", "spec.endpoint"),
        (json!({"interval": "soon"}), "Failed", "spec.interval"),
        (
            json!({"sts": {"provider": "aws", "endpoint": "https://sts"}}),
            "FeatureGateDisabled",
            "spec.sts.provider",
        ),
        (
            json!({"sts": {"provider": "ldap", "endpoint": "https://bob:CANARY@s ts"}}),
            "URLInvalid",
            "STS endpoint",
        ),
    ] {
        match planned(&object(&spec), &home) {
            Plan::Refuse(refusal) => {
                assert_eq!(refusal.reason, reason, "{spec}");
                assert!(refusal.message.contains(part), "{}", refusal.message);
                assert!(!refusal.message.contains("CANARY"), "{}", refusal.message);
            }
            other => panic!("{spec}: {other:?}"),
        }
    }
    for (provider, endpoint, url) in [
        (
            "aws",
            "s3.eu-west-1.amazonaws.com",
            "https://s3.eu-west-1.amazonaws.com",
        ),
        ("gcp", "storage.googleapis.com", "https://storage.googleapis.com"),
        (
            "azure",
            "https://acc.blob.core.windows.net/",
            "https://acc.blob.core.windows.net",
        ),
    ] {
        let spec = json!({"provider": provider, "endpoint": endpoint, "secretRef": {"name": "keys"}});
        let question = resolved(&spec, &home).question;
        assert_eq!(question.endpoint.remote_key(), format!("{url}:443"));
    }
}

#[test]
fn a_prefix_of_the_tenants_may_name_the_bucket() {
    let mut home = home("apps", &[]);
    home.sources.secrets = vec![SecretFor {
        prefix: "https://minio.example.com:9000/team".into(),
        name: "tenants".into(),
    }];
    assert_eq!(
        resolved(&json!({}), &home).question.secret.as_deref(),
        Some("tenants")
    );
    let sts = json!({"sts": {"provider": "ldap", "endpoint": "https://sts.example.com", "secretRef": {"name": "dir"}}});
    let wanted = resolved(&sts, &home).question.sts.expect("set");
    assert_eq!(wanted.secret.as_deref(), Some("dir"));
    home.sources.allow = vec!["https://minio.example.com:9000/".into()];
    assert!(
        matches!(planned(&object(&sts), &home), Plan::Refuse(refusal) if refusal.reason == "AccessDenied"),
        "who gives the keys has to be allowed too"
    );
    for (prefix, good) in [
        ("https://minio.example.com:9000/", true),
        ("https://minio.example.com:9000/team", true),
        ("https://minio.example.com:9000/other", false),
        ("https://minio.example.com/", false),
    ] {
        home.sources.allow = vec![prefix.into()];
        let plan = planned(&object(&json!({})), &home);
        assert_eq!(matches!(plan, Plan::Resolve(_)), good, "{prefix}: {plan:?}");
    }
}

#[test]
fn a_suspended_object_rests_and_a_deleted_one_is_released() {
    let home = home("apps", &[]);
    assert!(matches!(
        planned(&object(&json!({"suspend": true})), &home),
        Plan::Rest
    ));
    let mut deleted = object(&json!({}));
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert!(matches!(
        planned(&deleted, &home),
        Plan::Release { remote: Some(remote) } if remote == "https://minio.example.com:9000/team"
    ));
}

#[test]
fn a_failure_has_fluxs_words_for_where_it_came() {
    let home = home("apps", &[]);
    let question = resolved(&json!({}), &home).question;
    for (trouble, found, message) in [
        (Trouble::Missing, false, "bucket 'team' not found"),
        (
            Trouble::Refused,
            false,
            "failed to confirm existence of 'team' bucket: no",
        ),
        (
            Trouble::Malformed,
            false,
            "indexation of objects from bucket 'team' failed: no",
        ),
        (
            Trouble::Unavailable,
            true,
            "fetching files from bucket 'team' failed: no",
        ),
    ] {
        let failure = SourceFailure {
            reason: "Failed",
            message: "no".into(),
            retry: Retry::Backoff,
            cache_down: false,
            found,
            trouble,
        };
        let failure = BucketSource::failed(&question, failure);
        assert_eq!(
            (failure.reason, failure.message.as_str()),
            ("BucketOperationFailed", message)
        );
    }
}

#[test]
fn keys_come_by_fluxs_names_and_are_never_shown() {
    let secret = |pairs: &[(&str, &str)]| -> BTreeMap<String, Secret> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), Secret::from((*value).to_owned())))
            .collect()
    };
    let whole = keys("s", &secret(&[("accesskey", "id\n"), ("secretkey", "k")])).expect("whole");
    assert_eq!(whole.0, "id");
    let error = keys("s", &secret(&[("secretkey", "CANARY")])).expect_err("half");
    assert_eq!(
        error,
        "invalid 's' secret data: required fields 'accesskey' and 'secretkey'"
    );
}
