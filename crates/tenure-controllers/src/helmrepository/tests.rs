use serde_json::{Value, json};
use tenure_core::{Digest, Retry, Secret};

use super::*;
use crate::source::plan::Resolve;
use crate::testing::home;
use crate::{Home, SecretFor};

fn object(spec: &Value) -> Value {
    let mut full = json!({"url": "https://charts.example.com/stable"});
    for (key, value) in spec.as_object().expect("a spec") {
        full[key] = value.clone();
    }
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository",
        "metadata": {"name": "charts", "namespace": "apps", "generation": 1}, "spec": full,
    })
}

fn planned(spec: &Value, home: &Home) -> Plan<HelmRemote> {
    HelmSource::plan(&Observed {
        object: &object(spec),
        home,
    })
}

fn resolved(spec: &Value, home: &Home) -> Resolve<HelmRemote> {
    match planned(spec, home) {
        Plan::Resolve(resolve) => *resolve,
        other => panic!("{other:?}"),
    }
}

#[test]
fn interval_and_timeout_have_fluxs_defaults() {
    let home = home("apps", &[]);
    let usual = resolved(&json!({}), &home);
    assert_eq!((usual.interval.as_secs(), usual.timeout.as_secs()), (60, 60));
    let said = resolved(&json!({"interval": "10m", "timeout": "5s"}), &home);
    assert_eq!((said.interval.as_secs(), said.timeout.as_secs()), (600, 5));
}

#[test]
fn what_can_never_work_is_said_and_not_tried() {
    let home = home("apps", &[]);
    for (spec, reason, message) in [
        (
            json!({"url": "oci://ghcr.io/charts"}),
            "URLInvalid",
            "invalid Helm repository URL: 'oci' URL scheme cannot be used with 'default' HelmRepository type",
        ),
        (
            json!({"url": "https://bob:CANARY@h o/x"}),
            "URLInvalid",
            "invalid Helm repository URL: ",
        ),
        (json!({"interval": "soon"}), "Failed", "spec.interval"),
    ] {
        match planned(&spec, &home) {
            Plan::Refuse(refusal) => {
                assert_eq!(refusal.reason, reason);
                assert!(refusal.message.starts_with(message), "{}", refusal.message);
                assert!(!refusal.message.contains("CANARY"), "{}", refusal.message);
            }
            other => panic!("{spec}: {other:?}"),
        }
    }
}

#[test]
fn charts_in_a_registry_are_nobodys_to_reconcile() {
    let home = home("apps", &[]);
    let oci = |more: Value| {
        let mut spec = json!({"type": "oci", "url": "oci://ghcr.io/charts"});
        for (key, value) in more.as_object().expect("fields") {
            spec[key] = value.clone();
        }
        planned(&spec, &home)
    };
    assert!(matches!(oci(json!({})), Plan::Static { suspended: false }));
    assert!(matches!(
        oci(json!({"suspend": true})),
        Plan::Static { suspended: true }
    ));
    assert!(matches!(planned(&json!({"suspend": true}), &home), Plan::Rest));
}

#[test]
fn the_tenants_rules_hold_for_repositories_too() {
    let mut home = home("apps", &[]);
    home.sources.secrets = vec![SecretFor {
        prefix: "https://charts.example.com/".into(),
        name: "tenants".into(),
    }];
    assert_eq!(
        resolved(&json!({}), &home).question.secret.as_deref(),
        Some("tenants")
    );
    let own = json!({"secretRef": {"name": "own"}, "passCredentials": true});
    let own = resolved(&own, &home).question;
    assert_eq!(own.secret.as_deref(), Some("own"));
    assert!(own.pass_credentials);
    home.sources.allow = vec!["https://elsewhere.example.com/".into()];
    match planned(&json!({}), &home) {
        Plan::Refuse(refusal) => assert_eq!(refusal.reason, "AccessDenied"),
        other => panic!("{other:?}"),
    }
    let image = object(&json!({"type": "oci", "url": "oci://ghcr.io/charts"}));
    let spec = typed(&image).expect("typed").spec;
    let refusal = ImageRemote::of(&spec, "podinfo", &home).expect_err("not allowed");
    assert_eq!(refusal.reason, "AccessDenied");
    home.sources.allow = vec!["oci://ghcr.io/charts/".into()];
    let image = ImageRemote::of(&spec, "podinfo", &home).expect("allowed");
    assert_eq!(image.repository.url(), "oci://ghcr.io/charts/podinfo");
}

#[test]
fn a_failure_has_fluxs_reason_for_what_it_is() {
    let home = home("apps", &[]);
    let question = resolved(&json!({}), &home).question;
    for (trouble, reason, message) in [
        (
            Trouble::Unavailable,
            "Failed",
            "failed to fetch Helm repository index: no",
        ),
        (
            Trouble::Refused,
            "Failed",
            "failed to fetch Helm repository index: no",
        ),
        (
            Trouble::Malformed,
            "IndexationFailed",
            "failed to load Helm repository from index YAML: no",
        ),
        (Trouble::Ours, "SourceCacheUnavailable", "no"),
    ] {
        let failure = SourceFailure {
            reason: "SourceCacheUnavailable",
            message: "no".into(),
            retry: Retry::Backoff,
            cache_down: false,
            found: false,
            trouble,
        };
        let failure = HelmSource::failed(&question, failure);
        assert_eq!((failure.reason, failure.message.as_str()), (reason, message));
    }
}

#[test]
fn the_event_says_the_size_as_flux_does() {
    for (bytes, text) in [
        (0, "0B"),
        (999, "999B"),
        (1000, "1kB"),
        (30_932, "30.93kB"),
        (1_234_567, "1.235MB"),
        (52_428_800, "52.43MB"),
    ] {
        assert_eq!(human_size(bytes), text);
    }
    let resolved = Resolved {
        revision: Revision::digest(Digest::of(b"index")),
        digest: Digest::of(b"json"),
        size: 30_900,
        subject: String::new(),
        metadata: Vec::new(),
        objects: Vec::new(),
        grant: Secret::new(*b""),
        leased_for: None,
        signatures: Vec::new(),
        link: None,
    };
    let object = object(&json!({"url": "https://bob:CANARY@charts.example.com"}));
    let news = HelmSource::news(&object, &resolved);
    assert!(
        news.starts_with("stored fetched index of size 30.9kB from 'https://"),
        "{news}"
    );
    assert!(!news.contains("CANARY"), "{news}");
}
