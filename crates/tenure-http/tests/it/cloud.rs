//! What the servers that stand for clouds have in common. Tests cannot reach the clouds themselves: these servers
//! follow the exchanges as they are documented, and verify each signature and each token.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST};
use reqwest::Url;
use tenure_http::bucket::{Bucket, Listing, Service, list, pack};
use tenure_http::{HttpError, Limits};
use tenure_net::{Guard, Outbound, Tls};
use tenure_testkit::serve::Site;

use crate::support::limits;

pub(crate) const CANARY: &str = "sw0rdfish-canary";

/// A request, read whole.
pub(crate) struct Asked {
    /// As it was sent, with the host that it was sent to.
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    /// Its URL without a query.
    pub(crate) fn place(&self) -> String {
        let mut place = self.url.clone();
        place.set_query(None);
        place.into()
    }

    pub(crate) fn path(&self) -> &str {
        self.url.path()
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let found = self.url.query_pairs().find(|(n, _)| n == name)?;
        Some(found.1.into_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    pub(crate) fn authorization(&self) -> Option<&str> {
        self.header(AUTHORIZATION.as_str())
    }

    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        pairs(&self.body)
    }
}

pub(crate) fn pairs(text: &str) -> BTreeMap<String, String> {
    let url = Url::parse(&format!("http://form/?{text}")).unwrap();
    url.query_pairs().into_owned().collect()
}

/// What a percent-encoded part of a path stands for.
pub(crate) fn decoded(part: &str) -> String {
    pairs(&format!("part={part}")).remove("part").unwrap()
}

pub(crate) fn router(answer: impl Fn(&Asked) -> Response + Clone + Send + Sync + 'static) -> Router {
    Router::new().fallback(move |request: Request| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let uri = parts.uri.path_and_query().unwrap().as_str();
            let named = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
            let host = parts
                .uri
                .authority()
                .map_or(named.unwrap_or_default(), |a| a.as_str());
            let asked = Asked {
                url: Url::parse(&format!("https://{host}{uri}")).unwrap(),
                headers: parts.headers,
                body: String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap(),
            };
            answer(&asked)
        }
    })
}

pub(crate) async fn cloud(answer: impl Fn(&Asked) -> Response + Clone + Send + Sync + 'static) -> Site {
    Site::start(router(answer)).await.unwrap()
}

/// Objects by key, with their tags, as one server's threads share them.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<BTreeMap<String, Stored>>>);

struct Stored {
    tag: String,
    content: Vec<u8>,
}

impl Store {
    pub(crate) fn new(objects: &[(&str, &str)]) -> Self {
        let store = Self::default();
        for (key, content) in objects {
            store.put(key, content);
        }
        store
    }

    pub(crate) fn put(&self, key: &str, content: &str) {
        let object = Stored {
            tag: format!("e{:x}", content.len()),
            content: content.as_bytes().to_vec(),
        };
        self.0.lock().unwrap().insert(key.to_owned(), object);
    }

    pub(crate) fn delete(&self, key: &str) {
        self.0.lock().unwrap().remove(key);
    }

    pub(crate) fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0
            .lock()
            .unwrap()
            .get(key)
            .map(|object| object.content.clone())
    }

    /// Up to `most` objects under a prefix, key, tag and size, that come after a key.
    pub(crate) fn after(&self, prefix: &str, key: &str, most: usize) -> (Vec<(String, String, usize)>, bool) {
        let all = self.0.lock().unwrap();
        let mut rest = all
            .iter()
            .filter(|(k, _)| k.starts_with(prefix) && k.as_str() > key)
            .map(|(k, object)| (k.clone(), object.tag.clone(), object.content.len()));
        let page = rest.by_ref().take(most).collect();
        (page, rest.next().is_some())
    }
}

/// Keys that name no file of an artifact.
pub(crate) const NO_PATHS: [&[&str]; 5] = [&["../x"], &["/etc/passwd"], &["a\\b"], &["a", "a/b"], &["a//b"]];

/// A change makes another revision, and what vanishes after it was listed is left out.
pub(crate) async fn changes_and_vanishes(store: &Store, bucket: &Bucket, before: &Listing) {
    store.put("a.yaml", "a: 22\n");
    let changed = list(bucket, Some("/b/\n"), &limits()).await.unwrap();
    assert_ne!(changed.revision(), before.revision());
    store.delete("image.png");
    let names = packed(bucket, &changed, &limits()).await.unwrap();
    assert_eq!(names, ["a.yaml"], "what has vanished since is left out");
}

pub(crate) fn outbound(ca: &str) -> Outbound {
    Outbound {
        guard: Guard::new(["127.0.0.0/8".parse().unwrap()], []),
        tls: Tls {
            ca_pem: Some(ca.as_bytes().to_vec()),
            ..Tls::default()
        },
        proxy: None,
    }
}

pub(crate) fn bucket(site: &Site, service: Service) -> Bucket {
    Bucket {
        endpoint: format!("https://{}", site.host()).parse().unwrap(),
        name: "team".to_owned(),
        prefix: String::new(),
        service,
        outbound: outbound(site.ca()),
    }
}

pub(crate) fn keys_of(listing: &Listing) -> Vec<&str> {
    listing.objects.iter().map(|o| o.key.as_str()).collect()
}

/// The paths in the artifact of a listing.
pub(crate) async fn packed(
    bucket: &Bucket,
    listing: &Listing,
    limits: &Limits,
) -> Result<Vec<String>, HttpError> {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("artifact");
    pack(bucket, listing, &out, limits).await?;
    Ok(names(&out))
}

fn names(file: &Path) -> Vec<String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()));
    let entries = archive.entries().unwrap();
    let paths = entries.map(|e| e.unwrap().path().unwrap().display().to_string());
    paths.collect()
}

/// Fails where a secret shows.
pub(crate) fn silent(error: &HttpError) -> String {
    let text = format!("{error} {error:?}");
    assert!(!text.contains(CANARY), "{text}");
    error.to_string()
}
