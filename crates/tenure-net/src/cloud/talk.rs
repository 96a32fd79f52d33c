use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use tenure_core::{Secret, printable};
use zeroize::Zeroizing;

use super::CloudError;
use crate::aws::encode;
use crate::{Client, Outbound, Refused, Trouble, trouble};

/// For one answer of a cloud.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer, in bytes.
const ANSWER: usize = 256 << 10;

/// Headers, whose values may be secret.
type Headers<'a> = &'a [(&'static str, &'a [u8])];

/// A conversation with a cloud.
#[derive(Debug)]
pub struct Talk {
    client: Client,
    who: &'static str,
}

impl Talk {
    /// The header of a form.
    pub const FORM: (&'static str, &'static [u8]) = ("content-type", b"application/x-www-form-urlencoded");
    /// The header of JSON.
    pub const JSON: (&'static str, &'static [u8]) = ("content-type", b"application/json");

    /// With the cloud of this name.
    ///
    /// # Errors
    /// When the certificates or the proxy can't be used.
    pub fn open(outbound: &Outbound, who: &'static str) -> Result<Self, CloudError> {
        match outbound.client() {
            Ok(client) => Ok(Self { client, who }),
            Err(error) => Err(CloudError::Refused {
                who,
                message: error.to_string(),
            }),
        }
    }

    /// An error of the asker or of the cloud's decision.
    #[must_use]
    pub fn refused(&self, message: &str) -> CloudError {
        CloudError::Refused {
            who: self.who,
            message: printable(message),
        }
    }

    /// An error that may pass.
    #[must_use]
    pub fn unavailable(&self, message: &str) -> CloudError {
        CloudError::Unavailable {
            who: self.who,
            message: printable(message),
        }
    }

    /// The address of a service.
    ///
    /// # Errors
    /// When it has no https.
    pub fn url(&self, text: &str) -> Result<Url, CloudError> {
        let url = Url::parse(text).map_err(|_| self.refused("the endpoint is not a URL"))?;
        if url.scheme() != "https" {
            return Err(self.refused("the endpoint does not speak https"));
        }
        Ok(url)
    }

    /// A token as text.
    ///
    /// # Errors
    /// When there is none.
    pub fn text<'s>(&self, secret: &'s Secret) -> Result<&'s str, CloudError> {
        secret
            .expose_str()
            .map(str::trim)
            .filter(|token| !token.is_empty())
            .ok_or_else(|| self.refused("the workload's token is empty"))
    }

    /// Posts, and reads JSON.
    ///
    /// # Errors
    /// As [`send`](Self::send), and when the answer is something else.
    pub async fn json<T: DeserializeOwned>(
        &self,
        url: &Url,
        headers: Headers<'_>,
        body: &[u8],
    ) -> Result<T, CloudError> {
        self.understood(&self.send(Method::POST, url, headers, body).await?)
    }

    /// Gets JSON.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub async fn get<T: DeserializeOwned>(&self, url: &Url, headers: Headers<'_>) -> Result<T, CloudError> {
        self.understood(&self.send(Method::GET, url, headers, b"").await?)
    }

    fn understood<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, CloudError> {
        // the decoder's own error could quote a token
        serde_json::from_slice(answer).map_err(|_| self.unavailable("the answer is not understood"))
    }

    /// Sends once, and follows no redirect.
    ///
    /// # Errors
    /// When the cloud refuses or can't be reached.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: Headers<'_>,
        body: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CloudError> {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            let mut value = HeaderValue::from_bytes(value)
                .map_err(|_| self.refused("a token has a line break or a control character"))?;
            value.set_sensitive(true);
            all.insert(HeaderName::from_static(name), value);
        }
        let host = url.host_str().unwrap_or_default();
        let exchange = async {
            let request = self
                .client
                .request(method, url.clone())
                .map_err(|refused| forbidden(&refused))?;
            let mut response = request
                .headers(all)
                .body(body.to_vec())
                .send()
                .await
                .map_err(|error| self.broke(&error))?;
            let status = response.status();
            if status.is_client_error() && status.as_u16() != 429 {
                return Err(self.refused(&format!(
                    "{host} does not accept the workload's identity (HTTP {})",
                    status.as_u16()
                )));
            }
            if !status.is_success() {
                return Err(self.unavailable(&format!("{host} answered HTTP {}", status.as_u16())));
            }
            let mut bytes = Zeroizing::new(Vec::new());
            while let Some(chunk) = response.chunk().await.map_err(|error| self.broke(&error))? {
                if bytes.len() + chunk.len() > ANSWER {
                    return Err(self.unavailable(&format!("{host} answers with more than {ANSWER} bytes")));
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes)
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or_else(|_| Err(self.unavailable(&format!("{host} did not answer"))))
    }

    fn broke(&self, error: &reqwest::Error) -> CloudError {
        match trouble(error) {
            Trouble::Refused(refused) => forbidden(&refused),
            Trouble::Connect(text) | Trouble::Broken(text) => self.unavailable(&text),
        }
    }

    /// The body of a form. Wiped when dropped: it has a token in it.
    #[must_use]
    pub fn form(pairs: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
        let encoded = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value, true)));
        Zeroizing::new(encoded.collect::<Vec<_>>().join("&").into_bytes())
    }
}

fn forbidden(refused: &Refused) -> CloudError {
    CloudError::Forbidden(refused.to_string())
}
