use tenure_git::{Filter, GitError, Limits, Missing, Reference, resolve};

use crate::support::repo::Repo;
use crate::support::ssh::{SshServer, key};
use crate::support::{Place, main_branch, names};

fn served() -> (Place, Repo, SshServer) {
    let place = Place::new();
    let repo = Repo::empty(&place.root(), "app.git");
    repo.commit("main", "First\n\nbody", &[("100644", "a.yaml", b"a: 1\n")]);
    let server = SshServer::start(place.root(), true);
    (place, repo, server)
}

#[test]
fn a_branch_becomes_an_artifact_and_its_second_fetch_downloads_nothing() {
    let (place, repo, server) = served();
    let remote = server.remote("app.git");
    let commit = repo.git(&["rev-parse", "main"], b"");
    let resolved = resolve(&remote, &main_branch(), &Limits::default()).expect("it resolves");
    assert_eq!(resolved.revision.to_string(), format!("main@sha1:{commit}"));

    let (first, files) = place.main(&remote).expect("it fetches");
    assert_eq!(
        (first.commit_message_first_line.as_str(), names(&files)),
        ("First", vec!["a.yaml"])
    );
    assert!(first.packed_bytes > 0);
    let runs = server.runs();
    let (second, _) = place.main(&remote).expect("it fetches");
    assert_eq!((second.digest, second.packed_bytes), (first.digest, 0));
    assert_eq!(server.runs() - runs, 1, "only the list of references");
}

#[test]
fn a_force_pushed_branch_is_followed() {
    let (place, repo, server) = served();
    place.main(&server.remote("app.git")).expect("it fetches");
    repo.commit("main", "Other", &[("100644", "b.yaml", b"b: 2\n")]);
    let (fetched, files) = place.main(&server.remote("app.git")).expect("it fetches");
    assert_eq!(
        (fetched.commit_message_first_line.as_str(), names(&files)),
        ("Other", vec!["b.yaml"])
    );
}

#[test]
fn a_host_whose_key_is_unknown_or_another_is_refused_before_any_login() {
    let (_place, _repo, server) = served();
    let other = key().public_key().to_openssh().expect("a key");
    for (known_hosts, says) in [
        (String::new(), "no entry"),
        (format!("[127.0.0.1]:{} {other}\n", server.port), "other keys"),
        (
            format!("127.0.0.1 {}\n", server.host_key.to_openssh().expect("a key")),
            "no entry",
        ),
        (
            format!(
                "@revoked * {}\n{}",
                server.host_key.to_openssh().expect("a key"),
                server.known_hosts()
            ),
            "@revoked",
        ),
    ] {
        let remote = server.remote_with("app.git", &server.client_key, known_hosts);
        let error = resolve(&remote, &main_branch(), &Limits::default()).expect_err("it is refused");
        assert!(matches!(error, GitError::HostKeyMismatch { .. }), "{error}");
        let text = error.to_string();
        let fingerprint = server
            .host_key
            .fingerprint(russh::keys::HashAlg::Sha256)
            .to_string();
        assert!(
            text.contains(says) && text.contains(&format!("[127.0.0.1]:{}", server.port)),
            "{text}"
        );
        assert!(
            text.contains(&fingerprint) && text.contains("ssh-ed25519"),
            "{text}"
        );
    }
    assert_eq!(server.runs(), 0);
}

#[test]
fn a_key_the_host_does_not_know_is_an_authentication_failure() {
    let (_place, _repo, server) = served();
    let remote = server.remote_with("app.git", &key(), server.known_hosts());
    let error = resolve(&remote, &main_branch(), &Limits::default()).expect_err("it is refused");
    assert!(matches!(error, GitError::AuthenticationFailed { .. }), "{error}");
}

#[test]
fn what_is_missing_is_named() {
    let (place, _repo, server) = served();
    Repo::empty(&place.root(), "empty.git");
    let find = |repo: &str, reference| {
        resolve(&server.remote(repo), &reference, &Limits::default()).expect_err("missing")
    };
    let missing = |error| match error {
        GitError::NotFound { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(
        missing(find("app.git", Reference::Branch("nope".to_owned()))),
        Missing::Branch("nope".to_owned())
    );
    assert_eq!(
        missing(find("app.git", Reference::Branch("mai".to_owned()))),
        Missing::Branch("mai".to_owned())
    );
    assert_eq!(
        missing(find("app.git", Reference::Tag("v1".to_owned()))),
        Missing::Tag("v1".to_owned())
    );
    assert_eq!(missing(find("none.git", main_branch())), Missing::Repository);
    let empty = find("empty.git", main_branch());
    assert!(matches!(empty, GitError::EmptyRepository { .. }), "{empty}");
}

#[test]
fn a_server_without_protocol_2_is_understood() {
    let (place, _repo, _) = served();
    let server = SshServer::start(place.root(), false);
    let (_, files) = place.main(&server.remote("app.git")).expect("it fetches");
    assert_eq!(names(&files), ["a.yaml"]);
}

#[test]
fn tags_versions_names_and_commits_resolve() {
    let (place, repo, server) = served();
    let old = repo.git(&["rev-parse", "main"], b"");
    repo.git(&["tag", "-a", "-m", "t", "v1.0.0", "main"], b"");
    let new = repo.commit("main", "Second", &[("100644", "b.yaml", b"b")]);
    repo.git(&["tag", "v1.1.0", "main"], b"");
    repo.git(&["tag", "v2.0.0-rc.1", "main"], b"");
    for (reference, revision) in [
        (Reference::Tag("v1.0.0".to_owned()), format!("v1.0.0@sha1:{old}")),
        (
            Reference::Semver(">=1.0.0 <2.0.0".to_owned()),
            format!("v1.1.0@sha1:{new}"),
        ),
        (
            Reference::Semver("1.0.x".to_owned()),
            format!("v1.0.0@sha1:{old}"),
        ),
        (
            Reference::Name("refs/heads/main".to_owned()),
            format!("refs/heads/main@sha1:{new}"),
        ),
        (
            Reference::Commit {
                id: old.clone(),
                branch: None,
            },
            format!("sha1:{old}"),
        ),
        (
            Reference::Commit {
                id: old.clone(),
                branch: Some("main".to_owned()),
            },
            format!("main@sha1:{old}"),
        ),
    ] {
        let remote = server.remote("app.git");
        let resolved =
            resolve(&remote, &reference, &Limits::default()).unwrap_or_else(|e| panic!("{reference}: {e}"));
        assert_eq!(resolved.revision.to_string(), revision, "{reference}");
        place
            .get(&remote, &reference, &Filter::default(), &Limits::default())
            .unwrap_or_else(|e| panic!("{reference}: {e}"));
    }
    let absent = Reference::Commit {
        id: "1".repeat(40),
        branch: None,
    };
    let error = place
        .get(
            &server.remote("app.git"),
            &absent,
            &Filter::default(),
            &Limits::default(),
        )
        .expect_err("absent");
    assert!(
        matches!(
            error,
            GitError::NotFound {
                what: Missing::Commit(_),
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_host_that_does_not_answer_is_unavailable_and_a_silent_one_times_out() {
    let (_place, _repo, server) = served();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address")
        .port();
    let url = |port: u16| {
        format!("ssh://git@127.0.0.1:{port}/app.git")
            .parse()
            .expect("a URL")
    };
    let remote = tenure_git::Remote {
        url: url(closed),
        ..server.remote("app.git")
    };
    let error = resolve(&remote, &main_branch(), &Limits::default()).expect_err("nobody is there");
    assert!(matches!(error, GitError::Unavailable { .. }), "{error}");

    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let remote = tenure_git::Remote {
        url: url(silent.local_addr().expect("an address").port()),
        ..server.remote("app.git")
    };
    let limits = Limits {
        timeout: std::time::Duration::from_millis(300),
        ..Limits::default()
    };
    let error = resolve(&remote, &main_branch(), &limits).expect_err("it is silent");
    assert!(matches!(error, GitError::Timeout { .. }), "{error}");
}

#[test]
fn a_host_at_an_address_that_the_platform_does_not_allow_is_not_connected_to() {
    let (_place, _repo, server) = served();
    for host in ["127.0.0.1", "localhost"] {
        let mut remote = server.remote("app.git");
        remote.url = format!("ssh://git@{host}:{}/app.git", server.port)
            .parse()
            .expect("a URL");
        remote.outbound.guard = tenure_net::Guard::default();
        let error = resolve(&remote, &main_branch(), &Limits::default()).expect_err("it is refused");
        assert!(matches!(error, GitError::Forbidden { .. }), "{host}: {error}");
    }
    assert_eq!(server.runs(), 0);
}
