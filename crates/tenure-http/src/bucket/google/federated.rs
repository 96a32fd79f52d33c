//! Workload identity federation: the token of another issuer for an access token (RFC 8693), and that for one of a service
//! account where one is named.

use reqwest::Method;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use tenure_core::Secret;
use tenure_net::aws::encode;
use tenure_net::{Order, Outbound, Route};
use zeroize::Zeroizing;

use super::account::SCOPE;
use crate::bucket::exchange::Tokens;
use crate::error::failed;
use crate::transfer::{Memory, take, within};
use crate::{HttpError, Limits};

const STS: &str = "https://sts.googleapis.com/v1/token";
const IAM: &str = "https://iamcredentials.googleapis.com";
const CLOUD: &str = "https://www.googleapis.com/auth/cloud-platform";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const SERVICE: &str = "Google's token service";
/// The largest answer, in bytes.
const ANSWER: u64 = 64 << 10;

/// A workload that the provider of a pool trusts. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Federated {
    /// The audience of the workload's token: `//iam.googleapis.com/projects/…/providers/…`.
    pub audience: String,
    /// Whom to act as, if the principal's own rights are not meant.
    pub service_account: Option<String>,
    /// The workload's.
    pub token: Secret,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated<'a> {
    #[serde(borrow)]
    access_token: std::borrow::Cow<'a, str>,
}

impl Federated {
    /// Gets a token that may read objects, good for an hour.
    pub(in crate::bucket) async fn token(
        &self,
        outbound: &Outbound,
        limits: &Limits,
    ) -> Result<Secret, HttpError> {
        let token = self
            .token
            .expose_str()
            .ok_or_else(|| HttpError::AuthenticationFailed {
                remote: SERVICE.to_owned(),
                message: "the workload's token is not text".to_owned(),
            })?;
        let tokens = Tokens {
            url: STS,
            name: SERVICE,
            field: "endpoint",
            advice: "look at the pool's provider: whether it trusts the cluster's issuer, and its audience",
        };
        // to act as another account takes the wider scope
        let scope = if self.service_account.is_some() {
            CLOUD
        } else {
            SCOPE
        };
        let form = [
            ("grant_type", GRANT),
            ("audience", &self.audience),
            ("scope", scope),
            ("requested_token_type", ACCESS),
            ("subject_token_type", JWT),
            ("subject_token", token),
        ];
        let own = tokens.ask(outbound, &form, limits).await?;
        match &self.service_account {
            None => Ok(own),
            Some(account) => {
                let shown = format!("Google's service account {account:?}");
                within(&shown, limits, act_as(account, &own, outbound, &shown)).await
            }
        }
    }
}

async fn act_as(account: &str, own: &Secret, outbound: &Outbound, shown: &str) -> Result<Secret, HttpError> {
    let refused = |message: String| HttpError::AuthenticationFailed {
        remote: shown.to_owned(),
        message,
    };
    let place = format!(
        "{IAM}/v1/projects/-/serviceAccounts/{}:generateAccessToken",
        encode(account, true)
    );
    let url = Url::parse(&place).map_err(|_| refused("it makes no URL".to_owned()))?;
    let mut outbound = outbound.clone();
    outbound.tls.client_certificate = None;
    outbound.tls.trust_anyone = false;
    let route = Route::new(&outbound, url.clone(), false).map_err(|error| refused(error.to_string()))?;
    let mut order = Order::get(url);
    order.method = Method::POST;
    let kind = HeaderValue::from_static("application/json");
    order.headers.insert(CONTENT_TYPE, kind);
    let bearer = Zeroizing::new([b"Bearer ", own.expose()].concat());
    let mut bearer = HeaderValue::from_bytes(&bearer).map_err(|_| refused("its token is none".to_owned()))?;
    bearer.set_sensitive(true);
    order.private.insert(AUTHORIZATION, bearer);
    order.body = serde_json::json!({"scope": [SCOPE]}).to_string().into_bytes();
    let response = route
        .ask_named(&order)
        .await
        .map_err(|error| failed(shown, error))?;
    let status = response.status();
    if status.is_client_error() {
        let code = status.as_u16();
        return Err(refused(format!(
            "the pool's principal may not act as it (HTTP {code}); it needs the role of a workload identity user"
        )));
    }
    if !status.is_success() {
        return Err(HttpError::Unavailable {
            remote: shown.to_owned(),
            message: format!("it answered HTTP {}", status.as_u16()),
        });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    take(shown, response, ANSWER, "its answer", &mut Memory(&mut bytes)).await?;
    // the decoder's own error could quote the token
    let granted: Option<Impersonated<'_>> = serde_json::from_slice(&bytes).ok();
    granted
        .filter(|granted| !granted.access_token.is_empty())
        .map(|granted| Secret::from(granted.access_token.into_owned()))
        .ok_or_else(|| HttpError::Malformed {
            remote: shown.to_owned(),
            message: "its answer is not understood".to_owned(),
        })
}
