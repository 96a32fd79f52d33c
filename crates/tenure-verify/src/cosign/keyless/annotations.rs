//! Cosign 2 spreads over annotations what a bundle holds in one place. It is put together here, and verified as one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sigstore_verify::types::Bundle;

use super::{Reason, Wrong, told};
use crate::cosign::{Candidate, simple};

const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const LOGGED: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
/// The version of bundles for which a log's promise is enough; cosign 2 keeps no proof.
const VERSION: &str = "application/vnd.dev.sigstore.bundle+json;version=0.1";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Logged {
    signed_entry_timestamp: String,
    payload: Entry,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    body: String,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    kind: String,
    api_version: String,
}

#[derive(Deserialize)]
struct Timestamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    token: String,
}

/// The bundle that the annotations are. The authorities of `dev.sigstore.cosign/chain` are left out: those of the
/// trusted root are the ones that count.
pub(super) fn bundle(candidate: &Candidate<'_>) -> Result<Bundle, Reason> {
    let annotation = |name: &str| candidate.annotations.get(name).map(String::as_str);
    let signature = annotation(simple::SIGNATURE).ok_or(Wrong::Unreadable)?;
    let pem = annotation(CERTIFICATE).ok_or(Reason::Missing("its certificate"))?;
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| Wrong::Unreadable)?;
    let logged = annotation(LOGGED).ok_or(Reason::Missing("its entry of a transparency log"))?;
    let logged: Logged = serde_json::from_str(logged).map_err(|_| Wrong::Unreadable)?;
    let body = STANDARD
        .decode(&logged.payload.body)
        .map_err(|_| Wrong::Unreadable)?;
    let body: Body = serde_json::from_slice(&body).map_err(|_| Wrong::Unreadable)?;
    let timestamps = match annotation(TIMESTAMP) {
        Some(text) => {
            let stamp: Timestamp = serde_json::from_str(text).map_err(|_| Wrong::Unreadable)?;
            vec![json!({"signedTimestamp": stamp.token})]
        }
        None => Vec::new(),
    };
    let text = json!({
        "mediaType": VERSION,
        "verificationMaterial": {
            "x509CertificateChain": {"certificates": [{"rawBytes": STANDARD.encode(&certificate)}]},
            "tlogEntries": [{
                "logIndex": logged.payload.log_index.to_string(),
                "logId": {"keyId": STANDARD.encode(unhex(&logged.payload.log_id)?)},
                "kindVersion": {"kind": body.kind, "version": body.api_version},
                "integratedTime": logged.payload.integrated_time.to_string(),
                "inclusionPromise": {"signedEntryTimestamp": logged.signed_entry_timestamp},
                "canonicalizedBody": logged.payload.body,
            }],
            "timestampVerificationData": {"rfc3161Timestamps": timestamps},
        },
        "messageSignature": {
            "messageDigest": {
                "algorithm": "SHA2_256",
                "digest": STANDARD.encode(Sha256::digest(candidate.payload)),
            },
            "signature": signature.trim(),
        },
    });
    Bundle::from_json(&text.to_string()).map_err(|error| Reason::Damaged(told(&error.to_string())))
}

fn unhex(text: &str) -> Result<Vec<u8>, Reason> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    });
    let bytes: Option<Vec<u8>> = pairs.collect();
    bytes.ok_or_else(|| Wrong::Unreadable.into())
}
