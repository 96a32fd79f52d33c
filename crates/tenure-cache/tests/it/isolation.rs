//! What one home can't get from another, and what nobody may see.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenure_core::{Digest, Secret};
use tenure_proto::source::FailureKind;
use tenure_testkit::canary::{Place, assert_absent};
use tenure_testkit::git::{Access, GitRepo, HttpsGitServer, SshGitServer};

use crate::rig::{Rig, Setup, ask, fetch, key, password};
use crate::source_client::SourceError;

const CANARY: &str = "canary-7f3a9c-hunter2";

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_not_good_says_nothing_about_what_exists() {
    let rig = Rig::start().await;
    let server = HttpsGitServer::start().await.expect("a server");
    let repo = GitRepo::init(&server, "app.git").expect("a repository");
    repo.commit(&[("a.yaml", Some("a: 1\n"))], "first")
        .expect("a commit");
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
    let server = HttpsGitServer::start().await.expect("a server");
    let repo = GitRepo::init(&server, "app.git").expect("a repository");
    repo.commit(&[("a.yaml", Some("a: 1\n"))], "first")
        .expect("a commit");
    let mut request = ask(&server.url("app.git"), password(&server, "", ""));
    request.credential.as_mut().expect("set").kind = None;
    let alice = rig.home("alice");
    let resolved = alice.resolve(request).await.expect("resolves");
    let error = fetch(&alice, &resolved).await.expect_err("expired");
    assert!(matches!(error, SourceError::Stale(_)), "{error}");
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

#[test]
fn a_password_is_in_no_log_error_metric_or_file() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // One thread, whose log this is.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (texts, dir) = tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let rig = Rig::start().await;
            let server = HttpsGitServer::start().await.expect("a server");
            let repo = GitRepo::init(&server, "app.git").expect("a repository");
            repo.commit(&[("a.yaml", Some("a: 1\n"))], "first")
                .expect("a commit");
            server.set_password("alice", CANARY);
            let alice = rig.home("alice");
            let url = server.url("app.git");
            let resolved = alice
                .resolve(ask(&url, password(&server, "alice", CANARY)))
                .await
                .expect("resolves");
            fetch(&alice, &resolved).await.expect("fetches");
            let mut texts = vec![format!("{resolved:?}")];
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
                (url, key(CANARY, CANARY)),
            ] {
                let error = alice.resolve(ask(&url, credential)).await.expect_err("wrong");
                texts.push(format!("{error} {error:?}"));
            }
            texts.push(rig.admin("/metrics").await);
            (texts, rig.dir)
        })
    });
    let log = String::from_utf8_lossy(&log.0.lock().expect("not poisoned")).into_owned();
    assert!(log.contains("new artifact"), "the log was seen");
    let mut places: Vec<_> = texts
        .into_iter()
        .map(|text| Place::text(text.clone(), text))
        .collect();
    places.push(Place::text("log", log));
    places.push(Place::path(dir.path()));
    assert_absent(&places, CANARY);
}
