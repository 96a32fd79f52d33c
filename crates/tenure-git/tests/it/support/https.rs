//! An https server around `git http-backend`, with the faults that tests ask for.

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use super::this_machine;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tenure_git::{Credential, Remote};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs};

/// How the server behaves.
#[derive(Clone, Default)]
pub(crate) struct Behaviour {
    pub(crate) root: PathBuf,
    /// The `Authorization` header without which it answers 401.
    pub(crate) authorization: Option<String>,
    /// Where every request is sent with a 302.
    pub(crate) redirect: Option<String>,
    /// Whether to damage the packs it sends.
    pub(crate) damage: bool,
    /// What it answers in place of git, to requests that begin so.
    pub(crate) says: Option<(&'static str, &'static [u8])>,
}

#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
}

/// The server; it ends with its runtime.
pub(crate) struct HttpsServer {
    pub(crate) port: u16,
    pub(crate) ca_pem: Vec<u8>,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    _runtime: tokio::runtime::Runtime,
}

impl HttpsServer {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let key = made.signing_key.serialize_der().try_into().expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a pair");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behaviour, noted) = (acceptor.clone(), behaviour.clone(), noted.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let service = hyper::service::service_fn(move |request| {
                        answer(request, behaviour.clone(), noted.clone())
                    });
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                        .ok();
                });
            }
        });
        Self {
            port,
            ca_pem: made.cert.pem().into_bytes(),
            seen,
            _runtime: runtime,
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    pub(crate) fn remote(&self, repo: &str, credential: Credential) -> Remote {
        let url = format!("https://127.0.0.1:{}/{repo}", self.port)
            .parse()
            .expect("a URL");
        let mut remote = Remote::new(url, credential);
        remote.outbound.guard = this_machine();
        remote.outbound.tls.ca_pem = Some(self.ca_pem.clone());
        remote
    }
}

type Reply = Response<Full<Bytes>>;

async fn answer(
    request: Request<Incoming>,
    behaviour: Behaviour,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Reply, Infallible> {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(ToOwned::to_owned)
    };
    let authorization = header("authorization");
    let path = request.uri().path().to_owned();
    seen.lock().expect("no panic").push(Seen {
        path: path.clone(),
        authorization: authorization.clone(),
    });
    let plain = |status: u16| Response::builder().status(status);
    if let Some(to) = &behaviour.redirect {
        let to = format!("{to}{}", request.uri().path_and_query().expect("a path"));
        return Ok(plain(302)
            .header("location", to)
            .body(Full::default())
            .expect("a response"));
    }
    if behaviour.authorization.is_some() && behaviour.authorization != authorization {
        return Ok(plain(401)
            .header("www-authenticate", "Basic")
            .body(Full::default())
            .expect("a response"));
    }
    let environment = [
        (
            "GIT_PROJECT_ROOT",
            Some(behaviour.root.to_string_lossy().into_owned()),
        ),
        ("GIT_HTTP_EXPORT_ALL", Some("1".to_owned())),
        ("PATH_INFO", Some(path.clone())),
        ("REQUEST_METHOD", Some(request.method().to_string())),
        ("QUERY_STRING", request.uri().query().map(ToOwned::to_owned)),
        ("CONTENT_TYPE", header("content-type")),
        ("GIT_PROTOCOL", header("git-protocol")),
        ("PATH", std::env::var("PATH").ok()),
    ];
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    if let Some((begins, says)) = behaviour.says
        && body
            .get(4..)
            .is_some_and(|line| line.starts_with(begins.as_bytes()))
    {
        return Ok(plain(200)
            .header("content-type", "application/x-git-upload-pack-result")
            .body(Full::new(Bytes::from_static(says)))
            .expect("a response"));
    }
    let mut output = backend(environment, &body).await;
    if behaviour.damage && path.ends_with("git-upload-pack") && output.windows(4).any(|w| w == b"PACK") {
        let at = output.windows(4).position(|w| w == b"PACK").expect("a pack") + 20;
        output[at..].iter_mut().take(8).for_each(|b| *b ^= 0xff);
    }
    Ok(reply(&output))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the servers under test are the machine's git"
)]
async fn backend(environment: [(&str, Option<String>); 8], body: &[u8]) -> Vec<u8> {
    let mut child = tokio::process::Command::new("git")
        .arg("http-backend")
        .env_clear()
        .envs(
            environment
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("CONTENT_LENGTH", body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("git runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(body).await.ok();
    drop(input);
    child.wait_with_output().await.expect("git ends").stdout
}

/// CGI's headers and body as a response.
fn reply(output: &[u8]) -> Reply {
    let end = output.windows(4).position(|w| w == b"\r\n\r\n").expect("headers");
    let mut response = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let (name, value) = line.split_once(':').expect("a header");
        response = match name {
            "Status" => response.status(
                value
                    .trim()
                    .split(' ')
                    .next()
                    .and_then(|s| s.parse::<u16>().ok())
                    .expect("a status"),
            ),
            _ => response.header(name, value.trim()),
        };
    }
    response
        .body(Full::new(Bytes::copy_from_slice(&output[end + 4..])))
        .expect("a response")
}
