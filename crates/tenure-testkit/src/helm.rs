//! A Helm repository: files behind HTTPS, with or without a password, and a list of who asked for what.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::oci::Artifact;
use crate::serve::Site;

/// A repository that serves until it is dropped. What a client has already is not sent again, as with any server of files.
#[derive(Debug)]
pub struct Charts {
    site: Site,
    tls: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// Name, version, digest.
    entries: Vec<(String, String, String)>,
    /// What opens it: `Basic` and base64; everybody may read if there is none.
    logins: Vec<String>,
    log: Vec<String>,
}

impl Charts {
    /// Starts one without charts, which everybody may read.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start() -> anyhow::Result<Self> {
        Self::serve(true).await
    }

    /// The same without TLS.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn plain() -> anyhow::Result<Self> {
        Self::serve(false).await
    }

    async fn serve(tls: bool) -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let served = state.clone();
        let router = Router::new().fallback(move |request: Request| {
            let response = lock(&served).answer(&request);
            async move { response }
        });
        let charts = Self {
            site: match tls {
                true => Site::start(router).await?,
                false => Site::plain(router).await?,
            },
            tls,
            state,
        };
        charts.list();
        Ok(charts)
    }

    /// The repository's URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}/charts", self.site.host())
    }

    /// The authority that signed its certificate, PEM.
    #[must_use]
    pub fn ca(&self) -> &str {
        self.site.ca()
    }

    /// Who may read from now on; everybody if nobody is named.
    pub fn logins(&self, logins: &[(&str, &str)]) {
        let basic = |(user, password): &(&str, &str)| {
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        };
        lock(&self.state).logins = logins.iter().map(basic).collect();
    }

    /// Adds a version of a chart, and gives its archive's digest in hex.
    #[must_use]
    pub fn publish(&self, name: &str, version: &str, files: &[(&str, &str)]) -> String {
        let chart = Artifact::chart(name, version, files);
        let bytes = chart
            .layers
            .into_iter()
            .next()
            .map(|layer| layer.bytes)
            .unwrap_or_default();
        let digest = hex(&bytes);
        {
            let mut state = lock(&self.state);
            state.files.insert(format!("/charts/{name}-{version}.tgz"), bytes);
            state
                .entries
                .push((name.to_owned(), version.to_owned(), digest.clone()));
        }
        self.list();
        digest
    }

    /// Puts a file; `index.yaml` too, until the next chart is published.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        lock(&self.state)
            .files
            .insert(format!("/charts/{path}"), bytes.into());
    }

    /// Every request so far: method, path, status.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state).log.clone()
    }

    fn list(&self) {
        let mut index = "apiVersion: v1\nentries:\n".to_owned();
        let entries = lock(&self.state).entries.clone();
        let mut names: Vec<&str> = entries.iter().map(|entry| entry.0.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let _ = writeln!(index, "  {name}:");
            for (_, version, digest) in entries.iter().filter(|entry| entry.0 == name) {
                let _ = writeln!(
                    index,
                    "  - {{name: {name}, version: \"{version}\", urls: [\"{name}-{version}.tgz\"], digest: \"{digest}\", apiVersion: v2}}"
                );
            }
        }
        if entries.is_empty() {
            index = "apiVersion: v1\nentries: {}\n".to_owned();
        }
        self.put("index.yaml", index);
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Response {
        let path = request.uri().path().to_owned();
        let shown = request.headers().get(header::AUTHORIZATION);
        let shown = shown.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let open = self.logins.is_empty() || self.logins.iter().any(|login| login == shown);
        let response = match (open, self.files.get(&path)) {
            (false, _) => StatusCode::UNAUTHORIZED.into_response(),
            (true, Some(bytes)) => {
                let tag = format!("\"{}\"", hex(bytes));
                let known = request.headers().get(header::IF_NONE_MATCH);
                let tagged = [(header::ETAG, tag.clone())];
                match known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
                    true => (StatusCode::NOT_MODIFIED, tagged).into_response(),
                    false => (tagged, Body::from(bytes.clone())).into_response(),
                }
            }
            (true, None) => StatusCode::NOT_FOUND.into_response(),
        };
        self.log.push(format!(
            "{} {path} {}",
            request.method(),
            response.status().as_u16()
        ));
        response
    }
}

/// The SHA-256 of some bytes.
fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
