use tenure_core::Secret;
use tenure_net::ClientCertificate;
use tenure_oci::{Layer, OciError};
use tenure_testkit::pki::Authority;
use tenure_testkit::serve::Site;

use crate::support::remote::{App, Log, remote, site, status, with};
use crate::support::{basic, pull, tag};

const BASIC: &str = "Basic Ym9iOmh1bnRlcjI=";
const REALM: &[(&str, &str)] = &[("www-authenticate", "Basic realm=\"x\"")];

/// A registry that lets bob in and sends for its blobs to `to`.
async fn redirecting(app: &App, to: String) -> (Site, Log) {
    let app = app.clone();
    site(move |seen| {
        if seen.authorization.as_deref() != Some(BASIC) {
            with(401, REALM, "")
        } else if seen.path.contains("/blobs/") {
            with(307, &[("location", &to)], "")
        } else {
            app.answer(seen)
        }
    })
    .await
}

#[tokio::test]
async fn blobs_are_fetched_from_another_host_without_the_credential() {
    let app = App::new();
    let blob = app.clone();
    let (storage, asked) = site(move |_| with(200, &[], blob.layer.clone())).await;
    let (registry, log) = redirecting(&app, format!("https://{}/blobs/x?signature=y", storage.host())).await;
    let mut remote = remote(&registry, basic("bob", "hunter2"));
    remote.outbound.tls.ca_pem = Some([registry.ca(), storage.ca()].concat().into_bytes());
    pull(&remote, &tag("v1"), &Layer::default()).await.unwrap();
    assert!(log.all().iter().any(|seen| seen.authorization.as_deref() == Some(BASIC)));
    assert_eq!(asked.paths(), ["/blobs/x?signature=y"]);
    assert!(asked.all().iter().all(|seen| seen.authorization.is_none()), "{:?}", asked.all());
}

#[tokio::test]
async fn a_host_that_a_redirect_leads_to_gets_no_client_certificate() {
    let app = App::new();
    let blob = app.clone();
    // it asks every client for a certificate, so the one of this pull would be refused or shown
    let (storage, asked) = site(move |_| with(200, &[], blob.layer.clone())).await;
    let (registry, _) = redirecting(&app, format!("https://{}/x", storage.host())).await;
    let mut remote = remote(&registry, basic("bob", "hunter2"));
    remote.outbound.tls.ca_pem = Some([registry.ca(), storage.ca()].concat().into_bytes());
    let identity = Authority::new("tenant").unwrap().client("bob", None).unwrap();
    remote.outbound.tls.client_certificate = Some(ClientCertificate {
        certificate_pem: identity.certificate.into_bytes(),
        key_pem: Secret::from(identity.key),
    });
    pull(&remote, &tag("v1"), &Layer::default()).await.unwrap();
    assert_eq!(asked.all().len(), 1);
}

#[tokio::test]
async fn a_redirect_that_comes_back_has_lost_the_credential() {
    let app = App::new();
    let home = std::sync::Arc::new(std::sync::OnceLock::new());
    let back = home.clone();
    let (away, _) = site(move |_| with(307, &[("location", back.get().map_or("", String::as_str))], "")).await;
    let (registry, log) = redirecting(&app, format!("https://{}/x", away.host())).await;
    home.set(format!("https://{}/v2/other/blobs/secret", registry.host())).unwrap();
    let mut remote = remote(&registry, basic("bob", "hunter2"));
    remote.outbound.tls.ca_pem = Some([registry.ca(), away.ca()].concat().into_bytes());
    let error = pull(&remote, &tag("v1"), &Layer::default()).await.err().unwrap();
    assert!(matches!(error, OciError::Unavailable { .. }), "{error}");
    let confused: Vec<_> = log.all().into_iter().filter(|s| s.path.contains("/other/")).collect();
    assert_eq!(confused.len(), 1);
    assert!(confused[0].authorization.is_none(), "{confused:?}");
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_address_or_out_of_tls_is_refused() {
    let app = App::new();
    for (to, forbidden) in [
        ("https://169.254.169.254/latest/meta-data", true),
        ("https://[::ffff:169.254.169.254]/", true),
        ("https://2852039166/", true),
        ("http://127.0.0.1:1/", false),
        ("https://bob:pw@127.0.0.1:1/", false),
        ("ftp://127.0.0.1/", false),
    ] {
        let (registry, _) = redirecting(&app, to.to_owned()).await;
        let error = pull(&remote(&registry, basic("bob", "hunter2")), &tag("v1"), &Layer::default())
            .await
            .err()
            .unwrap();
        let as_wanted = match error {
            OciError::Forbidden { .. } => forbidden,
            OciError::Malformed { .. } => !forbidden,
            _ => false,
        };
        assert!(as_wanted, "{to}: {error}");
    }
}

#[tokio::test]
async fn redirects_without_end_end() {
    let (registry, log) = site(|seen| with(302, &[("location", &format!("{}x", seen.path))], "")).await;
    let error = pull(&remote(&registry, basic("bob", "hunter2")), &tag("v1"), &Layer::default())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("without end"), "{error}");
    assert!(log.all().len() < 10);
}

#[tokio::test]
async fn a_token_service_has_to_speak_https_and_may_not_redirect() {
    let (listening, heard) = site(|_| status(200)).await;
    let elsewhere = format!("https://{}/", listening.host());
    let (redirecting, redirected) = site(move |_| with(307, &[("location", &elsewhere)], "")).await;
    for (realm, sent) in [
        (format!("http://{}/token", redirecting.host()), 0),
        (format!("https://bob@{}/token", redirecting.host()), 0),
        (format!("https://{}/token", redirecting.host()), 1),
    ] {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"x\"");
        let (registry, _) = site(move |_| with(401, &[("www-authenticate", &challenge)], "")).await;
        let mut remote = remote(&registry, basic("bob", "hunter2"));
        let cas = [registry.ca(), redirecting.ca(), listening.ca()].concat();
        remote.outbound.tls.ca_pem = Some(cas.into_bytes());
        let error = pull(&remote, &tag("v1"), &Layer::default()).await.err().unwrap();
        assert!(matches!(error, OciError::AuthenticationFailed { .. }), "{realm}: {error}");
        assert_eq!(redirected.all().len(), sent, "{realm}");
    }
    assert!(heard.all().is_empty(), "{:?}", heard.all());
}

#[tokio::test]
async fn a_token_service_at_a_forbidden_address_is_not_asked() {
    let challenge = "Bearer realm=\"https://169.254.169.254/token\",service=\"x\"";
    let (registry, _) = site(move |_| with(401, &[("www-authenticate", challenge)], "")).await;
    let error = pull(&remote(&registry, basic("bob", "hunter2")), &tag("v1"), &Layer::default())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, OciError::Forbidden { .. }), "{error}");
}
