//! Who is let in, on the wire.

use serde_json::json;
use tenure_testkit::git::{GitRepo, HttpsGitServer};

use crate::issuer::Issuer;
use crate::rig::{Rig, ask, password};
use crate::source_client::SourceError;

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_token_gets_the_same_answer() {
    let rig = Rig::start().await;
    let other = tempfile::tempdir().expect("a directory");
    let stranger = Issuer::new(other.path());
    let with = |path: &str, value: serde_json::Value| {
        let mut claims = Issuer::claims("apps");
        *claims.pointer_mut(path).expect("a claim") = value;
        claims
    };
    let tenant = json!({"namespace": "apps", "serviceaccount": {"name": "apps"}});
    let good = rig.issuer.sign(&Issuer::claims("apps"));
    let mut answers = std::collections::HashSet::new();
    for token in [
        String::new(),
        "x".into(),
        good.replace('.', "_"),
        format!("{good}x"),
        stranger.sign(&Issuer::claims("apps")),
        rig.issuer.sign(&with("/exp", json!(1))),
        rig.issuer.sign(&with("/aud", json!(["tenure-cache-control"]))),
        rig.issuer.sign(&with("/iss", json!("https://elsewhere"))),
        rig.issuer.sign(&with("/kubernetes.io", tenant)),
    ] {
        let error = rig
            .caller(Some(token.clone()))
            .release("https://h/x".into())
            .await
            .expect_err("refused");
        assert!(matches!(error, SourceError::TokenRefused), "{token}: {error}");
        answers.insert(error.to_string());
    }
    assert_eq!(answers.len(), 1);
    let error = rig
        .caller(None)
        .release("https://h/x".into())
        .await
        .expect_err("nothing to send");
    assert!(matches!(error, SourceError::NoToken), "{error}");
    rig.caller(Some(good))
        .release("https://h/x".into())
        .await
        .expect("the good one is let in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_new_key_is_accepted_as_soon_as_the_file_has_it() {
    let mut rig = Rig::start().await;
    let before = rig.home("apps");
    before.release("https://h/x".into()).await.expect("let in");
    rig.issuer.add_key("second");
    let after = rig.home("apps");
    tenure_testkit::until("the new key", std::time::Duration::from_secs(20), || async {
        Ok(after.release("https://h/x".into()).await?)
    })
    .await
    .expect("let in");
    before
        .release("https://h/x".into())
        .await
        .expect("the old key is still in the file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_is_not_trusted_without_the_authority_it_must_have() {
    let rig = Rig::start().await;
    let other = Rig::start().await;
    let server = HttpsGitServer::start().await.expect("a server");
    GitRepo::init(&server, "app.git").expect("a repository");
    let mut wrong = rig;
    wrong.ca.clone_from(&other.ca);
    let error = wrong
        .home("apps")
        .resolve(ask(&server.url("app.git"), password(&server, "a", "b")))
        .await;
    let error = error.expect_err("refused by the client");
    assert!(error.cache_down(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_into_use_without_a_restart() {
    let mut rig = Rig::start().await;
    let authority = tenure_testkit::pki::Authority::new("next").expect("an authority");
    let identity = authority
        .server("cache", &["tenure-cache"])
        .expect("a certificate");
    std::fs::write(rig.dir.path().join("tls.crt"), &identity.certificate).expect("writable");
    std::fs::write(rig.dir.path().join("tls.key"), &identity.key).expect("writable");
    rig.ca = authority.certificate().to_owned();
    tenure_testkit::until(
        "the new certificate",
        std::time::Duration::from_secs(30),
        || async { Ok(rig.home("apps").release("https://h/x".into()).await?) },
    )
    .await
    .expect("served");
}
