//! Logins at the registries of clouds: the token of a workload for the password of a registry, for some hours.

mod acr;
mod ecr;
mod gar;
mod workload;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use tenure_core::{Secret, printable};
use tenure_net::{Client, Outbound, Trouble, trouble};
use zeroize::Zeroizing;

pub use acr::Acr;
pub use ecr::{AwsIdentity, Ecr};
pub use gar::Gar;
pub use workload::{Identity, Workload};

use crate::form::form;
use crate::{Credential, OciError, Repository};

/// For one answer of a cloud.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer, in bytes.
const ANSWER: usize = 256 << 10;

/// What opens a registry for a while.
#[derive(Clone, Debug)]
pub struct Lease {
    /// For the registry.
    pub credential: Credential,
    /// From now on.
    pub good_for: Duration,
}

/// A cloud that gives credentials for its registries.
#[async_trait]
pub trait Login: Send + Sync {
    /// Whether the repository is in a registry of this cloud. A workload's token is never used for others.
    fn serves(&self, repository: &Repository) -> bool;

    /// Gets a credential for the repository's registry.
    ///
    /// # Errors
    /// [`OciError`]: the cloud refuses, or cannot be reached.
    async fn log_in(&self, repository: &Repository, outbound: &Outbound) -> Result<Lease, OciError>;
}

/// A conversation with a cloud about one repository.
struct Cloud {
    client: Client,
    image: String,
    /// Who is asked, for messages.
    who: &'static str,
}

/// Headers, whose values may be secret.
type Headers<'a> = &'a [(&'static str, &'a [u8])];

impl Cloud {
    fn open(
        login: &dyn Login,
        who: &'static str,
        repository: &Repository,
        outbound: &Outbound,
    ) -> Result<Self, OciError> {
        let image = repository.url();
        if !login.serves(repository) {
            return Err(OciError::InvalidReference {
                image,
                message: format!("it is not in a registry of {who}; set spec.provider to what it is"),
            });
        }
        match outbound.client() {
            Ok(client) => Ok(Self { client, image, who }),
            Err(error) => Err(OciError::AuthenticationFailed {
                image,
                message: error.to_string(),
            }),
        }
    }

    fn refused(&self, message: &str) -> OciError {
        OciError::AuthenticationFailed {
            image: self.image.clone(),
            message: format!("{}: {}", self.who, printable(message)),
        }
    }

    fn unavailable(&self, message: &str) -> OciError {
        OciError::Unavailable {
            image: self.image.clone(),
            message: format!("logging in at {}: {}", self.who, printable(message)),
        }
    }

    fn url(&self, text: &str) -> Result<Url, OciError> {
        let url = Url::parse(text).map_err(|_| self.refused("the endpoint is not a URL"))?;
        if url.scheme() != "https" {
            return Err(self.refused("the endpoint does not speak https"));
        }
        Ok(url)
    }

    async fn json<T: DeserializeOwned>(
        &self,
        url: &Url,
        headers: Headers<'_>,
        body: &[u8],
    ) -> Result<T, OciError> {
        let bytes = self.post(url, headers, body).await?;
        // the decoder's own error could quote a token
        serde_json::from_slice(&bytes).map_err(|_| self.unavailable("the answer is not understood"))
    }

    /// Posts once. A cloud's own word for a refusal is not repeated: it may quote the token.
    async fn post(
        &self,
        url: &Url,
        headers: Headers<'_>,
        body: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OciError> {
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
                .request(Method::POST, url.clone())
                .map_err(|e| self.forbidden(&e))?;
            let mut response = request
                .headers(all)
                .body(body.to_vec())
                .send()
                .await
                .map_err(|e| self.broke(&e))?;
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
            while let Some(chunk) = response.chunk().await.map_err(|e| self.broke(&e))? {
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

    fn forbidden(&self, refused: &tenure_net::Refused) -> OciError {
        OciError::Forbidden {
            image: self.image.clone(),
            message: refused.to_string(),
        }
    }

    fn broke(&self, error: &reqwest::Error) -> OciError {
        match trouble(error) {
            Trouble::Refused(refused) => self.forbidden(&refused),
            Trouble::Connect(text) | Trouble::Broken(text) => self.unavailable(&text),
        }
    }
}

/// The header of a form.
const FORM: (&str, &[u8]) = ("content-type", crate::form::FORM.as_bytes());

fn text<'s>(cloud: &Cloud, secret: &'s Secret) -> Result<&'s str, OciError> {
    secret
        .expose_str()
        .map(str::trim)
        .filter(|token| !token.is_empty())
        .ok_or_else(|| cloud.refused("the workload's token is empty"))
}
