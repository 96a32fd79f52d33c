//! GitHub Apps, against a small server that follows GitHub's documented exchange.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, decode};
use rcgen::KeyPair;
use serde_json::{Value, json};
use tenure_proto::source::{Credential, FailureKind, GithubApp, credential};
use tenure_testkit::git::{GitRepo, HttpsGitServer};
use tenure_testkit::serve::Site;

use crate::rig::{Rig, ask, fetch, served};
use crate::source_client::SourceError;

const APP: &str = "1234";

/// What GitHub knows and was asked.
struct Github {
    public: DecodingKey,
    server: HttpsGitServer,
    tokens: AtomicU64,
    asked: Mutex<Vec<String>>,
}

impl Github {
    /// Whether the JWT is the App's, signed by its key, and valid for no more than ten minutes.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let bearer = headers.get("authorization").and_then(|value| value.to_str().ok());
        let jwt = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_required_spec_claims(&["exp", "iss"]);
        rules.set_issuer(&[APP]);
        let claims = jwt.and_then(|jwt| decode::<Value>(jwt, &self.public, &rules).ok());
        let times = claims.and_then(|jwt| Some((jwt.claims["iat"].as_u64()?, jwt.claims["exp"].as_u64()?)));
        let accept = headers
            .get("accept")
            .is_some_and(|value| value == "application/vnd.github+json");
        accept && times.is_some_and(|(from, to)| to > from && to - from <= 600)
    }

    fn unknown() -> Response {
        let body = json!({"message": "A JSON web token could not be decoded", "status": "401"});
        (StatusCode::UNAUTHORIZED, Json(body)).into_response()
    }

    fn note(&self, what: String) {
        self.asked.lock().expect("no panic").push(what);
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

async fn installation(
    State(github): State<Arc<Github>>,
    Path((kind, owner)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    github.note(format!("{kind}/{owner}"));
    match (github.knows(&headers), kind.as_str(), owner.as_str()) {
        (false, ..) => Github::unknown(),
        (true, "orgs", "team") | (true, "users", "bob") => Json(json!({"id": 42})).into_response(),
        _ => (StatusCode::NOT_FOUND, Json(json!({"message": "Not Found"}))).into_response(),
    }
}

async fn token(
    State(github): State<Arc<Github>>,
    Path(installation): Path<u64>,
    headers: HeaderMap,
) -> Response {
    github.note(format!("token of {installation}"));
    if !github.knows(&headers) {
        return Github::unknown();
    }
    if installation != 42 {
        return (StatusCode::NOT_FOUND, Json(json!({"message": "Not Found"}))).into_response();
    }
    let token = format!("ghs_canary{}", github.tokens.fetch_add(1, Ordering::SeqCst));
    github.server.set_password("x-access-token", &token);
    let expires_at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let body = json!({"token": token, "expires_at": expires_at, "permissions": {"contents": "read"}});
    (StatusCode::CREATED, Json(body)).into_response()
}

struct Scene {
    rig: Rig,
    github: Arc<Github>,
    api: Site,
    repo: GitRepo,
    key: String,
}

async fn scene() -> Scene {
    let (server, repo) = served().await;
    server.set_password("x-access-token", "none yet");
    let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)
        .expect("a key")
        .serialize_pem();
    let signing = EncodingKey::from_rsa_pem(key.as_bytes()).expect("that key");
    let public = Jwk::from_encoding_key(&signing, Algorithm::RS256).expect("its public half");
    let github = Arc::new(Github {
        public: DecodingKey::from_jwk(&public).expect("a key"),
        server,
        tokens: AtomicU64::new(0),
        asked: Mutex::default(),
    });
    let router = Router::new()
        .route("/api/v3/{kind}/{owner}/installation", get(installation))
        .route("/api/v3/app/installations/{id}/access_tokens", post(token))
        .with_state(github.clone());
    Scene {
        rig: Rig::start().await,
        api: Site::start(router).await.expect("a site"),
        github,
        repo,
        key,
    }
}

impl Scene {
    fn credential(&self, change: impl FnOnce(&mut GithubApp)) -> Credential {
        let mut app = GithubApp {
            id: APP.into(),
            installation_id: 42,
            installation_owner: String::new(),
            private_key: self.key.clone().into_bytes(),
            api_url: format!("https://{}/api/v3", self.api.host()),
        };
        change(&mut app);
        Credential {
            kind: Some(credential::Kind::GithubApp(app)),
            ca_pem: [self.github.server.ca(), self.api.ca()].concat().into_bytes(),
            ..Credential::default()
        }
    }

    fn url(&self) -> String {
        self.github.server.url("app.git")
    }
}

fn owner(name: &str) -> impl FnOnce(&mut GithubApp) {
    let name = name.to_owned();
    move |app| (app.installation_id, app.installation_owner) = (0, name)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_an_app_opens_a_repository_and_one_token_serves_all_who_have_it() {
    let scene = scene().await;
    let credential = scene.credential(|_| {});
    for home in ["alice", "bob", "carol"] {
        let client = scene.rig.home(home);
        let resolved = client
            .resolve(ask(&scene.url(), credential.clone()))
            .await
            .expect("resolves");
        fetch(&client, &resolved).await.expect("fetches");
    }
    assert_eq!(scene.github.asked(), ["token of 42"]);
    assert_eq!(scene.rig.metric("tenure_cache_downloads_total").await, 1);
    scene
        .repo
        .commit(&[("a.yaml", Some("a: 2\n"))], "second")
        .expect("a commit");
    let resolved = scene
        .rig
        .home("alice")
        .resolve(ask(&scene.url(), credential))
        .await;
    assert_eq!(resolved.expect("resolves").commit_message, "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owners_installation_is_looked_up_as_an_organisations_and_then_as_a_users() {
    let scene = scene().await;
    let alice = scene.rig.home("alice");
    for name in ["team", "bob"] {
        let asked = ask(&scene.url(), scene.credential(owner(name)));
        alice.resolve(asked).await.expect("resolves");
    }
    let wanted = ["orgs/team", "token of 42", "orgs/bob", "users/bob", "token of 42"];
    assert_eq!(scene.github.asked(), wanted);
    let error = alice
        .resolve(ask(&scene.url(), scene.credential(owner("nobody"))))
        .await
        .expect_err("not installed");
    assert!(
        error.to_string().contains("not installed for \"nobody\""),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_host_refuses_is_forgotten_and_ends_what_it_opened() {
    let scene = scene().await;
    let alice = scene.rig.home("alice");
    let credential = scene.credential(|_| {});
    let resolved = alice
        .resolve(ask(&scene.url(), credential.clone()))
        .await
        .expect("resolves");
    scene.github.server.set_password("x-access-token", "revoked");
    let error = alice
        .resolve(ask(&scene.url(), credential.clone()))
        .await
        .expect_err("the old token");
    assert!(!format!("{error:?} {error}").contains("canary"), "{error}");
    fetch(&alice, &resolved).await.expect_err("its grant has ended");
    alice
        .resolve(ask(&scene.url(), credential))
        .await
        .expect("a new token");
    assert_eq!(scene.github.asked(), ["token of 42", "token of 42"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_github_refuses_is_said_without_the_key() {
    let scene = scene().await;
    let alice = scene.rig.home("alice");
    let canary = "canary-private-key";
    let strange = scene.credential(|app| app.id = "99".into());
    let unread = scene.credential(|app| app.private_key = canary.into());
    let nowhere = scene.credential(|app| app.installation_id = 43);
    let plain = scene.credential(|app| app.api_url = format!("http://{}", scene.api.host()));
    for (credential, says) in [
        (strange, "does not accept the App's key"),
        (unread, "not an RSA key"),
        (nowhere, "no installation 43"),
        (plain, "not a plain https URL"),
    ] {
        let error = alice
            .resolve(ask(&scene.url(), credential))
            .await
            .expect_err(says);
        let text = error.to_string();
        assert!(text.contains(says) && !text.contains(canary), "{text}");
        let SourceError::Remote { kind, .. } = error else {
            panic!("{text}")
        };
        assert_eq!(kind, FailureKind::AuthenticationFailed, "{text}");
    }
    let metadata = scene.credential(|app| app.api_url = "https://169.254.169.254".into());
    let error = alice
        .resolve(ask(&scene.url(), metadata))
        .await
        .expect_err("an address that is not allowed");
    assert!(
        error.to_string().contains("the platform does not allow"),
        "{error}"
    );
    assert_eq!(scene.github.tokens.load(Ordering::SeqCst), 0);
}
