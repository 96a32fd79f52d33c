//! `/healthz`, `/readyz` and `/metrics`, in clear, for the kubelet and Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Work that has waited so long, though it could be done, means that the supervisor hangs.
const STUCK_SECONDS: f64 = 600.0;

/// What the probes look at.
pub(crate) struct Health {
    pub(crate) metrics: Metrics,
    /// Whether the Tenants have been read once.
    pub(crate) ready: AtomicBool,
}

impl Health {
    /// With what is counted by object, or without.
    pub(crate) fn new(by_object: bool) -> Self {
        Self {
            metrics: Metrics::new(by_object),
            ready: AtomicBool::new(false),
        }
    }
}

/// Serves until `cancel`.
pub(crate) async fn serve(listener: TcpListener, health: Arc<Health>, cancel: CancellationToken) {
    let routes = Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health);
    if let Err(error) = axum::serve(listener, routes)
        .with_graceful_shutdown(cancel.cancelled_owned())
        .await
    {
        tracing::error!(%error, "probes and metrics are no longer served");
    }
}

async fn alive(State(health): State<Arc<Health>>) -> impl IntoResponse {
    if health.metrics.oldest_due_age(Timestamp::now()) > STUCK_SECONDS {
        return (StatusCode::SERVICE_UNAVAILABLE, "due work is not begun");
    }
    (StatusCode::OK, "ok")
}

async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    if health.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ready")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the Tenants have not been read yet",
        )
    }
}

async fn metrics(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], health.metrics.text())
}
