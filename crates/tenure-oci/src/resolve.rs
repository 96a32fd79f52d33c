use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use tenure_core::Digest;

use crate::manifest::{ACCEPT, DIGEST};
use crate::reference::{Picker, is_tag};
use crate::session::{Ask, Session, body};
use crate::{Limits, Missing, OciError, Reference, Remote, Resolved};

/// Asks the registry where `reference` is, with this credential and no other. No layer is downloaded.
///
/// *Cancel safety*: drop the future to stop. It ends by itself after `limits.timeout`.
///
/// # Errors
/// [`OciError`].
pub async fn resolve(
    remote: &Remote,
    reference: &Reference,
    limits: &Limits,
) -> Result<Resolved, OciError> {
    within(remote, &reference.to_string(), limits, async {
        let session = Session::open(remote, *limits, &reference.to_string()).await?;
        session.resolve(reference).await
    })
    .await
}

/// Runs `work` for as long as the limits allow.
pub(crate) async fn within<T>(
    remote: &Remote,
    what: &str,
    limits: &Limits,
    work: impl Future<Output = Result<T, OciError>>,
) -> Result<T, OciError> {
    let late = || OciError::Timeout {
        image: format!("{} ({what})", remote.repository.url()),
        seconds: limits.timeout.as_secs(),
    };
    tokio::time::timeout(limits.timeout, Box::pin(work))
        .await
        .unwrap_or_else(|_| Err(late()))
}

impl Session<'_> {
    async fn resolve(&self, reference: &Reference) -> Result<Resolved, OciError> {
        match reference {
            Reference::Tag(tag) => {
                if !is_tag(tag) {
                    return Err(self.invalid("registries do not allow such a tag"));
                }
                self.at(Some(tag), tag, Missing::Tag(tag.clone())).await
            }
            Reference::Digest(digest) => {
                let found = self.at(None, &digest.to_string(), Missing::Manifest(*digest)).await?;
                self.verify("its manifest", digest, found.digest)?;
                Ok(found)
            }
            Reference::Semver {
                range,
                filter,
                underscore_is_plus,
            } => {
                let picker = Picker::new(range, filter.as_deref(), *underscore_is_plus)
                    .map_err(|e| self.invalid(&e))?;
                let tags = self.tags().await?;
                let tag = picker.pick(tags.iter().map(String::as_str).filter(|t| is_tag(t)));
                let none = || self.missing(Missing::TagInRange(reference.to_string()));
                let tag = tag.ok_or_else(none)?;
                self.at(Some(tag), tag, Missing::Tag(tag.to_owned())).await
            }
        }
    }

    pub(crate) async fn at(&self, tag: Option<&str>, name: &str, missing: Missing) -> Result<Resolved, OciError> {
        let ask = |method| -> Result<Ask, OciError> {
            Ok(Ask {
                method,
                url: self.url(&format!("manifests/{name}"))?,
                accept: ACCEPT,
                from: 0,
                missing: missing.clone(),
            })
        };
        let head = self.ask(&ask(Method::HEAD)?).await?;
        let digest = match self.told(&head)? {
            Some(digest) => digest,
            // a registry need not say it: read the manifest
            None => {
                let response = self.ask(&ask(Method::GET)?).await?;
                let told = self.told(&response)?;
                let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
                let kind = kind.map(ToOwned::to_owned);
                let raw = body(response, self.limits.manifest_bytes, self).await?;
                self.document(&raw, kind.as_deref())?;
                let found = Digest::of(&raw);
                if let Some(told) = told {
                    self.verify("its manifest", &told, found)?;
                }
                found
            }
        };
        Resolved::new(tag, digest)
    }

    fn told(&self, response: &Response) -> Result<Option<Digest>, OciError> {
        let Some(value) = response.headers().get(DIGEST) else {
            return Ok(None);
        };
        let digest = value.to_str().ok().and_then(|v| v.parse().ok());
        digest
            .map(Some)
            .ok_or_else(|| self.malformed("its manifest has no sha256 digest"))
    }

    pub(crate) fn invalid(&self, message: &str) -> OciError {
        OciError::InvalidReference {
            image: self.image.clone(),
            message: message.to_owned(),
        }
    }
}
