//! One secret for another one, which opens a bucket for an hour or so: a form that goes where it was sent, and
//! nowhere else.

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use tenure_core::Secret;
use tenure_net::aws::encode;
use tenure_net::{Order, Outbound, Route};
use zeroize::Zeroizing;

use crate::error::failed;
use crate::transfer::{Memory, take, within};
use crate::{HttpError, Limits};

/// The largest answer, in bytes.
const ANSWER: u64 = 64 << 10;
const FORM: &str = "application/x-www-form-urlencoded";

/// Sends a form. An answer that is neither a success nor the sender's fault is an error.
pub(super) async fn post(
    outbound: &Outbound,
    url: Url,
    shown: &str,
    form: &[(&str, &str)],
) -> Result<(StatusCode, Zeroizing<Vec<u8>>), HttpError> {
    let route =
        Route::new(outbound, url.clone(), false).map_err(|error| HttpError::AuthenticationFailed {
            remote: shown.to_owned(),
            message: error.to_string(),
        })?;
    let pairs = form
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value, true)));
    let mut order = Order::get(url);
    order.method = Method::POST;
    order.headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    order.body = pairs.collect::<Vec<_>>().join("&").into_bytes();
    let asked = route.ask_named(&order).await;
    zeroize::Zeroize::zeroize(&mut order.body);
    let response = asked.map_err(|error| failed(shown, error))?;
    let status = response.status();
    if !status.is_success() && !status.is_client_error() {
        return Err(HttpError::Unavailable {
            remote: shown.to_owned(),
            message: format!("it answered HTTP {}", status.as_u16()),
        });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    take(shown, response, ANSWER, "its answer", &mut Memory(&mut bytes)).await?;
    Ok((status, bytes))
}

/// A token service (RFC 6749), and what is asked of it.
pub(super) struct Tokens<'a> {
    /// Where it is; https.
    pub(super) url: &'a str,
    /// As messages name it, without its URL.
    pub(super) name: &'a str,
    /// The key of the Secret that has its URL.
    pub(super) field: &'a str,
    /// What would help when it refuses.
    pub(super) advice: &'a str,
}

#[derive(Deserialize)]
struct Granted<'a> {
    #[serde(borrow)]
    access_token: std::borrow::Cow<'a, str>,
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: std::borrow::Cow<'a, str>,
}

impl Tokens<'_> {
    /// Asks for a token. The bucket's client certificate is not shown: it is for the bucket's host.
    pub(super) async fn ask(
        &self,
        outbound: &Outbound,
        form: &[(&str, &str)],
        limits: &Limits,
    ) -> Result<Secret, HttpError> {
        let url = self.place()?;
        let shown = format!("{} at {}", self.name, url.origin().ascii_serialization());
        let mut outbound = outbound.clone();
        outbound.tls.client_certificate = None;
        outbound.tls.trust_anyone = false;
        let (status, bytes) = within(&shown, limits, post(&outbound, url, &shown, form)).await?;
        if !status.is_success() {
            return Err(HttpError::AuthenticationFailed {
                remote: shown,
                message: format!(
                    "it gives no token (HTTP {}{}); {}",
                    status.as_u16(),
                    reason(&bytes),
                    self.advice
                ),
            });
        }
        // the decoder's own error could quote the token
        let granted: Option<Granted<'_>> = serde_json::from_slice(&bytes).ok();
        granted
            .filter(|granted| !granted.access_token.is_empty())
            .map(|granted| Secret::from(granted.access_token.into_owned()))
            .ok_or_else(|| HttpError::Malformed {
                remote: shown,
                message: "its answer is not understood".to_owned(),
            })
    }

    fn place(&self) -> Result<Url, HttpError> {
        let url = Url::parse(self.url).ok().filter(|url| {
            url.scheme() == "https"
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        });
        url.ok_or_else(|| HttpError::AuthenticationFailed {
            remote: self.name.to_owned(),
            message: format!("the Secret's {} is not a plain https URL", self.field),
        })
    }
}

/// The reason of a refusal, if it is one of those that are defined; what else a service says could repeat a secret.
fn reason(answer: &[u8]) -> &'static str {
    let said = serde_json::from_slice::<Refusal<'_>>(answer).ok();
    match said.as_ref().map(|said| &*said.error) {
        Some("invalid_request") => ", invalid_request",
        Some("invalid_client") => ", invalid_client",
        Some("invalid_grant") => ", invalid_grant",
        Some("unauthorized_client") => ", unauthorized_client",
        Some("unsupported_grant_type") => ", unsupported_grant_type",
        Some("invalid_scope") => ", invalid_scope",
        _ => "",
    }
}
