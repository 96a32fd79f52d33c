use tenure_core::Secret;
use tenure_git::{Credential, GitError, Limits, Missing, resolve};
use tenure_net::Guard;

use crate::support::https::{Behaviour, HttpsServer};
use crate::support::proxy::Proxy;
use crate::support::repo::Repo;
use crate::support::{Place, main_branch, names};

const BASIC: &str = "Basic Ym9iOmh1bnRlcjI=";

fn basic(password: &str) -> Credential {
    Credential::Basic {
        username: "bob".to_owned(),
        password: Secret::from(password.to_owned()),
    }
}

fn served(behaviour: Behaviour) -> (Place, HttpsServer) {
    let place = Place::new();
    let repo = Repo::empty(&place.root(), "app.git");
    repo.commit("main", "First", &[("100644", "a.yaml", b"a: 1\n")]);
    let server = HttpsServer::start(Behaviour {
        root: place.root(),
        ..behaviour
    });
    (place, server)
}

#[test]
fn a_branch_becomes_an_artifact_with_basic_or_bearer_or_nothing() {
    let bearer = Credential::Bearer {
        token: Secret::from("t0ken".to_owned()),
    };
    for (authorization, credential) in [
        (None, Credential::None),
        (Some(BASIC), basic("hunter2")),
        (Some("Bearer t0ken"), bearer),
    ] {
        let authorization = authorization.map(ToOwned::to_owned);
        let (place, server) = served(Behaviour {
            authorization,
            ..Behaviour::default()
        });
        let remote = server.remote("app.git", credential);
        let (first, files) = place.main(&remote).expect("it fetches");
        assert_eq!(names(&files), ["a.yaml"]);
        assert!(first.packed_bytes > 0);
        let (second, _) = place.main(&remote).expect("it fetches");
        assert_eq!((second.digest, second.packed_bytes), (first.digest, 0));
    }
}

#[test]
fn a_wrong_password_or_none_is_an_authentication_failure_without_the_password() {
    let (_place, server) = served(Behaviour {
        authorization: Some(BASIC.to_owned()),
        ..Behaviour::default()
    });
    for credential in [basic("sw0rdfish"), Credential::None] {
        let error = resolve(
            &server.remote("app.git", credential),
            &main_branch(),
            &Limits::default(),
        )
        .expect_err("refused");
        assert!(matches!(error, GitError::AuthenticationFailed { .. }), "{error}");
        assert!(!format!("{error:?} {error}").contains("sw0rdfish"));
    }
}

#[test]
fn a_missing_repository_and_an_empty_one_are_told_apart() {
    let (place, server) = served(Behaviour::default());
    Repo::empty(&place.root(), "empty.git");
    let find = |repo: &str| {
        resolve(
            &server.remote(repo, Credential::None),
            &main_branch(),
            &Limits::default(),
        )
        .expect_err("no")
    };
    assert!(matches!(
        find("none.git"),
        GitError::NotFound {
            what: Missing::Repository,
            ..
        }
    ));
    assert!(matches!(find("empty.git"), GitError::EmptyRepository { .. }));
}

#[test]
fn a_redirect_to_another_port_gets_no_request_and_no_credential() {
    let (_place, other) = served(Behaviour::default());
    let redirect = Some(format!("https://127.0.0.1:{}", other.port));
    let (_place, server) = served(Behaviour {
        redirect,
        ..Behaviour::default()
    });
    let mut remote = server.remote("app.git", basic("hunter2"));
    remote.outbound.tls.ca_pem = Some([server.ca_pem.clone(), other.ca_pem.clone()].concat());
    let error = resolve(&remote, &main_branch(), &Limits::default()).expect_err("it is refused");
    assert!(
        error.to_string().contains("redirect") && error.to_string().contains(&other.port.to_string()),
        "{error}"
    );
    assert_eq!(
        server.seen().iter().map(|s| s.path.as_str()).collect::<Vec<_>>(),
        ["/app.git/info/refs"]
    );
    assert!(
        server
            .seen()
            .iter()
            .all(|s| s.authorization.as_deref() == Some(BASIC)),
        "{:?}",
        server.seen()
    );
    assert!(other.seen().is_empty(), "{:?}", other.seen());
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let (_place, server) = served(Behaviour::default());
    let mut remote = server.remote("app.git", basic("hunter2"));
    remote.outbound.tls.ca_pem = None;
    let error = resolve(&remote, &main_branch(), &Limits::default()).expect_err("it is refused");
    assert!(matches!(error, GitError::Unavailable { .. }), "{error}");
    assert!(server.seen().is_empty());
}

/// A band without data, lengths that are none, a line that breaks off, flushes where something is due.
#[test]
fn an_answer_that_is_no_protocol_is_an_error_and_no_panic() {
    let answers: [&[u8]; 9] = [
        b"",
        b"0005\x01",
        b"0004",
        b"0003",
        b"zzzz",
        b"fff0",
        b"00000000",
        b"0001000100020000",
        b"000dpackfile\n0005\x010005\x020005\x030000",
    ];
    for command in ["command=ls-refs", "command=fetch"] {
        for answer in answers {
            let (place, server) = served(Behaviour {
                says: Some((command, answer)),
                ..Behaviour::default()
            });
            let error = place
                .main(&server.remote("app.git", Credential::None))
                .expect_err("it is refused");
            let text = String::from_utf8_lossy(answer);
            assert!(
                !matches!(error, GitError::AuthenticationFailed { .. }),
                "{command} {text}: {error}"
            );
        }
    }
}

#[test]
fn a_damaged_pack_is_refused() {
    let (place, server) = served(Behaviour {
        damage: true,
        ..Behaviour::default()
    });
    let error = place
        .main(&server.remote("app.git", Credential::None))
        .expect_err("it is refused");
    assert!(matches!(error, GitError::Malformed { .. }), "{error}");
}

#[test]
fn an_address_that_the_platform_does_not_allow_is_not_asked() {
    let (_place, server) = served(Behaviour::default());
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let mut remote = server.remote("app.git", basic("hunter2"));
        remote.url = format!("https://{host}:{}/app.git", server.port)
            .parse()
            .expect("a URL");
        remote.outbound.guard = Guard::default();
        let error = resolve(&remote, &main_branch(), &Limits::default()).expect_err("it is refused");
        assert!(matches!(error, GitError::Forbidden { .. }), "{host}: {error}");
        assert!(
            error.to_string().contains("the platform does not allow"),
            "{error}"
        );
    }
    assert!(server.seen().is_empty(), "{:?}", server.seen());
}

#[test]
fn a_repository_is_reached_through_the_proxy_that_the_source_names() {
    let (place, server) = served(Behaviour::default());
    let proxy = Proxy::start("bob", "hunter2");
    let through = |password: &str| {
        let mut remote = server.remote("app.git", Credential::None);
        remote.outbound.proxy = Some(tenure_net::Proxy {
            address: proxy.address.clone(),
            login: Some(("bob".to_owned(), Secret::from(password.to_owned()))),
        });
        remote
    };
    let (_, files) = place.main(&through("hunter2")).expect("it fetches");
    assert_eq!(names(&files), ["a.yaml"]);
    let wanted = format!("CONNECT 127.0.0.1:{} HTTP/1.1", server.port);
    let asked = proxy.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|line| *line == wanted),
        "{asked:?}"
    );

    let before = server.seen().len();
    let error = resolve(&through("sw0rdfish"), &main_branch(), &Limits::default()).expect_err("no login");
    assert!(matches!(error, GitError::Unavailable { .. }), "{error}");
    assert!(!format!("{error:?} {error}").contains("sw0rdfish"));
    assert_eq!(server.seen().len(), before);
}

#[test]
fn a_proxy_at_a_forbidden_address_is_not_used() {
    let (_place, server) = served(Behaviour::default());
    let mut remote = server.remote("app.git", Credential::None);
    remote.outbound.proxy = Some(tenure_net::Proxy {
        address: "http://169.254.169.254:3128".to_owned(),
        login: None,
    });
    let error = resolve(&remote, &main_branch(), &Limits::default()).expect_err("it is refused");
    assert!(
        error.to_string().contains("the platform does not allow"),
        "{error}"
    );
    assert!(server.seen().is_empty());
}
