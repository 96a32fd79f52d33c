mod cgi;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, http};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{GitHost, public_dir};
use crate::net::local;
use crate::pki::{Authority, install_crypto};
use crate::serve::{acceptor, serve};

/// A Git server that is reached by HTTPS: `git http-backend` of this machine behind TLS with a
/// certificate authority of its own. It serves fetches only.
#[derive(Debug)]
pub struct HttpsGitServer {
    port: u16,
    ca: String,
    site: Arc<Site>,
    _stop: DropGuard,
    dir: TempDir,
}

/// What the server was asked and what it sent, since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests for `info/refs` that were let in.
    pub ref_requests: u64,
    /// Requests to `git-upload-pack` that were let in: one to list references and one or more to
    /// fetch, in protocol version 2.
    pub pack_requests: u64,
    /// Those of them that listed references, as far as they came uncompressed.
    pub listings: u64,
    /// Those of them that asked for objects, as far as they came uncompressed.
    pub fetches: u64,
    /// Requests refused for a missing or wrong password.
    pub refused: u64,
    /// Bytes of response bodies.
    pub bytes_sent: u64,
}

#[derive(Debug)]
struct Site {
    repositories: PathBuf,
    users: Mutex<BTreeMap<String, String>>,
    ref_requests: AtomicU64,
    pack_requests: AtomicU64,
    listings: AtomicU64,
    fetches: AtomicU64,
    refused: AtomicU64,
    bytes_sent: Arc<AtomicU64>,
}

impl HttpsGitServer {
    /// Starts it. Until there is a first user, everybody may fetch.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start() -> anyhow::Result<Self> {
        install_crypto();
        let dir = public_dir("https-git-")?;
        let authority = Authority::new("rig-git")?;
        let tls = acceptor(&authority.server("git", &[])?)?;
        let socket = TcpListener::bind(local(0)).await.context("listen for HTTPS")?;
        let port = socket.local_addr()?.port();
        let site = Arc::new(Site {
            repositories: dir.path().join("repositories"),
            users: Mutex::default(),
            ref_requests: AtomicU64::new(0),
            pack_requests: AtomicU64::new(0),
            listings: AtomicU64::new(0),
            fetches: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            bytes_sent: Arc::default(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&site));
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(serve(socket, tls, router)));
        let ca = authority.certificate().to_owned();
        Ok(Self {
            port,
            ca,
            site,
            _stop: stop.drop_guard(),
            dir,
        })
    }

    /// The URL of a repository.
    #[must_use]
    pub fn url(&self, repository: &str) -> String {
        format!(
            "https://127.0.0.1:{}/{}",
            self.port,
            repository.trim_start_matches('/')
        )
    }

    /// The authority that signed the server's certificate, PEM.
    #[must_use]
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// The authority as a file, for git.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn ca_file(&self) -> anyhow::Result<PathBuf> {
        let path = self.dir.path().join("ca.crt");
        std::fs::write(&path, &self.ca)?;
        Ok(path)
    }

    /// Adds a user or changes a password. From the first user on, a password is needed.
    pub fn set_password(&self, user: &str, password: &str) {
        let mut users = self.site.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.insert(user.to_owned(), password.to_owned());
    }

    /// What was asked and sent.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            ref_requests: count(&self.site.ref_requests),
            pack_requests: count(&self.site.pack_requests),
            listings: count(&self.site.listings),
            fetches: count(&self.site.fetches),
            refused: count(&self.site.refused),
            bytes_sent: count(&self.site.bytes_sent),
        }
    }
}

impl GitHost for HttpsGitServer {
    fn repositories(&self) -> &Path {
        &self.site.repositories
    }
}

async fn answer(State(site): State<Arc<Site>>, request: Request) -> Response {
    if !site.lets_in(request.headers()) {
        site.refused.fetch_add(1, Ordering::Relaxed);
        let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"rig\""))];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let uri = request.uri();
    let refs = uri.path().ends_with("/info/refs") && uri.query() == Some("service=git-upload-pack");
    let pack = request.method() == Method::POST && uri.path().ends_with("/git-upload-pack");
    match (refs, pack) {
        (true, _) => site.ref_requests.fetch_add(1, Ordering::Relaxed),
        (_, true) => site.pack_requests.fetch_add(1, Ordering::Relaxed),
        _ => return StatusCode::FORBIDDEN.into_response(),
    };
    let asked = |body: &[u8]| site.note(body);
    match cgi::run(&site.repositories, request, asked, Arc::clone(&site.bytes_sent)).await {
        Ok(response) => response,
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Body::from(format!("{error:#}\n")),
        )
            .into_response(),
    }
}

impl Site {
    /// In protocol version 2 the first line of a request says what it is for.
    fn note(&self, body: &[u8]) {
        let begins = |command: &[u8]| body.get(4..).is_some_and(|line| line.starts_with(command));
        if begins(b"command=ls-refs") {
            self.listings.fetch_add(1, Ordering::Relaxed);
        } else if begins(b"command=fetch") {
            self.fetches.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.is_empty() || basic(headers).is_some_and(|(user, password)| users.get(&user) == Some(&password))
    }
}

/// User and password of the request.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
