//! How the supervisor asks the source cache, with a token of audience `tenure-cache-control`.

use std::path::Path;
use std::time::Duration;

use tenure_proto::lifeline::CacheEndpoint;
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

/// Opening the connection takes at most this long.
const CONNECT: Duration = Duration::from_secs(10);

/// A request with the token that is in the file now.
pub(crate) async fn request<T>(token_file: &Path, message: T) -> Result<Request<T>, String> {
    let token = tokio::fs::read(token_file)
        .await
        .map_err(|error| format!("failed to read the token from {}: {error}", token_file.display()))?;
    let bearer = [b"Bearer ", token.trim_ascii()].concat();
    let unusable = "the token is not one";
    let mut value = std::str::from_utf8(&bearer)
        .ok()
        .and_then(|text| MetadataValue::try_from(text).ok())
        .ok_or(unusable)?;
    value.set_sensitive(true);
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}

/// A connection to the first replica that is named, which is opened when it is used, and noticed when it is lost.
pub(crate) fn channel(cache: &CacheEndpoint) -> Result<Channel, String> {
    let unusable = |error: tonic::transport::Error| format!("its URL or certificate can't be used: {error}");
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&cache.ca_pem))
        .domain_name(cache.server_name.clone());
    let url = cache.urls.first().cloned().unwrap_or_default();
    let endpoint = Endpoint::from_shared(url).and_then(|endpoint| endpoint.tls_config(tls));
    Ok(endpoint
        .map_err(unusable)?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        .connect_lazy())
}
