use tenure_core::Secret;
use tenure_net::Proxy;
use tenure_oci::{Credential, Layer, OciError};
use tenure_testkit::oci::{Artifact, Login, Registry, Transport};
use tenure_testkit::proxy::Proxy as Server;

use crate::support::{pull, remote, resolve, tag};

#[tokio::test]
async fn a_registry_is_reached_through_the_proxy_that_the_source_names() {
    let registry = Registry::start_with(Transport::Https, Login::Nobody)
        .await
        .unwrap();
    registry
        .push("app", "v1", &Artifact::flux(&[("a", "1")], "https://git", "main"))
        .await
        .unwrap();
    let server = Server::for_login("bob", "hunter2").await.unwrap();
    let address = server.address().to_owned();
    let mut remote = remote(&registry, "app", Credential::None);
    let login = |password: &str| Some(("bob".to_owned(), Secret::from(password.to_owned())));
    remote.outbound.proxy = Some(Proxy {
        address: address.clone(),
        login: login("hunter2"),
    });
    pull(&remote, &tag("v1"), &Layer::default()).await.unwrap();
    let connects = server.asked();
    let wanted = format!("CONNECT {} HTTP/1.1", registry.host());
    assert!(
        !connects.is_empty() && connects.iter().all(|line| *line == wanted),
        "{connects:?}"
    );

    let before = registry.requests().len();
    remote.outbound.proxy = Some(Proxy {
        address,
        login: login("sw0rdfish-canary"),
    });
    let error = resolve(&remote, &tag("v1")).await.unwrap_err();
    assert!(matches!(error, OciError::Unavailable { .. }), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    assert_eq!(registry.requests().len(), before);
}

#[tokio::test]
async fn a_proxy_at_a_forbidden_address_is_not_used() {
    let registry = Registry::start_with(Transport::Https, Login::Nobody)
        .await
        .unwrap();
    for address in [
        "http://169.254.169.254:3128",
        "http://bob:pw@127.0.0.1:1",
        "ftp://127.0.0.1:1",
        "proxy",
    ] {
        let mut remote = remote(&registry, "app", Credential::None);
        remote.outbound.proxy = Some(Proxy {
            address: address.to_owned(),
            login: None,
        });
        let error = resolve(&remote, &tag("v1")).await.unwrap_err();
        assert!(
            matches!(error, OciError::AuthenticationFailed { .. }),
            "{address}: {error}"
        );
    }
    assert!(registry.requests().iter().all(|line| !line.contains("/app/")));
}
