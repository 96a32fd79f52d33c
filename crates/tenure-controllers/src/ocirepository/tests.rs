use std::collections::BTreeMap;

use serde_json::{Value, json};
use tenure_api::reasons;
use tenure_core::{Digest, Retry, Secret};
use tenure_oci::{Credential, Keyring, Layer, Operation};

use super::plan::Question;
use super::*;
use crate::source::plan::{Refusal, Resolve};
use crate::testing::home;
use crate::{Home, SecretFor, Trouble};

fn object(spec: &Value) -> Value {
    let mut full = json!({"interval": "1m0s", "url": "oci://ghcr.io/org/app"});
    for (key, value) in spec.as_object().expect("a spec") {
        full[key] = value.clone();
    }
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "OCIRepository",
        "metadata": {"name": "app", "namespace": "apps", "generation": 1}, "spec": full,
    })
}

fn planned(object: &Value, home: &Home) -> Plan<Question> {
    plan::plan(&Observed { object, home })
}

fn resolved(spec: &Value, home: &Home) -> Resolve<Question> {
    match planned(&object(spec), home) {
        Plan::Resolve(resolve) => *resolve,
        other => panic!("{other:?}"),
    }
}

fn refused(spec: &Value, home: &Home) -> Refusal {
    match planned(&object(spec), home) {
        Plan::Refuse(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn range(range: &str, filter: Option<&str>, underscore_is_plus: bool) -> Reference {
    Reference::Semver {
        range: range.into(),
        filter: filter.map(Into::into),
        underscore_is_plus,
    }
}

#[test]
fn a_reference_follows_fluxs_precedence() {
    let home = home("apps", &[]);
    let digest = Digest::of(b"manifest");
    for (reference, expected) in [
        (json!({}), Reference::Tag("latest".into())),
        (
            json!({"tag": "", "semver": "", "digest": ""}),
            Reference::Tag("latest".into()),
        ),
        (json!({"tag": "v1"}), Reference::Tag("v1".into())),
        (json!({"tag": "v1", "semver": "1.x"}), range("1.x", None, false)),
        (
            json!({"semver": "1.x", "semverFilter": "^v"}),
            range("1.x", Some("^v"), false),
        ),
        (
            json!({"tag": "v1", "semver": "1.x", "digest": digest.to_string()}),
            Reference::Digest(digest),
        ),
    ] {
        assert_eq!(
            resolved(&json!({"ref": reference}), &home).question.reference,
            expected
        );
    }
    assert_eq!(
        resolved(&json!({}), &home).question.reference,
        Reference::default()
    );
    let chart = json!({
        "ref": {"semver": "*"},
        "layerSelector": {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"},
    });
    let chart = resolved(&chart, &home).question;
    assert_eq!(chart.reference, range("*", None, true));
    assert_eq!(chart.layer.operation, Operation::Copy);
    assert_eq!(resolved(&json!({}), &home).question.layer, Layer::default());
}

#[test]
fn what_can_never_work_is_said_and_not_tried() {
    let home = home("apps", &[]);
    for (spec, reason, part) in [
        (
            json!({"url": "oci://bob:CANARY@ghcr.io/app"}),
            reasons::URL_INVALID,
            "spec.url",
        ),
        (
            json!({"url": "https://ghcr.io/app"}),
            reasons::URL_INVALID,
            "oci://",
        ),
        (
            json!({"url": "oci://ghcr.io/app:v1"}),
            reasons::URL_INVALID,
            "spec.ref",
        ),
        (
            json!({"ref": {"digest": "sha256:1"}}),
            reasons::URL_INVALID,
            "spec.ref.digest",
        ),
        (json!({"interval": "soon"}), reasons::FAILED, "spec.interval"),
        (
            json!({"verify": {"provider": "cosign"}}),
            reasons::FEATURE_GATE_DISABLED,
            "spec.verify without secretRef",
        ),
    ] {
        let refusal = refused(&spec, &home);
        assert_eq!(refusal.reason, reason, "{spec}");
        assert!(
            refusal.message.contains(part) && !refusal.message.contains("CANARY"),
            "{}",
            refusal.message
        );
    }
    let provider = |provider: &str| resolved(&json!({"provider": provider}), &home).question.provider;
    assert_eq!(provider("generic"), None);
    assert_eq!(provider("aws").as_deref(), Some("aws"));
}

#[test]
fn a_prefix_covers_what_is_asked_however_the_object_writes_it() {
    let mut home = home("apps", &[]);
    for (prefix, url, good) in [
        ("oci://ghcr.io/org/", "oci://ghcr.io/org/app", true),
        ("oci://ghcr.io:443/org", "oci://GHCR.io/org/app", true),
        ("oci://ghcr.io/or", "oci://ghcr.io/org/app", false),
        ("oci://ghcr.io/", "oci://ghcr.io", false),
        ("oci://ghcr.io/", "oci://ghcr.io.evil.example/app", false),
        ("oci://docker.io/library/", "oci://alpine", true),
        ("oci://index.docker.io/", "oci://docker.io/org/app", true),
        ("https://", "oci://ghcr.io/org/app", false),
        ("oci://*", "oci://ghcr.io/org/app", true),
        ("oci://registry:5000/", "oci://registry:5000/app", true),
        ("oci://registry/", "oci://registry:5000/app", false),
    ] {
        home.sources.allow = vec![prefix.into()];
        let plan = planned(&object(&json!({"url": url})), &home);
        match (good, &plan) {
            (true, Plan::Resolve(_)) => {}
            (false, Plan::Refuse(refusal)) if refusal.reason == reasons::ACCESS_DENIED => {
                assert!(refusal.message.contains("spec.sources.allow"));
            }
            _ => panic!("{prefix} and {url}: {plan:?}"),
        }
    }
}

#[test]
fn the_objects_secret_wins_over_the_tenants() {
    let mut home = home("apps", &[]);
    assert_eq!(resolved(&json!({}), &home).question.secret, None);
    home.sources.secrets = vec![SecretFor {
        prefix: "oci://ghcr.io/".into(),
        name: "tenants".into(),
    }];
    let secret = |spec: &Value| resolved(spec, &home).question.secret;
    assert_eq!(secret(&json!({})).as_deref(), Some("tenants"));
    assert_eq!(
        secret(&json!({"secretRef": {"name": "own"}})).as_deref(),
        Some("own")
    );
    assert_eq!(secret(&json!({"url": "oci://quay.io/org/app"})), None);
}

#[test]
fn a_suspended_object_rests_and_a_deleted_one_is_released() {
    let home = home("apps", &[]);
    assert!(matches!(
        planned(&object(&json!({"suspend": true})), &home),
        Plan::Rest
    ));
    let mut deleted = object(&json!({"suspend": true}));
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert!(matches!(
        planned(&deleted, &home),
        Plan::Release { remote: Some(remote) } if remote == "oci://ghcr.io/org/app"
    ));
}

#[test]
fn a_failure_has_fluxs_reason_for_where_it_came() {
    let home = home("apps", &[]);
    let failure = |found| SourceFailure {
        reason: reasons::OCI_ARTIFACT_PULL_FAILED,
        message: "no".into(),
        retry: Retry::Backoff,
        cache_down: false,
        found,
        trouble: Trouble::Unavailable,
    };
    let of = |spec: &Value, found| OciSource::failed(&resolved(spec, &home).question, failure(found));
    let semver = json!({"ref": {"semver": "1.x"}});
    for (failure, reason, message) in [
        (
            of(&json!({}), false),
            "OCIArtifactPullFailed",
            "failed to determine artifact digest: no",
        ),
        (
            of(&semver, false),
            "ReadOperationFailed",
            "failed to determine the artifact tag for 'oci://ghcr.io/org/app': no",
        ),
        (
            of(&semver, true),
            "OCIArtifactPullFailed",
            "failed to pull artifact from 'oci://ghcr.io/org/app': no",
        ),
    ] {
        assert_eq!((failure.reason, failure.message.as_str()), (reason, message));
    }
}

fn secret(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), Secret::from((*value).to_owned())))
        .collect()
}

#[test]
fn a_pull_secret_opens_its_own_registry_only() {
    let config = r#"{"auths": {"ghcr.io": {"username": "bob", "password": "CANARY"}}}"#;
    let mut keyring = Keyring::default();
    credential::add(&mut keyring, "pull", &secret(&[(".dockerconfigjson", config)]))
        .expect("a docker config");
    let find = |url: &str| keyring.find(&Repository::from_url(url).expect("valid"));
    assert!(matches!(find("oci://ghcr.io/org/app"), Credential::Basic { .. }));
    assert!(matches!(find("oci://quay.io/org/app"), Credential::None));
    for (data, part) in [
        (
            secret(&[("username", "bob"), ("password", "CANARY")]),
            "'.dockerconfigjson'",
        ),
        (secret(&[(".dockerconfigjson", "CANARY")]), "'pull'"),
    ] {
        let error = credential::add(&mut keyring, "pull", &data).expect_err("unusable");
        assert!(error.contains(part) && !error.contains("CANARY"), "{error}");
    }
}
