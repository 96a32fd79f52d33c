//! Artifacts for whoever has a link: what a link opens, and when it ends.

use std::time::Duration;

use tenure_core::Digest;
use tenure_proto::source::{ResolveRequest, ResolveResponse};
use tenure_testkit::git::HttpsGitServer;

use crate::rig::{Rig, Setup, ask, get, password, served};

struct Scene {
    rig: Rig,
    server: HttpsGitServer,
}

async fn scene(links: bool) -> Scene {
    let rig = Rig::with(Setup {
        links,
        ..Setup::default()
    })
    .await;
    let (server, _repo) = served().await;
    server.set_password("alice", "alices-password");
    Scene { rig, server }
}

impl Scene {
    async fn resolve(&self, home: &str, link_for: Option<Duration>) -> ResolveResponse {
        let credential = password(&self.server, "alice", "alices-password");
        let request = ResolveRequest {
            link_for: link_for.and_then(|time| time.try_into().ok()),
            ..ask(&self.server.url("app.git"), credential)
        };
        self.rig.home(home).resolve(request).await.expect("resolves")
    }

    /// Status line and headers, and the body.
    async fn get(&self, path: &str) -> (String, Vec<u8>) {
        let answer = get(self.rig.artifacts.expect("it listens"), path).await;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = answer.split_at(end.expect("a head") + 4);
        (String::from_utf8_lossy(head).to_lowercase(), body.to_vec())
    }
}

fn path(response: &ResolveResponse) -> String {
    let link = response.link.as_ref().expect("a link");
    assert_eq!(link.host, "http://artifacts");
    format!("/gitrepository/team/app/latest.tar.gz?link={}", link.name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_gives_the_very_bytes_to_who_has_no_token() {
    let scene = scene(true).await;
    let hour = Some(Duration::from_secs(3600));
    let resolved = scene.resolve("team", hour).await;
    let artifact = resolved.artifact.clone().expect("an artifact");
    let (head, body) = scene.get(&path(&resolved)).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(
        head.contains(&format!("content-length: {}", artifact.size)),
        "{head}"
    );
    assert_eq!(Digest::of(&body).to_string(), artifact.digest);
    let again = scene.resolve("team", hour).await;
    assert_eq!(again.link, resolved.link, "a status that has it stays as it is");
    let other = scene.resolve("other", hour).await;
    assert_ne!(other.link, resolved.link, "each home has its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_link_nothing_is_said_about_what_exists() {
    let scene = scene(true).await;
    let hour = Some(Duration::from_secs(3600));
    let resolved = scene.resolve("team", hour).await;
    let good = path(&resolved);
    let digest = resolved.artifact.clone().expect("an artifact").digest;
    let (refusal, text) = scene.get("/").await;
    assert!(refusal.starts_with("http/1.1 404"), "{refusal}");
    for path in [
        "/gitrepository/team/app/latest.tar.gz".to_owned(),
        format!("{good}x"),
        good.replace("link=", "link=/"),
        format!("/{digest}?link={digest}"),
        "/../data?link=".to_owned(),
    ] {
        let (head, body) = scene.get(&path).await;
        assert!(head.starts_with("http/1.1 404"), "{path}: {head}");
        assert_eq!(body, text, "{path}");
    }
    let ended = scene.resolve("short", Some(Duration::ZERO)).await;
    let (head, _) = scene.get(&path(&ended)).await;
    assert!(head.starts_with("http/1.1 404"), "its time is over: {head}");
    scene
        .rig
        .home("team")
        .release(scene.server.url("app.git"))
        .await
        .expect("hears");
    let (head, _) = scene.get(&good).await;
    assert!(head.starts_with("http/1.1 404"), "the source is gone: {head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_when_the_remote_refuses_the_homes_credential() {
    let scene = scene(true).await;
    let hour = Some(Duration::from_secs(3600));
    let (team, other) = (
        scene.resolve("team", hour).await,
        scene.resolve("other", hour).await,
    );
    scene.server.set_password("alice", "another-password");
    let credential = password(&scene.server, "alice", "alices-password");
    let request = ask(&scene.server.url("app.git"), credential);
    scene
        .rig
        .home("team")
        .resolve(request)
        .await
        .expect_err("refused");
    let (head, _) = scene.get(&path(&team)).await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
    let (head, _) = scene.get(&path(&other)).await;
    assert!(
        head.starts_with("http/1.1 200"),
        "the other was not refused yet: {head}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_links_where_none_are_served_or_wanted() {
    let hour = Some(Duration::from_secs(3600));
    let without = scene(false).await;
    assert_eq!(without.rig.artifacts, None);
    assert_eq!(without.resolve("team", hour).await.link, None);
    let with = scene(true).await;
    assert_eq!(with.resolve("team", None).await.link, None);
}
