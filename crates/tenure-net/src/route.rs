use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};

use crate::{Client, Outbound, Refused, Trouble, Unusable, trouble};

/// How often a request is sent before its failure counts.
const ATTEMPTS: u32 = 4;
/// Before the second attempt; then twice as long each time.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause that a server may ask for within one request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Redirects of one request.
const REDIRECTS: usize = 5;

/// The way to one origin, and from there to where it redirects. Credential and client certificate stay at home.
#[derive(Clone, Debug)]
pub struct Route {
    own: Client,
    foreign: Client,
    home: Url,
    plain: bool,
}

/// A request, sent as often as it takes. Only for what may be sent twice.
#[derive(Clone, Debug)]
pub struct Order {
    /// What to do.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// For every host.
    pub headers: HeaderMap,
    /// For the home only: credentials.
    pub private: HeaderMap,
    /// What to send; not sent on by a redirect.
    pub body: Vec<u8>,
}

/// An answer that would be the same next time.
#[derive(Debug)]
pub struct Reply {
    /// The answer.
    pub response: Response,
    /// Whether the home itself answered.
    pub own: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The address may not be spoken to.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// No connection, or one that broke, every time.
    #[error("asking {host}: {why}")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// What happened.
        why: String,
    },
    /// The server is overloaded or broken, every time, or asks for more patience than a request has.
    #[error("{host} answered HTTP {status}")]
    Busy {
        /// Who was asked.
        host: String,
        /// What it answered.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// A redirect that is not followed.
    #[error("it redirects {0}")]
    Redirect(String),
}

impl Order {
    /// A GET without anything.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            private: HeaderMap::new(),
            body: Vec::new(),
        }
    }
}

impl Route {
    /// A way to the origin of `home`; `plain` allows redirects to plain http.
    ///
    /// # Errors
    /// [`Unusable`] as [`Outbound::client`].
    pub fn new(outbound: &Outbound, home: Url, plain: bool) -> Result<Self, Unusable> {
        let own = outbound.client()?;
        let mut without = outbound.clone();
        let foreign = match without.tls.client_certificate.take() {
            None => own.clone(),
            Some(_) => without.client()?,
        };
        Ok(Self {
            own,
            foreign,
            home,
            plain,
        })
    }

    /// The origin's URL.
    #[must_use]
    pub fn home(&self) -> &Url {
        &self.home
    }

    /// Whether the origin answers at all, over `https`.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn answers(&self, url: Url) -> Result<bool, Refused> {
        let request = self.own.request(Method::GET, url)?;
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match trouble(&error) {
                Trouble::Refused(refused) => Err(refused),
                Trouble::Connect(_) | Trouble::Broken(_) => Ok(false),
            },
        }
    }

    /// The same way over plain http.
    #[must_use]
    pub fn downgraded(mut self) -> Self {
        // a URL with a host can be http
        let _ = self.home.set_scheme("http");
        self
    }

    /// Sends, and follows redirects. Once a redirect has left the origin, neither the credential nor the client
    /// certificate is shown again: another host does not choose what is asked with them.
    ///
    /// # Errors
    /// [`Failed`]. An answer that is a refusal is no error.
    pub async fn ask(&self, order: &Order) -> Result<Reply, Failed> {
        let (mut order, mut own) = (order.clone(), order.url.origin() == self.home.origin());
        for _ in 0..=REDIRECTS {
            let response = self.persist(&order, own).await?;
            let status = response.status();
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                return Ok(Reply { response, own });
            }
            order.url = self.redirected(&order.url, response.headers())?;
            order.body.clear();
            own = own && order.url.origin() == self.home.origin();
        }
        Err(Failed::Redirect("without end".to_owned()))
    }

    /// Sends to whom the home has named, with everything, and follows no redirect.
    ///
    /// # Errors
    /// [`Failed`]. An answer that is a refusal or a redirect is no error.
    pub async fn ask_named(&self, order: &Order) -> Result<Response, Failed> {
        self.persist(order, true).await
    }

    async fn persist(&self, order: &Order, own: bool) -> Result<Response, Failed> {
        let client = if own { &self.own } else { &self.foreign };
        let host = || order.url.host_str().unwrap_or_default().to_owned();
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            let mut request = client
                .request(order.method.clone(), order.url.clone())?
                .headers(order.headers.clone())
                .body(order.body.clone());
            if own {
                request = request.headers(order.private.clone());
            }
            let last = attempt == ATTEMPTS;
            let wait = match request.send().await {
                Err(error) => match trouble(&error) {
                    Trouble::Refused(refused) => return Err(refused.into()),
                    Trouble::Connect(why) | Trouble::Broken(why) if last => {
                        return Err(Failed::Unreachable { host: host(), why });
                    }
                    Trouble::Connect(_) | Trouble::Broken(_) => pause,
                },
                Ok(response) if !passes(response.status()) => return Ok(response),
                Ok(response) => {
                    let retry_after = retry_after(response.headers());
                    if last || retry_after.is_some_and(|wait| wait > PATIENCE) {
                        return Err(Failed::Busy {
                            host: host(),
                            status: response.status().as_u16(),
                            retry_after,
                        });
                    }
                    retry_after.unwrap_or(pause)
                }
            };
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
        Err(Failed::Unreachable {
            host: host(),
            why: "it was not asked".to_owned(),
        })
    }

    fn redirected(&self, from: &Url, headers: &HeaderMap) -> Result<Url, Failed> {
        let to = headers
            .get(LOCATION)
            .and_then(|l| l.to_str().ok())
            .and_then(|l| from.join(l).ok());
        let to = to.ok_or_else(|| Failed::Redirect("to nowhere".to_owned()))?;
        if !to.username().is_empty() || to.password().is_some() {
            return Err(Failed::Redirect("to a URL with a user in it".to_owned()));
        }
        let plain = to.scheme() == "http" && (self.plain || from.scheme() == "http");
        if to.scheme() != "https" && !plain {
            let origin = to.origin().ascii_serialization();
            return Err(Failed::Redirect(format!("to {origin}, which is not https")));
        }
        Ok(to)
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
