use tenure_core::Digest;
use tenure_oci::{
    Credential, Layer, Limits, Missing, OciError, Operation, Reference, manifest, referrers, signatures,
    small_blob,
};
use tenure_testkit::oci::{Artifact, Login, Part, Registry, Signer, Transport};
use tenure_verify::PublicKey;
use tenure_verify::cosign::{self, Candidate};

use crate::support::{basic, limits, pull, pull_within, remote, resolve, tag};

const SOURCE: &str = "https://git.example.com/app.git";
const REVISION: &str = "main@sha1:9c5b7a1e9c5b7a1e9c5b7a1e9c5b7a1e9c5b7a1e";

fn app() -> Artifact {
    let files = [("b/c.yaml", "c: 1\n"), ("a.yaml", "a: 1\n"), ("image.png", "png")];
    Artifact::flux(&files, SOURCE, REVISION)
}

async fn registry() -> Registry {
    let registry = Registry::start().await.unwrap();
    registry.set_password("bob", "hunter2").unwrap();
    registry
}

fn bob() -> Credential {
    basic("bob", "hunter2")
}

#[tokio::test]
async fn a_tag_becomes_an_artifact_with_the_annotations_of_its_manifest() {
    let registry = registry().await;
    let pushed = registry.push("team/app", "latest", &app()).await.unwrap();
    let remote = remote(&registry, "team/app", bob());
    let pulled = pull(&remote, &Reference::default(), &Layer::default())
        .await
        .unwrap();
    assert_eq!(
        pulled.resolved.revision.to_string(),
        format!("latest@{}", pushed.digest)
    );
    assert_eq!(
        pulled.names(),
        ["a.yaml", "b/", "b/c.yaml"],
        "sorted, without what is ignored"
    );
    let note = |key: &str| pulled.fetched.annotations[&format!("org.opencontainers.image.{key}")].clone();
    assert_eq!(
        (note("source"), note("revision")),
        (SOURCE.to_owned(), REVISION.to_owned())
    );
    assert!(registry.log().contains("HTTP/2.0"), "{}", registry.log());
}

#[tokio::test]
async fn resolving_asks_for_one_head_and_downloads_nothing() {
    let registry = registry().await;
    registry.push("app1", "v1", &app()).await.unwrap();
    let before = registry.requests().len();
    resolve(&remote(&registry, "app1", bob()), &tag("v1"))
        .await
        .unwrap();
    let asked: Vec<_> = registry.requests().split_off(before);
    assert_eq!(
        asked,
        ["HEAD /v2/app1/manifests/v1 401", "HEAD /v2/app1/manifests/v1 200"]
    );
}

#[tokio::test]
async fn a_digest_is_a_revision_without_a_tag() {
    let registry = registry().await;
    let pushed = registry.push("app2", "v1", &app()).await.unwrap();
    let digest: Digest = pushed.digest.parse().unwrap();
    let remote = remote(&registry, "app2", bob());
    let pulled = pull(&remote, &Reference::Digest(digest), &Layer::default())
        .await
        .unwrap();
    assert_eq!(pulled.resolved.revision.to_string(), pushed.digest);
}

#[tokio::test]
async fn the_highest_tag_in_a_range_is_followed() {
    let registry = registry().await;
    for version in ["1.2.0", "v1.10.0", "2.0.0-rc.1", "latest", "1.9.0-dev"] {
        registry.push("app3", version, &app()).await.unwrap();
    }
    let remote = remote(&registry, "app3", bob());
    for (range, filter, wanted) in [
        ("1.x", None, "v1.10.0"),
        ("1.x", Some("^[0-9]"), "1.2.0"),
        (">=1.0.0-0", None, "2.0.0-rc.1"),
        (">=1.0.0-0", Some("-dev$"), "1.9.0-dev"),
    ] {
        let reference = Reference::Semver {
            range: range.to_owned(),
            filter: filter.map(ToOwned::to_owned),
            underscore_is_plus: false,
        };
        let resolved = resolve(&remote, &reference).await.unwrap();
        assert_eq!(resolved.tag.as_deref(), Some(wanted), "{reference}");
    }
    let none = Reference::Semver {
        range: "3.x".to_owned(),
        filter: None,
        underscore_is_plus: false,
    };
    let error = resolve(&remote, &none).await.unwrap_err();
    assert!(
        matches!(&error, OciError::NotFound { what: Missing::TagInRange(what), .. } if what.contains("3.x")),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_missing_is_named_with_the_registry() {
    let registry = registry().await;
    registry.push("app4", "v1", &app()).await.unwrap();
    let absent = Digest::of(b"absent");
    let cases = [
        ("app4", tag("v2"), Missing::Tag("v2".to_owned())),
        ("app4", Reference::Digest(absent), Missing::Manifest(absent)),
        ("none", tag("v1"), Missing::Tag("v1".to_owned())),
    ];
    for (repository, reference, wanted) in cases {
        let error = resolve(&remote(&registry, repository, bob()), &reference)
            .await
            .unwrap_err();
        let OciError::NotFound { image, what } = &error else {
            panic!("{error}");
        };
        assert_eq!(*what, wanted);
        assert!(image.contains(&registry.url(repository)), "{image}");
    }
    let invalid = resolve(&remote(&registry, "app4", bob()), &tag("../../x"))
        .await
        .unwrap_err();
    assert!(matches!(invalid, OciError::InvalidReference { .. }), "{invalid}");
}

#[tokio::test]
async fn a_layer_is_chosen_by_media_type_and_copied_as_it_is() {
    let registry = registry().await;
    let mut artifact = app();
    artifact
        .layers
        .push(Part::new("application/vnd.example.blob", "as it is"));
    registry.push("app5", "v1", &artifact).await.unwrap();
    let remote = remote(&registry, "app5", bob());
    let layer = |kind: &str, operation| Layer {
        media_type: Some(kind.to_owned()),
        operation,
    };
    let copied = pull(
        &remote,
        &tag("v1"),
        &layer("application/vnd.example.blob", Operation::Copy),
    )
    .await
    .unwrap();
    assert_eq!(copied.bytes, b"as it is");
    assert_eq!(copied.fetched.media_type, "application/vnd.example.blob");
    let refused = pull(
        &remote,
        &tag("v1"),
        &layer("application/vnd.example.blob", Operation::Extract),
    )
    .await;
    let error = refused.err().unwrap();
    assert!(matches!(error, OciError::Malformed { .. }), "{error}");
    let missing = pull(&remote, &tag("v1"), &layer("text/none", Operation::Copy)).await;
    let error = missing.err().unwrap();
    assert!(
        error.to_string().contains("layer with media type \"text/none\""),
        "{error}"
    );
}

#[tokio::test]
async fn a_chart_is_pulled_under_a_version_with_a_plus() {
    let registry = registry().await;
    let chart = Artifact::chart("app", "1.0.0+b2", &[("values.yaml", "a: 1\n")]);
    registry.push("charts/app", "1.0.0_b2", &chart).await.unwrap();
    let reference = Reference::Semver {
        range: "1.x".to_owned(),
        filter: None,
        underscore_is_plus: true,
    };
    let layer = Layer {
        media_type: Some("application/vnd.cncf.helm.chart.content.v1.tar+gzip".to_owned()),
        operation: Operation::Copy,
    };
    let pulled = pull(&remote(&registry, "charts/app", bob()), &reference, &layer)
        .await
        .unwrap();
    assert_eq!(pulled.resolved.tag.as_deref(), Some("1.0.0_b2"));
    assert_eq!(pulled.names(), ["app/Chart.yaml", "app/values.yaml"]);
    assert_eq!(pulled.bytes, chart.layers[0].bytes);
}

#[tokio::test]
async fn an_index_is_entered_at_linux_on_amd64_and_named_by_its_own_digest() {
    let registry = registry().await;
    let arm = registry
        .push("app6", "arm", &Artifact::flux(&[("arm", "1")], SOURCE, REVISION))
        .await
        .unwrap();
    let amd = registry
        .push("app6", "amd", &Artifact::flux(&[("amd", "1")], SOURCE, REVISION))
        .await
        .unwrap();
    let both = registry
        .push_index("app6", "both", &[("linux/arm64", &arm), ("linux/amd64", &amd)])
        .await
        .unwrap();
    registry
        .push_index("app6", "none", &[("linux/arm64", &arm)])
        .await
        .unwrap();
    let remote = remote(&registry, "app6", bob());
    let pulled = pull(&remote, &tag("both"), &Layer::default()).await.unwrap();
    assert_eq!(pulled.names(), ["amd"]);
    assert_eq!(pulled.resolved.digest.to_string(), both.digest);
    let error = pull(&remote, &tag("none"), &Layer::default())
        .await
        .err()
        .unwrap();
    assert!(
        matches!(
            error,
            OciError::NotFound {
                what: Missing::Platform,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn ignore_rules_and_limits_hold_for_what_is_extracted() {
    let registry = registry().await;
    let files = [
        (".sourceignore", "*.md\n"),
        ("x.md", "x"),
        ("y.yaml", "y: 1\n"),
        ("z.yaml", "z: 1\n"),
    ];
    registry
        .push("app7", "v1", &Artifact::flux(&files, SOURCE, REVISION))
        .await
        .unwrap();
    let remote = remote(&registry, "app7", bob());
    let pulled = pull_within(
        &remote,
        &tag("v1"),
        &Layer::default(),
        Some("/z.yaml\n"),
        &limits(),
    )
    .await
    .unwrap();
    assert_eq!(pulled.names(), [".sourceignore", "y.yaml"]);
    for small in [
        Limits {
            artifact_bytes: 4,
            ..limits()
        },
        Limits {
            layer_bytes: 16,
            ..limits()
        },
        Limits {
            entries: 2,
            ..limits()
        },
        Limits {
            manifest_bytes: 64,
            ..limits()
        },
    ] {
        let error = pull_within(&remote, &tag("v1"), &Layer::default(), None, &small)
            .await
            .err()
            .unwrap();
        assert!(matches!(error, OciError::TooLarge { .. }), "{error}");
    }
}

#[tokio::test]
async fn signatures_of_cosign_2_and_3_are_collected_and_count_for_their_key_only() {
    let registry = registry().await;
    let pushed = registry.push("app8", "v1", &app()).await.unwrap();
    let digest: Digest = pushed.digest.parse().unwrap();
    let remote = remote(&registry, "app8", bob());
    assert_eq!(signatures(&remote, digest, &limits()).await.unwrap(), []);

    let (old, new) = (Signer::new().unwrap(), Signer::new().unwrap());
    registry.sign("app8", &pushed, &old).await.unwrap();
    registry.sign_with_bundle("app8", &pushed, &new).await.unwrap();
    let found = signatures(&remote, digest, &limits()).await.unwrap();
    assert_eq!(found.len(), 2);
    let candidates: Vec<_> = found
        .iter()
        .map(|s| Candidate {
            media_type: &s.media_type,
            annotations: &s.annotations,
            payload: &s.payload,
        })
        .collect();
    let key =
        |name: &str, signer: &Signer| PublicKey::from_pem(name, signer.public_key().as_bytes()).unwrap();
    for (name, signer) in [("old", &old), ("new", &new)] {
        let verified = cosign::verify(digest, &candidates, &[key(name, signer)]).unwrap();
        assert_eq!(verified.key, name);
    }
    let other = key("other", &Signer::new().unwrap());
    assert!(cosign::verify(digest, &candidates, &[other]).is_err());
}

#[tokio::test]
async fn envelopes_of_notation_are_collected_with_the_manifest_that_they_are_about() {
    let registry = registry().await;
    let pushed = registry.push("app12", "v1", &app()).await.unwrap();
    let digest: Digest = pushed.digest.parse().unwrap();
    let kind = "application/vnd.cncf.notary.signature";
    let envelope = Artifact {
        artifact_type: Some(kind.to_owned()),
        subject: Some((pushed.media_type.clone(), pushed.digest.clone(), pushed.size)),
        ..Artifact::with_layer(Part::new("application/jose+json", "{}"))
    };
    let attached = registry.push("app12", "", &envelope).await.unwrap();
    let tag = pushed.digest.replace(':', "-");
    registry
        .push_referrers("app12", &tag, &[(kind, &attached)])
        .await
        .unwrap();
    let remote = remote(&registry, "app12", bob());
    let found = signatures(&remote, digest, &limits()).await.unwrap();
    let [envelope, itself] = found.as_slice() else {
        panic!("an envelope and the manifest: {found:?}");
    };
    assert_eq!(envelope.media_type, "application/jose+json");
    assert_eq!(envelope.payload, b"{}");
    assert_eq!(itself.media_type, pushed.media_type);
    assert_eq!(Digest::of(&itself.payload), digest);
}

#[tokio::test]
async fn what_refers_to_a_manifest_is_found_by_its_kind() {
    let registry = registry().await;
    let pushed = registry.push("app10", "v1", &app()).await.unwrap();
    let digest: Digest = pushed.digest.parse().unwrap();
    registry
        .sign_with_bundle("app10", &pushed, &Signer::new().unwrap())
        .await
        .unwrap();
    let remote = remote(&registry, "app10", bob());
    let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let found = referrers(&remote, digest, Some(kind), &limits()).await.unwrap();
    assert_eq!(found.len(), 1);
    let manifest = manifest(&remote, found[0].digest, &limits()).await.unwrap();
    assert_eq!(manifest.artifact_type.as_deref(), Some(kind));
    let bundle = small_blob(&remote, &manifest.layers[0], &limits()).await.unwrap();
    assert!(bundle.starts_with(b"{"));
    let none = referrers(&remote, digest, Some("text/plain"), &limits())
        .await
        .unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn http_is_spoken_only_where_it_is_allowed() {
    let registry = Registry::start_with(Transport::Http, Login::Nobody)
        .await
        .unwrap();
    registry.push("app9", "v1", &app()).await.unwrap();
    let mut remote = remote(&registry, "app9", Credential::None);
    let error = resolve(&remote, &tag("v1")).await.unwrap_err();
    assert!(matches!(error, OciError::Unavailable { .. }), "{error}");
    remote.insecure = true;
    pull(&remote, &tag("v1"), &Layer::default()).await.unwrap();
}
