//! One conversation with a registry: logs in when asked to, follows redirects without the credential, tries again
//! what may pass.

use std::time::Duration;

use parking_lot::Mutex;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use tenure_core::printable;
use tenure_net::{Client, Refused, Trouble, trouble};

use crate::auth::Challenge;
use crate::{Limits, Missing, OciError, Remote};

/// How often a request is sent before its failure counts.
const ATTEMPTS: u32 = 4;
/// Before the second attempt; then twice as long each time.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause that a registry may ask for within one pull.
const PATIENCE: Duration = Duration::from_secs(10);
/// Redirects of one request.
const REDIRECTS: usize = 5;
/// Bytes of a refusal that are looked at.
const REFUSAL: u64 = 16 << 10;

pub(crate) struct Session<'a> {
    pub(crate) remote: &'a Remote,
    pub(crate) limits: Limits,
    /// `https://registry/v2/repository/`.
    pub(crate) base: Url,
    /// What is pulled, for messages.
    pub(crate) image: String,
    /// Shows the client certificate, if there is one.
    pub(crate) client: Client,
    /// For hosts that the registry redirects to.
    foreign: Client,
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
        let unusable = |e: tenure_net::Unusable| OciError::AuthenticationFailed {
            image: image.clone(),
            message: e.to_string(),
        };
        let outbound = remote.effective();
        let client = outbound.client().map_err(unusable)?;
        let mut without = outbound;
        let own = without.tls.client_certificate.take();
        let foreign = match own {
            None => client.clone(),
            Some(_) => without.client().map_err(unusable)?,
        };
        let text = format!(
            "https://{}/v2/{}/",
            remote.repository.registry(),
            remote.repository.path()
        );
        let base = Url::parse(&text).map_err(|_| OciError::InvalidReference {
            image: image.clone(),
            message: "the registry is not a host".to_owned(),
        })?;
        let mut session = Self {
            remote,
            limits,
            base,
            image,
            client,
            foreign,
            authorization: Mutex::default(),
        };
        if remote.insecure {
            session.choose_scheme().await?;
        }
        Ok(session)
    }

    /// https if the registry speaks it, else http: only where the tenant said so.
    async fn choose_scheme(&mut self) -> Result<(), OciError> {
        let ping = self.base.join("/v2/").map_err(|e| self.malformed(&e.to_string()))?;
        let request = self.client.request(Method::GET, ping).map_err(|e| self.forbidden(&e))?;
        match request.send().await {
            Err(error) => match trouble(&error) {
                Trouble::Refused(refused) => return Err(self.forbidden(&refused)),
                Trouble::Connect(_) | Trouble::Broken(_) => {
                    self.base
                        .set_scheme("http")
                        .map_err(|()| self.malformed("its URL cannot be http"))?;
                }
            },
            Ok(_) => {}
        }
        Ok(())
    }

    /// A place in the repository.
    pub(crate) fn url(&self, rest: &str) -> Result<Url, OciError> {
        self.base.join(rest).map_err(|e| self.malformed(&e.to_string()))
    }

    /// Asks, and gives an answer that is a success.
    pub(crate) async fn ask(&self, ask: &Ask) -> Result<Response, OciError> {
        let mut logged_in = false;
        loop {
            let (response, own) = self.follow(ask).await?;
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

    /// Sends and follows redirects; says whether the registry itself answered.
    async fn follow(&self, ask: &Ask) -> Result<(Response, bool), OciError> {
        let (mut url, mut own) = (ask.url.clone(), true);
        for _ in 0..=REDIRECTS {
            let authorization = self.authorization.lock().clone().filter(|_| own);
            let client = if own { &self.client } else { &self.foreign };
            let response = self
                .persist(client, ask.method.clone(), &url, |mut request| {
                    request = request.header(ACCEPT, ask.accept);
                    if ask.from > 0 {
                        request = request.header(RANGE, format!("bytes={}-", ask.from));
                    }
                    match &authorization {
                        Some(value) => request.header(AUTHORIZATION, value.clone()),
                        None => request,
                    }
                })
                .await?;
            if !response.status().is_redirection() {
                return Ok((response, own));
            }
            url = self.redirected(&url, response.headers())?;
            // once away it stays away: another host does not choose what is asked with the credential
            own = own && url.origin() == self.base.origin();
        }
        Err(self.malformed("it redirects without end"))
    }

    fn redirected(&self, from: &Url, headers: &HeaderMap) -> Result<Url, OciError> {
        let to = headers.get(LOCATION).and_then(|l| l.to_str().ok()).and_then(|l| from.join(l).ok());
        let to = to.ok_or_else(|| self.malformed("it redirects to nowhere"))?;
        if !to.username().is_empty() || to.password().is_some() {
            return Err(self.malformed("it redirects to a URL with a user in it"));
        }
        let plain = to.scheme() == "http" && self.remote.insecure;
        if to.scheme() != "https" && !plain {
            let origin = to.origin().ascii_serialization();
            return Err(self.malformed(&format!("it redirects to {origin}, which is not https")));
        }
        Ok(to)
    }

    /// Sends until there is an answer that would be the same next time.
    pub(crate) async fn persist(
        &self,
        client: &Client,
        method: Method,
        url: &Url,
        complete: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, OciError> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let request = client
                .request(method.clone(), url.clone())
                .map_err(|e| self.forbidden(&e))?;
            let last = attempt >= ATTEMPTS;
            let wait = match complete(request).send().await {
                Err(error) => match trouble(&error) {
                    Trouble::Refused(refused) => return Err(self.forbidden(&refused)),
                    Trouble::Connect(text) | Trouble::Broken(text) if last => {
                        let host = url.host_str().unwrap_or_default();
                        return Err(self.unavailable(&format!("asking {host}: {text}")));
                    }
                    Trouble::Connect(_) | Trouble::Broken(_) => pause,
                },
                Ok(response) if !passes(response.status()) => return Ok(response),
                Ok(response) => {
                    let asked = retry_after(response.headers());
                    if last || asked.is_some_and(|wait| wait > PATIENCE) {
                        return Err(self.busy(url, &response, asked));
                    }
                    asked.unwrap_or(pause)
                }
            };
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
        Err(self.unavailable("it was never asked"))
    }

    fn busy(&self, url: &Url, response: &Response, asked: Option<Duration>) -> OciError {
        let (host, status) = (url.host_str().unwrap_or_default(), response.status());
        if status == StatusCode::TOO_MANY_REQUESTS || asked.is_some() {
            let wait = asked.map_or(String::new(), |wait| format!(" and asks to wait {} s", wait.as_secs()));
            let message = match self.remote.credential {
                crate::Credential::None => format!(
                    "{host} answered HTTP {}{wait}; with a credential in spec.secretRef the limit is often higher",
                    status.as_u16()
                ),
                _ => format!("{host} answered HTTP {}{wait}", status.as_u16()),
            };
            return OciError::RateLimited {
                image: self.image.clone(),
                message,
                retry_after: asked,
            };
        }
        self.unavailable(&format!("{host} answered HTTP {}", status.as_u16()))
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
        let given = !matches!(self.remote.credential, crate::Credential::None);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if given => {
                self.refused(&format!("the registry does not accept the credential ({status_shown})"))
            }
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

/// Whether the same request may succeed a little later.
fn passes(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// In seconds; a date is taken for no wish.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
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
