use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;
use zeroize::Zeroizing;

use super::sigv4::{Signed, authorization};
use super::{Http, Request, ask, header, key_of};
use crate::{KeyService, MasterKey, Recipient};

const WHAT: &str = "AWS KMS";

/// The Key Management Service of AWS, with static credentials: `TrentService.Decrypt` of its JSON protocol,
/// signed with version 4.
pub struct AwsKms {
    http: Arc<dyn Http>,
    key_id: String,
    secret: Zeroizing<String>,
    session: Option<Zeroizing<String>>,
}

impl AwsKms {
    /// With an access key, and the token of a session if it is of one.
    pub fn new(
        http: Arc<dyn Http>,
        key_id: String,
        secret: Zeroizing<String>,
        session: Option<Zeroizing<String>>,
    ) -> Self {
        Self {
            http,
            key_id,
            secret,
            session,
        }
    }

    fn request(&self, arn: &str, body: &[u8]) -> Result<Request, String> {
        let (region, host) = host(arn).ok_or_else(|| format!("no valid ARN of a key of KMS: {arn:?}"))?;
        let now = Timestamp::from_second(self.http.now()).map_err(|_| "the time is unknown".to_owned())?;
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut signed = vec![
            ("content-type", "application/x-amz-json-1.1"),
            ("host", &*host),
            ("x-amz-date", &*time),
        ];
        signed.extend(
            self.session
                .as_deref()
                .map(|token| ("x-amz-security-token", token.as_str())),
        );
        signed.push(("x-amz-target", "TrentService.Decrypt"));
        let authorization = authorization(
            &Signed {
                method: "POST",
                path: "/",
                query: "",
                headers: &signed,
                body,
                time: &time,
                region: &region,
                service: "kms",
            },
            &self.key_id,
            &self.secret,
        );
        let mut headers: Vec<_> = signed
            .iter()
            .filter(|(name, _)| *name != "host")
            .map(|(name, value)| header(name, *value))
            .collect();
        headers.push(header("authorization", authorization));
        Ok(Request {
            method: "POST",
            url: format!("https://{host}/"),
            headers,
            body: Zeroizing::new(body.to_vec()),
        })
    }
}

/// The region of an ARN, and the service's host there.
fn host(arn: &str) -> Option<(String, String)> {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next();
    let (start, partition, service, region) = (next()?, next()?, next()?, next()?);
    let (account, key) = (next()?, next()?);
    let is_word = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let good = start == "arn"
        && service == "kms"
        && is_word(region)
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && (key.starts_with("key/") || key.starts_with("alias/"));
    let end = match partition {
        "aws" | "aws-us-gov" => "amazonaws.com",
        "aws-cn" => "amazonaws.com.cn",
        _ => return None,
    };
    good.then(|| (region.to_owned(), format!("kms.{region}.{end}")))
}

impl KeyService for AwsKms {
    fn open(&self, recipient: &Recipient) -> Option<Result<Zeroizing<Vec<u8>>, String>> {
        let MasterKey::AwsKms { arn, role, context } = &recipient.key else {
            return None;
        };
        if !role.is_empty() {
            return Some(Err(format!(
                "the file asks to assume the role {role}, which is not supported"
            )));
        }
        let mut body = json!({"CiphertextBlob": recipient.encrypted, "KeyId": arn});
        if !context.is_empty() {
            body["EncryptionContext"] = json!(context);
        }
        let request = self.request(arn, body.to_string().as_bytes());
        let answer = request.and_then(|request| ask(&*self.http, request, WHAT));
        Some(answer.and_then(|answer| key_of(&answer, "/Plaintext", WHAT)))
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn only_arns_of_keys_name_a_host_and_it_is_one_of_aws() {
        let of = |arn: &str| host(arn).map(|(_, host)| host);
        assert_eq!(
            of("arn:aws:kms:eu-west-1:1:key/a").as_deref(),
            Some("kms.eu-west-1.amazonaws.com")
        );
        assert_eq!(
            of("arn:aws-cn:kms:cn-north-1:1:alias/a").as_deref(),
            Some("kms.cn-north-1.amazonaws.com.cn")
        );
        for arn in [
            "arn:aws:kms:evil.example/:1:key/a",
            "arn:aws:kms::1:key/a",
            "arn:aws:s3:eu-west-1:1:key/a",
            "arn:other:kms:eu-west-1:1:key/a",
            "arn:aws:kms:eu-west-1:1:grant/a",
            "",
        ] {
            assert_eq!(of(arn), None, "{arn}");
        }
    }
}
