use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tenure_core::Account;

use crate::call::Call;
use crate::cluster::{Reading, TokenCell};
use crate::connection::{Body, Connection, StreamGuard};
use crate::error::{Cause, KubeError};

/// The largest answer that is read; a LIST of everything in a big namespace stays far below.
const MAX_ANSWER: usize = 128 * 1024 * 1024;
/// How long to wait before each next attempt when the server cannot be reached: long enough for
/// an API server to restart.
const REDIAL: [Duration; 6] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_millis(700),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// How often, and how long at most each time, the server's `Retry-After` is obeyed.
const RETRY_AFTER_TIMES: u32 = 3;
const RETRY_AFTER_CAP: Duration = Duration::from_secs(5);

/// Somebody who sends requests: a connection, a token, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connection: Connection,
    token: TokenCell,
    identity: Identity,
    requests: AtomicU64,
}

/// As whom a caller's requests are judged.
#[derive(Debug)]
pub(crate) enum Identity {
    /// The token's own account; the text names it where the token does not.
    Own(String),
    /// The same of the supervisor, for itself or to look at a home's metadata.
    Supervising(String),
    /// A ServiceAccount, impersonated.
    Acting(Account),
    /// Who a credential for another cluster stands for, and whom it impersonates there.
    Remote(String, Option<Account>),
}

impl Identity {
    /// Audit logs tell by it which part of the system used a worker's token.
    const fn user_agent(&self) -> &'static str {
        match self {
            Self::Supervising(_) => concat!("tenure-supervisor/", env!("CARGO_PKG_VERSION")),
            Self::Own(_) | Self::Acting(_) | Self::Remote(..) => {
                concat!("tenure-worker/", env!("CARGO_PKG_VERSION"))
            }
        }
    }
}

/// What was tried so far for one request.
#[derive(Default)]
struct Attempts {
    redials: usize,
    obeyed: u32,
    new_token: bool,
}

impl Caller {
    /// The only way to make a client: nobody without a token.
    pub(crate) fn new(connection: &Connection, token: TokenCell, identity: Identity) -> Self {
        Self(Arc::new(Inner {
            connection: connection.clone(),
            token,
            identity,
            requests: AtomicU64::new(0),
        }))
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// Requests put on the wire so far, repetitions included.
    pub(crate) fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn who(&self) -> String {
        match &self.0.identity {
            Identity::Acting(account) | Identity::Remote(_, Some(account)) => account.username(),
            Identity::Remote(user, None) => user.clone(),
            Identity::Own(label) | Identity::Supervising(label) => {
                self.0.token.subject().unwrap_or_else(|| label.clone())
            }
        }
    }

    pub(crate) fn error(&self, call: &Call, cause: Cause) -> KubeError {
        KubeError::new(call, self.who(), cause)
    }

    pub(crate) fn refuse(&self, call: &Call, why: impl Into<String>) -> KubeError {
        self.error(call, Cause::Refused(why.into()))
    }

    /// Puts a JSON body on a call.
    pub(crate) fn with_body(
        &self,
        call: Call,
        content_type: &'static str,
        body: &Value,
    ) -> Result<Call, KubeError> {
        let bytes = serde_json::to_vec(body).map_err(|e| self.refuse(&call, e.to_string()))?;
        Ok(Call {
            body: Some((content_type, Bytes::from(bytes))),
            ..call
        })
    }

    /// Sends and reads the whole answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, KubeError> {
        Ok(self.answer(call).await?.1)
    }

    /// [`json`](Self::json) with the status code, which tells created from changed.
    pub(crate) async fn answer<T: DeserializeOwned>(
        &self,
        call: &Call,
    ) -> Result<(StatusCode, T), KubeError> {
        let (status, bytes) = self.bytes(call).await?;
        let value =
            serde_json::from_slice(&bytes).map_err(|e| self.error(call, Cause::Decode(e.to_string())))?;
        Ok((status, value))
    }

    /// [`json`](Self::json), where 404 of the object (not of the kind) is `None`.
    pub(crate) async fn optional<T: DeserializeOwned>(&self, call: &Call) -> Result<Option<T>, KubeError> {
        match self.json(call).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() && !error.is_kind_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn bytes(&self, call: &Call) -> Result<(StatusCode, Bytes), KubeError> {
        let whole = async {
            let (response, guard) = self.open(call).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            drop(guard);
            Ok((
                status,
                body.map_err(|e| self.error(call, Cause::Transport(e.to_string())))?
                    .to_bytes(),
            ))
        };
        match tokio::time::timeout(call.deadline * 2, whole).await {
            Ok(done) => done,
            Err(_) => Err(self.error(call, Cause::Timeout(call.deadline * 2))),
        }
    }

    /// Sends, and repeats where that is right; gives back a success whose body is still to come.
    pub(crate) async fn open(&self, call: &Call) -> Result<(Response<Incoming>, StreamGuard), KubeError> {
        let mut attempts = Attempts::default();
        loop {
            let token = self.0.token.read();
            let request = self.request(call, &token)?;
            self.0.requests.fetch_add(1, Ordering::Relaxed);
            let sent = tokio::time::timeout(call.deadline, self.0.connection.send(request)).await;
            match sent {
                // a server that was killed may leave a request without any answer: every request here may
                // be sent again
                Err(_) => match attempts.redial() {
                    Some(delay) => tokio::time::sleep(delay).await,
                    None => return Err(self.error(call, Cause::Timeout(call.deadline))),
                },
                Ok(Err(why)) => match attempts.redial() {
                    Some(delay) => tokio::time::sleep(delay).await,
                    None => return Err(self.error(call, Cause::Transport(why))),
                },
                Ok(Ok((response, guard))) if response.status().is_success() => return Ok((response, guard)),
                Ok(Ok((response, guard))) => {
                    let status = response.status();
                    let obey = attempts.obey(status, response.headers());
                    let cause = read_failure(response).await;
                    drop(guard);
                    if status == StatusCode::UNAUTHORIZED
                        && attempts.token_changed(token.generation, self.0.token.generation())
                    {
                        continue;
                    }
                    match obey {
                        Some(delay) => tokio::time::sleep(delay).await,
                        None => return Err(self.error(call, cause)),
                    }
                }
            }
        }
    }

    fn request(&self, call: &Call, token: &Reading) -> Result<Request<Body>, KubeError> {
        let path = call
            .path_and_query()
            .map_err(|segment| self.refuse(call, format!("{segment:?} cannot be part of a path")))?;
        let mut bearer = Vec::with_capacity(token.secret.expose().len() + 7);
        bearer.extend_from_slice(b"Bearer ");
        bearer.extend_from_slice(token.secret.expose());
        let mut bearer = HeaderValue::from_bytes(&bearer)
            .map_err(|_| self.refuse(call, "the token is not a header value"))?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("https://{}{path}", self.0.connection.authority()))
            .header(ACCEPT, call.accept)
            .header(USER_AGENT, self.0.identity.user_agent());
        // who has a certificate for another cluster needs no token there
        if !matches!(&self.0.identity, Identity::Remote(..) if token.secret.expose().is_empty()) {
            request = request.header(AUTHORIZATION, bearer);
        }
        if let Identity::Acting(account) | Identity::Remote(_, Some(account)) = &self.0.identity {
            request = request.header("Impersonate-User", account.username());
        }
        let body = match &call.body {
            Some((content_type, bytes)) => {
                request = request.header(CONTENT_TYPE, *content_type);
                Full::new(bytes.clone())
            }
            None => Full::default(),
        };
        request.body(body).map_err(|e| self.refuse(call, e.to_string()))
    }
}

impl Attempts {
    fn redial(&mut self) -> Option<Duration> {
        let delay = REDIAL.get(self.redials).copied();
        self.redials += 1;
        delay
    }

    fn token_changed(&mut self, used: u64, now: u64) -> bool {
        let first = !self.new_token;
        self.new_token = true;
        first && used != now
    }

    fn obey(&mut self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        if !matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) || self.obeyed >= RETRY_AFTER_TIMES
        {
            return None;
        }
        let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        self.obeyed += 1;
        Some(Duration::from_secs(seconds).min(RETRY_AFTER_CAP))
    }
}

async fn read_failure(response: Response<Incoming>) -> Cause {
    let status = response.status();
    let phrase = status.canonical_reason().unwrap_or("Unknown");
    match Limited::new(response.into_body(), 1024 * 1024).collect().await {
        Ok(body) => Cause::from_answer(status.as_u16(), phrase, &body.to_bytes()),
        Err(_) => Cause::from_answer(status.as_u16(), phrase, b""),
    }
}

/// Takes `metadata.resourceVersion` and `items` out of a list object.
pub(crate) fn split_list(mut list: Value) -> (Vec<Value>, String) {
    let version = list
        .pointer("/metadata/resourceVersion")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let items = match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    (items, version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_obeyed_with_a_bound_in_time_and_number() {
        let mut headers = HeaderMap::new();
        let mut attempts = Attempts::default();
        assert_eq!(
            attempts.obey(StatusCode::TOO_MANY_REQUESTS, &headers),
            None,
            "no header, no wait"
        );
        headers.insert(RETRY_AFTER, HeaderValue::from_static("3600"));
        assert_eq!(attempts.obey(StatusCode::INTERNAL_SERVER_ERROR, &headers), None);
        for _ in 0..RETRY_AFTER_TIMES {
            assert_eq!(
                attempts.obey(StatusCode::SERVICE_UNAVAILABLE, &headers),
                Some(RETRY_AFTER_CAP)
            );
        }
        assert_eq!(attempts.obey(StatusCode::SERVICE_UNAVAILABLE, &headers), None);
    }

    #[test]
    fn a_401_is_retried_once_and_only_with_another_token() {
        assert!(!Attempts::default().token_changed(3, 3));
        let mut attempts = Attempts::default();
        assert!(attempts.token_changed(3, 4));
        assert!(!attempts.token_changed(4, 5));
    }
}
