//! Artifacts over plain HTTP, for consumers of `status.artifact.url` that are not workers. Served where the platform
//! has said so only.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use crate::CacheError;
use crate::admin::serve_in_clear;
use crate::service::Cache;

/// Bytes that are read at once for one download.
const CHUNK: usize = 64 << 10;

/// The part of the address that opens it. The path is for people.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    link: String,
}

/// Serves until `cancel`.
pub(crate) async fn serve(
    listener: TcpListener,
    cache: Arc<Cache>,
    cancel: CancellationToken,
) -> Result<(), CacheError> {
    let routes = Router::new()
        .route("/", get(download))
        .route("/{*path}", get(download))
        .with_state(cache);
    serve_in_clear("artifact endpoint", listener, routes, cancel).await
}

/// All that can't be read looks the same.
fn missing() -> Response {
    let text =
        "there is no such artifact, or its link has ended: take the address from status.artifact.url anew\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

async fn download(State(cache): State<Arc<Cache>>, Query(asked): Query<Asked>) -> Response {
    let Some(link) = cache.links.open(&asked.link, &cache.grants) else {
        cache.metrics.linked("missing");
        return missing();
    };
    let Some(call) = cache.homes.enter(&link.scope.home) else {
        cache.metrics.linked("busy");
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "5")]).into_response();
    };
    match cache.disk.read(link.digest, link.size).await {
        Ok(Some(file)) => {
            cache.metrics.linked("ok");
            let headers = [
                (header::CONTENT_TYPE, link.media_type),
                (header::CONTENT_LENGTH, link.size.to_string()),
                (header::ETAG, format!("\"{}\"", link.digest)),
                (header::CACHE_CONTROL, "private, no-store".to_owned()),
            ];
            (headers, body(file, link.size, call)).into_response()
        }
        Ok(None) => {
            cache.metrics.linked("missing");
            missing()
        }
        Err(error) => {
            tracing::error!(digest = %link.digest, %error, "can't read an artifact");
            cache.metrics.linked("failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The file's bytes; the call counts as open until they are sent, or nobody wants them any more.
fn body(file: std::fs::File, size: u64, call: OwnedSemaphorePermit) -> Body {
    use futures::StreamExt as _;
    let read = ReaderStream::with_capacity(tokio::fs::File::from_std(file).take(size), CHUNK);
    Body::from_stream(read.inspect(move |_| {
        let _open = &call;
    }))
}
