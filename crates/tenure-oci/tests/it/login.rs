use tenure_net::{ClientCertificate, Guard};
use tenure_core::Secret;
use tenure_oci::{Credential, Keyring, Layer, OciError, Remote, Repository};
use tenure_testkit::oci::{Artifact, Login, Registry, Transport};

use crate::support::{basic, pull, remote, resolve, tag};

const CANARY: &str = "sw0rdfish-canary";

async fn with_app(login: Login) -> Registry {
    let registry = Registry::start_with(Transport::Https, login).await.unwrap();
    registry
        .push("app", "v1", &Artifact::flux(&[("a", "1")], "https://git", "main"))
        .await
        .unwrap();
    registry
}

fn is_refusal(error: &OciError) -> bool {
    matches!(error, OciError::AuthenticationFailed { .. }) && !format!("{error} {error:?}").contains(CANARY)
}

#[tokio::test]
async fn a_password_opens_a_registry_and_none_or_a_wrong_one_does_not() {
    for login in [Login::Password, Login::Token] {
        let registry = with_app(login).await;
        registry.set_password("bob", "hunter2").unwrap();
        pull(&remote(&registry, "app", basic("bob", "hunter2")), &tag("v1"), &Layer::default())
            .await
            .unwrap_or_else(|e| panic!("{login:?}: {e}"));
        let wrong = resolve(&remote(&registry, "app", basic("bob", CANARY)), &tag("v1")).await.unwrap_err();
        assert!(is_refusal(&wrong) && wrong.to_string().contains("does not accept"), "{login:?}: {wrong}");
        let none = resolve(&remote(&registry, "app", Credential::None), &tag("v1")).await.unwrap_err();
        assert!(is_refusal(&none) && none.to_string().contains("spec.secretRef"), "{login:?}: {none}");
    }
}

#[tokio::test]
async fn a_credential_that_is_revoked_between_two_pulls_is_refused() {
    let registry = with_app(Login::Password).await;
    registry.set_password("bob", CANARY).unwrap();
    let remote = remote(&registry, "app", basic("bob", CANARY));
    let resolved = resolve(&remote, &tag("v1")).await.unwrap();
    registry.revoke("bob").unwrap();
    let error = resolve(&remote, &tag("v1")).await.unwrap_err();
    assert!(is_refusal(&error), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let error = tenure_oci::fetch(
        &remote,
        &resolved,
        &dir.path().join("x"),
        &Layer::default(),
        None,
        &crate::support::limits(),
    )
    .await
    .unwrap_err();
    assert!(is_refusal(&error), "{error}");
}

#[tokio::test]
async fn a_pull_secret_opens_the_registry_it_names() {
    let registry = with_app(Login::Password).await;
    registry.set_password("bob", "hunter2").unwrap();
    let mut keyring = Keyring::default();
    keyring.add(registry.docker_config("bob", "hunter2").as_bytes()).unwrap();
    let repository = Repository::from_url(&registry.url("app")).unwrap();
    resolve(&remote(&registry, "app", keyring.find(&repository)), &tag("v1"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_registry_that_asks_for_a_certificate_is_shown_one() {
    let registry = Registry::start_with(Transport::MutualTls, Login::Nobody).await.unwrap();
    registry
        .push("app", "v1", &Artifact::flux(&[("a", "1")], "https://git", "main"))
        .await
        .unwrap();
    let mut remote = remote(&registry, "app", Credential::None);
    let error = resolve(&remote, &tag("v1")).await.unwrap_err();
    assert!(matches!(error, OciError::Unavailable { .. }), "{error}");
    let identity = registry.client_identity("bob").unwrap();
    remote.outbound.tls.client_certificate = Some(ClientCertificate {
        certificate_pem: identity.certificate.into_bytes(),
        key_pem: Secret::from(identity.key),
    });
    resolve(&remote, &tag("v1")).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_unless_the_source_is_insecure() {
    let registry = with_app(Login::Nobody).await;
    let mut remote = remote(&registry, "app", Credential::None);
    remote.outbound.tls.ca_pem = None;
    let before = registry.requests().len();
    let error = resolve(&remote, &tag("v1")).await.unwrap_err();
    assert!(matches!(error, OciError::Unavailable { .. }), "{error}");
    assert_eq!(registry.requests().len(), before);
    remote.insecure = true;
    resolve(&remote, &tag("v1")).await.unwrap();
    assert!(registry.requests().len() > before, "over https");
}

#[tokio::test]
async fn this_machine_is_refused_by_address_and_by_name() {
    let registry = with_app(Login::Nobody).await;
    let port = registry.host().rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let url = format!("oci://{host}:{port}/app");
        let mut remote = Remote::new(Repository::from_url(&url).unwrap(), Credential::None);
        remote.insecure = true;
        assert_eq!(remote.outbound.guard, Guard::default());
        let error = resolve(&remote, &tag("v1")).await.unwrap_err();
        assert!(matches!(error, OciError::Forbidden { .. }), "{host}: {error}");
        assert!(error.to_string().contains(host.trim_matches(['[', ']'])), "{error}");
    }
}
