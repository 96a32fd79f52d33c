use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use futures::StreamExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio_util::io::ReaderStream;

use crate::command::async_program;

/// What a client may send: wants and haves, never objects.
const MAX_REQUEST: usize = 16 << 20;

/// Runs `git http-backend` for one request and streams what it answers.
pub(super) async fn run(
    root: &Path,
    request: Request,
    asked: impl FnOnce(&[u8]),
    sent: Arc<AtomicU64>,
) -> anyhow::Result<Response> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_REQUEST).await.context("read a request")?;
    asked(&body);
    let mut child = backend(root, &head, body.len())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("start git http-backend")?;
    let mut input = child.stdin.take().context("no standard input")?;
    tokio::spawn(async move { input.write_all(&body).await });
    let mut output = BufReader::new(child.stdout.take().context("no standard output")?);
    let mut response = Response::builder();
    loop {
        let mut line = String::new();
        output
            .read_line(&mut line)
            .await
            .context("read the answer of git http-backend")?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line
            .split_once(": ")
            .context("git http-backend wrote no header")?;
        response = match name {
            "Status" => response.status(value.get(..3).unwrap_or(value)),
            _ => response.header(name, value),
        };
    }
    Ok(response.body(counted(output, child, sent))?)
}

/// The rest of the answer. The stream owns the child, so that it lives as long.
fn counted(
    output: impl AsyncRead + Send + 'static,
    child: tokio::process::Child,
    sent: Arc<AtomicU64>,
) -> Body {
    let stream = ReaderStream::new(output).inspect(move |chunk| {
        let _owned = &child;
        let length = chunk.as_ref().map_or(0, |chunk| chunk.len());
        sent.fetch_add(length as u64, Ordering::Relaxed);
    });
    Body::from_stream(stream)
}

fn backend(root: &Path, head: &http::request::Parts, length: usize) -> Command {
    let header = |name: HeaderName| text(&head.headers, &name);
    let mut git = async_program("git");
    git.arg("http-backend")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_PROTOCOL", header(HeaderName::from_static("git-protocol")))
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", head.method.as_str())
        .env("CONTENT_TYPE", header(CONTENT_TYPE))
        .env("HTTP_CONTENT_ENCODING", header(CONTENT_ENCODING));
    if head.method == http::Method::POST {
        git.env("CONTENT_LENGTH", length.to_string());
    }
    git
}

fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned()
}
