use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tenure_core::Digest;
use tenure_oci::{Credential, Layer, Limits, OciError, Reference};

use crate::support::remote::{App, Seen, manifest, remote, site, status, with};
use crate::support::{basic, limits, pull, pull_within, resolve, tag};

async fn pulled(answer: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> Result<(), OciError> {
    let (registry, _) = site(answer).await;
    pull(&remote(&registry, Credential::None), &tag("v1"), &Layer::default()).await.map(drop)
}

/// Bytes up to `at`, of which some may arrive, and then a connection that breaks.
fn broken(bytes: &[u8], at: usize) -> Body {
    let start = Ok(Bytes::copy_from_slice(&bytes[..at]));
    Body::from_stream(stream::iter([start, Err(std::io::Error::other("broken"))]))
}

fn endless() -> Body {
    let zeros = Bytes::from_static(&[0; 16 << 10]);
    Body::from_stream(stream::repeat(zeros).map(Ok::<_, std::io::Error>))
}

#[tokio::test]
async fn a_layer_that_breaks_off_is_taken_up_where_it_ended() {
    for ranges in [true, false] {
        let app = App::new();
        let half = app.layer.len() / 2;
        let first = Arc::new(AtomicUsize::new(0));
        let (registry, log) = site(move |seen| {
            if !seen.path.contains("/blobs/") {
                return app.answer(seen);
            }
            match (first.fetch_add(1, Ordering::SeqCst), &seen.range) {
                (0, _) => Response::new(Body::from(app.layer[..half].to_vec())),
                (_, Some(range)) if ranges => {
                    let from: usize = range["bytes=".len()..].trim_end_matches('-').parse().unwrap();
                    let all = app.layer.len();
                    let rest = app.layer[from..].to_vec();
                    with(206, &[("content-range", &format!("bytes {from}-{}/{all}", all - 1))], rest)
                }
                _ => app.answer(seen),
            }
        })
        .await;
        pull(&remote(&registry, Credential::None), &tag("v1"), &Layer::default())
            .await
            .unwrap_or_else(|e| panic!("ranges {ranges}: {e}"));
        assert_eq!(log.count("/blobs/"), 2);
        assert!(log.all().last().unwrap().range.is_some());
    }
}

#[tokio::test]
async fn a_layer_that_always_breaks_off_or_is_another_range_is_an_error() {
    let app = App::new();
    let error = pulled(move |seen| match seen.path.contains("/blobs/") {
        true => Response::new(broken(&app.layer, 5)),
        false => app.answer(seen),
    })
    .await
    .unwrap_err();
    assert!(matches!(error, OciError::Unavailable { .. }), "{error}");
    let app = App::new();
    let error = pulled(move |seen| match seen.path.contains("/blobs/") {
        true => with(206, &[("content-range", "bytes 7-9/10")], "abc"),
        false => app.answer(seen),
    })
    .await
    .unwrap_err();
    assert!(matches!(error, OciError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn a_layer_or_manifest_with_another_digest_is_refused() {
    let app = App::new();
    let mut lie = app.layer.clone();
    lie[20] ^= 1;
    let error = pulled(move |seen| match seen.path.contains("/blobs/") {
        true => Response::new(Body::from(lie.clone())),
        false => app.answer(seen),
    })
    .await
    .unwrap_err();
    assert!(matches!(error, OciError::DigestMismatch { .. }), "{error}");

    let app = App::new();
    let said = Digest::of(b"another").to_string();
    let error = pulled(move |seen| {
        let mut response = app.answer(seen);
        response.headers_mut().insert("docker-content-digest", said.parse().unwrap());
        response
    })
    .await
    .unwrap_err();
    assert!(matches!(error, OciError::DigestMismatch { .. }), "{error}");

    let wanted = Digest::of(b"wanted");
    let app = App::new();
    let (registry, _) = site(move |seen| app.answer(seen)).await;
    let error = resolve(&remote(&registry, Credential::None), &Reference::Digest(wanted)).await.unwrap_err();
    assert!(matches!(error, OciError::DigestMismatch { .. }), "{error}");
}

#[tokio::test]
async fn a_registry_that_does_not_say_the_digest_is_believed_by_the_bytes() {
    let app = App::new();
    let wanted = Digest::of(&app.manifest);
    let (registry, _) = site(move |seen| {
        let mut response = app.answer(seen);
        response.headers_mut().remove("docker-content-digest");
        response
    })
    .await;
    let pulled = pull(&remote(&registry, Credential::None), &tag("v1"), &Layer::default()).await.unwrap();
    assert_eq!(pulled.resolved.digest, wanted);
}

#[tokio::test]
async fn an_endless_answer_ends_at_the_limit() {
    let app = App::new();
    let error = pulled(move |seen| match seen.path.contains("/blobs/") {
        true => Response::new(endless()),
        false => app.answer(seen),
    })
    .await
    .unwrap_err();
    assert!(error.to_string().contains("more than the"), "{error}");

    let app = App::new();
    let error = pulled(move |seen| match seen.method.as_str() {
        "GET" => with(200, &[], endless()),
        _ => app.answer(seen),
    })
    .await
    .unwrap_err();
    assert!(matches!(error, OciError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn a_layer_that_says_it_is_huge_is_not_asked_for() {
    let text = String::from_utf8(App::new().manifest).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["layers"][0]["size"] = u64::MAX.into();
    let bytes = json.to_string().into_bytes();
    let (registry, log) = site(move |_| manifest(&bytes)).await;
    let error = pull(&remote(&registry, Credential::None), &tag("v1"), &Layer::default()).await.err().unwrap();
    assert!(matches!(error, OciError::TooLarge { .. }), "{error}");
    assert_eq!(log.count("/blobs/"), 0);
}

#[tokio::test]
async fn a_manifest_that_two_readers_read_differently_is_refused() {
    let digest = Digest::of(b"");
    let other = format!(r#"{{"digest":"{digest}","size":0}}"#);
    for bad in [
        "no json".to_owned(),
        r#"{"schemaVersion":1,"fsLayers":[]}"#.to_owned(),
        format!(r#"{{"schemaVersion":2,"layers":[{other}],"manifests":[{other}]}}"#),
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","layers":[{other}]}}"#
        ),
        r#"{"schemaVersion":2,"layers":[{"digest":"md5:00","size":1}]}"#.to_owned(),
        format!(r#"{{"schemaVersion":2,"layers":[{{"digest":"{digest}","size":-1}}]}}"#),
    ] {
        let shown = bad.clone();
        let error = pulled(move |_| manifest(bad.as_bytes())).await.unwrap_err();
        assert!(matches!(error, OciError::Malformed { .. }), "{shown}: {error}");
    }
}

#[tokio::test]
async fn tags_are_read_page_by_page_up_to_the_limit() {
    let app = App::new();
    let (registry, log) = site(move |seen| match seen.path.as_str() {
        "/v2/app/tags/list?n=1000" => with(
            200,
            &[("link", "</v2/app/tags/list?last=1.0.0>; rel=\"next\"")],
            r#"{"tags":["0.9.0","1.0.0"]}"#,
        ),
        "/v2/app/tags/list?last=1.0.0" => with(200, &[], r#"{"tags":["1.1.0",null]}"#.replace(",null", "")),
        _ => app.answer(seen),
    })
    .await;
    let reference = Reference::Semver {
        range: "1.x".to_owned(),
        filter: None,
        underscore_is_plus: false,
    };
    let remote_app = remote(&registry, Credential::None);
    let resolved = resolve(&remote_app, &reference).await.unwrap();
    assert_eq!(resolved.tag.as_deref(), Some("1.1.0"));
    assert_eq!(log.count("/tags/list"), 2);
    let few = Limits { tags: 2, ..limits() };
    let error = tenure_oci::resolve(&remote_app, &reference, &few).await.unwrap_err();
    assert!(matches!(error, OciError::TooLarge { .. }), "{error}");

    let (other, heard) = site(|_| status(200)).await;
    let (same, log) = site(|seen| {
        let link = format!("<{}>; rel=\"next\"", seen.path);
        with(200, &[("link", &link)], r#"{"tags":[]}"#)
    })
    .await;
    let error = resolve(&remote(&same, Credential::None), &reference).await.unwrap_err();
    assert!(error.to_string().contains("pages") && log.all().len() <= 1000, "{error}");
    let link = format!("<https://{}/v2/app/tags/list>; rel=\"next\"", other.host());
    let (away, _) = site(move |_| with(200, &[("link", &link)], r#"{"tags":[]}"#)).await;
    let error = resolve(&remote(&away, Credential::None), &reference).await.unwrap_err();
    assert!(matches!(error, OciError::Malformed { .. }), "{error}");
    assert!(heard.all().is_empty());
}

#[tokio::test]
async fn a_busy_registry_is_asked_again_and_a_long_wait_is_handed_on() {
    for (code, headers) in [(429, &[("retry-after", "0")][..]), (503, &[]), (500, &[])] {
        let app = App::new();
        let first = Arc::new(AtomicUsize::new(0));
        let (registry, _) = site(move |seen| match first.fetch_add(1, Ordering::SeqCst) {
            0 => with(code, headers, ""),
            _ => app.answer(seen),
        })
        .await;
        resolve(&remote(&registry, Credential::None), &tag("v1"))
            .await
            .unwrap_or_else(|e| panic!("{code}: {e}"));
    }
    let (registry, log) = site(|_| with(429, &[("retry-after", "3600")], "")).await;
    let error = resolve(&remote(&registry, Credential::None), &tag("v1")).await.unwrap_err();
    let OciError::RateLimited { retry_after, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*retry_after, Some(Duration::from_secs(3600)));
    assert!(error.to_string().contains("spec.secretRef"), "{error}");
    assert_eq!(log.all().len(), 1);
}

#[tokio::test]
async fn a_registry_that_is_down_is_asked_a_few_times() {
    let (registry, log) = site(|_| status(503)).await;
    let error = resolve(&remote(&registry, Credential::None), &tag("v1")).await.unwrap_err();
    assert!(matches!(&error, OciError::Unavailable { .. }) && error.to_string().contains("503"), "{error}");
    assert_eq!(log.all().len(), 4);
}

#[tokio::test]
async fn a_registry_that_never_answers_ends_at_the_time_limit() {
    let app = App::new();
    let (registry, _) = site(move |seen| match seen.path.contains("/blobs/") {
        true => Response::new(Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())),
        false => app.answer(seen),
    })
    .await;
    let short = Limits {
        timeout: Duration::from_secs(2),
        ..Limits::default()
    };
    let error = pull_within(&remote(&registry, Credential::None), &tag("v1"), &Layer::default(), None, &short)
        .await
        .err()
        .unwrap();
    assert!(matches!(error, OciError::Timeout { seconds: 2, .. }), "{error}");
}

#[tokio::test]
async fn what_a_registry_says_back_is_not_repeated() {
    const CANARY: &str = "sw0rdfish-canary";
    for code in [400, 401, 403, 404, 418] {
        let (registry, _) = site(move |seen| {
            let told = format!("{:?} {CANARY}", seen.authorization);
            let body = serde_json::json!({"errors": [{"code": told, "message": told}]}).to_string();
            if seen.authorization.is_none() {
                with(401, &[("www-authenticate", "Basic realm=\"x\"")], "")
            } else {
                with(code, &[("www-authenticate", &format!("Basic realm=\"{CANARY}\""))], body)
            }
        })
        .await;
        let error = resolve(&remote(&registry, basic("bob", CANARY)), &tag("v1")).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(CANARY), "{code}: {error:?}");
    }
    // a place to go to that is made of what was told
    let (registry, _) = site(move |seen| match &seen.authorization {
        None => with(401, &[("www-authenticate", "Basic realm=\"x\"")], ""),
        Some(_) => with(302, &[("location", &format!("http://{CANARY}.example/"))], ""),
    })
    .await;
    let error = resolve(&remote(&registry, basic("bob", CANARY)), &tag("v1")).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
}
