//! A registry that does wrong: the parts that every test needs, and what was asked of it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use http::header::AUTHORIZATION;
use tenure_core::Digest;
use tenure_oci::{Credential, Remote};
use tenure_testkit::oci::Artifact;
use tenure_testkit::serve::Site;

use super::at;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) body: String,
}

/// What a server was asked.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.all().into_iter().map(|seen| seen.path).collect()
    }

    pub(crate) fn count(&self, part: &str) -> usize {
        self.paths().iter().filter(|path| path.contains(part)).count()
    }
}

/// Starts a server that answers as `answer` says, and notes what it was asked.
pub(crate) async fn site(answer: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> (Site, Log) {
    let log = Log::default();
    let noted = log.clone();
    let router = Router::new().fallback(move |request: Request| {
        let (noted, answer) = (noted.clone(), answer.clone());
        async move {
            let (parts, body) = request.into_parts();
            let text = |name| parts.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let seen = Seen {
                method: parts.method.to_string(),
                path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
                authorization: text(AUTHORIZATION),
                range: text(http::header::RANGE),
                body: String::from_utf8_lossy(&body).into_owned(),
            };
            noted.0.lock().unwrap().push(seen.clone());
            answer(&seen)
        }
    });
    (Site::start(router).await.unwrap(), log)
}

pub(crate) fn remote(site: &Site, credential: Credential) -> Remote {
    at(&format!("oci://{}/app", site.host()), site.ca(), credential)
}

/// The manifest and the layer of an app, as an honest registry has them.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) manifest: Vec<u8>,
    pub(crate) layer: Vec<u8>,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with(Artifact::flux(&[("a.yaml", &"a: 1\n".repeat(9000))], "https://git", "main"))
    }

    pub(crate) fn with(artifact: Artifact) -> Self {
        let layer = artifact.layers[0].clone();
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": KIND, "annotations": artifact.annotations,
            "config": {"mediaType": "application/json", "digest": Digest::of(b"{}"), "size": 2},
            "layers": [{
                "mediaType": layer.media_type, "digest": Digest::of(&layer.bytes), "size": layer.bytes.len(),
            }],
        });
        Self {
            manifest: manifest.to_string().into_bytes(),
            layer: layer.bytes,
        }
    }

    /// What an honest registry answers.
    pub(crate) fn answer(&self, seen: &Seen) -> Response {
        if seen.path.contains("/manifests/") {
            manifest(&self.manifest)
        } else if seen.path.contains("/blobs/") {
            Response::new(Body::from(self.layer.clone()))
        } else {
            status(404)
        }
    }
}

const KIND: &str = "application/vnd.oci.image.manifest.v1+json";

pub(crate) fn manifest(bytes: &[u8]) -> Response {
    Response::builder()
        .header("content-type", KIND)
        .header("docker-content-digest", Digest::of(bytes).to_string())
        .body(Body::from(bytes.to_vec()))
        .unwrap()
}

pub(crate) fn status(code: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

pub(crate) fn with(code: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(code);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}
