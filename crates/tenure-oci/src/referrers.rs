use reqwest::Method;
use tenure_core::Digest;

use crate::manifest::ACCEPT;
use crate::resolve::within;
use crate::session::{Ask, Session, body};
use crate::{Descriptor, Limits, Manifest, Missing, OciError, Remote};

/// Manifests that refer to one other.
const MOST: usize = 1000;
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The manifests that refer to `digest` and are of `artifact_type` (of any if `None`): signatures, attestations.
/// From the referrers API, or from the tag `sha256-<hex>` of registries that do not have it.
///
/// # Errors
/// [`OciError`]; that there are none is not an error.
pub async fn referrers(
    remote: &Remote,
    digest: Digest,
    artifact_type: Option<&str>,
    limits: &Limits,
) -> Result<Vec<Descriptor>, OciError> {
    let what = format!("what refers to {digest}");
    within(remote, &what, limits, async {
        let session = Session::open(remote, *limits, &what).await?;
        let mut found = of_session(&session, digest).await?;
        found.retain(|d| artifact_type.is_none_or(|wanted| d.artifact_type.as_deref() == Some(wanted)));
        Ok(found)
    })
    .await
}

/// All that refers to `digest`.
pub(crate) async fn of_session(session: &Session<'_>, digest: Digest) -> Result<Vec<Descriptor>, OciError> {
    let found = match session.list(&format!("referrers/{digest}"), INDEX).await? {
        Some(found) => found,
        None => {
            let tag = format!("manifests/sha256-{}", digest.hex());
            session.list(&tag, ACCEPT).await?.unwrap_or_default()
        }
    };
    if found.len() > MOST {
        return Err(session.too_large(format!("more than {MOST} manifests refer to {digest}")));
    }
    Ok(found)
}

/// The manifest of that digest. Of an index, the one for `linux/amd64`.
///
/// # Errors
/// [`OciError`].
pub async fn manifest(remote: &Remote, digest: Digest, limits: &Limits) -> Result<Manifest, OciError> {
    let what = digest.to_string();
    within(remote, &what, limits, async {
        Session::open(remote, *limits, &what).await?.manifest(digest).await
    })
    .await
}

/// The bytes of a small blob, a signature's payload for example: at most `limits.manifest_bytes`.
///
/// # Errors
/// [`OciError`].
pub async fn small_blob(
    remote: &Remote,
    descriptor: &Descriptor,
    limits: &Limits,
) -> Result<Vec<u8>, OciError> {
    let what = descriptor.digest.to_string();
    within(remote, &what, limits, async {
        let session = Session::open(remote, *limits, &what).await?;
        if descriptor.size > limits.manifest_bytes {
            return Err(session.too_large(format!(
                "a blob has {} bytes, the limit is {}",
                descriptor.size, limits.manifest_bytes
            )));
        }
        let mut bytes = Vec::new();
        session.blob(descriptor, &mut bytes).await?;
        Ok(bytes)
    })
    .await
}

impl Session<'_> {
    /// The manifests in an index; nothing if there is no such index.
    async fn list(&self, place: &str, accept: &'static str) -> Result<Option<Vec<Descriptor>>, OciError> {
        let ask = Ask {
            method: Method::GET,
            url: self.url(place)?,
            accept,
            from: 0,
            missing: Missing::Repository,
        };
        let response = match self.ask(&ask).await {
            Ok(response) => response,
            Err(OciError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let raw = body(response, self.limits.manifest_bytes, self).await?;
        let document = self.document(&raw, Some(INDEX))?;
        Ok(document.manifests)
    }
}
