//! Signature version 4 of AWS, for requests with a body.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What is signed; header names are in lower case and sorted.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
    /// As `YYYYMMDDTHHMMSSZ`.
    pub(super) time: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// The value of the header `authorization`.
pub(super) fn authorization(signed: &Signed<'_>, key_id: &str, secret: &str) -> String {
    let date = signed.time.get(..8).unwrap_or_default();
    let scope = format!("{date}/{}/{}/aws4_request", signed.region, signed.service);
    let headers: String = signed
        .headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let names = signed
        .headers
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(";");
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{names}\n{}",
        signed.method,
        signed.path,
        signed.query,
        hex(&Sha256::digest(signed.body))
    );
    let text = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        signed.time,
        hex(&Sha256::digest(canonical))
    );
    let key = key(secret, date, signed.region, signed.service);
    format!(
        "AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={}",
        hex(&mac(&key, &text))
    )
}

fn key(secret: &str, date: &str, region: &str, service: &str) -> Zeroizing<Vec<u8>> {
    let start = Zeroizing::new(format!("AWS4{secret}").into_bytes());
    [date, region, service, "aws4_request"]
        .into_iter()
        .fold(start, |key, part| mac(&key, part))
}

fn mac(key: &[u8], text: &str) -> Zeroizing<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// The example of the documentation of signature version 4, "Create a signed AWS API request".
    #[test]
    fn the_documented_example_gets_the_documented_signature() {
        let key = key(SECRET, "20150830", "us-east-1", "iam");
        assert_eq!(
            hex(&key),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        );
        let signed = Signed {
            method: "GET",
            path: "/",
            query: "Action=ListUsers&Version=2010-05-08",
            headers: &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
            ],
            body: b"",
            time: "20150830T123600Z",
            region: "us-east-1",
            service: "iam",
        };
        assert_eq!(
            authorization(&signed, "AKIDEXAMPLE", SECRET),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }
}
