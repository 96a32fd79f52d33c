//! Cosign 3: a Sigstore bundle, whose envelope holds a statement about the manifest.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tenure_core::Digest;

use super::{Candidate, Wrong, signer};
use crate::PublicKey;

/// What every version's media type starts with.
pub(super) const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.";
const STATEMENT: &str = "application/vnd.in-toto+json";
const STATEMENTS: [&str; 2] = [
    "https://in-toto.io/Statement/v1",
    "https://in-toto.io/Statement/v0.1",
];
/// An attestation says something of an image; only this says that the image is meant.
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    sig: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    predicate_type: String,
    subject: Vec<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    digest: BTreeMap<String, String>,
}

pub(super) fn verify<'k>(
    digest: Digest,
    candidate: &Candidate<'_>,
    keys: &'k [PublicKey],
) -> Result<&'k PublicKey, Wrong> {
    let bundle: Bundle = serde_json::from_slice(candidate.payload).map_err(|_| Wrong::Unreadable)?;
    let envelope = bundle.dsse_envelope.ok_or(Wrong::Kind)?;
    let payload = STANDARD
        .decode(&envelope.payload)
        .map_err(|_| Wrong::Unreadable)?;
    // a bundle has one signature; more would ask which of them counts
    let [signature] = envelope.signatures.as_slice() else {
        return Err(Wrong::Unreadable);
    };
    let message = encoded(&envelope.payload_type, &payload);
    let key = signer(keys, &message, &signature.sig)?;
    names(digest, &envelope.payload_type, &payload)?;
    Ok(key)
}

/// Whether an envelope's content, whose signature is good, says that this manifest is signed.
pub(super) fn names(digest: Digest, kind: &str, payload: &[u8]) -> Result<(), Wrong> {
    if kind != STATEMENT {
        return Err(Wrong::Claim);
    }
    let statement: Statement = serde_json::from_slice(payload).map_err(|_| Wrong::Unreadable)?;
    if statement.predicate_type != SIGNED || !STATEMENTS.contains(&statement.kind.as_str()) {
        return Err(Wrong::Claim);
    }
    let hex = digest.hex();
    let named = statement
        .subject
        .iter()
        .any(|s| s.digest.get("sha256") == Some(&hex));
    if named { Ok(()) } else { Err(Wrong::Subject) }
}

/// What an envelope's signature signs: type and payload with their lengths, so that neither runs into the other.
fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}
