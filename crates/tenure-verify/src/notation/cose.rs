//! Envelopes of CBOR.

use coset::cbor::value::Value;
use coset::iana::Algorithm as Known;
use coset::{
    Algorithm as Coded, ContentType, CoseSign1, Header, Label, RegisteredLabelWithPrivate,
    TaggedCborSerializable as _,
};
use jiff::Timestamp;

use super::Wrong;
use super::envelope::{AUTHENTIC_TIME, Algorithm, EXPIRY, Headers, Parts, SCHEME, TIME};

pub(super) const MEDIA_TYPE: &str = "application/cose";
/// The header with certificates, x5chain.
const CHAIN: i64 = 33;
/// What marks a number of seconds since 1970.
const SECONDS: u64 = 1;

pub(super) fn read(bytes: &[u8]) -> Result<Parts, Wrong> {
    let message =
        CoseSign1::from_tagged_slice(bytes).map_err(|_| Wrong::Damaged("it is no envelope in CBOR"))?;
    let certificates = certificates(&message.unprotected)?;
    let (algorithm, headers) = headers(&message.protected.header)?;
    let signed = message.tbs_data(&[]);
    let payload = message.payload.ok_or(Wrong::Damaged("it has no payload"))?;
    Ok(Parts {
        algorithm,
        message: signed,
        signature: message.signature,
        payload,
        certificates,
        headers,
    })
}

fn certificates(header: &Header) -> Result<Vec<Vec<u8>>, Wrong> {
    let damaged = Wrong::Damaged("its certificates are no list");
    let mut found = header
        .rest
        .iter()
        .filter(|(label, _)| *label == Label::Int(CHAIN));
    let Some((_, Value::Array(all))) = found.next() else {
        return Err(damaged);
    };
    let all: Option<Vec<_>> = all.iter().map(|one| one.as_bytes().cloned()).collect();
    all.ok_or(damaged)
}

fn headers(protected: &Header) -> Result<(Algorithm, Headers), Wrong> {
    let mut headers = Headers::default();
    let algorithm = match &protected.alg {
        Some(Coded::Assigned(Known::PS256)) => Algorithm::Ps256,
        Some(Coded::Assigned(Known::PS384)) => Algorithm::Ps384,
        Some(Coded::Assigned(Known::PS512)) => Algorithm::Ps512,
        Some(Coded::Assigned(Known::ES256)) => Algorithm::Es256,
        Some(Coded::Assigned(Known::ES384)) => Algorithm::Es384,
        Some(Coded::Assigned(Known::ES512)) => Algorithm::Es512,
        _ => {
            return Err(Wrong::Damaged(
                "it is signed in a way that notation does not sign in",
            ));
        }
    };
    if let Some(ContentType::Text(text)) = &protected.content_type {
        headers.content_type.clone_from(text);
    }
    for name in &protected.crit {
        let name = match name {
            RegisteredLabelWithPrivate::Text(text) => text.clone(),
            other => format!("{other:?}"),
        };
        headers.critical.push(name);
    }
    for (label, value) in &protected.rest {
        let Label::Text(name) = label else {
            headers.others.push(format!("{label:?}"));
            continue;
        };
        match name.as_str() {
            SCHEME => {
                let text = value
                    .as_text()
                    .ok_or(Wrong::Damaged("a header of it is no text"))?;
                text.clone_into(&mut headers.scheme);
            }
            TIME => headers.time = Some(time(value)?),
            AUTHENTIC_TIME => headers.authentic_time = Some(time(value)?),
            EXPIRY => headers.expiry = Some(time(value)?),
            _ => headers.others.push(name.clone()),
        }
    }
    Ok((algorithm, headers))
}

fn time(value: &Value) -> Result<Timestamp, Wrong> {
    let wrong = Wrong::Damaged("a time of it is none");
    let Value::Tag(SECONDS, inner) = value else {
        return Err(wrong);
    };
    let seconds = inner.as_integer().and_then(|number| i64::try_from(number).ok());
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.ok_or(wrong)
}
