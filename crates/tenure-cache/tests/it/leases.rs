//! The cache looks for workers that sleep, and says what moved.

use std::time::{Duration, Instant};

use serde_json::Value;
use tenure_cache::Limits;
use tenure_proto::source::movements_client::MovementsClient;
use tenure_proto::source::{Moved, PollLease, ResolveRequest, SubscribeRequest};
use tenure_testkit::git::{GitRepo, HttpsGitServer};
use tenure_testkit::until;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status, Streaming};

use crate::issuer::Issuer;
use crate::rig::{Rig, Setup, ask, fetch, password, served, this_machine};

const PATIENCE: Duration = Duration::from_secs(30);
const OFTEN: Duration = Duration::from_millis(100);

struct Scene {
    rig: Rig,
    server: HttpsGitServer,
    repo: GitRepo,
}

/// A cache whose leases last up to an hour, and a repository that alice and bob may read.
async fn scene() -> Scene {
    let rig = Rig::with(Setup {
        limits: Limits {
            addresses: this_machine(),
            longest_lease: Duration::from_secs(3600),
            shortest_poll: OFTEN,
            ..Limits::default()
        },
        ..Setup::default()
    })
    .await;
    let (server, repo) = served().await;
    server.set_password("alice", "alices-password");
    server.set_password("bob", "bobs-password");
    Scene { rig, server, repo }
}

/// What a token of the supervisor says.
fn supervisor() -> Value {
    let mut claims = Issuer::claims("tenure-supervisor");
    claims["sub"] = "system:serviceaccount:tenure-system:tenure-supervisor".into();
    claims["aud"] = "tenure-cache-control".into();
    claims["kubernetes.io"]["namespace"] = "tenure-system".into();
    claims
}

async fn subscribe(rig: &Rig, claims: &Value) -> Result<Streaming<Moved>, Status> {
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&rig.ca))
        .domain_name("tenure-cache");
    let channel: Channel = Endpoint::from_shared(format!("https://{}", rig.address))
        .and_then(|endpoint| endpoint.tls_config(tls))
        .expect("usable")
        .connect_lazy();
    let mut request = Request::new(SubscribeRequest {});
    let bearer = format!("Bearer {}", rig.issuer.sign(claims));
    let bearer = bearer.parse().expect("a header");
    request.metadata_mut().insert("authorization", bearer);
    let answer = MovementsClient::new(channel).subscribe(request).await;
    answer.map(tonic::Response::into_inner)
}

async fn next(words: &mut Streaming<Moved>) -> Moved {
    tokio::time::timeout(PATIENCE, words.message())
        .await
        .expect("in time")
        .expect("the call is open")
        .expect("a word")
}

impl Scene {
    /// What `user`'s worker asks before it sleeps.
    fn leased(&self, user: &str, subject: &str, every: Duration) -> ResolveRequest {
        let credential = password(&self.server, user, &format!("{user}s-password"));
        let mut request = ask(&self.server.url("app.git"), credential);
        request.lease = Some(PollLease {
            subject: subject.into(),
            every: every.try_into().ok(),
        });
        request
    }

    async fn polls(&self) -> u64 {
        self.rig.metric("tenure_cache_polls_total{result=\"ok\"}").await
    }

    fn asked(&self) -> u64 {
        self.server.traffic().ref_requests
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn homes_with_one_credential_cost_one_listing_and_all_hear_what_moved() {
    let scene = scene().await;
    let mut words = subscribe(&scene.rig, &supervisor()).await.expect("subscribed");
    let homes = ["one", "two", "three", "four", "five"];
    let mut resolved = Vec::new();
    for home in homes {
        let asked = scene.leased("alice", "GitRepository/app", Duration::from_secs(600));
        resolved.push(scene.rig.home(home).resolve(asked).await.expect("resolves"));
    }
    for answer in &resolved {
        let time: Duration = answer.leased_for.expect("a lease").try_into().expect("a time");
        assert_eq!(time, Duration::from_secs(1200), "twice the interval");
    }
    assert_eq!(scene.rig.metric("tenure_cache_leases").await, 5);
    let commit = scene
        .repo
        .commit(&[("a.yaml", Some("a: 2\n"))], "second")
        .expect("a commit");
    let before = scene.asked();
    let hint = scene.server.url("app.git");
    scene.rig.home("one").hint(hint).await.expect("heard");
    let began = Instant::now();
    let mut moved = Vec::new();
    for _ in homes {
        let word = next(&mut words).await;
        assert_eq!(word.subject, "GitRepository/app");
        assert_eq!(word.revision, format!("main@sha1:{commit}"));
        moved.push(word.home);
    }
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(10),
        "a hint waits for no interval: {took:?}"
    );
    moved.sort();
    assert_eq!(moved, ["five", "four", "one", "three", "two"]);
    assert_eq!(scene.asked() - before, 1, "one listing for all");
    // the workers wake, and what was said to the cache is good enough for them
    for home in homes {
        let mut asked = scene.leased("alice", "GitRepository/app", Duration::from_secs(600));
        asked.max_age = PATIENCE.try_into().ok();
        let client = scene.rig.home(home);
        let answer = client.resolve(asked).await.expect("resolves");
        assert_eq!(answer.commit_message, "second");
        fetch(&client, &answer).await.expect("fetches");
    }
    assert_eq!(
        scene.asked() - before,
        2,
        "and one download, which begins as a listing does"
    );
    assert_eq!(scene.rig.metric("tenure_cache_downloads_total").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_credential_is_asked_with_for_itself() {
    let scene = scene().await;
    let mut words = subscribe(&scene.rig, &supervisor()).await.expect("subscribed");
    for user in ["alice", "bob"] {
        let asked = scene.leased(user, "GitRepository/app", Duration::from_secs(600));
        scene.rig.home(user).resolve(asked).await.expect("resolves");
    }
    scene.server.set_password("bob", "another");
    scene
        .repo
        .commit(&[("a.yaml", Some("a: 2\n"))], "second")
        .expect("a commit");
    let hint = scene.server.url("app.git");
    scene.rig.home("alice").hint(hint).await.expect("heard");
    let mut heard = [next(&mut words).await, next(&mut words).await];
    heard.sort_by(|a, b| a.home.cmp(&b.home));
    assert!(heard[0].home == "alice" && !heard[0].revision.is_empty());
    assert!(
        heard[1].home == "bob" && heard[1].revision.is_empty(),
        "bob is told to look: {heard:?}"
    );
    assert_eq!(
        scene.rig.metric("tenure_cache_leases").await,
        1,
        "bob's has ended"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_while_the_worker_sleeps_ends_its_grants() {
    let scene = scene().await;
    let mut words = subscribe(&scene.rig, &supervisor()).await.expect("subscribed");
    let bob = scene.rig.home("bob");
    let asked = scene.leased("bob", "GitRepository/app", OFTEN.saturating_mul(20));
    let resolved = bob.resolve(asked).await.expect("resolves");
    fetch(&bob, &resolved).await.expect("while it is good");
    scene.server.set_password("bob", "another");
    assert!(next(&mut words).await.revision.is_empty());
    fetch(&bob, &resolved).await.expect_err("revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moved_is_found_without_a_hint_and_said_again_to_who_comes_late() {
    let scene = scene().await;
    let asked = scene.leased("alice", "GitRepository/app", Duration::from_secs(1));
    scene.rig.home("alice").resolve(asked).await.expect("resolves");
    let commit = scene
        .repo
        .commit(&[("a.yaml", Some("a: 2\n"))], "second")
        .expect("a commit");
    let revision = format!("main@sha1:{commit}");
    until("a poll", PATIENCE, || async {
        anyhow::ensure!(scene.polls().await > 0);
        Ok(())
    })
    .await
    .expect("polled");
    let mut words = subscribe(&scene.rig, &supervisor()).await.expect("subscribed");
    assert_eq!(next(&mut words).await.revision, revision);
    drop(words);
    let mut again = subscribe(&scene.rig, &supervisor()).await.expect("subscribed");
    assert_eq!(next(&mut again).await.revision, revision);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_with_its_time_with_a_release_and_is_not_given_for_nothing() {
    let scene = scene().await;
    let alice = scene.rig.home("alice");
    let long = scene.leased("alice", "GitRepository/long", Duration::from_secs(3600));
    let answer = alice.resolve(long).await.expect("resolves");
    assert!(
        answer.leased_for.is_none(),
        "it would end before the interval does"
    );
    let short = scene.leased("alice", "GitRepository/short", OFTEN);
    let answer = alice.resolve(short).await.expect("resolves");
    assert!(answer.leased_for.is_some());
    let ended = || async {
        let held = scene.rig.metric("tenure_cache_leases").await;
        anyhow::ensure!(held == 0, "{held} are held");
        Ok(())
    };
    until("the lease to end", PATIENCE, ended).await.expect("it ends");
    let kept = scene.leased("alice", "GitRepository/kept", Duration::from_secs(600));
    alice.resolve(kept).await.expect("resolves");
    assert_eq!(scene.rig.metric("tenure_cache_leases").await, 1);
    alice.release(scene.server.url("app.git")).await.expect("heard");
    until("the lease to end", PATIENCE, ended).await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_supervisor_hears_what_moves() {
    let scene = scene().await;
    let change = |pointer: &str, value: &str| {
        let mut claims = supervisor();
        *claims.pointer_mut(pointer).expect("a claim") = value.into();
        claims
    };
    for claims in [
        Issuer::claims("alice"),
        change("/aud", "tenure-cache"),
        change("/sub", "system:serviceaccount:tenure-system:other"),
        change("/kubernetes.io/namespace", "tenure-workers"),
        change("/kubernetes.io/serviceaccount/name", "other"),
    ] {
        let refused = subscribe(&scene.rig, &claims).await.expect_err("refused");
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    }
    let error = scene
        .rig
        .caller(Some(scene.rig.issuer.sign(&supervisor())))
        .resolve(scene.leased("alice", "x", OFTEN))
        .await;
    error.expect_err("the supervisor has no home");
}
