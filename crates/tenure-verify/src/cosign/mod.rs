//! What cosign leaves beside an artifact, verified with public keys, or with the certificates and logs of a trusted
//! root. With keys, transparency logs play no part, as in Flux.

mod bundle;
mod keyless;
mod simple;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tenure_core::Digest;

use crate::PublicKey;

pub use keyless::{Identity, IdentityError, RootError, Signer, TrustedRoot, verify_keyless};

/// What may be a signature, as it lies in the registry.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What it says it is.
    pub media_type: &'a str,
    /// The annotations of its layer.
    pub annotations: &'a BTreeMap<String, String>,
    /// Its bytes.
    pub payload: &'a [u8],
}

/// A signature that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The name of the key that signed.
    pub key: String,
}

/// Why no signature counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is no key to verify with.
    #[error("no public key is given: the Secret has no entry that ends in '.pub'")]
    NoKey,
    /// Nobody has signed.
    #[error("no signature of {digest} was found: sign it with 'cosign sign', or remove spec.verify")]
    NoSignature {
        /// The manifest.
        digest: Digest,
    },
    /// Somebody has signed something else, or with another key.
    #[error("none of {count} signatures of {digest} counts: {reasons}")]
    NoMatch {
        /// The manifest.
        digest: Digest,
        /// How many there are.
        count: usize,
        /// What is wrong with them, each reason once.
        reasons: String,
    },
}

/// What is wrong with one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    Kind,
    Unreadable,
    Key,
    Subject,
    Claim,
}

impl Wrong {
    fn text(self) -> &'static str {
        match self {
            Self::Kind => "it is of a kind that is not understood",
            Self::Unreadable => "it is damaged",
            Self::Key => "it is not by one of the keys",
            Self::Subject => "it signs something else",
            Self::Claim => "it is no signature of an image but another statement about it",
        }
    }
}

/// Whether one of `keys` has signed the manifest of that digest.
///
/// # Errors
/// [`VerifyError`] says why none of the candidates counts.
pub fn verify(
    digest: Digest,
    candidates: &[Candidate<'_>],
    keys: &[PublicKey],
) -> Result<Verified, VerifyError> {
    if keys.is_empty() {
        return Err(VerifyError::NoKey);
    }
    let mut reasons = std::collections::BTreeSet::new();
    for candidate in candidates {
        let looked = match candidate.media_type {
            simple::MEDIA_TYPE => simple::verify(digest, candidate, keys),
            kind if kind.starts_with(bundle::MEDIA_TYPE) => bundle::verify(digest, candidate, keys),
            _ => Err(Wrong::Kind),
        };
        match looked {
            Ok(key) => {
                return Ok(Verified {
                    key: key.name().to_owned(),
                });
            }
            Err(wrong) => drop(reasons.insert(wrong)),
        }
    }
    if candidates.is_empty() {
        return Err(VerifyError::NoSignature { digest });
    }
    let reasons: Vec<_> = reasons.into_iter().map(Wrong::text).collect();
    Err(VerifyError::NoMatch {
        digest,
        count: candidates.len(),
        reasons: reasons.join("; "),
    })
}

/// The key that has signed the message.
fn signer<'k>(keys: &'k [PublicKey], message: &[u8], signature: &str) -> Result<&'k PublicKey, Wrong> {
    let signature = STANDARD.decode(signature.trim()).map_err(|_| Wrong::Unreadable)?;
    keys.iter()
        .find(|key| key.has_signed(message, &signature))
        .ok_or(Wrong::Key)
}

#[cfg(test)]
mod tests;
