//! Artifacts of registries, by the same rules as commits.

use std::time::Duration;

use tenure_net::Guard;
use tenure_proto::source::{
    Basic, Credential, FailureKind, OciSpec, ResolveRequest, credential, oci_spec, resolve_request,
};
use tenure_testkit::oci::{Artifact, Login, Part, Registry, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::rig::{Rig, Setup, fetch};
use crate::source_client::SourceError;
use tenure_cache::Limits;

const REVISION: &str = "main@sha1:9c5b7a1e9c5b7a1e9c5b7a1e9c5b7a1e9c5b7a1e";

fn app(content: &str) -> Artifact {
    Artifact::flux(
        &[("a.yaml", content)],
        "https://git.example.com/app.git",
        REVISION,
    )
}

async fn registry(users: &[(&str, &str)]) -> Registry {
    let registry = Registry::start().await.expect("a registry");
    for (user, password) in users {
        registry.set_password(user, password).expect("writable");
    }
    registry
}

fn ask(url: &str) -> ResolveRequest {
    let spec = OciSpec {
        url: url.into(),
        ..OciSpec::default()
    };
    ResolveRequest {
        spec: Some(resolve_request::Spec::Oci(spec)),
        timeout: Duration::from_secs(60).try_into().ok(),
        ..ResolveRequest::default()
    }
}

fn image(registry: &Registry, user: &str, password: &str) -> ResolveRequest {
    let basic = Basic {
        username: user.into(),
        password: password.into(),
    };
    ResolveRequest {
        credential: Some(Credential {
            kind: Some(credential::Kind::Basic(basic)),
            ca_pem: registry.ca().as_bytes().to_vec(),
            ..Credential::default()
        }),
        ..ask(&registry.url("team/app"))
    }
}

fn changed(mut request: ResolveRequest, change: impl FnOnce(&mut OciSpec)) -> ResolveRequest {
    match &mut request.spec {
        Some(resolve_request::Spec::Oci(spec)) => change(spec),
        other => panic!("{other:?}"),
    }
    request
}

/// The kind of a failure, and whether the reference had been found.
fn said(error: &SourceError) -> Option<(FailureKind, bool)> {
    match error {
        SourceError::Remote { kind, found, .. } => Some((*kind, *found)),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_homes_share_a_layer_and_each_proves_for_itself() {
    let rig = Rig::start().await;
    let registry = registry(&[("alice", "alices-password"), ("bob", "bobs-password")]).await;
    let pushed = registry
        .push("team/app", "latest", &app("a: 1\n"))
        .await
        .expect("pushed");
    let (alice, bob) = (rig.home("alice"), rig.home("bob"));
    let first = alice
        .resolve(image(&registry, "alice", "alices-password"))
        .await
        .expect("resolves");
    assert_eq!(first.revision, format!("latest@{}", pushed.digest));
    let artifact = first.artifact.clone().expect("set");
    assert_eq!(
        artifact
            .metadata
            .get("org.opencontainers.image.revision")
            .map(String::as_str),
        Some(REVISION)
    );
    let before = registry.requests().len();
    let second = bob
        .resolve(image(&registry, "bob", "bobs-password"))
        .await
        .expect("resolves");
    let asked = registry.requests().split_off(before);
    assert_eq!(
        asked,
        [
            "HEAD /v2/team/app/manifests/latest 401",
            "HEAD /v2/team/app/manifests/latest 200"
        ],
        "bob was let in by the registry, and nothing was downloaded for him"
    );
    assert_eq!(second.artifact, first.artifact);
    assert_ne!(first.grant, second.grant);
    assert_eq!(rig.metric("tenure_cache_downloads_total").await, 1);
    for (client, resolved) in [(&alice, &first), (&bob, &second)] {
        fetch(client, resolved).await.expect("fetches");
    }
    let stranger = rig.home("mallory");
    let error = stranger
        .resolve(image(&registry, "mallory", "guess"))
        .await
        .expect_err("refused");
    assert_eq!(
        said(&error),
        Some((FailureKind::AuthenticationFailed, false)),
        "{error}"
    );
    let mut nobody = image(&registry, "", "");
    nobody.credential.as_mut().expect("set").kind = None;
    let error = stranger.resolve(nobody).await.expect_err("refused");
    assert_eq!(
        said(&error),
        Some((FailureKind::AuthenticationFailed, false)),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_locked_out_of_a_registry_loses_what_it_had_given() {
    let rig = Rig::start().await;
    let registry = registry(&[("alice", "alices-password"), ("bob", "bobs-password")]).await;
    registry
        .push("team/app", "latest", &app("a: 1\n"))
        .await
        .expect("pushed");
    let (alice, bob) = (rig.home("alice"), rig.home("bob"));
    let of_alice = alice
        .resolve(image(&registry, "alice", "alices-password"))
        .await
        .expect("ok");
    let of_bob = bob
        .resolve(image(&registry, "bob", "bobs-password"))
        .await
        .expect("ok");
    fetch(&bob, &of_bob).await.expect("while it is good");
    registry.revoke("bob").expect("writable");
    let error = bob
        .resolve(image(&registry, "bob", "bobs-password"))
        .await
        .expect_err("refused");
    assert_eq!(
        said(&error),
        Some((FailureKind::AuthenticationFailed, false)),
        "{error}"
    );
    let error = fetch(&bob, &of_bob).await.expect_err("revoked");
    assert!(matches!(error, SourceError::Stale(_)), "{error}");
    fetch(&alice, &of_alice).await.expect("alice's is hers");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_at_once_make_one_download() {
    let rig = Rig::start().await;
    let registry = registry(&[("alice", "alices-password")]).await;
    registry
        .push("team/app", "latest", &app("a: 1\n"))
        .await
        .expect("pushed");
    let calls = (0..12).map(|n| {
        let client = rig.home(&format!("home-{}", n % 4));
        let request = image(&registry, "alice", "alices-password");
        async move { client.resolve(request).await }
    });
    let results = futures::future::join_all(calls).await;
    for result in results {
        result.expect("resolves");
    }
    assert_eq!(rig.metric("tenure_cache_downloads_total").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_lacks_is_told_from_what_an_artifact_lacks() {
    let rig = Rig::start().await;
    let registry = registry(&[("alice", "alices-password")]).await;
    registry
        .push("team/app", "latest", &app("a: 1\n"))
        .await
        .expect("pushed");
    let alice = rig.home("alice");
    let good = || image(&registry, "alice", "alices-password");
    let tag = |tag: &str| oci_spec::Ref::Tag(tag.into());
    for (request, expected, part) in [
        (
            changed(good(), |spec| spec.r#ref = Some(tag("nope"))),
            (FailureKind::NotFound, false),
            "nope",
        ),
        (
            changed(good(), |spec| {
                spec.r#ref = Some(oci_spec::Ref::Semver("1.x".into()));
            }),
            (FailureKind::NotFound, false),
            "1.x",
        ),
        (
            changed(good(), |spec| spec.layer_media_type = "text/plain".into()),
            (FailureKind::LayerUnusable, true),
            "text/plain",
        ),
        (
            changed(good(), |spec| spec.r#ref = Some(tag("a/b"))),
            (FailureKind::InvalidReference, false),
            "a/b",
        ),
    ] {
        let error = alice.resolve(request).await.expect_err("refused");
        assert_eq!(said(&error), Some(expected), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    alice.resolve(good()).await.expect("none of it locks anybody out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_layer_is_as_it_was_pushed_and_a_shape_of_its_own() {
    let rig = Rig::start().await;
    let registry = registry(&[("alice", "alices-password")]).await;
    let mut artifact = app("a: 1\n");
    artifact.layers.push(Part::new("text/plain", "not an archive"));
    registry
        .push("team/app", "latest", &artifact)
        .await
        .expect("pushed");
    let alice = rig.home("alice");
    let good = || image(&registry, "alice", "alices-password");
    let extracted = alice.resolve(good()).await.expect("resolves");
    let copied = alice
        .resolve(changed(good(), |spec| {
            spec.layer_media_type = "text/plain".into();
            spec.copy = true;
        }))
        .await
        .expect("resolves");
    assert_eq!(copied.revision, extracted.revision);
    assert_eq!(fetch(&alice, &copied).await.expect("fetches"), b"not an archive");
    assert_eq!(copied.artifact.expect("set").media_type, "text/plain");
    let torn = changed(good(), |spec| spec.layer_media_type = "text/plain".into());
    let error = alice.resolve(torn).await.expect_err("no archive");
    assert_eq!(said(&error), Some((FailureKind::LayerUnusable, true)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_in_the_clear_is_read_only_by_who_says_so_and_shares_nothing() {
    let rig = Rig::start().await;
    let registry = Registry::start_with(Transport::Http, Login::Nobody)
        .await
        .expect("a registry");
    registry
        .push("team/app", "latest", &app("a: 1\n"))
        .await
        .expect("pushed");
    let alice = rig.home("alice");
    let plain = || ask(&registry.url("team/app"));
    let insecure = alice
        .resolve(changed(plain(), |spec| spec.insecure = true))
        .await
        .expect("it said so");
    fetch(&alice, &insecure).await.expect("fetches");
    let error = alice.resolve(plain()).await.expect_err("it did not");
    assert_eq!(
        said(&error),
        Some((FailureKind::UpstreamUnavailable, false)),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_the_platform_does_not_allow_is_not_asked() {
    let rig = Rig::with(Setup {
        limits: Limits {
            addresses: Guard::default(),
            ..Limits::default()
        },
        ..Setup::default()
    })
    .await;
    let alice = rig.home("alice");
    let metadata = changed(ask("oci://169.254.169.254/latest/app"), |spec| {
        spec.insecure = true
    });
    for request in [metadata, ask("oci://127.0.0.1:1/app/x")] {
        let error = alice.resolve(request).await.expect_err("refused");
        assert_eq!(
            said(&error),
            Some((FailureKind::UpstreamUnavailable, false)),
            "{error}"
        );
        assert!(
            error.to_string().contains("the platform does not allow"),
            "{error}"
        );
    }
}

/// A registry in the clear that names one manifest and gives another.
async fn liar() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 8192];
                let read = stream.read(&mut request).await.unwrap_or(0);
                let text = String::from_utf8_lossy(request.get(..read).unwrap_or_default()).into_owned();
                if !text.starts_with("HEAD ") && !text.starts_with("GET ") {
                    return;
                }
                let body = r#"{"schemaVersion":2,"layers":[]}"#;
                let claimed = format!("sha256:{}", "0".repeat(64));
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\nDocker-Content-Digest: {claimed}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let body = if text.starts_with("GET ") { body } else { "" };
                stream.write_all(format!("{head}{body}").as_bytes()).await.ok();
            });
        }
    });
    format!("oci://{address}/team/app")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_not_the_named_one_is_refused_and_not_kept() {
    let rig = Rig::start().await;
    let url = liar().await;
    let alice = rig.home("alice");
    let request = || changed(ask(&url), |spec| spec.insecure = true);
    for _ in 0..2 {
        let error = alice.resolve(request()).await.expect_err("a lie");
        assert_eq!(said(&error), Some((FailureKind::Malformed, true)), "{error}");
        assert!(error.to_string().contains("digest"), "{error}");
    }
    assert_eq!(rig.metric("tenure_cache_downloads_total").await, 0);
}
