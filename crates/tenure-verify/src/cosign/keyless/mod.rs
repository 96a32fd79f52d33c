//! Signatures without a key of one's own: a certificate says who signed, a log when, and a trusted root which
//! authorities and logs are believed.

mod annotations;
mod authority;
mod identity;

use std::collections::BTreeSet;

use jiff::Timestamp;
use sigstore_verify::trust_root::TrustedRoot as Root;
use sigstore_verify::types::{Artifact, Bundle, Sha256Hash, SignatureContent};
use sigstore_verify::{CertificateError, Error, VerificationPolicy, Verifier};
use tenure_core::Digest;

use super::{Candidate, VerifyError, Wrong, bundle, simple};

pub use identity::{Identity, IdentityError};

/// Characters of a reason that are told.
const TOLD: usize = 240;

/// Authorities and logs that are believed: Sigstore's `trusted_root.json`.
pub struct TrustedRoot {
    root: Root,
    verifier: Verifier,
}

/// Why a trusted root can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the trusted root cannot be used: {message}; it is what 'cosign trusted-root create' or Sigstore's TUF repository give"
)]
pub struct RootError {
    /// What is wrong with it.
    pub message: String,
}

/// Who has signed, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The name in the certificate: a URI, an email address, or what else the authority knows people by.
    pub subject: String,
    /// Who vouched for that name when the certificate was issued: the URL of an OIDC provider.
    pub issuer: String,
    /// The earliest of the times that logs and timestamp authorities have signed.
    pub at: Timestamp,
}

/// What is wrong with one signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
enum Reason {
    #[error("{}", .0.text())]
    Wrong(Wrong),
    #[error("{0} is missing: was it signed with a key? Then spec.verify.secretRef has to name it")]
    Missing(&'static str),
    #[error("it is damaged ({0})")]
    Damaged(String),
    #[error(
        "its certificate does not hold: no authority of the trusted root has issued it, for signing code and for the \
         time when it was used ({0})"
    )]
    Certificate(String),
    #[error("its certificate is in none of the certificate logs of the trusted root ({0})")]
    CertificateLog(String),
    #[error("its entry is in none of the logs of the trusted root ({0})")]
    Log(String),
    #[error("nobody that the trusted root believes says when it was made ({0})")]
    Time(String),
    #[error("it is not by the key of its certificate")]
    Signature,
    #[error(
        "it is by '{subject}', for whom '{issuer}' vouches: no entry of spec.verify.matchOIDCIdentity allows both"
    )]
    Identity { subject: String, issuer: String },
}

impl From<Wrong> for Reason {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

impl TrustedRoot {
    /// Reads a `trusted_root.json`.
    ///
    /// # Errors
    /// [`RootError`], also if it has no certificate authority, no log of certificates or no log of signatures:
    /// nothing could be verified with it.
    pub fn from_json(text: &[u8]) -> Result<Self, RootError> {
        let bad = |message: String| RootError {
            message: told(&message),
        };
        let text = std::str::from_utf8(text).map_err(|_| bad("it is not text".to_owned()))?;
        let root = Root::from_json(text).map_err(|error| bad(error.to_string()))?;
        for (missing, what) in [
            (root.certificate_authorities.is_empty(), "certificateAuthorities"),
            (root.ctlogs.is_empty(), "ctlogs"),
            (root.tlogs.is_empty(), "tlogs"),
        ] {
            if missing {
                return Err(bad(format!("it has no {what}")));
            }
        }
        let verifier = Verifier::new(&root).map_err(|error| bad(error.to_string()))?;
        Ok(Self { root, verifier })
    }

    /// The signer of a bundle for this artifact, if everything about it holds.
    fn signer(
        &self,
        artifact: Artifact<'_>,
        mut bundle: Bundle,
        identities: &[Identity],
    ) -> Result<Signer, Reason> {
        if self.root.timestamp_authorities.is_empty() {
            // nobody could be asked about them; times of the log remain
            let times = &mut bundle.verification_material.timestamp_verification_data;
            times.rfc3161_timestamps.clear();
        }
        let certificate = bundle
            .signing_certificate()
            .ok_or(Reason::Missing("its certificate"))?
            .as_bytes()
            .to_vec();
        let policy = VerificationPolicy::any_identity();
        let held = self.verifier.verify(artifact, &bundle, &policy).map_err(reason)?;
        for at in held.verified_timestamps() {
            if !authority::issued(&self.root, &certificate, *at) {
                let what = format!("no certificate of an authority that issued it was valid at {at}");
                return Err(Reason::Certificate(what));
            }
        }
        let at = held.verified_timestamps().iter().min().copied();
        let at = at.ok_or_else(|| Reason::Time("no time is signed".to_owned()))?;
        identity::matched(&certificate, identities, at)
    }
}

/// Whether somebody whom one of `identities` allows has signed the manifest of that digest, in a way that the
/// trusted root vouches for. No identity at all allows everybody whom the root's authorities have certified.
///
/// Nothing is asked of anybody: what a log or a timestamp authority has to say, it has said in the signature.
///
/// # Errors
/// [`VerifyError`] says why none of the candidates counts.
pub fn verify_keyless(
    digest: Digest,
    candidates: &[Candidate<'_>],
    root: &TrustedRoot,
    identities: &[Identity],
) -> Result<Signer, VerifyError> {
    let mut reasons = BTreeSet::new();
    for candidate in candidates {
        let looked = match candidate.media_type {
            simple::MEDIA_TYPE => annotated(digest, candidate, root, identities),
            kind if kind.starts_with(bundle::MEDIA_TYPE) => bundled(digest, candidate, root, identities),
            _ => Err(Wrong::Kind.into()),
        };
        match looked {
            Ok(signer) => return Ok(signer),
            Err(reason) => drop(reasons.insert(reason)),
        }
    }
    if candidates.is_empty() {
        return Err(VerifyError::NoSignature { digest });
    }
    let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
    Err(VerifyError::NoMatch {
        digest,
        count: candidates.len(),
        reasons: reasons.join("; "),
    })
}

fn annotated(
    digest: Digest,
    candidate: &Candidate<'_>,
    root: &TrustedRoot,
    identities: &[Identity],
) -> Result<Signer, Reason> {
    let bundle = annotations::bundle(candidate)?;
    let signer = root.signer(Artifact::from(candidate.payload), bundle, identities)?;
    simple::names(digest, candidate.payload)?;
    Ok(signer)
}

fn bundled(
    digest: Digest,
    candidate: &Candidate<'_>,
    root: &TrustedRoot,
    identities: &[Identity],
) -> Result<Signer, Reason> {
    let text = std::str::from_utf8(candidate.payload).map_err(|_| Wrong::Unreadable)?;
    let read = Bundle::from_json(text).map_err(|error| Reason::Damaged(told(&error.to_string())))?;
    let statement = match &read.content {
        SignatureContent::DsseEnvelope(envelope) => Some((
            envelope.payload_type.clone(),
            envelope.payload.as_bytes().to_vec(),
        )),
        SignatureContent::MessageSignature(_) => None,
        _ => return Err(Wrong::Kind.into()),
    };
    let hash = Sha256Hash::from_hex(&digest.hex()).map_err(|_| Wrong::Subject)?;
    let signer = root.signer(Artifact::from(hash), read, identities)?;
    if let Some((kind, payload)) = statement {
        bundle::names(digest, &kind, &payload)?;
    }
    Ok(signer)
}

fn reason(error: Error) -> Reason {
    let said = told(&error.to_string());
    match error {
        Error::Certificate(CertificateError::Sct(_)) => Reason::CertificateLog(said),
        Error::Certificate(_) => Reason::Certificate(said),
        Error::TransparencyLog(_) => Reason::Log(said),
        Error::Timestamp(_) => Reason::Time(said),
        Error::SignatureInvalid(_) => Reason::Signature,
        Error::ArtifactMismatch(_) => Wrong::Subject.into(),
        _ => Reason::Damaged(said),
    }
}

/// What a library says of bytes from outside, as far as it is told on.
fn told(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(TOLD).collect()
}

#[cfg(test)]
mod tests;
