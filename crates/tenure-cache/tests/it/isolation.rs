//! What one home can't get from another, and what nobody may see.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenure_core::{Digest, Secret};
use tenure_proto::source::{FailureKind, git_spec, resolve_request};
use tenure_testkit::canary::{Place, assert_absent};
use tenure_testkit::git::{Access, GitRepo, HttpsGitServer, SshGitServer};

use crate::rig::{Rig, Setup, ask, fetch, key, password, served};
use crate::source_client::SourceError;

const CANARY: &str = "canary-7f3a9c-hunter2";

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_not_good_says_nothing_about_what_exists() {
    let rig = Rig::start().await;
    let (server, _repo) = served().await;
    let mut request = ask(&server.url("app.git"), password(&server, "", ""));
    request.credential.as_mut().expect("set").kind = None;
    let (alice, bob) = (rig.home("alice"), rig.home("bob"));
    let resolved = alice.resolve(request).await.expect("resolves");
    let artifact = resolved.artifact.clone().expect("set");
    let (grant, digest) = (
        resolved.grant.clone(),
        artifact.digest.parse::<Digest>().expect("a digest"),
    );
    let mut answers = std::collections::HashSet::new();
    for (client, grant, digest) in [
        (&bob, grant.clone(), digest),
        (&bob, grant.clone(), Digest::of(b"unknown")),
        (&alice, grant.clone(), Digest::of(b"unknown")),
        (&alice, Vec::new(), digest),
        (&alice, vec![0; grant.len()], digest),
        (&bob, Vec::new(), Digest::of(b"unknown")),
    ] {
        let mut sink = Vec::new();
        let error = client
            .fetch(&Secret::new(grant), digest, artifact.size, &mut sink)
            .await
            .expect_err("denied");
        assert!(matches!(error, SourceError::Stale(_)), "{error}");
        assert!(sink.is_empty());
        answers.insert(error.to_string());
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    fetch(&alice, &resolved).await.expect("the good one opens it");
    alice.release(server.url("app.git")).await.expect("hears");
    assert!(
        fetch(&alice, &resolved).await.is_err(),
        "a released remote's grants are gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_grant_is_no_grant() {
    let rig = Rig::with(Setup {
        grant_ttl: Duration::ZERO,
        ..Setup::default()
    })
    .await;
    let (server, _repo) = served().await;
    let mut request = ask(&server.url("app.git"), password(&server, "", ""));
    request.credential.as_mut().expect("set").kind = None;
    let alice = rig.home("alice");
    let resolved = alice.resolve(request).await.expect("resolves");
    let error = fetch(&alice, &resolved).await.expect_err("expired");
    assert!(matches!(error, SourceError::Stale(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_at_an_address_that_the_platform_does_not_allow_is_not_asked() {
    let rig = Rig::with(Setup {
        limits: tenure_cache::Limits::default(),
        ..Setup::default()
    })
    .await;
    let server = HttpsGitServer::start().await.expect("a server");
    let ssh = SshGitServer::start().await.expect("an ssh server");
    let (private, _) = ssh.authorized_keypair(Access::All).expect("a key");
    let known = ssh.known_hosts().expect("a line");
    let alice = rig.home("alice");
    let secret = password(&server, "bob", CANARY);
    for (url, credential) in [
        (server.url("app.git"), secret.clone()),
        ("https://169.254.169.254/latest/app.git".to_owned(), secret),
        (ssh.url("app.git"), key(&private, &known)),
    ] {
        let error = alice.resolve(ask(&url, credential)).await.expect_err("refused");
        assert!(
            error.to_string().contains("the platform does not allow"),
            "{url}: {error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_another_key_gets_no_login() {
    let rig = Rig::start().await;
    let mut server = SshGitServer::start().await.expect("an ssh server");
    let repo = GitRepo::init(&server, "app.git").expect("a repository");
    repo.commit(&[("a.yaml", Some("a: 1\n"))], "first")
        .expect("a commit");
    let (private, _) = server.authorized_keypair(Access::All).expect("a key");
    let known = server.known_hosts().expect("a line");
    server.rotate_host_key().await.expect("another key");
    let error = rig
        .home("apps")
        .resolve(ask(&server.url("app.git"), key(&private, &known)))
        .await;
    let error = error.expect_err("refused");
    assert!(
        matches!(
            error,
            SourceError::Remote {
                kind: FailureKind::HostKeyMismatch,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_claims_anothers_commit_is_not_given_its_content() {
    let rig = Rig::start().await;
    let (theirs, mine) = (
        HttpsGitServer::start().await.expect("a server"),
        HttpsGitServer::start().await.expect("a server"),
    );
    let repo = GitRepo::init(&theirs, "secret.git").expect("a repository");
    let commit = repo
        .commit(&[("a.yaml", Some("a: secret\n"))], "first")
        .expect("a commit");
    theirs.set_password("alice", "alices-password");
    let request = ask(
        &theirs.url("secret.git"),
        password(&theirs, "alice", "alices-password"),
    );
    let of_alice = rig.home("alice").resolve(request).await.expect("resolves");
    // A branch that points to the commit, in a repository that does not have it.
    let fake = GitRepo::init(&mine, "fake.git").expect("a repository");
    fake.commit(&[("b.yaml", Some("b: mine\n"))], "mine")
        .expect("a commit");
    std::fs::write(fake.bare().join("refs/heads/main"), format!("{commit}\n")).expect("writable");
    mine.set_password("mallory", "mallorys-password");
    let request = ask(
        &mine.url("fake.git"),
        password(&mine, "mallory", "mallorys-password"),
    );
    let answer = rig.home("mallory").resolve(request).await;
    let got = answer
        .ok()
        .and_then(|resolved| resolved.artifact)
        .map(|artifact| artifact.digest);
    assert_ne!(got, of_alice.artifact.map(|artifact| artifact.digest));
    // The same commit, honestly: its own download.
    let copy = GitRepo::init(&mine, "copy.git").expect("a repository");
    assert_eq!(
        copy.commit(&[("a.yaml", Some("a: secret\n"))], "first")
            .expect("a commit"),
        commit
    );
    let before = rig.metric("tenure_cache_downloads_total").await;
    let request = ask(
        &mine.url("copy.git"),
        password(&mine, "mallory", "mallorys-password"),
    );
    rig.home("mallory").resolve(request).await.expect("resolves");
    assert_eq!(rig.metric("tenure_cache_downloads_total").await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_no_branch_names_is_downloaded_by_each_who_asks() {
    let rig = Rig::start().await;
    let server = HttpsGitServer::start().await.expect("a server");
    let repo = GitRepo::init(&server, "app.git").expect("a repository");
    let commit = repo
        .commit(&[("a.yaml", Some("a: 1\n"))], "first")
        .expect("a commit");
    repo.commit(&[("a.yaml", Some("a: 2\n"))], "second")
        .expect("a commit");
    for user in ["alice", "bob"] {
        server.set_password(user, "a-password");
    }
    let request = |user| {
        let mut request = ask(&server.url("app.git"), password(&server, user, "a-password"));
        if let Some(resolve_request::Spec::Git(spec)) = &mut request.spec {
            spec.r#ref = Some(git_spec::Ref::Commit(commit.clone()));
        }
        request
    };
    let of_alice = rig
        .home("alice")
        .resolve(request("alice"))
        .await
        .expect("resolves");
    let of_bob = rig.home("bob").resolve(request("bob")).await.expect("resolves");
    assert_eq!(of_alice.artifact, of_bob.artifact);
    assert_eq!(rig.metric("tenure_cache_downloads_total").await, 2);
}

/// What all tests of this process have logged so far.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Takes everything that is logged from now on, also by other tests: one subscriber for all threads.
fn logged() -> Log {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false);
    subscriber.with_writer(move || writer.clone()).init();
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_in_no_log_error_metric_or_file() {
    let log = logged();
    let rig = Rig::start().await;
    let (server, _repo) = served().await;
    server.set_password("alice", CANARY);
    let alice = rig.home("alice");
    let url = server.url("app.git");
    let resolved = alice
        .resolve(ask(&url, password(&server, "alice", CANARY)))
        .await
        .expect("resolves");
    fetch(&alice, &resolved).await.expect("fetches");
    let mut places = vec![Place::text("answer", format!("{resolved:?}"))];
    let in_url = url.replace("https://", &format!("https://bob:{CANARY}@"));
    for (url, credential) in [
        (url.clone(), password(&server, "bob", CANARY)),
        (url.clone(), password(&server, CANARY, "x")),
        (in_url.clone(), password(&server, "alice", "x")),
        (
            in_url.replace("app.git", "other.git"),
            password(&server, "alice", CANARY),
        ),
        (in_url.replace("https", "ftp"), password(&server, "alice", CANARY)),
        (
            in_url.replace("127.0.0.1", "nowhere.invalid"),
            password(&server, "alice", CANARY),
        ),
        (url.clone(), key(CANARY, CANARY)),
    ] {
        let error = alice.resolve(ask(&url, credential)).await.expect_err("wrong");
        places.push(Place::text(
            format!("error {}", places.len()),
            format!("{error} {error:?}"),
        ));
    }
    places.push(Place::text("metrics", rig.admin("/metrics").await));
    let log = String::from_utf8_lossy(&log.0.lock().expect("not poisoned")).into_owned();
    let seen = |what: &str| log.lines().any(|line| line.contains(what) && line.contains(&url));
    assert!(
        seen("new artifact") && seen("resolve failed"),
        "the log is this test's too"
    );
    places.push(Place::text("log", log.clone()));
    places.push(Place::path(rig.dir.path()));
    assert_absent(&places, CANARY);
}
