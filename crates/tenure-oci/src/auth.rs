//! Logging in: what a registry asks for, and how it is got.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use tenure_core::Secret;
use tenure_net::Order;
use zeroize::Zeroizing;

use crate::form::{FORM, form};
use crate::session::{Session, body};
use crate::{Credential, OciError};
use tenure_net::Hidden;

/// The largest answer of a token service, in bytes.
const TOKEN: u64 = 1 << 20;
/// How this client names itself to a token service.
const CLIENT: &str = "tenure";

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

impl Challenge {
    /// The strongest of the challenges in a refusal.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut basic = None;
        for value in headers.get_all(WWW_AUTHENTICATE) {
            let challenges = value
                .to_str()
                .ok()
                .and_then(|v| http_auth::parse_challenges(v).ok());
            for challenge in challenges.unwrap_or_default() {
                let param = |name: &str| {
                    let found = challenge
                        .params
                        .iter()
                        .find(|(n, _)| n.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.to_unescaped())
                };
                if challenge.scheme.eq_ignore_ascii_case("bearer")
                    && let Some(realm) = param("realm")
                {
                    let service = param("service").filter(|s| !s.is_empty());
                    return Some(Self::Bearer { realm, service });
                }
                if challenge.scheme.eq_ignore_ascii_case("basic") {
                    basic = Some(Self::Basic);
                }
            }
        }
        basic
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<Hidden>,
    access_token: Option<Hidden>,
}

impl Session<'_> {
    /// The header that answers the challenge.
    pub(crate) async fn log_in(&self, challenge: Option<Challenge>) -> Result<HeaderValue, OciError> {
        let credential = &self.remote.credential;
        match (challenge, credential) {
            (None, _) => Err(self.refused("the registry answers 401 and does not say how to log in")),
            (Some(_), Credential::Bearer { token }) => self.bearer(token.expose()),
            (Some(Challenge::Basic), Credential::Basic { .. }) => self.basic(),
            (Some(Challenge::Basic), Credential::None) => Err(self.nothing_given()),
            (Some(Challenge::Basic), Credential::Identity { .. }) => Err(self.refused(
                "the registry asks for user and password, and the Secret has only an identity token for it",
            )),
            (Some(Challenge::Bearer { realm, service }), _) => {
                let url = self.realm(&realm)?;
                let token = self.exchange(url, service.as_deref()).await?;
                self.bearer(token.expose())
            }
        }
    }

    pub(crate) fn refused(&self, message: &str) -> OciError {
        OciError::AuthenticationFailed {
            image: self.image.clone(),
            message: self.say(message),
        }
    }

    pub(crate) fn nothing_given(&self) -> OciError {
        self.refused(
            "it asks for a credential and none was given for it; name a docker config Secret in spec.secretRef",
        )
    }

    fn basic(&self) -> Result<HeaderValue, OciError> {
        let Credential::Basic { username, password } = &self.remote.credential else {
            return Err(self.nothing_given());
        };
        let pair = Zeroizing::new([username.as_bytes(), b":", password.expose()].concat());
        let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*pair)));
        self.header(text.as_bytes())
    }

    fn bearer(&self, token: &[u8]) -> Result<HeaderValue, OciError> {
        let text = Zeroizing::new([b"Bearer ", token].concat());
        self.header(&text)
    }

    fn header(&self, bytes: &[u8]) -> Result<HeaderValue, OciError> {
        let mut value = HeaderValue::from_bytes(bytes)
            .map_err(|_| self.refused("the token has a line break or a control character"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The token service that the registry names. It is shown the credential, so nobody may listen in.
    fn realm(&self, realm: &str) -> Result<Url, OciError> {
        let refuse = |what: &str| {
            self.refused(&format!(
                "the registry sends the credential to the token service {realm:?}, {what}"
            ))
        };
        let url = Url::parse(realm).map_err(|_| refuse("which is not a URL"))?;
        let plain = url.scheme() == "http" && self.route.home().scheme() == "http" && self.remote.insecure;
        if url.scheme() != "https" && !plain {
            return Err(refuse("which does not speak https"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(refuse("whose URL has a user or a fragment in it"));
        }
        Ok(url)
    }

    /// Changes the credential, or none, for a token that pulls from this repository.
    async fn exchange(&self, url: Url, service: Option<&str>) -> Result<Secret, OciError> {
        let scope = format!("repository:{}:pull", self.remote.repository.path());
        let refresh = match &self.remote.credential {
            Credential::Identity { token } => Some(token),
            _ => None,
        };
        let mut order = Order::get(url.clone());
        if let Some(token) = refresh {
            let token = token
                .expose_str()
                .ok_or_else(|| self.refused("the identity token is not text"))?;
            order.method = Method::POST;
            order.headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
            order.body = form(&[
                ("grant_type", "refresh_token"),
                ("client_id", CLIENT),
                ("service", service.unwrap_or_default()),
                ("scope", &scope),
                ("refresh_token", token),
            ])
            .to_vec();
        } else {
            if matches!(self.remote.credential, Credential::Basic { .. }) {
                order.private.insert(AUTHORIZATION, self.basic()?);
            }
            let mut query = order.url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", service);
            }
            query.append_pair("scope", &scope);
        }
        let response = self.route.ask_named(&order).await.map_err(|e| self.failed(e))?;
        self.token(&url, response).await
    }

    async fn token(&self, url: &Url, response: Response) -> Result<Secret, OciError> {
        let host = url.host_str().unwrap_or_default();
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => {
                let status = response.status().as_u16();
                return Err(match self.remote.credential {
                    Credential::None => self.refused(&format!(
                        "the token service {host} gives no token without a credential (HTTP {status}); name a docker \
                         config Secret in spec.secretRef"
                    )),
                    _ => self.refused(&format!(
                        "the token service {host} does not accept the credential (HTTP {status})"
                    )),
                });
            }
            status if status.is_redirection() => {
                return Err(self.refused(&format!(
                    "the token service {host} redirects, and a credential is not sent on"
                )));
            }
            status => {
                return Err(self.unavailable(&format!(
                    "the token service {host} answered HTTP {}",
                    status.as_u16()
                )));
            }
        }
        let bytes = Zeroizing::new(body(response, TOKEN, self).await?);
        let broken = || self.malformed(&format!("the token service {host} sent no token"));
        let token: Token = serde_json::from_slice(&bytes).map_err(|_| broken())?;
        let token = token.token.or(token.access_token).filter(|t| !t.is_empty());
        Ok(Secret::new(token.ok_or_else(broken)?.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().expect("a header"));
        }
        Challenge::of(&headers)
    }

    #[test]
    fn bearer_is_preferred_wherever_it_stands() {
        let bearer = |service: Option<&str>| {
            Some(Challenge::Bearer {
                realm: "https://auth.example/token".to_owned(),
                service: service.map(ToOwned::to_owned),
            })
        };
        let text = r#"Bearer realm="https://auth.example/token",service="reg, \"x\"",scope="a b""#;
        assert_eq!(of(&[text]), bearer(Some("reg, \"x\"")));
        assert_eq!(
            of(&["Basic realm=\"r\"", "bearer realm=\"https://auth.example/token\""]),
            bearer(None)
        );
        assert_eq!(
            of(&["Basic realm=\"r\", Bearer realm=\"https://auth.example/token\""]),
            bearer(None)
        );
        assert_eq!(of(&["basic realm=\"r\""]), Some(Challenge::Basic));
    }

    #[test]
    fn what_is_no_challenge_is_none() {
        for bad in [
            "",
            "Bearer",
            "Bearer service=\"x\"",
            "Negotiate",
            "Bearer realm=\"unclosed",
        ] {
            assert_eq!(of(&[bad]), None, "{bad}");
        }
    }
}
