//! AWS's signature, version 4: what proves to a service of AWS, or to one that speaks like it, who asks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Url;
use sha2::Sha256;
use tenure_core::{Digest, Secret};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The keys of an account. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Says which.
    pub access_key: String,
    /// Signs.
    pub secret_key: Secret,
    /// Belongs to keys that expire.
    pub session_token: Option<Secret>,
}

/// What a signature is good for.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The region, as `eu-west-1`.
    pub region: &'a str,
    /// The service, as `ecr` or `s3`.
    pub service: &'a str,
    /// Now; a service accepts some minutes of difference.
    pub at: SystemTime,
}

impl Keys {
    /// The headers that a request has to have besides `headers`, names in lower case: who asks, when, and the
    /// signature. `url`'s path and query have to be encoded by [`encode`].
    #[must_use]
    pub fn sign(
        &self,
        scope: Scope<'_>,
        method: &str,
        url: &Url,
        headers: &[(&str, &str)],
        payload: &[u8],
    ) -> Vec<(&'static str, Secret)> {
        let time = stamp(scope.at);
        let day = time.get(..8).unwrap_or_default();
        let payload = Digest::of(payload).hex();
        let host = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        let mut signed: BTreeMap<&str, &str> = headers.iter().copied().collect();
        signed.insert("host", &host);
        signed.insert("x-amz-date", &time);
        if scope.service == "s3" {
            signed.insert("x-amz-content-sha256", &payload);
        }
        let session = self.session_token.as_ref().and_then(Secret::expose_str);
        if let Some(token) = session {
            signed.insert("x-amz-security-token", token);
        }
        let names = signed.keys().copied().collect::<Vec<_>>().join(";");
        let lines: String = signed.iter().fold(String::new(), |mut all, (name, value)| {
            let _ = writeln!(all, "{name}:{}", value.trim());
            all
        });
        let mut query: Vec<&str> = url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|p| !p.is_empty())
            .collect();
        query.sort_unstable_by_key(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let request = format!(
            "{method}\n{}\n{}\n{lines}\n{names}\n{payload}",
            url.path(),
            query.join("&")
        );
        let place = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
        let signature = self.signature(scope, &time, &place, &request);
        let authorization = format!(
            "{ALGORITHM} Credential={}/{place}, SignedHeaders={names}, Signature={signature}",
            self.access_key
        );
        let mut all = vec![
            ("authorization", Secret::from(authorization)),
            ("x-amz-date", Secret::from(time.clone())),
        ];
        if scope.service == "s3" {
            all.push(("x-amz-content-sha256", Secret::from(payload)));
        }
        if let Some(token) = session {
            all.push(("x-amz-security-token", Secret::from(token.to_owned())));
        }
        all
    }
}

impl Keys {
    /// A `GET` of `url` that whoever has it may send within so many seconds, with these headers besides, names in lower case and
    /// in order.
    #[must_use]
    pub fn presign(&self, scope: Scope<'_>, url: &Url, headers: &[(&str, &str)], seconds: u32) -> Secret {
        let time = stamp(scope.at);
        let day = time.get(..8).unwrap_or_default();
        let place = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
        let host = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        let signed: BTreeMap<&str, &str> = headers.iter().copied().chain([("host", &*host)]).collect();
        let names = signed.keys().copied().collect::<Vec<_>>().join(";");
        let mut query: Vec<String> = url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(str::to_owned)
            .collect();
        query.extend([
            format!("X-Amz-Algorithm={ALGORITHM}"),
            format!(
                "X-Amz-Credential={}",
                encode(&format!("{}/{place}", self.access_key), true)
            ),
            format!("X-Amz-Date={time}"),
            format!("X-Amz-Expires={seconds}"),
            format!("X-Amz-SignedHeaders={}", encode(&names, true)),
        ]);
        let session = self.session_token.as_ref().and_then(Secret::expose_str);
        query.extend(session.map(|token| format!("X-Amz-Security-Token={}", encode(token, true))));
        query.sort_unstable();
        let query = query.join("&");
        let lines: String = signed
            .iter()
            .map(|(name, value)| format!("{name}:{}\n", value.trim()))
            .collect();
        let request = format!(
            "GET\n{}\n{query}\n{lines}\n{names}\n{}",
            url.path(),
            Digest::of(b"").hex()
        );
        let signature = self.signature(scope, &time, &place, &request);
        let origin = url.origin().ascii_serialization();
        Secret::from(format!(
            "{origin}{}?{query}&X-Amz-Signature={signature}",
            url.path()
        ))
    }

    fn signature(&self, scope: Scope<'_>, time: &str, place: &str, request: &str) -> String {
        let text = format!(
            "{ALGORITHM}\n{time}\n{place}\n{}",
            Digest::of(request.as_bytes()).hex()
        );
        let day = time.get(..8).unwrap_or_default();
        let mut key = [b"AWS4", self.secret_key.expose()].concat();
        for part in [day, scope.region, scope.service, "aws4_request"] {
            key = mac(&key, part.as_bytes());
        }
        let signature = hex(&mac(&key, text.as_bytes()));
        zeroize::Zeroize::zeroize(&mut key);
        signature
    }
}

/// Encodes a part of a path or a query as the signature wants it: all but letters, digits, `-`, `.`, `_` and `~`,
/// and `/` where `slash` says so.
#[must_use]
pub fn encode(text: &str, slash: bool) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(b)),
            b'/' if !slash => out.push('/'),
            _ => {
                let _ = write!(out, "%{b:02X}");
            }
        }
        out
    })
}

fn stamp(at: SystemTime) -> String {
    let at = jiff::Timestamp::try_from(at).unwrap_or_default();
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The HMAC-SHA256 of `text`.
///
/// # Panics
/// Never: it takes keys of every length.
#[must_use]
pub fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// What AWS's library for Go makes of the same.
    #[test]
    fn a_signed_url_is_that_of_the_clouds_own_library() {
        let keys = Keys {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: Secret::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
            session_token: Some(Secret::from("session/token+1".to_owned())),
        };
        let scope = Scope {
            region: "eu-west-1",
            service: "sts",
            at: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        };
        let url = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
        let signed = keys.presign(
            scope,
            &url.parse().expect("a URL"),
            &[("x-k8s-aws-id", "prod")],
            60,
        );
        assert_eq!(
            signed.expose_str(),
            Some(
                "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
                 &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20231114%2Feu-west-1%2Fsts%2Faws4_request\
                 &X-Amz-Date=20231114T221320Z&X-Amz-Expires=60&X-Amz-Security-Token=session%2Ftoken%2B1\
                 &X-Amz-SignedHeaders=host%3Bx-k8s-aws-id\
                 &X-Amz-Signature=4086a482387cdff4f8104989080951918276867681b3257e1c74797991a8e751"
            )
        );
    }

    #[test]
    fn a_signature_is_that_of_the_documentation() {
        let keys = Keys {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: Secret::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
            session_token: None,
        };
        let scope = Scope {
            region: "us-east-1",
            service: "iam",
            at: UNIX_EPOCH + Duration::from_secs(1_440_938_160),
        };
        let url =
            Url::parse("https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers").expect("a URL");
        let kind = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let headers = keys.sign(scope, "GET", &url, &kind, b"");
        assert_eq!(
            headers[0].1.expose_str(),
            Some(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date, \
                 Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
            )
        );
        assert_eq!(headers[1].1.expose_str(), Some("20150830T123600Z"));
        assert!(!format!("{keys:?}").contains("wJalr"));
    }

    #[test]
    fn what_a_key_of_a_bucket_may_hold_is_encoded() {
        assert_eq!(encode("a b/ü+=~.txt", false), "a%20b/%C3%BC%2B%3D~.txt");
        assert_eq!(encode("a/b", true), "a%2Fb");
    }
}
