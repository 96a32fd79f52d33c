//! https: gix's smart protocol over reqwest, with the credential bound to the remote's own origin.

use std::any::Any;
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use bytes::{Buf, Bytes};
use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::blocking_io::http::{
    GetResponse, Http, PostBodyDataKind, PostResponse, Transport,
};
use parking_lot::Mutex;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use tenure_net::{Client, Trouble, trouble};

use crate::transport::{Context, Wire};
use crate::{Credential, GitError, Missing, Remote};
use tenure_core::printable;

const REDIRECTS: usize = 5;
/// The body of a request names commits; it never has reason to be larger.
const REQUEST: usize = 1 << 20;

pub(crate) fn connect(remote: &Remote, context: &Context) -> Result<Wire, GitError> {
    // a host may count objects for as long as it takes, within the deadline
    let client = remote.outbound.patient(context.deadline.left());
    let client = client.map_err(|unusable| GitError::AuthenticationFailed {
        remote: context.shown.clone(),
        message: unusable.to_string(),
    })?;
    let url = remote.bare_url();
    let parsed = gix::url::parse(url.as_str()).map_err(|e| context.unavailable(&e.to_string()))?;
    let link = HttpLink {
        client,
        authorization: authorization(&remote.credential, context)?,
        context: context.clone(),
        base: None,
    };
    Ok(Box::new(Transport::new_http(link, parsed, Protocol::V2, false)))
}

fn authorization(credential: &Credential, context: &Context) -> Result<Option<HeaderValue>, GitError> {
    let refuse = |message: &str| GitError::AuthenticationFailed {
        remote: context.shown.clone(),
        message: message.to_owned(),
    };
    let mut bytes = match credential {
        Credential::None => return Ok(None),
        Credential::Ssh { .. } => return Err(refuse("the Secret has an ssh key, which https cannot use")),
        Credential::Bearer { token } => [b"Bearer ", token.expose()].concat(),
        Credential::Basic { username, password } => {
            let pair = zeroize::Zeroizing::new([username.as_bytes(), b":", password.expose()].concat());
            format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(&*pair)
            )
            .into_bytes()
        }
    };
    let value = HeaderValue::from_bytes(&bytes);
    zeroize::Zeroize::zeroize(&mut bytes);
    let mut value =
        value.map_err(|_| refuse("the Secret's token has a line break or a control character"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// One remote over http(s).
#[derive(Clone)]
struct HttpLink {
    client: Client,
    authorization: Option<HeaderValue>,
    context: Context,
    /// Where a redirect of the first request led, on the same origin.
    base: Option<String>,
}

struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl HttpLink {
    fn request(
        &self,
        method: Method,
        url: &str,
        lines: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> io::Result<Request> {
        let mut headers = HeaderMap::new();
        for line in lines {
            let parsed = line.as_ref().split_once(':').and_then(|(name, value)| {
                Some((
                    name.parse::<HeaderName>().ok()?,
                    HeaderValue::from_str(value.trim()).ok()?,
                ))
            });
            headers.extend(parsed.filter(|(name, _)| *name != AUTHORIZATION));
        }
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let url = Url::parse(url).map_err(|e| self.fail(&format!("its URL: {e}")))?;
        Ok(Request {
            method,
            url,
            headers,
            body: Bytes::new(),
        })
    }

    fn fail(&self, message: &str) -> io::Error {
        self.context.failure.note(self.context.unavailable(message))
    }

    fn broken(&self, error: &reqwest::Error) -> io::Error {
        match trouble(error) {
            Trouble::Refused(refused) => self.context.failure.note(self.context.forbidden(&refused)),
            Trouble::Connect(why) | Trouble::Broken(why) => self.fail(&why),
        }
    }

    /// Sends, follows redirects of a GET within the origin, and turns refusals into errors.
    fn send(&self, mut request: Request) -> io::Result<Response> {
        for _ in 0..=REDIRECTS {
            let prepared = self
                .client
                .request(request.method.clone(), request.url.clone())
                .map_err(|refused| self.context.failure.note(self.context.forbidden(&refused)))?;
            let prepared = prepared
                .headers(request.headers.clone())
                .body(request.body.clone());
            // its timers are made when it is sent, and need the runtime
            let response = self
                .context
                .wait(async { prepared.send().await })?
                .map_err(|e| self.broken(&e))?;
            if !response.status().is_redirection() {
                return self.accept(response);
            }
            request.url = self.redirected(&request, &response)?;
        }
        Err(self.fail("it redirects without end"))
    }

    fn redirected(&self, request: &Request, response: &Response) -> io::Result<Url> {
        let to = response
            .headers()
            .get(LOCATION)
            .and_then(|l| l.to_str().ok())
            .and_then(|l| request.url.join(l).ok());
        let to = to.ok_or_else(|| self.fail("it redirects to nowhere"))?;
        let plain = to.username().is_empty() && to.password().is_none() && to.fragment().is_none();
        if to.origin() != request.url.origin() || request.method != Method::GET || !plain {
            let host = printable(&to.origin().ascii_serialization());
            return Err(self.fail(&format!(
                "it redirects to {host}, and a redirect to another host is not followed; give the new URL in spec.url"
            )));
        }
        Ok(to)
    }

    fn accept(&self, response: Response) -> io::Result<Response> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let remote = self.context.shown.clone();
        let refused = |message: String| GitError::AuthenticationFailed {
            remote: remote.clone(),
            message,
        };
        let error = match (status, &self.authorization) {
            (StatusCode::UNAUTHORIZED, None) => refused(
                "it asks for a credential and none was given; name a Secret in spec.secretRef".to_owned(),
            ),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(_)) => refused(format!(
                "the host does not accept the credential (HTTP {})",
                status.as_u16()
            )),
            (StatusCode::FORBIDDEN, None) => refused("the host refuses access (HTTP 403)".to_owned()),
            (StatusCode::NOT_FOUND | StatusCode::GONE, _) => GitError::NotFound {
                remote: remote.clone(),
                what: Missing::Repository,
            },
            (status, _) if status == StatusCode::TOO_MANY_REQUESTS || retry_after(&response).is_some() => {
                GitError::RateLimited {
                    remote: remote.clone(),
                    message: format!("the host answered HTTP {}", status.as_u16()),
                    retry_after: retry_after(&response),
                }
            }
            _ => self
                .context
                .unavailable(&format!("the host answered HTTP {}", status.as_u16())),
        };
        Err(self.context.failure.note(error))
    }
}

/// In seconds; a date is taken for no wish.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

fn header_lines(headers: &HeaderMap) -> Cursor<Vec<u8>> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        lines.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
    }
    Cursor::new(lines)
}

impl Http for HttpLink {
    type Headers = Headers;
    type ResponseBody = BufReader<Body>;
    type PostBody = PostBody;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Self::Headers, Self::ResponseBody>> {
        let request = self
            .request(Method::GET, url, headers)
            .map_err(gix::Error::from_error)?;
        let tail = url.strip_prefix(base_url).unwrap_or_default().to_owned();
        let asked = request.url.clone();
        let response = self.send(request).map_err(gix::Error::from_error)?;
        if *response.url() != asked {
            let base = response.url().as_str().strip_suffix(&tail).map(ToOwned::to_owned);
            let base = base.ok_or_else(|| {
                gix::Error::from_error(self.fail("it redirects to something else than a repository"))
            })?;
            self.base = Some(base);
        }
        let headers = header_lines(response.headers());
        let exchange = Exchange::done(self.clone(), response);
        Ok(GetResponse {
            headers: Headers(Lazy::Ready(headers)),
            body: BufReader::with_capacity(64 << 10, Body(exchange)),
        })
    }

    fn post(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _body: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>> {
        let request = self
            .request(Method::POST, url, headers)
            .map_err(gix::Error::from_error)?;
        let exchange = Exchange::pending(self.clone(), request);
        Ok(PostResponse {
            post_body: PostBody(exchange.clone()),
            headers: Headers(Lazy::Waiting(exchange.clone())),
            body: BufReader::with_capacity(64 << 10, Body(exchange)),
        })
    }

    fn configure(&mut self, _config: &dyn Any) -> gix::Result {
        Ok(())
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.base.clone()
    }
}

/// One request and its response. It is sent when the response is first read: gix writes the body before.
#[derive(Clone)]
struct Exchange {
    link: HttpLink,
    state: Arc<Mutex<State>>,
}

struct State {
    request: Option<Request>,
    response: Option<Response>,
    body: Vec<u8>,
    chunk: Bytes,
}

impl Exchange {
    fn pending(link: HttpLink, request: Request) -> Self {
        Self::with(link, Some(request), None)
    }

    fn done(link: HttpLink, response: Response) -> Self {
        Self::with(link, None, Some(response))
    }

    fn with(link: HttpLink, request: Option<Request>, response: Option<Response>) -> Self {
        let state = State {
            request,
            response,
            body: Vec::new(),
            chunk: Bytes::new(),
        };
        Self {
            link,
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn send(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        if let Some(mut request) = state.request.take() {
            request.body = std::mem::take(&mut state.body).into();
            state.response = Some(self.link.send(request)?);
        }
        Ok(())
    }

    fn headers(&self) -> io::Result<Cursor<Vec<u8>>> {
        self.send()?;
        Ok(self
            .state
            .lock()
            .response
            .as_ref()
            .map(|r| header_lines(r.headers()))
            .unwrap_or_default())
    }

    fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.send()?;
        let mut state = self.state.lock();
        while state.chunk.is_empty() {
            let Some(response) = state.response.as_mut() else {
                return Ok(0);
            };
            let chunk = self.link.context.wait(response.chunk())?;
            match chunk.map_err(|e| self.link.broken(&e))? {
                Some(chunk) => {
                    self.link.context.count(chunk.len())?;
                    state.chunk = chunk;
                }
                None => return Ok(0),
            }
        }
        let read = buf.len().min(state.chunk.len());
        state.chunk.copy_to_slice(buf.get_mut(..read).unwrap_or_default());
        Ok(read)
    }
}

/// The body of a request, as gix writes it.
struct PostBody(Exchange);

impl Write for PostBody {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        if state.body.len() + buf.len() > REQUEST {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the request to the host grew too large",
            ));
        }
        state.body.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The body of a response.
struct Body(Exchange);

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

/// The header lines of a response.
struct Headers(Lazy);

enum Lazy {
    Waiting(Exchange),
    Ready(Cursor<Vec<u8>>),
}

impl Headers {
    fn ready(&mut self) -> io::Result<&mut Cursor<Vec<u8>>> {
        if let Lazy::Waiting(exchange) = &self.0 {
            self.0 = Lazy::Ready(exchange.headers()?);
        }
        match &mut self.0 {
            Lazy::Ready(lines) => Ok(lines),
            Lazy::Waiting(_) => Err(io::Error::other("no response headers")),
        }
    }
}

impl Read for Headers {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.ready()?.read(buf)
    }
}

impl BufRead for Headers {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.ready()?.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        if let Lazy::Ready(lines) = &mut self.0 {
            lines.consume(amount);
        }
    }
}
