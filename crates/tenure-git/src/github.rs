//! GitHub Apps: the key of an App for the token of one of its installations, good for an hour.
//!
//! The exchange is the documented one: a JWT that the App's key has signed, RS256 and valid for minutes, opens
//! `POST /app/installations/{id}/access_tokens`; an owner's installation is looked up before.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::{Deserialize, Serialize};
use tenure_core::{Secret, printable};
use tenure_net::{Failed, Order, Outbound, Route};

use crate::{GitError, Limits};

/// Where GitHub's API is, unless the Secret says otherwise.
pub const API: &str = "https://api.github.com";
/// The name that a token is given as the password of.
pub const USER: &str = "x-access-token";

/// Clocks differ: the JWT is dated back by this much, as GitHub advises.
const SKEW: u64 = 60;
/// How long the JWT is valid; GitHub takes ten minutes at most.
const VALID: u64 = 540;
/// What GitHub documents as the life of a token.
const HOUR: Duration = Duration::from_secs(3600);
/// The largest answer, in bytes.
const ANSWER: usize = 256 << 10;
const VERSION: &str = "2022-11-28";

/// An App, and where it is installed. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct App {
    /// Its id, or its client id.
    pub id: String,
    /// Whose repositories it opens.
    pub installation: Installation,
    /// Its private key, RSA in PEM.
    pub key: Secret,
    /// The API's base URL; [`API`], or `https://<host>/api/v3` of a server of one's own.
    pub api: String,
}

/// One of an App's installations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Installation {
    /// By its number.
    Id(u64),
    /// The one of this organisation or user.
    Owner(String),
}

/// What opens an installation's repositories for a while. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The password of [`USER`].
    pub token: Secret,
    /// From now on.
    pub good_for: Duration,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(good for {} s)", self.good_for.as_secs())
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: u64,
    exp: u64,
    iss: &'a str,
}

#[derive(Deserialize)]
struct Found {
    id: u64,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
    #[serde(default)]
    expires_at: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
struct Complaint {
    message: String,
}

/// Gets a token of the App's installation.
///
/// Blocking, for up to `limits.timeout`; not for a thread that drives async tasks.
///
/// # Errors
/// [`GitError`]: the key can't be used, GitHub refuses it, or can't be reached.
pub fn log_in(app: &App, outbound: &Outbound, limits: &Limits) -> Result<Token, GitError> {
    let exchange = Exchange::new(app, outbound)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| GitError::Local {
            what: "starting the network thread".to_owned(),
            message: error.to_string(),
        })?;
    let late = || GitError::Timeout {
        remote: exchange.shown.clone(),
        seconds: limits.timeout.as_secs(),
    };
    runtime.block_on(async {
        tokio::time::timeout(limits.timeout, exchange.token())
            .await
            .unwrap_or_else(|_| Err(late()))
    })
}

struct Exchange<'a> {
    app: &'a App,
    route: Route,
    base: Url,
    shown: String,
    jwt: HeaderValue,
}

impl<'a> Exchange<'a> {
    fn new(app: &'a App, outbound: &Outbound) -> Result<Self, GitError> {
        let refuse = |message: &str| GitError::AuthenticationFailed {
            remote: "GitHub's API".to_owned(),
            message: message.to_owned(),
        };
        let base = Url::parse(app.api.trim_end_matches('/'))
            .map_err(|_| refuse("the Secret's 'githubAppBaseURL' is not a URL"))?;
        let plain = base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none();
        if base.scheme() != "https" || !plain {
            return Err(refuse("the Secret's 'githubAppBaseURL' is not a plain https URL"));
        }
        let route = Route::new(outbound, base.clone(), false).map_err(|error| refuse(&error.to_string()))?;
        Ok(Self {
            app,
            route,
            shown: base.origin().ascii_serialization(),
            base,
            jwt: signed(app).map_err(refuse)?,
        })
    }

    async fn token(&self) -> Result<Token, GitError> {
        let id = match &self.app.installation {
            Installation::Id(id) => *id,
            Installation::Owner(owner) => self.installation(owner).await?,
        };
        let id = id.to_string();
        let path = ["app", "installations", &id, "access_tokens"];
        let Some(bytes) = self.ask(Method::POST, &path).await? else {
            return Err(self.refused(&format!(
                "the App has no installation {id}; look at 'githubAppInstallationID' of the Secret"
            )));
        };
        let answer: Answer = self.read(&bytes)?;
        let left = answer.expires_at.and_then(|at| {
            let left = at.duration_since(jiff::Timestamp::now());
            Duration::try_from(left).ok()
        });
        Ok(Token {
            token: Secret::from(answer.token),
            good_for: left.unwrap_or(HOUR).min(HOUR),
        })
    }

    /// An organisation's installation, or a user's.
    async fn installation(&self, owner: &str) -> Result<u64, GitError> {
        for kind in ["orgs", "users"] {
            if let Some(bytes) = self.ask(Method::GET, &[kind, owner, "installation"]).await? {
                return Ok(self.read::<Found>(&bytes)?.id);
            }
        }
        Err(self.refused(&format!(
            "the App is not installed for {:?}; install it, or look at 'githubAppInstallationOwner' of the Secret",
            printable(owner)
        )))
    }

    /// The answer's body; `None` if there is no such thing.
    async fn ask(&self, method: Method, path: &[&str]) -> Result<Option<Vec<u8>>, GitError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let (mut headers, mut private) = (HeaderMap::new(), HeaderMap::new());
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert(
            HeaderName::from_static("x-github-api-version"),
            HeaderValue::from_static(VERSION),
        );
        private.insert(AUTHORIZATION, self.jwt.clone());
        let order = Order {
            method,
            headers,
            private,
            ..Order::get(url)
        };
        let reply = self
            .route
            .ask(&order)
            .await
            .map_err(|failed| self.failed(&failed))?;
        let status = reply.response.status();
        let bytes = self.body(reply.response).await?;
        if status.is_success() {
            return Ok(Some(bytes));
        }
        let said = serde_json::from_slice::<Complaint>(&bytes).map(|said| said.message);
        let said: String = printable(&said.unwrap_or_default()).chars().take(200).collect();
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED => Err(self.refused(&format!(
                "GitHub does not accept the App's key (HTTP 401: {said}); look at 'githubAppID' and 'githubAppPrivateKey' of the Secret"
            ))),
            StatusCode::FORBIDDEN | StatusCode::UNPROCESSABLE_ENTITY => Err(self.refused(&format!(
                "GitHub gives the App no token (HTTP {}: {said})",
                status.as_u16()
            ))),
            _ => Err(self.unavailable(&format!("it answered HTTP {}", status.as_u16()))),
        }
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, GitError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|_| self.unavailable("the answer broke off"))?
        {
            if bytes.len() + chunk.len() > ANSWER {
                return Err(self.unavailable(&format!("it answers with more than {ANSWER} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn read<'b, T: Deserialize<'b>>(&self, bytes: &'b [u8]) -> Result<T, GitError> {
        // the decoder's own error could quote the token
        serde_json::from_slice(bytes).map_err(|_| GitError::Malformed {
            remote: self.shown.clone(),
            message: "an answer that is not GitHub's".to_owned(),
        })
    }

    fn failed(&self, failed: &Failed) -> GitError {
        match failed {
            Failed::Refused(refused) => GitError::Forbidden {
                remote: self.shown.clone(),
                message: printable(&refused.to_string()),
            },
            other => self.unavailable(&other.to_string()),
        }
    }

    fn refused(&self, message: &str) -> GitError {
        GitError::AuthenticationFailed {
            remote: self.shown.clone(),
            message: message.to_owned(),
        }
    }

    fn unavailable(&self, message: &str) -> GitError {
        GitError::Unavailable {
            remote: self.shown.clone(),
            message: printable(message),
        }
    }
}

/// The header that says who asks, signed by the App's key.
fn signed(app: &App) -> Result<HeaderValue, &'static str> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| "this machine's clock is before 1970")?
        .as_secs();
    let claims = Claims {
        iat: now.saturating_sub(SKEW),
        exp: now + VALID,
        iss: &app.id,
    };
    // the decoder's own error could quote what it read
    let unusable = "the Secret's 'githubAppPrivateKey' is not an RSA key in PEM";
    let key = EncodingKey::from_rsa_pem(app.key.expose()).map_err(|_| unusable)?;
    let jwt = encode(&Header::new(Algorithm::RS256), &claims, &key).map_err(|_| unusable)?;
    let mut value = HeaderValue::try_from(format!("Bearer {jwt}")).map_err(|_| unusable)?;
    value.set_sensitive(true);
    Ok(value)
}
