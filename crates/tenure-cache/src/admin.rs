//! `/healthz`, `/readyz` and `/metrics`, in clear, for the kubelet and Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::CacheError;
use crate::service::Cache;

/// Serves until `cancel`.
pub(crate) async fn serve(
    listener: TcpListener,
    cache: Arc<Cache>,
    cancel: CancellationToken,
) -> Result<(), CacheError> {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(cache);
    serve_in_clear("admin endpoint", listener, routes, cancel).await
}

/// Serves these routes until `cancel`; `what` is for the error.
pub(crate) async fn serve_in_clear(
    what: &'static str,
    listener: TcpListener,
    routes: Router,
    cancel: CancellationToken,
) -> Result<(), CacheError> {
    axum::serve(listener, routes)
        .with_graceful_shutdown(cancel.cancelled_owned())
        .await
        .map_err(|error| CacheError::Ended {
            what,
            reason: error.to_string(),
        })
}

async fn ready(State(cache): State<Arc<Cache>>) -> impl IntoResponse {
    if !cache.auth.keys().ready() {
        return (StatusCode::SERVICE_UNAVAILABLE, "no issuer keys yet");
    }
    match cache.disk.writable().await {
        Ok(()) => (StatusCode::OK, "ready"),
        Err(error) => {
            tracing::warn!(%error, "the data directory is not writable");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the data directory is not writable",
            )
        }
    }
}

async fn metrics(State(cache): State<Arc<Cache>>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], cache.metrics.text())
}
