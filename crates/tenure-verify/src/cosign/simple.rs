//! Cosign 2: the payload of simple signing, with its signature in an annotation.

use serde::Deserialize;
use tenure_core::Digest;

use super::{Candidate, Wrong, signer};
use crate::PublicKey;

pub(super) const MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
pub(super) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const KIND: &str = "cosign container image signature";

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

pub(super) fn verify<'k>(
    digest: Digest,
    candidate: &Candidate<'_>,
    keys: &'k [PublicKey],
) -> Result<&'k PublicKey, Wrong> {
    let signature = candidate.annotations.get(SIGNATURE).ok_or(Wrong::Unreadable)?;
    let key = signer(keys, candidate.payload, signature)?;
    names(digest, candidate.payload)?;
    Ok(key)
}

/// Whether a payload, whose signature is good, says that this manifest is signed.
pub(super) fn names(digest: Digest, payload: &[u8]) -> Result<(), Wrong> {
    let payload: Payload = serde_json::from_slice(payload).map_err(|_| Wrong::Unreadable)?;
    if payload.critical.kind != KIND {
        return Err(Wrong::Claim);
    }
    if payload.critical.image.digest != digest.to_string() {
        return Err(Wrong::Subject);
    }
    Ok(())
}
