//! One conversation with a registry: logs in when asked to, and says of every failure what it was about.

use parking_lot::Mutex;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Response, StatusCode, Url};
use tenure_core::printable;
use tenure_net::{Failed, Order, Refused, Reply, Route, Trouble, trouble};

use crate::auth::Challenge;
use crate::{Credential, Limits, Missing, OciError, Remote};

/// Bytes of a refusal that are looked at.
const REFUSAL: u64 = 16 << 10;

pub(crate) struct Session<'a> {
    pub(crate) remote: &'a Remote,
    pub(crate) limits: Limits,
    /// What is pulled, for messages.
    pub(crate) image: String,
    /// To `https://registry/v2/repository/`.
    pub(crate) route: Route,
    authorization: Mutex<Option<HeaderValue>>,
}

/// What to ask the registry.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) accept: &'static str,
    /// The first byte that is wanted.
    pub(crate) from: u64,
    /// What it means when it is not there.
    pub(crate) missing: Missing,
}

impl<'a> Session<'a> {
    pub(crate) async fn open(remote: &'a Remote, limits: Limits, what: &str) -> Result<Self, OciError> {
        let image = format!("{} ({what})", remote.repository.url());
        let text = format!(
            "https://{}/v2/{}/",
            remote.repository.registry(),
            remote.repository.path()
        );
        let home = Url::parse(&text).map_err(|_| OciError::InvalidReference {
            image: image.clone(),
            message: "the registry is not a host".to_owned(),
        })?;
        let route = Route::new(&remote.effective(), home, remote.insecure).map_err(|error| {
            OciError::AuthenticationFailed {
                image: image.clone(),
                message: error.to_string(),
            }
        })?;
        let mut session = Self {
            remote,
            limits,
            image,
            route,
            authorization: Mutex::default(),
        };
        // http only where the tenant said so, and the registry does not speak https
        if remote.insecure {
            let ping = session.url("/v2/")?;
            let https = session
                .route
                .answers(ping)
                .await
                .map_err(|e| session.forbidden(&e))?;
            if !https {
                session.route = session.route.downgraded();
            }
        }
        Ok(session)
    }

    /// A place in the repository.
    pub(crate) fn url(&self, rest: &str) -> Result<Url, OciError> {
        self.route
            .home()
            .join(rest)
            .map_err(|e| self.malformed(&e.to_string()))
    }

    /// Asks, and gives an answer that is a success.
    pub(crate) async fn ask(&self, ask: &Ask) -> Result<Response, OciError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(ask.accept));
        if ask.from > 0 {
            let range = HeaderValue::try_from(format!("bytes={}-", ask.from));
            headers.insert(RANGE, range.map_err(|e| self.malformed(&e.to_string()))?);
        }
        let mut logged_in = false;
        loop {
            let mut order = Order::get(ask.url.clone());
            order.method = ask.method.clone();
            order.headers = headers.clone();
            if let Some(value) = self.authorization.lock().clone() {
                order.private.insert(AUTHORIZATION, value);
            }
            let Reply { response, own } = self.route.ask(&order).await.map_err(|e| self.failed(e))?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            // a token may have run out since: log in again, once
            if status == StatusCode::UNAUTHORIZED && own && !logged_in {
                logged_in = true;
                let header = self.log_in(Challenge::of(response.headers())).await?;
                *self.authorization.lock() = Some(header);
                continue;
            }
            return Err(self.explain(ask, response, own).await);
        }
    }

    pub(crate) fn failed(&self, failed: Failed) -> OciError {
        match failed {
            Failed::Refused(refused) => self.forbidden(&refused),
            Failed::Redirect(_) => self.malformed(&failed.to_string()),
            Failed::Busy {
                status,
                retry_after,
                ref host,
            } if status == 429 || retry_after.is_some() => {
                let wait = retry_after.map_or(String::new(), |wait| {
                    format!(" and asks to wait {} s", wait.as_secs())
                });
                let hint = match self.remote.credential {
                    Credential::None => "; with a credential in spec.secretRef the limit is often higher",
                    _ => "",
                };
                OciError::RateLimited {
                    image: self.image.clone(),
                    message: self.say(&format!("{host} answered HTTP {status}{wait}{hint}")),
                    retry_after,
                }
            }
            Failed::Busy { .. } | Failed::Unreachable { .. } => self.unavailable(&failed.to_string()),
        }
    }

    async fn explain(&self, ask: &Ask, response: Response, own: bool) -> OciError {
        let status = response.status();
        if !own {
            let host = response.url().host_str().unwrap_or_default().to_owned();
            return self.unavailable(&format!(
                "the registry redirects to {host}, which answered HTTP {}",
                status.as_u16()
            ));
        }
        let code = code(response, self).await;
        let shown = code.map(|code| format!(", {code}")).unwrap_or_default();
        let status_shown = format!("HTTP {}{shown}", status.as_u16());
        let given = !matches!(self.remote.credential, Credential::None);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if given => self.refused(&format!(
                "the registry does not accept the credential ({status_shown})"
            )),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.nothing_given(),
            StatusCode::NOT_FOUND | StatusCode::GONE => OciError::NotFound {
                image: self.image.clone(),
                what: match code {
                    Some("NAME_UNKNOWN") => Missing::Repository,
                    _ => ask.missing.clone(),
                },
            },
            _ => self.unavailable(&format!("the registry answered {status_shown}")),
        }
    }

    /// Text that may come from a registry, made fit for a message: one line, and without what it was told.
    pub(crate) fn say(&self, text: &str) -> String {
        let mut text = printable(text);
        let authorization = self.authorization.lock().clone();
        let token = authorization.as_ref().and_then(|a| a.to_str().ok());
        let token = token.and_then(|a| a.split_once(' ')).map(|(_, token)| token);
        for secret in self.remote.credential.secrets().into_iter().chain(token) {
            text = text.replace(secret, "****");
        }
        text
    }

    pub(crate) fn malformed(&self, message: &str) -> OciError {
        OciError::Malformed {
            image: self.image.clone(),
            message: self.say(message),
        }
    }

    pub(crate) fn unavailable(&self, message: &str) -> OciError {
        OciError::Unavailable {
            image: self.image.clone(),
            message: self.say(message),
        }
    }

    pub(crate) fn too_large(&self, message: String) -> OciError {
        OciError::TooLarge {
            image: self.image.clone(),
            message,
        }
    }

    pub(crate) fn forbidden(&self, refused: &Refused) -> OciError {
        OciError::Forbidden {
            image: self.image.clone(),
            message: self.say(&refused.to_string()),
        }
    }

    pub(crate) fn missing(&self, what: Missing) -> OciError {
        OciError::NotFound {
            image: self.image.clone(),
            what,
        }
    }
}

/// The registry's own word for a refusal. Its text is not repeated: it can say anything, even the credential.
async fn code(response: Response, session: &Session<'_>) -> Option<&'static str> {
    const CODES: &[&str] = &[
        "BLOB_UNKNOWN",
        "DENIED",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "TOOMANYREQUESTS",
        "UNAUTHORIZED",
        "UNSUPPORTED",
    ];
    let bytes = body(response, REFUSAL, session).await.ok()?;
    let json: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let said = json.get("errors")?.get(0)?.get("code")?.as_str()?;
    CODES.iter().find(|code| **code == said).copied()
}

/// A whole body that is at most `limit` bytes long.
pub(crate) async fn body(
    mut response: Response,
    limit: u64,
    session: &Session<'_>,
) -> Result<Vec<u8>, OciError> {
    let large = || session.too_large(format!("an answer has more than {limit} bytes"));
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(large());
    }
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(None) => return Ok(bytes),
            Ok(Some(chunk)) => {
                if (bytes.len() as u64).saturating_add(chunk.len() as u64) > limit {
                    return Err(large());
                }
                bytes.extend_from_slice(&chunk);
            }
            Err(error) => {
                return Err(match trouble(&error) {
                    Trouble::Refused(refused) => session.forbidden(&refused),
                    Trouble::Connect(text) | Trouble::Broken(text) => {
                        session.unavailable(&format!("an answer broke off: {text}"))
                    }
                });
            }
        }
    }
}
