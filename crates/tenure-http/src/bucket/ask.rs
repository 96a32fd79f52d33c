//! One conversation with the service of a bucket.

use std::borrow::Cow;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode, Url};
use tenure_core::{Secret, printable};
use tenure_net::aws::encode;
use tenure_net::{Order, Reply, Route};

use super::list::Page;
use super::{Bucket, Google, S3, Service, azure, google, s3};
use crate::error::failed;
use crate::{HttpError, Limits, Missing};

/// What the service is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask<'a> {
    /// The next part of what is in the bucket, from where the one before has ended.
    Page(Option<&'a str>),
    /// The content of the object with this key.
    Object(&'a str),
}

pub(super) struct Conversation<'a> {
    bucket: Cow<'a, Bucket>,
    /// The bucket, redacted.
    pub(super) shown: String,
    route: Route,
    /// Where the bucket is, and its objects under it.
    base: Url,
}

impl<'a> Conversation<'a> {
    pub(super) async fn open(bucket: &'a Bucket, limits: &Limits) -> Result<Self, HttpError> {
        let shown = bucket.shown();
        let base = base(bucket).map_err(|message| HttpError::InvalidReference {
            remote: shown.clone(),
            message: message.to_owned(),
        })?;
        let refused = |message: String| HttpError::AuthenticationFailed {
            remote: shown.clone(),
            message,
        };
        let tokens = match &bucket.service {
            Service::S3 { .. } => false,
            Service::Google(google) => !matches!(google, Google::Anonymous),
            Service::Azure(azure) => azure.uses_token(),
        };
        if tokens && base.scheme() != "https" {
            return Err(refused(
                "what opens it is a token, which is not sent over plain http; use https, without spec.insecure".to_owned(),
            ));
        }
        let bucket = match bucket.service.is_closed() {
            true => Cow::Owned(Box::pin(bucket.opened(limits)).await?),
            false => Cow::Borrowed(bucket),
        };
        let route =
            Route::new(&bucket.outbound, base.clone(), false).map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            bucket,
            shown,
            route,
            base,
        })
    }

    /// A good answer, of which nothing was read yet.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Response, HttpError> {
        let order = self.order(ask)?;
        let asked = self.route.ask(&order).await;
        let Reply { response, own } = asked.map_err(|e| failed(&self.shown, e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.explain(response.status(), response.headers(), own, ask))
    }

    /// A part of the listing, as this service writes it.
    pub(super) fn read(&self, text: &str) -> Option<Page> {
        match &self.bucket.service {
            Service::S3 { .. } => s3::read(text),
            Service::Google(_) => google::read(text),
            Service::Azure(_) => azure::read(text),
        }
    }

    pub(super) fn malformed(&self, message: &str) -> HttpError {
        HttpError::Malformed {
            remote: self.shown.clone(),
            message: message.to_owned(),
        }
    }

    fn order(&self, ask: Ask<'_>) -> Result<Order, HttpError> {
        let (service, prefix) = (&self.bucket.service, self.bucket.prefix.as_str());
        let query = match service {
            Service::S3 { .. } => s3::query(prefix, ask),
            Service::Google(_) => google::query(prefix, ask),
            Service::Azure(_) => azure::query(prefix, ask),
        };
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name, true), encode(value, true)))
            .collect();
        let mut text = self.base.to_string();
        if let Ask::Object(key) = ask {
            // a URL would be another object's, or none's
            if key.split('/').any(|part| matches!(part, "." | "..")) {
                return Err(self.malformed(&format!("the key {:?} has '.' or '..' in it", printable(key))));
            }
            text = format!("{text}/{}", encode(key, matches!(service, Service::Google(_))));
        }
        if !query.is_empty() {
            text = format!("{text}?{}", query.join("&"));
        }
        let url = Url::parse(&text).map_err(|_| self.malformed("a key makes no URL"))?;
        let mut order = Order::get(url);
        self.sign(&mut order).ok_or_else(|| self.unusable())?;
        Ok(order)
    }

    /// Says who asks; nothing when it cannot be said in a header.
    fn sign(&self, order: &mut Order) -> Option<()> {
        match &self.bucket.service {
            Service::S3 {
                region,
                opener: S3::Keys(keys),
            } => s3::sign(region, keys, order),
            Service::Google(Google::Token(token)) => bearer(token, order),
            Service::Azure(azure) => azure.sign(order),
            Service::S3 { .. } | Service::Google(_) => Some(()),
        }
    }

    fn unusable(&self) -> HttpError {
        let form = "what opens it does not have the form of such a credential";
        HttpError::AuthenticationFailed {
            remote: self.shown.clone(),
            message: match &self.bucket.service {
                Service::S3 { .. } => "the Secret's keys have a line break or a control character".to_owned(),
                Service::Google(_) => form.to_owned(),
                Service::Azure(azure) => format!("{form}; {}", azure.advice()),
            },
        }
    }

    fn explain(&self, status: StatusCode, headers: &HeaderMap, own: bool, ask: Ask<'_>) -> HttpError {
        let remote = self.shown.clone();
        let service = &self.bucket.service;
        let mut code = format!("HTTP {}", status.as_u16());
        let reason = match service {
            Service::Azure(_) => azure::reason(headers),
            Service::S3 { .. } | Service::Google(_) => None,
        };
        if let Some(reason) = reason {
            code = format!("{code}, {reason}");
        }
        let hidden = service.is_anonymous() && azure::hides(status, reason, ask);
        if own && (matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) || hidden) {
            return HttpError::AuthenticationFailed {
                remote,
                message: self.refused(&code),
            };
        }
        if status == StatusCode::NOT_FOUND {
            return HttpError::NotFound {
                remote,
                what: Missing::File(match ask {
                    Ask::Page(_) => self.bucket.name.clone(),
                    Ask::Object(key) => printable(key),
                }),
            };
        }
        HttpError::Unavailable {
            remote,
            message: format!("it answered {code}"),
        }
    }

    fn refused(&self, code: &str) -> String {
        let service = &self.bucket.service;
        match (service.is_anonymous(), service) {
            (false, Service::S3 { .. }) => {
                format!("the service does not accept the keys, or they may not read there ({code})")
            }
            (true, Service::S3 { .. }) => {
                format!("it asks for keys and none were given ({code}); name a Secret in spec.secretRef")
            }
            (false, Service::Google(_)) => {
                format!("the service does not accept the credential, or it may not read there ({code})")
            }
            (false, Service::Azure(azure)) => format!(
                "the service does not accept the credential, or it may not read there ({code}); {}",
                azure.advice()
            ),
            (true, Service::Google(_) | Service::Azure(_)) => {
                format!(
                    "it asks for a credential and none was given ({code}); name a Secret in spec.secretRef"
                )
            }
        }
    }
}

/// Where the bucket is, and its objects under it.
fn base(bucket: &Bucket) -> Result<Url, &'static str> {
    let endpoint = &bucket.endpoint;
    let name = &bucket.name;
    // what Azure calls so has a meaning
    let special =
        matches!(bucket.service, Service::Azure(_)) && matches!(&**name, "$root" | "$web" | "$logs");
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_');
    let usual = (3..=255).contains(&name.len())
        && name.to_ascii_lowercase().bytes().all(plain)
        && !name.contains("..");
    if !usual && !special {
        return Err("that is no name of a bucket");
    }
    let path = endpoint.path().trim_end_matches('/');
    let name = encode(name, true);
    let inside = match bucket.service {
        Service::S3 { .. } | Service::Azure(_) => name,
        Service::Google(_) => format!("storage/v1/b/{name}/o"),
    };
    let text = format!(
        "{}://{}:{}{path}/{inside}",
        endpoint.scheme(),
        endpoint.host(),
        endpoint.port()
    );
    Url::parse(&text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or("its endpoint is not an http or https URL")
}

/// Shows a token to the bucket's own host.
pub(super) fn bearer(token: &Secret, order: &mut Order) -> Option<()> {
    let text = zeroize::Zeroizing::new([b"Bearer ", token.expose()].concat());
    let mut value = HeaderValue::from_bytes(&text).ok()?;
    value.set_sensitive(true);
    order.private.insert(AUTHORIZATION, value);
    Some(())
}
