//! Envelopes of JSON.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Wrong;
use super::envelope::{AUTHENTIC_TIME, Algorithm, EXPIRY, Headers, Parts, SCHEME, TIME};

pub(super) const MEDIA_TYPE: &str = "application/jose+json";

#[derive(Deserialize)]
struct Envelope {
    payload: String,
    protected: String,
    signature: String,
    header: Unprotected,
}

#[derive(Deserialize)]
struct Unprotected {
    x5c: Vec<String>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Parts, Wrong> {
    let damaged = |_| Wrong::Damaged("it is no envelope in JSON");
    let envelope: Envelope =
        serde_json::from_slice(bytes).map_err(|_| Wrong::Damaged("it is no envelope in JSON"))?;
    let protected = URL_SAFE_NO_PAD.decode(&envelope.protected).map_err(damaged)?;
    let protected: Map<String, Value> =
        serde_json::from_slice(&protected).map_err(|_| Wrong::Damaged("its headers are not JSON"))?;
    let certificates: Result<Vec<_>, _> = envelope
        .header
        .x5c
        .iter()
        .map(|text| STANDARD.decode(text))
        .collect();
    let (algorithm, headers) = headers(protected)?;
    Ok(Parts {
        algorithm,
        message: format!("{}.{}", envelope.protected, envelope.payload).into_bytes(),
        signature: URL_SAFE_NO_PAD.decode(&envelope.signature).map_err(damaged)?,
        payload: URL_SAFE_NO_PAD.decode(&envelope.payload).map_err(damaged)?,
        certificates: certificates.map_err(damaged)?,
        headers,
    })
}

fn headers(protected: Map<String, Value>) -> Result<(Algorithm, Headers), Wrong> {
    let mut headers = Headers::default();
    let mut algorithm = None;
    for (name, value) in protected {
        match name.as_str() {
            "alg" => algorithm = Some(of(&text(value)?)?),
            "cty" => headers.content_type = text(value)?,
            "crit" => {
                headers.critical = serde_json::from_value(value)
                    .map_err(|_| Wrong::Damaged("its critical headers are no list"))?;
            }
            SCHEME => headers.scheme = text(value)?,
            TIME => headers.time = Some(time(value)?),
            AUTHENTIC_TIME => headers.authentic_time = Some(time(value)?),
            EXPIRY => headers.expiry = Some(time(value)?),
            _ => headers.others.push(name),
        }
    }
    let algorithm = algorithm.ok_or(Wrong::Damaged("it does not say how it is signed"))?;
    Ok((algorithm, headers))
}

fn of(name: &str) -> Result<Algorithm, Wrong> {
    match name {
        "PS256" => Ok(Algorithm::Ps256),
        "PS384" => Ok(Algorithm::Ps384),
        "PS512" => Ok(Algorithm::Ps512),
        "ES256" => Ok(Algorithm::Es256),
        "ES384" => Ok(Algorithm::Es384),
        "ES512" => Ok(Algorithm::Es512),
        _ => Err(Wrong::Damaged(
            "it is signed in a way that notation does not sign in",
        )),
    }
}

fn text(value: Value) -> Result<String, Wrong> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Wrong::Damaged("a header of it is no text")),
    }
}

fn time(value: Value) -> Result<Timestamp, Wrong> {
    text(value)?
        .parse()
        .map_err(|_| Wrong::Damaged("a time of it is none"))
}
