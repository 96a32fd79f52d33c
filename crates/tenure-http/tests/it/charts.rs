use axum::response::Response;
use tenure_core::Digest;
use tenure_http::{Credential, Downloaded, HttpError, Limits, Remote, chart, index};
use tenure_testkit::serve::Site;

use crate::support::{Log, bob, limits, remote, site, with};

const BASIC: &str = "Basic Ym9iOmh1bnRlcjI=";
const ARCHIVE: &[u8] = b"the archive";

fn listing(url: &str, digest: &str) -> String {
    format!(
        "apiVersion: v1\nentries:\n  app:\n  - {{name: app, version: 1.2.3, urls: [\"{url}\"], digest: \"{digest}\"}}\n"
    )
}

/// A repository whose chart is at `url`.
async fn repository(url: &str, digest: &str) -> (Site, Log) {
    let listing = listing(url, digest);
    site(move |(path, _)| match path.as_str() {
        "/charts/index.yaml" => with(200, &[], listing.clone()),
        "/charts/app-1.2.3.tgz" => with(200, &[], ARCHIVE),
        _ => with(404, &[], ""),
    })
    .await
}

async fn pull(remote: &Remote, limits: &Limits) -> Result<Downloaded, HttpError> {
    let index = index(remote, limits).await?;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("chart.tgz");
    let done = chart(remote, index.select("app", "1.x")?, &out, limits).await?;
    assert_eq!(std::fs::read(&out).unwrap(), ARCHIVE);
    Ok(done)
}

#[tokio::test]
async fn a_chart_is_found_in_the_index_and_downloaded() {
    let hex = Digest::of(ARCHIVE).hex();
    for digest in ["", hex.as_str(), &format!("sha256:{hex}")] {
        let (site, log) = repository("app-1.2.3.tgz", digest).await;
        let done = pull(&remote(&site, &[], bob("hunter2")), &limits())
            .await
            .unwrap();
        assert_eq!((done.digest, done.size), (Digest::of(ARCHIVE), 11));
        let shown = log
            .all()
            .into_iter()
            .all(|(_, shown)| shown.as_deref() == Some(BASIC));
        assert!(shown, "{:?}", log.all());
    }
}

#[tokio::test]
async fn another_origin_gets_the_credential_only_if_the_source_says_so() {
    for pass in [false, true] {
        let (storage, asked) = site(|_| with(200, &[], ARCHIVE)).await;
        let place = format!("https://{}/app.tgz", storage.host());
        let (site, _) = repository(&place, "").await;
        let mut remote = remote(&site, &[&storage], bob("hunter2"));
        remote.pass_credentials = pass;
        pull(&remote, &limits()).await.unwrap();
        let shown = asked.all().pop().unwrap().1;
        assert_eq!(shown.as_deref(), pass.then_some(BASIC));
    }
}

#[tokio::test]
async fn a_redirect_to_another_origin_takes_no_credential_along() {
    let (storage, asked) = site(|_| with(200, &[], ARCHIVE)).await;
    let to = format!("https://{}/app.tgz", storage.host());
    let text = listing("app-1.2.3.tgz", "");
    let (site, _) = site(move |(path, _)| match path.as_str() {
        "/charts/index.yaml" => with(200, &[], text.clone()),
        _ => with(302, &[("location", &to)], ""),
    })
    .await;
    pull(&remote(&site, &[&storage], bob("hunter2")), &limits())
        .await
        .unwrap();
    assert_eq!(asked.all(), [("/app.tgz".to_owned(), None)]);
}

#[tokio::test]
async fn an_index_cannot_choose_a_forbidden_place() {
    for place in [
        "https://169.254.169.254/latest",
        "http://127.0.0.1:1/app.tgz",
        "https://bob:pw@127.0.0.1/app.tgz",
        "file:///etc/passwd",
        "oci://ghcr.io/app:1.2.3",
    ] {
        let (site, _) = repository(place, "").await;
        let error = pull(&remote(&site, &[], bob("hunter2")), &limits())
            .await
            .unwrap_err();
        assert!(
            matches!(error, HttpError::Forbidden { .. } | HttpError::Malformed { .. }),
            "{place}: {error}"
        );
    }
}

#[tokio::test]
async fn an_archive_with_another_digest_is_refused() {
    let (site, _) = repository("app-1.2.3.tgz", &Digest::of(b"other").hex()).await;
    let error = pull(&remote(&site, &[], Credential::None), &limits())
        .await
        .unwrap_err();
    assert!(matches!(error, HttpError::DigestMismatch { .. }), "{error}");
}

#[tokio::test]
async fn what_is_too_large_ends_at_the_limit() {
    let (site, _) = repository("app-1.2.3.tgz", "").await;
    let remote = remote(&site, &[], Credential::None);
    for small in [
        Limits {
            index_bytes: 10,
            ..limits()
        },
        Limits {
            chart_bytes: 10,
            ..limits()
        },
    ] {
        let error = pull(&remote, &small).await.unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_would_help_and_not_the_password() {
    const CANARY: &str = "sw0rdfish-canary";
    let (site, _) = site(|(_, shown)| -> Response { with(401, &[], format!("{shown:?} {CANARY}")) }).await;
    let given = index(&remote(&site, &[], bob(CANARY)), &limits())
        .await
        .unwrap_err();
    assert!(matches!(given, HttpError::AuthenticationFailed { .. }), "{given}");
    assert!(!format!("{given:?}").contains(CANARY));
    let none = index(&remote(&site, &[], Credential::None), &limits())
        .await
        .unwrap_err();
    assert!(none.to_string().contains("spec.secretRef"), "{none}");
    let (empty, _) = repository("x", "").await;
    let mut elsewhere = remote(&empty, &[], Credential::None);
    elsewhere.url = format!("https://{}/none", empty.host()).parse().unwrap();
    let missing = index(&elsewhere, &limits()).await.unwrap_err();
    assert!(matches!(missing, HttpError::NotFound { .. }), "{missing}");
}
