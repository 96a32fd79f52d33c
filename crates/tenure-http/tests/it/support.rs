use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::AUTHORIZATION;
use tenure_core::Secret;
use tenure_http::{Credential, Limits, Remote};
use tenure_net::{Guard, Outbound, Tls};
use tenure_testkit::serve::Site;

/// What a server was asked: the path, and the credential it was shown.
pub(crate) type Seen = (String, Option<String>);

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) async fn site(answer: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> (Site, Log) {
    let log = Log::default();
    let noted = log.clone();
    let router = Router::new().fallback(move |request: Request| {
        let shown = request.headers().get(AUTHORIZATION).and_then(|v| v.to_str().ok());
        let seen = (request.uri().path().to_owned(), shown.map(str::to_owned));
        noted.0.lock().unwrap().push(seen.clone());
        let response = answer(&seen);
        async move { response }
    });
    (Site::start(router).await.unwrap(), log)
}

pub(crate) fn with(code: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(code);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

/// The repository `charts` of a site, trusting also the authorities of `others`.
pub(crate) fn remote(site: &Site, others: &[&Site], credential: Credential) -> Remote {
    let url = format!("https://{}/charts", site.host());
    let mut remote = Remote::new(url.parse().unwrap(), credential);
    let cas = others
        .iter()
        .fold(site.ca().to_owned(), |all, other| all + other.ca());
    remote.outbound = Outbound {
        guard: Guard::new(["127.0.0.0/8".parse().unwrap()], []),
        tls: Tls {
            ca_pem: Some(cas.into_bytes()),
            ..Tls::default()
        },
        proxy: None,
    };
    remote
}

pub(crate) fn bob(password: &str) -> Credential {
    Credential::Basic {
        username: "bob".to_owned(),
        password: Secret::from(password.to_owned()),
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        timeout: Duration::from_secs(120),
        ..Limits::default()
    }
}
