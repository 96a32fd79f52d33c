//! What breaks, and what goes on.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tenure_core::{Classify as _, Digest};
use tenure_proto::source::FailureKind;
use tenure_testkit::git::{GitRepo, HttpsGitServer};
use tenure_testkit::serve::Site;
use tenure_testkit::until;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::rig::{Rig, Setup, ask, fetch, password, served};
use crate::source_client::SourceError;

const PATIENCE: Duration = Duration::from_secs(20);

/// Fetchers of this process that are alive.
fn fetchers(name: &str) -> Vec<i32> {
    let me = std::process::id().to_string();
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_mine = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1));
        parent == Some(me.as_str())
            && matches!(
                command.split('\0').collect::<Vec<_>>()[..],
                [program, "fetcher", ..] if program.contains(name)
            )
    };
    pids.filter(is_mine).collect()
}

/// A remote that takes connections and says nothing.
async fn silent() -> (tokio::task::JoinHandle<()>, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!(
        "https://127.0.0.1:{}/app.git",
        listener.local_addr().expect("bound").port()
    );
    let held = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    (held, url)
}

fn kind(error: &SourceError) -> Option<FailureKind> {
    match error {
        SourceError::Remote { kind, .. } => Some(*kind),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetcher_that_hangs_is_killed_when_its_time_is_up() {
    let rig = Rig::with(Setup {
        fetcher: Some("hangs"),
        ..Setup::default()
    })
    .await;
    let program = rig.dir.path().join("hangs").display().to_string();
    let mut request = ask("https://127.0.0.1:1/x", Default::default());
    request.timeout = Duration::from_secs(2).try_into().ok();
    let (started, client) = (Instant::now(), rig.home("apps"));
    let call = tokio::spawn(async move { client.resolve(request).await });
    until("the fetcher", PATIENCE, || async {
        anyhow::ensure!(!fetchers(&program).is_empty(), "none yet");
        Ok(())
    })
    .await
    .expect("it started");
    let error = call.await.expect("no panic").expect_err("too late");
    assert_eq!(kind(&error), Some(FailureKind::UpstreamUnavailable), "{error}");
    assert!(started.elapsed() < PATIENCE);
    until("the fetcher's end", PATIENCE, || async {
        anyhow::ensure!(fetchers(&program).is_empty(), "still there");
        Ok(())
    })
    .await
    .expect("it is dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_takes_the_fetcher_along() {
    // By a name of its own, so that no other test's fetcher is taken for it.
    let rig = Rig::with(Setup {
        fetcher: Some("waits"),
        ..Setup::default()
    })
    .await;
    let program = rig.dir.path().join("waits").display().to_string();
    let (_held, url) = silent().await;
    let client = rig.home("apps");
    let call = tokio::spawn(async move { client.resolve(ask(&url, Default::default())).await });
    until("the fetcher", PATIENCE, || async {
        anyhow::ensure!(!fetchers(&program).is_empty(), "none yet");
        Ok(())
    })
    .await
    .expect("it started");
    call.abort();
    until("the fetcher's end", PATIENCE, || async {
        anyhow::ensure!(fetchers(&program).is_empty(), "still there");
        anyhow::ensure!(rig.metric("tenure_cache_fetchers").await == 0, "still counted");
        Ok(())
    })
    .await
    .expect("it is dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetcher_that_is_killed_is_its_callers_failure_only() {
    // By a name of its own, so that no other test's fetcher is taken for it.
    let rig = Rig::with(Setup {
        fetcher: Some("victim"),
        ..Setup::default()
    })
    .await;
    let program = rig.dir.path().join("victim").display().to_string();
    let (_held, url) = silent().await;
    let client = rig.home("apps");
    let call = tokio::spawn(async move { client.resolve(ask(&url, Default::default())).await });
    let pids = until("the fetcher", PATIENCE, || async {
        let pids = fetchers(&program);
        anyhow::ensure!(!pids.is_empty(), "none yet");
        Ok(pids)
    })
    .await
    .expect("it started");
    for pid in pids.into_iter().filter_map(rustix::process::Pid::from_raw) {
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("ours");
    }
    let error = call.await.expect("no panic").expect_err("killed");
    assert_eq!(kind(&error), Some(FailureKind::Malformed), "{error}");
    assert!(
        error.to_string().contains("127.0.0.1"),
        "names the remote: {error}"
    );
    works(&rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetcher_that_aborts_does_not_end_the_cache() {
    let rig = Rig::with(Setup {
        fetcher: Some("dies"),
        ..Setup::default()
    })
    .await;
    for _ in 0..3 {
        let error = rig
            .home("apps")
            .resolve(ask("https://h/x", Default::default()))
            .await
            .expect_err("died");
        assert_eq!(kind(&error), Some(FailureKind::Malformed), "{error}");
    }
    assert!(rig.admin("/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(rig.admin("/readyz").await.starts_with("HTTP/1.1 200"));
}

/// The cache resolves and serves.
async fn works(rig: &Rig) {
    let (server, _repo) = served().await;
    server.set_password("apps", "a-password");
    let client = rig.home("apps");
    let request = ask(&server.url("app.git"), password(&server, "apps", "a-password"));
    let resolved = client.resolve(request).await.expect("resolves");
    fetch(&client, &resolved).await.expect("fetches");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_disk_costs_one_more_resolve() {
    let rig = Rig::start().await;
    let (server, _repo) = served().await;
    server.set_password("apps", "a-password");
    let client = rig.home("apps");
    let request = || {
        let mut request = ask(&server.url("app.git"), password(&server, "apps", "a-password"));
        request.max_age = Duration::from_secs(60).try_into().ok();
        request
    };
    let before = client.resolve(request()).await.expect("resolves");
    fs::remove_dir_all(rig.data()).expect("wiped");
    let error = fetch(&client, &before).await.expect_err("gone");
    assert!(matches!(error, SourceError::Stale(_)), "{error}");
    let after = client.resolve(request()).await.expect("resolves again");
    assert_eq!(before.artifact, after.artifact, "the same bytes, made again");
    fetch(&client, &after).await.expect("fetches");
}

/// Passes connections on to `port`, and cuts the first one that has carried `after` bytes back.
async fn cutting_proxy(port: u16, after: u64) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let own = listener.local_addr().expect("bound").port();
    let budget = Arc::new(AtomicU64::new(after));
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(("127.0.0.1", port))
                .await
                .expect("the cache listens");
            let budget = budget.swap(u64::MAX, Ordering::SeqCst);
            tokio::spawn(async move {
                let ((near_read, mut near_write), (far_read, mut far_write)) =
                    (near.into_split(), far.into_split());
                let (mut up, mut down) = (near_read, far_read.take(budget));
                tokio::select! {
                    _ = tokio::io::copy(&mut up, &mut far_write) => {}
                    _ = tokio::io::copy(&mut down, &mut near_write) => {}
                }
            });
        }
    });
    own
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_stream_is_taken_up_where_it_stopped() {
    let rig = Rig::start().await;
    let server = HttpsGitServer::start().await.expect("a server");
    let repo = GitRepo::init(&server, "app.git").expect("a repository");
    let mut state = 1_u64;
    let mut noise = String::new();
    while noise.len() < 4 << 20 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        noise.push_str(&format!("{:08x}", state >> 32));
    }
    repo.commit(&[("a.txt", Some(&noise))], "first")
        .expect("a commit");
    server.set_password("apps", "a-password");
    let port = cutting_proxy(rig.address.port(), 1 << 20).await;
    let client = rig.caller_at(
        port,
        Some(rig.issuer.sign(&crate::issuer::Issuer::claims("apps"))),
    );
    let request = ask(&server.url("app.git"), password(&server, "apps", "a-password"));
    let resolved = client.resolve(request).await.expect("resolves");
    assert!(
        resolved.artifact.as_ref().expect("set").size > 3 << 19,
        "larger than what the proxy lets through"
    );
    let bytes = fetch(&client, &resolved).await.expect("fetches");
    assert_eq!(
        Digest::of(&bytes).to_string(),
        resolved.artifact.expect("set").digest
    );
    let text = rig.admin("/metrics").await;
    assert!(
        text.contains("tenure_cache_fetches_total{result=\"OK\"} 2"),
        "taken up once: {text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_without_keys_lives_but_is_not_ready() {
    let rig = Rig::with(Setup {
        no_keys: true,
        ..Setup::default()
    })
    .await;
    assert!(rig.admin("/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(rig.admin("/readyz").await.starts_with("HTTP/1.1 503"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_with_a_small_limit_fails_alone() {
    let rig = Rig::start().await;
    let server = HttpsGitServer::start().await.expect("a server");
    let repo = GitRepo::init(&server, "app.git").expect("a repository");
    let noise: String = (0..4000_u32)
        .map(|n| format!("{:x}\n", n.wrapping_mul(2_654_435_761)))
        .collect();
    repo.commit(&[("a.txt", Some(&noise))], "first")
        .expect("a commit");
    server.set_password("apps", "a-password");
    let request = |limit| {
        let mut request = ask(&server.url("app.git"), password(&server, "apps", "a-password"));
        request.max_artifact_bytes = limit;
        request
    };
    for _ in 0..2 {
        let error = rig
            .home("small")
            .resolve(request(100))
            .await
            .expect_err("too large");
        assert_eq!(kind(&error), Some(FailureKind::TooLarge), "{error}");
        rig.home("large").resolve(request(0)).await.expect("fits");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_has_used_up_its_budget_waits_and_others_do_not() {
    let rig = Rig::start().await;
    let (server, repo) = served().await;
    let ask = |budget| {
        let mut request = ask(&server.url("app.git"), password(&server, "", ""));
        request.credential.as_mut().expect("set").kind = None;
        request.fetch_bytes_per_hour = budget;
        request
    };
    let greedy = rig.home("greedy");
    greedy
        .resolve(ask(1))
        .await
        .expect("what it costs is known afterwards");
    greedy
        .resolve(ask(1))
        .await
        .expect("nothing is downloaded for that");
    repo.commit(&[("more.txt", Some("more"))], "second")
        .expect("a commit");
    let error = greedy.resolve(ask(1)).await.expect_err("used up");
    assert_eq!(kind(&error), Some(FailureKind::OverBudget), "{error}");
    let said = error.to_string();
    assert!(
        said.contains("budget of 1 bytes an hour") && said.contains("app.git"),
        "{said}"
    );
    assert!(
        matches!(error.retry(), tenure_core::Retry::After(wait) if wait > Duration::from_secs(60)),
        "{error:?}"
    );
    rig.home("other")
        .resolve(ask(1))
        .await
        .expect("it has one of its own");
    greedy
        .resolve(ask(1))
        .await
        .expect("what another has had downloaded costs nothing");
    repo.commit(&[("more.txt", Some("even more"))], "third")
        .expect("a commit");
    greedy
        .resolve(ask(1 << 30))
        .await
        .expect("a budget that was raised");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_may_read_is_not_evicted_and_goes_when_it_may_not_any_more() {
    let rig = Rig::with(Setup {
        grant_ttl: Duration::from_secs(8),
        limits: tenure_cache::Limits {
            addresses: crate::rig::this_machine(),
            store_bytes: 1,
            sweep: Duration::from_millis(50),
            ..tenure_cache::Limits::default()
        },
        ..Setup::default()
    })
    .await;
    let (server, _repo) = served().await;
    let mut request = ask(&server.url("app.git"), password(&server, "", ""));
    request.credential.as_mut().expect("set").kind = None;
    let alice = rig.home("alice");
    let resolved = alice.resolve(request.clone()).await.expect("resolves");
    let stored = || async { rig.metric("tenure_cache_stored_bytes").await };
    until("a sweep", Duration::from_secs(6), || async {
        anyhow::ensure!(stored().await > 0);
        Ok(())
    })
    .await
    .expect("swept while it is held");
    fetch(&alice, &resolved).await.expect("it is there");
    until("the eviction", Duration::from_secs(30), || async {
        anyhow::ensure!(stored().await == 0);
        Ok(())
    })
    .await
    .expect("evicted");
    let again = alice.resolve(request).await.expect("resolves");
    assert_eq!(again.artifact, resolved.artifact, "it is made again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_asks_for_patience_is_left_alone_by_everybody() {
    let rig = Rig::start().await;
    let asked = Arc::new(AtomicU64::new(0));
    let counter = asked.clone();
    let busy = axum::Router::new().fallback(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async {
            (
                axum::http::StatusCode::TOO_MANY_REQUESTS,
                [("retry-after", "120")],
            )
        }
    });
    let site = Site::start(busy).await.expect("a site");
    let request = |repository: &str| {
        let credential = tenure_proto::source::Credential {
            ca_pem: site.ca().as_bytes().to_vec(),
            ..Default::default()
        };
        ask(&format!("https://{}/{repository}", site.host()), credential)
    };
    for (home, repository) in [("alice", "a.git"), ("bob", "b.git"), ("alice", "a.git")] {
        let error = rig
            .home(home)
            .resolve(request(repository))
            .await
            .expect_err("not now");
        let SourceError::Remote {
            kind, retry_after, ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!(*kind, FailureKind::UpstreamUnavailable, "{error}");
        assert!(
            retry_after.is_some_and(|wait| wait > Duration::from_secs(60)),
            "the worker waits as long: {error:?}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
