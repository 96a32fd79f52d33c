//! Many callers, one download; and each has proved for itself.

use std::time::Duration;

use tenure_core::Digest;
use tenure_proto::source::{FailureKind, resolve_request};
use tenure_testkit::git::{Access, GitRepo, HttpsGitServer, SshGitServer};

use crate::rig::{Rig, ask, fetch, key, password, served};
use crate::source_client::SourceError;

fn kind(error: &SourceError) -> Option<FailureKind> {
    match error {
        SourceError::Remote { kind, .. } => Some(*kind),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_resolved_and_its_bytes_are_fetched_over_ssh() {
    let rig = Rig::start().await;
    let server = SshGitServer::start().await.expect("an ssh server");
    let repo = GitRepo::init(&server, "app.git").expect("a repository");
    let commit = repo
        .commit(&[("a.yaml", Some("a: 1\n"))], "first")
        .expect("a commit");
    let (private, _) = server.authorized_keypair(Access::All).expect("a key");
    let client = rig.home("apps");
    let credential = key(&private, &server.known_hosts().expect("a line"));
    let resolved = client
        .resolve(ask(&server.url("app.git"), credential.clone()))
        .await
        .expect("resolves");
    assert_eq!(resolved.revision, format!("main@sha1:{commit}"));
    assert_eq!(resolved.commit_message, "first");
    let bytes = fetch(&client, &resolved).await.expect("fetches");
    assert_eq!(
        Digest::of(&bytes).to_string(),
        resolved.artifact.expect("set").digest
    );
    let mut again = ask(&server.url("app.git"), credential);
    again.known_revision = resolved.revision;
    assert!(client.resolve(again).await.expect("resolves").not_modified);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_homes_share_a_download_and_each_proves_for_itself() {
    let rig = Rig::start().await;
    let (server, _repo) = served().await;
    server.set_password("alice", "alices-password");
    server.set_password("bob", "bobs-password");
    let (alice, bob) = (rig.home("alice"), rig.home("bob"));
    let url = server.url("app.git");
    let first = alice
        .resolve(ask(&url, password(&server, "alice", "alices-password")))
        .await
        .expect("resolves");
    let asked = server.traffic().ref_requests;
    let second = bob
        .resolve(ask(&url, password(&server, "bob", "bobs-password")))
        .await
        .expect("resolves");
    assert!(
        server.traffic().ref_requests > asked,
        "bob was let in by the remote, not by alice's proof"
    );
    assert_eq!(first.artifact, second.artifact);
    assert_ne!(first.grant, second.grant);
    assert_eq!(rig.metric("tenure_cache_downloads_total").await, 1);
    let stranger = rig.home("mallory");
    let error = stranger
        .resolve(ask(&url, password(&server, "mallory", "guess")))
        .await
        .expect_err("refused");
    assert_eq!(kind(&error), Some(FailureKind::AuthenticationFailed), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn homes_with_one_credential_ask_once_and_who_was_refused_since_asks_again() {
    let rig = Rig::start().await;
    let (server, _repo) = served().await;
    server.set_password("shared", "the-password");
    let request = |word: &str, age: u64| {
        let mut request = ask(&server.url("app.git"), password(&server, "shared", word));
        request.max_age = Duration::from_secs(age).try_into().ok();
        request
    };
    let (alice, bob) = (rig.home("alice"), rig.home("bob"));
    alice
        .resolve(request("the-password", 10))
        .await
        .expect("resolves");
    let asked = server.traffic().listings;
    let of_bob = bob.resolve(request("the-password", 10)).await.expect("resolves");
    assert_eq!(
        server.traffic().listings,
        asked,
        "the remote has just accepted what bob brings"
    );
    fetch(&bob, &of_bob).await.expect("bob's own grant");
    bob.resolve(request("the-password", 0)).await.expect("resolves");
    assert_eq!(server.traffic().listings, asked + 1, "bob wanted to know now");

    alice.resolve(request("the-password", 0)).await.expect("resolves");
    bob.resolve(request("a-guess", 10)).await.expect_err("refused");
    let error = fetch(&bob, &of_bob).await.expect_err("the refusal ended it");
    assert!(matches!(error, SourceError::Stale(_)), "{error}");
    let asked = server.traffic().listings;
    let of_bob = bob.resolve(request("the-password", 10)).await.expect("resolves");
    assert_eq!(
        server.traffic().listings,
        asked + 1,
        "alice's answer is older than the refusal"
    );
    fetch(&bob, &of_bob).await.expect("it is good again");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_callers_at_once_make_one_download() {
    let rig = Rig::start().await;
    let (server, _repo) = served().await;
    let url = server.url("app.git");
    let calls = (0..50).map(|n| {
        let client = rig.home(&format!("home-{}", n % 10));
        let mut request = ask(&url, password(&server, "", ""));
        request.credential.as_mut().expect("set").kind = None;
        request.timeout = Duration::from_secs(100).try_into().ok();
        async move { client.resolve(request).await }
    });
    let results = futures::future::join_all(calls).await;
    let digests: std::collections::HashSet<_> = results
        .into_iter()
        .map(|result| result.expect("resolves").artifact.expect("set").digest)
        .collect();
    assert_eq!(digests.len(), 1);
    assert_eq!(rig.metric("tenure_cache_downloads_total").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_ends_the_grants_it_had_brought() {
    let rig = Rig::start().await;
    let (server, _repo) = served().await;
    for user in ["alice", "bob"] {
        server.set_password(user, "password-before");
    }
    let (alice, bob) = (rig.home("alice"), rig.home("bob"));
    let url = server.url("app.git");
    let of_alice = alice
        .resolve(ask(&url, password(&server, "alice", "password-before")))
        .await
        .expect("ok");
    let of_bob = bob
        .resolve(ask(&url, password(&server, "bob", "password-before")))
        .await
        .expect("ok");
    fetch(&bob, &of_bob).await.expect("while it is good");
    server.set_password("bob", "password-after");
    let error = bob
        .resolve(ask(&url, password(&server, "bob", "password-before")))
        .await
        .expect_err("refused");
    assert_eq!(kind(&error), Some(FailureKind::AuthenticationFailed), "{error}");
    let error = fetch(&bob, &of_bob).await.expect_err("revoked");
    assert!(matches!(error, SourceError::Stale(_)), "{error}");
    fetch(&alice, &of_alice).await.expect("alice's is hers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_young_proof_of_ones_own_spares_the_remote_and_only_if_asked_for() {
    let rig = Rig::start().await;
    let (server, repo) = served().await;
    server.set_password("alice", "alices-password");
    let alice = rig.home("alice");
    let request = || {
        ask(
            &server.url("app.git"),
            password(&server, "alice", "alices-password"),
        )
    };
    alice.resolve(request()).await.expect("ok");
    let before = server.traffic();
    let mut relaxed = request();
    relaxed.max_age = Duration::from_secs(60).try_into().ok();
    alice.resolve(relaxed.clone()).await.expect("ok");
    assert_eq!(server.traffic(), before);
    let credential = relaxed
        .credential
        .insert(password(&server, "alice", "guess"))
        .clone();
    assert!(
        alice
            .resolve(ask(&server.url("app.git"), credential))
            .await
            .is_err()
    );
    assert!(
        alice.resolve(relaxed).await.is_err(),
        "another credential has proved nothing"
    );
    repo.commit(&[("a.yaml", Some("a: 2\n"))], "second")
        .expect("a commit");
    let moved = alice.resolve(request()).await.expect("ok");
    assert_eq!(moved.commit_message, "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_submodules_is_lent_to_nobody() {
    let rig = Rig::start().await;
    let server = HttpsGitServer::start().await.expect("a server");
    let lib = GitRepo::init(&server, "lib.git").expect("a repository");
    let commit = lib
        .commit(&[("l.yaml", Some("l: 1\n"))], "lib")
        .expect("a commit");
    let app = GitRepo::init(&server, "app.git").expect("a repository");
    let file = "[submodule \"lib\"]\n\tpath = lib\n\turl = ../lib.git\n";
    std::fs::create_dir(app.work_tree().join("lib")).expect("a directory");
    let link = format!("160000,{commit},lib");
    app.git(&["update-index", "--add", "--cacheinfo", &link])
        .expect("a submodule");
    app.commit(&[(".gitmodules", Some(file))], "app")
        .expect("a commit");
    server.set_password("alice", "alices-password");
    server.set_password("bob", "bobs-password");
    let with_submodules = |user: &str| {
        let mut request = ask(
            &server.url("app.git"),
            password(&server, user, &format!("{user}s-password")),
        );
        if let Some(resolve_request::Spec::Git(spec)) = &mut request.spec {
            spec.submodules = true;
        }
        request
    };
    let (alice, bob) = (rig.home("alice"), rig.home("bob"));
    let downloads = async || rig.metric("tenure_cache_downloads_total").await;
    let first = alice.resolve(with_submodules("alice")).await.expect("resolves");
    assert_eq!(downloads().await, 1);
    let again = alice.resolve(with_submodules("alice")).await.expect("resolves");
    assert_eq!((downloads().await, &again.artifact), (1, &first.artifact));
    let bobs = bob.resolve(with_submodules("bob")).await.expect("resolves");
    assert_eq!((downloads().await, &bobs.artifact), (2, &first.artifact));
    // another credential of the same home proves again, too
    alice.resolve(with_submodules("bob")).await.expect("resolves");
    assert_eq!(downloads().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_counts_for_who_asks_the_same_right_after_and_for_nobody_else() {
    let rig = Rig::start().await;
    let (server, _repo) = served().await;
    server.set_password("alice", "right");
    let with = |word: &str, accepts: Duration| {
        let mut request = ask(&server.url("app.git"), password(&server, "alice", word));
        request.max_age = accepts.try_into().ok();
        request
    };
    let accepts = Duration::from_secs(10);
    let refused = || server.traffic().refused;
    for home in ["one", "two", "three"] {
        let error = rig
            .home(home)
            .resolve(with("wrong", accepts))
            .await
            .expect_err("refused");
        assert_eq!(kind(&error), Some(FailureKind::AuthenticationFailed), "{error}");
    }
    assert_eq!(refused(), 1, "the host was asked once");
    let error = rig.home("one").resolve(with("wrong", Duration::ZERO)).await;
    error.expect_err("still refused");
    assert_eq!(refused(), 2, "who asks for a new answer gets one");
    let right = rig.home("two").resolve(with("right", accepts)).await;
    right.expect("another credential is another question");
}
