use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tenure_core::Secret;
use tenure_proto::source::sources_client::SourcesClient;
use tenure_proto::source::{HintRequest, ReleaseRequest, ResolveRequest, ResolveResponse};
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Response, Status};

use super::SourceError;

/// Opening the connection takes at most this long.
const CONNECT: Duration = Duration::from_secs(5);

/// The cache's answer to a Resolve may come this much later than the caller's own timeout: the cache
/// then says itself what took so long.
const SLACK: Duration = Duration::from_secs(15);

/// What a Resolve may take when the caller sets no timeout; the cache assumes the same.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The largest answer: one with all the signatures that a fetcher collects.
const LARGEST: usize = 8 << 20;

/// Gives the token for the cache that is valid now; `None` while there is none.
pub type TokenSource = Arc<dyn Fn() -> Option<Secret> + Send + Sync>;

/// A client of the source cache; cheap to clone.
#[derive(Clone)]
pub struct SourceClient {
    pub(super) sources: SourcesClient<Channel>,
    token: TokenSource,
}

impl SourceClient {
    /// A client for the cache at `url` (`https://host:port`), whose certificate must be signed by
    /// `ca_pem` and valid for `server_name`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`SourceError::Endpoint`] when the URL is not one, or the certificate cannot be used.
    pub fn new(url: &str, ca_pem: &[u8], server_name: &str, token: TokenSource) -> Result<Self, SourceError> {
        let unusable = |error: tonic::transport::Error| SourceError::Endpoint(chain(&error));
        if !url.starts_with("https://") {
            return Err(SourceError::Endpoint(
                "its URL does not start with https://".into(),
            ));
        }
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(ca_pem))
            .domain_name(server_name);
        let channel = Endpoint::from_shared(url.to_owned())
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(unusable)?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .initial_stream_window_size(2 << 20)
            .initial_connection_window_size(4 << 20)
            .connect_lazy();
        let sources = SourcesClient::new(channel).max_decoding_message_size(LARGEST);
        Ok(Self { sources, token })
    }

    /// Asks what a reference means now, with the caller's credential.
    ///
    /// # Errors
    /// [`SourceError`]: the cache is out of reach, or says why the remote gave nothing.
    pub async fn resolve(&self, request: ResolveRequest) -> Result<ResolveResponse, SourceError> {
        let timeout = request
            .timeout
            .and_then(|timeout| timeout.try_into().ok())
            .unwrap_or(DEFAULT_TIMEOUT);
        let request = self.authorised(request)?;
        let mut sources = self.sources.clone();
        within(timeout + SLACK, sources.resolve(request)).await
    }

    /// Makes the cache forget this home's credential and grants for a remote.
    ///
    /// # Errors
    /// [`SourceError`] when the cache is out of reach or refuses the token.
    pub async fn release(&self, url: String) -> Result<(), SourceError> {
        let request = self.authorised(ReleaseRequest { url })?;
        let mut sources = self.sources.clone();
        within(SLACK, sources.release(request)).await.map(drop)
    }

    /// Says that a remote may have moved, so that the cache asks now for whoever has a lease on it.
    ///
    /// # Errors
    /// [`SourceError`] when the cache is out of reach or refuses the token.
    pub async fn hint(&self, url: String) -> Result<(), SourceError> {
        let request = self.authorised(HintRequest { url })?;
        let mut sources = self.sources.clone();
        within(SLACK, sources.hint(request)).await.map(drop)
    }

    /// `message` with the token that is valid now.
    pub(super) fn authorised<T>(&self, message: T) -> Result<Request<T>, SourceError> {
        let token = (self.token)().ok_or(SourceError::NoToken)?;
        let token = token.expose_str().ok_or(SourceError::NoToken)?;
        let mut value =
            MetadataValue::try_from(format!("Bearer {token}")).map_err(|_| SourceError::NoToken)?;
        value.set_sensitive(true);
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, SourceError> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(SourceError::from_status(&status)),
        Err(_) => Err(SourceError::Unreachable(format!("no answer within {limit:?}"))),
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
