//! Signatures of the Notary Project, as `notation` leaves them beside an artifact: envelopes of JWS or COSE, a chain
//! of certificates in each, and a trust policy that says what has to hold.
//!
//! Two checks would need the network or more than is built, and neither is left out in silence:
//!
//! - *revocation*: nobody is asked. As for notation, a chain none of whose certificates names a server for that can't be
//!   revoked; of any other the status is unknown, which a policy refuses unless it says `log` or `skip`.
//! - *timestamps of an authority* (`tsa` stores): not read. Where the policy wants one, the check of the authentic
//!   timestamp fails.
//!
//! An attribute that is marked critical and unknown is refused, where notation passes over it.

mod chain;
mod cose;
mod distinguished;
mod envelope;
mod jws;
mod policy;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use tenure_core::Digest;

use envelope::{Scheme, Signed};
use policy::{Check, Statement, VerifyTimestamp};

pub use policy::{PolicyError, TrustPolicy};
pub use store::{StoreError, TrustStore};

/// What may be a signature, as it lies in the registry.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What its layer says it is.
    pub media_type: &'a str,
    /// Its bytes.
    pub envelope: &'a [u8],
}

/// Whether a layer of that media type is an envelope.
#[must_use]
pub fn is_envelope(media_type: &str) -> bool {
    [jws::MEDIA_TYPE, cose::MEDIA_TYPE].contains(&media_type)
}

/// The manifest that has to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes' number.
    pub size: u64,
    /// Its own media type.
    pub media_type: &'a str,
}

/// What the policy makes of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody whom it trusts has signed.
    Verified {
        /// The subject of the signer's certificate.
        subject: String,
        /// When it was signed, by the signer's own word.
        at: Timestamp,
        /// What did not hold, and is to be told only: `log` in the policy.
        told: Vec<String>,
    },
    /// The policy lets it pass, and vouches for nothing.
    Ignored {
        /// Why.
        why: String,
    },
}

/// Why no signature counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotationError {
    /// The policy has nothing for that repository.
    #[error(
        "no statement of the trust policy is for '{artifact}': name it, or '*', in the registryScopes of one"
    )]
    NoStatement {
        /// Registry and repository.
        artifact: String,
    },
    /// Nobody has signed.
    #[error("no signature of {digest} was found: sign it with 'notation sign', or remove spec.verify")]
    NoSignature {
        /// The manifest.
        digest: Digest,
    },
    /// Somebody has signed something else, or is not trusted.
    #[error("none of {count} signatures of {digest} counts by the statement '{statement}': {reasons}")]
    NoMatch {
        /// The manifest.
        digest: Digest,
        /// How many there are.
        count: usize,
        /// The name of the statement.
        statement: String,
        /// What is wrong with them, each reason once.
        reasons: String,
    },
}

/// What is wrong with one signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("it is of a kind that is not understood")]
    Kind,
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("{0} is not understood, and has to be")]
    Critical(String),
    #[error("it is not by the key of its certificate")]
    Signature,
    #[error("its certificates are not what notation signs with: {0}")]
    Chain(String),
    #[error("it signs something else")]
    Target,
    #[error("{0}")]
    Untrusted(String),
    #[error("it has expired at {0}: sign anew")]
    Expired(Timestamp),
    #[error("{0}")]
    Timestamp(String),
    #[error("whether {0} is revoked is not asked: override 'revocation' with 'log' or 'skip' in the policy")]
    Revocation(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    target_artifact: Described,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    media_type: String,
    digest: String,
    size: u64,
}

/// Whether one whom the policy trusts has signed the target, which lies in `artifact`: registry and repository, without
/// scheme, tag and digest. `now` is held against what expires.
///
/// # Errors
/// [`NotationError`] says why none of the candidates counts.
pub fn verify(
    target: &Target<'_>,
    artifact: &str,
    candidates: &[Candidate<'_>],
    policy: &TrustPolicy,
    store: &TrustStore,
    now: Timestamp,
) -> Result<Outcome, NotationError> {
    let statement = policy
        .statement(artifact)
        .ok_or_else(|| NotationError::NoStatement {
            artifact: artifact.to_owned(),
        })?;
    if statement.skips() {
        let why = format!("the statement '{}' skips verification", statement.name());
        return Ok(Outcome::Ignored { why });
    }
    let mut reasons = BTreeSet::new();
    for candidate in candidates {
        match one(target, candidate, statement, store, now) {
            Ok(outcome) => return Ok(outcome),
            Err(wrong) => drop(reasons.insert(wrong)),
        }
    }
    if candidates.is_empty() {
        return Err(NotationError::NoSignature {
            digest: target.digest,
        });
    }
    let reasons: Vec<_> = reasons.iter().map(ToString::to_string).collect();
    Err(NotationError::NoMatch {
        digest: target.digest,
        count: candidates.len(),
        statement: statement.name().to_owned(),
        reasons: reasons.join("; "),
    })
}

fn one(
    target: &Target<'_>,
    candidate: &Candidate<'_>,
    statement: &Statement,
    store: &TrustStore,
    now: Timestamp,
) -> Result<Outcome, Wrong> {
    let signed = envelope::open(candidate.media_type, candidate.envelope)?;
    let mut told = Vec::new();
    let mut trusted = true;
    for (check, found) in [
        (Check::Authenticity, authentic(&signed, statement, store)),
        (Check::Expiry, expiry(&signed, now)),
        (Check::AuthenticTimestamp, timely(&signed, statement, now)),
        (Check::Revocation, revocation(&signed)),
    ] {
        let Err(wrong) = found else { continue };
        match statement.action(check) {
            policy::Action::Enforce => return Err(wrong),
            policy::Action::Log => {
                trusted &= check != Check::Authenticity;
                told.push(wrong.to_string());
            }
            policy::Action::Skip => {}
        }
    }
    names(target, &signed)?;
    if trusted {
        Ok(Outcome::Verified {
            subject: signed.subject,
            at: signed.at,
            told,
        })
    } else {
        let why = told.join("; ");
        Ok(Outcome::Ignored { why })
    }
}

/// The signer is below a certificate of the store, and one of those whom the statement names.
fn authentic(signed: &Signed, statement: &Statement, store: &TrustStore) -> Result<(), Wrong> {
    let untrusted = |what: String| Err(Wrong::Untrusted(what));
    let kind = match signed.scheme {
        Scheme::X509 => "ca",
        Scheme::SigningAuthority => "signingAuthority",
    };
    if !statement.stores(kind) {
        return untrusted(format!(
            "it is of a signer whose certificates a store of type '{kind}' vouches for, and the statement has none"
        ));
    }
    if !signed.chain.iter().any(|der| store.has(der)) {
        return untrusted(
            "its chain has none of the certificates of the trust store: is the right one in the Secret?"
                .to_owned(),
        );
    }
    if statement.trusts(&signed.subject_parts) {
        return Ok(());
    }
    let part = match &signed.subject_parts {
        Ok(_) => "none of the statement's trustedIdentities".to_owned(),
        Err(message) => format!("nobody whom trustedIdentities can name: {message}"),
    };
    untrusted(format!("it is by '{}', {part}", signed.subject))
}

fn expiry(signed: &Signed, now: Timestamp) -> Result<(), Wrong> {
    match signed.expiry {
        Some(end) if end <= now => Err(Wrong::Expired(end)),
        _ => Ok(()),
    }
}

/// The certificates were valid when it was signed, as far as somebody trusted says when that was; or they are now.
fn timely(signed: &Signed, statement: &Statement, now: Timestamp) -> Result<(), Wrong> {
    let at = match signed.scheme {
        Scheme::SigningAuthority => signed.at,
        Scheme::X509 => now,
    };
    let invalid = signed.validity.iter().find(|one| !one.holds(at));
    let expired = signed.validity.iter().any(|one| one.ends < now);
    let wanted = statement.stores("tsa")
        && (statement.verify_timestamp() == VerifyTimestamp::Always || expired)
        && signed.scheme == Scheme::X509;
    if wanted {
        return Err(Wrong::Timestamp(
            "the policy wants a timestamp of an authority, which is not verified yet: remove the stores of type 'tsa', \
             or override 'authenticTimestamp' with 'log'"
                .to_owned(),
        ));
    }
    match invalid {
        None => Ok(()),
        Some(one) => Err(Wrong::Timestamp(format!(
            "the certificate of '{}' is valid from {} to {}, and not at {at}",
            one.subject, one.begins, one.ends
        ))),
    }
}

fn revocation(signed: &Signed) -> Result<(), Wrong> {
    match &signed.revocable {
        None => Ok(()),
        Some(subject) => Err(Wrong::Revocation(format!("the certificate of '{subject}'"))),
    }
}

/// What is signed is the target, in each of its parts.
fn names(target: &Target<'_>, signed: &Signed) -> Result<(), Wrong> {
    let payload: Payload = serde_json::from_slice(&signed.payload)
        .map_err(|_| Wrong::Damaged("its payload names no artifact"))?;
    let named = payload.target_artifact;
    let same = named.digest == target.digest.to_string()
        && named.size == target.size
        && named.media_type == target.media_type;
    if same { Ok(()) } else { Err(Wrong::Target) }
}
