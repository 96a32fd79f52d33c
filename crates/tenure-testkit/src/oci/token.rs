//! The token service of a registry, as the registry's documentation describes it: a password for a token that
//! names one repository and what may be done there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use http::header::AUTHORIZATION;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::net::local;
use crate::pki::Authority;
use crate::serve::{acceptor, serve};

const ISSUER: &str = "rig";
const SERVICE: &str = "rig-registry";
const KEY: &str = "rig-key";
/// Seconds that a token is good for.
const GOOD_FOR: u64 = 300;

/// A running token service.
#[derive(Debug)]
pub(super) struct TokenService {
    port: u16,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

struct Shared {
    key: EncodingKey,
    users: Mutex<BTreeMap<String, String>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl TokenService {
    pub(super) async fn start(
        authority: &Authority,
        users: BTreeMap<String, String>,
        dir: &Path,
    ) -> anyhow::Result<Self> {
        let pair = KeyPair::generate()?;
        fs::write(dir.join("jwks.json"), json!({"keys": [jwk(&pair)?]}).to_string())?;
        let shared = Arc::new(Shared {
            key: EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes())?,
            users: Mutex::new(users),
        });
        let tls = acceptor(&authority.server("token", &[])?)?;
        let socket = TcpListener::bind(local(0)).await.context("listen for the token service")?;
        let port = socket.local_addr()?.port();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(serve(socket, tls, router)));
        Ok(Self {
            port,
            shared,
            _stop: stop.drop_guard(),
        })
    }

    pub(super) fn set_users(&self, users: BTreeMap<String, String>) {
        *self.shared.users.lock().unwrap_or_else(PoisonError::into_inner) = users;
    }

    pub(super) fn config(&self, jwks: &str) -> Value {
        json!({
            "realm": format!("https://127.0.0.1:{}/token", self.port),
            "service": SERVICE, "issuer": ISSUER, "jwks": jwks, "signingalgorithms": ["ES256"],
        })
    }

    pub(super) fn mint(&self, user: &str, repository: &str, actions: &[&str]) -> anyhow::Result<String> {
        self.shared.mint(user, repository, actions)
    }
}

impl Shared {
    fn mint(&self, user: &str, repository: &str, actions: &[&str]) -> anyhow::Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let header = Header {
            kid: Some(KEY.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        let access = json!([{"type": "repository", "name": repository, "actions": actions}]);
        let claims = json!({
            "iss": ISSUER, "aud": [SERVICE], "sub": user, "jti": now.to_string(),
            "iat": now, "nbf": now - 10, "exp": now + GOOD_FOR, "access": access,
        });
        Ok(encode(&header, &claims, &self.key)?)
    }

    /// Whom the header logs in; the one without a name if there is none.
    fn user(&self, request: &Request) -> Option<String> {
        let Some(header) = request.headers().get(AUTHORIZATION) else {
            return Some(String::new());
        };
        let pair = STANDARD.decode(header.to_str().ok()?.strip_prefix("Basic ")?).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        let (user, password) = pair.split_once(':')?;
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        (users.get(user).map(String::as_str) == Some(password)).then(|| user.to_owned())
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let Some(user) = shared.user(&request) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let query = request.uri().query().unwrap_or_default();
    let Ok(url) = reqwest::Url::parse(&format!("query:?{query}")) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let scope = url.query_pairs().find(|(name, _)| name == "scope").map(|(_, scope)| scope.into_owned());
    let scope = scope.unwrap_or_default();
    let repository = scope.strip_prefix("repository:").and_then(|s| s.strip_suffix(":pull"));
    // without a name, a token that opens nothing: as registries with private repositories answer
    let actions: &[&str] = if user.is_empty() { &[] } else { &["pull"] };
    match repository.map(|repository| shared.mint(&user, repository, actions)) {
        Some(Ok(token)) => Json(json!({"token": token, "expires_in": GOOD_FOR})).into_response(),
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// The public half, as the registry reads it.
fn jwk(pair: &KeyPair) -> anyhow::Result<Value> {
    // an uncompressed point: a byte, then two numbers
    let point = pair.der_bytes();
    let x = point.get(1..33).context("no key on P-256")?;
    let y = point.get(33..65).context("no key on P-256")?;
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    Ok(json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KEY, "x": text(x), "y": text(y)}))
}
