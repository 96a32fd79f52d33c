//! Buckets that speak S3: what is in them, and its files as an artifact.

mod list;
mod pack;
mod sts;
mod xml;

use std::fmt::Write as _;
use std::time::SystemTime;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};
use tenure_core::{Digest, SourceUrl};
use tenure_net::aws::{Keys, Scope, encode};
use tenure_net::{Failed, Order, Outbound, Reply, Route};

use crate::error::failed;
use crate::{HttpError, Missing};

pub use list::{list, look};
pub use pack::pack;
pub use sts::Ldap;

/// The region of servers that have none.
const REGION: &str = "us-east-1";

/// A bucket and what opens it. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Where the service is; the bucket is the first part of paths there.
    pub endpoint: SourceUrl,
    /// The bucket.
    pub name: String,
    /// Its region; `us-east-1` if it is empty.
    pub region: String,
    /// Only keys that start so.
    pub prefix: String,
    /// Who asks; nobody for public buckets.
    pub keys: Option<Keys>,
    /// Where to ask for keys, if there are none of one's own; see [`Bucket::opened`].
    pub ldap: Option<Ldap>,
    /// Which addresses, authorities, client certificate and proxy.
    pub outbound: Outbound,
}

impl Bucket {
    /// As messages name it, redacted.
    pub(crate) fn shown(&self) -> String {
        format!("bucket {:?} at {}", self.name, self.endpoint)
    }
}

/// One object of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// What changes with its content, without quotes.
    pub etag: String,
    /// Its bytes.
    pub size: u64,
}

/// What is in a bucket, in the order of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The objects that count as files.
    pub objects: Vec<Object>,
}

impl Listing {
    /// The revision, as Flux has it: the digest of all keys and tags.
    #[must_use]
    pub fn revision(&self) -> Digest {
        let mut text = String::new();
        for object in &self.objects {
            let _ = writeln!(text, "{} {}", object.key, object.etag);
        }
        Digest::of(text.as_bytes())
    }
}

/// One conversation with the service.
struct Conversation<'a> {
    bucket: &'a Bucket,
    /// The bucket, redacted.
    shown: String,
    route: Route,
    base: Url,
}

impl<'a> Conversation<'a> {
    fn open(bucket: &'a Bucket) -> Result<Self, HttpError> {
        let endpoint = &bucket.endpoint;
        let shown = bucket.shown();
        let invalid = |message: &str| HttpError::InvalidReference {
            remote: shown.clone(),
            message: message.to_owned(),
        };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_');
        if !(3..=255).contains(&bucket.name.len())
            || !bucket.name.to_ascii_lowercase().bytes().all(plain)
            || bucket.name.contains("..")
        {
            return Err(invalid("that is no name of a bucket"));
        }
        let path = endpoint.path().trim_end_matches('/');
        let text = format!(
            "{}://{}:{}{path}/{}",
            endpoint.scheme(),
            endpoint.host(),
            endpoint.port(),
            encode(&bucket.name, true)
        );
        let base = Url::parse(&text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"));
        let base = base.ok_or_else(|| invalid("its endpoint is not an http or https URL"))?;
        let route = Route::new(&bucket.outbound, base.clone(), false).map_err(|error| {
            HttpError::AuthenticationFailed {
                remote: shown.clone(),
                message: error.to_string(),
            }
        })?;
        Ok(Self {
            bucket,
            shown,
            route,
            base,
        })
    }

    /// Asks for a key (the bucket itself if it is empty) with a query; names and values are encoded here.
    async fn get(&self, key: &str, query: &[(&str, &str)]) -> Result<Response, HttpError> {
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name, true), encode(value, true)))
            .collect();
        let mut text = self.base.to_string();
        if !key.is_empty() {
            text = format!("{text}/{}", encode(key, false));
        }
        if !query.is_empty() {
            text = format!("{text}?{}", query.join("&"));
        }
        let url = Url::parse(&text).map_err(|_| self.malformed("a key makes no URL"))?;
        let mut order = Order::get(url);
        if let Some(keys) = &self.bucket.keys {
            let scope = Scope {
                region: Some(self.bucket.region.as_str())
                    .filter(|r| !r.is_empty())
                    .unwrap_or(REGION),
                service: "s3",
                at: SystemTime::now(),
            };
            for (name, value) in keys.sign(scope, Method::GET.as_str(), &order.url, &[], b"") {
                let mut value = HeaderValue::from_bytes(value.expose()).map_err(|_| self.unusable())?;
                value.set_sensitive(true);
                order.private.insert(HeaderName::from_static(name), value);
            }
        }
        let Reply { response, own } = self.route.ask(&order).await.map_err(|e| self.failed(e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.explain(response.status(), own, key))
    }

    fn unusable(&self) -> HttpError {
        HttpError::AuthenticationFailed {
            remote: self.shown.clone(),
            message: "the Secret's keys have a line break or a control character".to_owned(),
        }
    }

    fn explain(&self, status: StatusCode, own: bool, key: &str) -> HttpError {
        let remote = self.shown.clone();
        let code = status.as_u16();
        let refused = |message: String| HttpError::AuthenticationFailed {
            remote: remote.clone(),
            message,
        };
        match (status, &self.bucket.keys) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(_)) if own => refused(format!(
                "the service does not accept the keys, or they may not read there (HTTP {code})"
            )),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) if own => refused(format!(
                "it asks for keys and none were given (HTTP {code}); name a Secret in spec.secretRef"
            )),
            (StatusCode::NOT_FOUND, _) => HttpError::NotFound {
                remote,
                what: Missing::File(match key {
                    "" => self.bucket.name.clone(),
                    key => tenure_core::printable(key),
                }),
            },
            _ => HttpError::Unavailable {
                remote,
                message: format!("it answered HTTP {code}"),
            },
        }
    }

    fn failed(&self, error: Failed) -> HttpError {
        failed(&self.shown, error)
    }

    fn malformed(&self, message: &str) -> HttpError {
        HttpError::Malformed {
            remote: self.shown.clone(),
            message: message.to_owned(),
        }
    }
}
