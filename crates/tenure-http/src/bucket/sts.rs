//! User and password of a directory, as MinIO takes them, or the token of a workload, as AWS does, for short-lived keys of
//! a bucket.

use reqwest::Url;
use tenure_core::{Secret, SourceUrl};
use tenure_net::Outbound;
use tenure_net::aws::Keys;

use super::exchange::post;
use super::xml::{Part, Parts, decode};
use crate::transfer::within;
use crate::{HttpError, Limits};

/// Who changes what for keys. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Ldap {
    /// The service that does it.
    pub endpoint: SourceUrl,
    /// In the directory.
    pub username: String,
    /// In the directory.
    pub password: Secret,
    /// How to reach the service.
    pub outbound: Outbound,
}

/// A workload that a role of AWS trusts. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Web {
    /// The service that gives the role's keys.
    pub endpoint: SourceUrl,
    /// `arn:aws:iam::…:role/…`
    pub role: String,
    /// The workload's, with audience `sts.amazonaws.com`.
    pub token: Secret,
    /// How to reach the service.
    pub outbound: Outbound,
}

const VERSION: &str = "2011-06-15";

/// Keys for user and password.
///
/// # Errors
/// [`HttpError`].
pub(super) async fn exchange(ldap: &Ldap, limits: &Limits) -> Result<Keys, HttpError> {
    let shown = format!("the STS at {}", ldap.endpoint);
    let form = [
        ("Action", "AssumeRoleWithLDAPIdentity"),
        ("Version", VERSION),
        ("LDAPUsername", &ldap.username),
        ("LDAPPassword", text(&shown, &ldap.password, "the password")?),
    ];
    let asked = ask(
        &ldap.endpoint,
        &ldap.outbound,
        &shown,
        (&form, "user and password"),
    );
    within(&shown, limits, asked).await
}

impl Web {
    /// Gets keys of the role.
    ///
    /// # Errors
    /// [`HttpError`].
    pub(super) async fn keys(&self, limits: &Limits) -> Result<Keys, HttpError> {
        let shown = format!("the STS at {}", self.endpoint);
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", VERSION),
            ("RoleArn", &self.role),
            ("RoleSessionName", "tenure"),
            (
                "WebIdentityToken",
                text(&shown, &self.token, "the workload's token")?,
            ),
        ];
        let asked = ask(
            &self.endpoint,
            &self.outbound,
            &shown,
            (&form, "the workload's token for the role"),
        );
        within(&shown, limits, asked).await
    }
}

fn text<'s>(shown: &str, secret: &'s Secret, what: &str) -> Result<&'s str, HttpError> {
    secret
        .expose_str()
        .ok_or_else(|| HttpError::AuthenticationFailed {
            remote: shown.to_owned(),
            message: format!("{what} is not text"),
        })
}

async fn ask(
    endpoint: &SourceUrl,
    outbound: &Outbound,
    shown: &str,
    (form, what): (&[(&str, &str)], &str),
) -> Result<Keys, HttpError> {
    let (scheme, host, port, path) = (
        endpoint.scheme(),
        endpoint.host(),
        endpoint.port(),
        endpoint.path(),
    );
    let url = Url::parse(&format!("{scheme}://{host}:{port}{path}")).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| HttpError::InvalidReference {
        remote: shown.to_owned(),
        message: "it is not an http or https URL".to_owned(),
    })?;
    let (status, bytes) = post(outbound, url, shown, form).await?;
    if !status.is_success() {
        return Err(HttpError::AuthenticationFailed {
            remote: shown.to_owned(),
            message: format!("it does not accept {what} (HTTP {})", status.as_u16()),
        });
    }
    let keys = std::str::from_utf8(&bytes).ok().and_then(read);
    keys.ok_or_else(|| HttpError::Malformed {
        remote: shown.to_owned(),
        message: "its answer is not understood".to_owned(),
    })
}

/// Reads the answer to either.
fn read(text: &str) -> Option<Keys> {
    let mut inside: Vec<&str> = Vec::new();
    let (mut access, mut secret, mut token) = (None, None, None);
    let mut parts = Parts::new(text);
    for part in parts.by_ref() {
        match part {
            Part::Open(name) if inside.len() < 16 => inside.push(name),
            Part::Open(_) => return None,
            Part::Close(_) => drop(inside.pop()),
            Part::Text(text) => match inside.as_slice() {
                [.., "Credentials", "AccessKeyId"] => access = decode(text),
                [.., "Credentials", "SecretAccessKey"] => secret = decode(text),
                [.., "Credentials", "SessionToken"] => token = decode(text),
                _ => {}
            },
        }
    }
    parts.at_end().then_some(Keys {
        access_key: access?,
        secret_key: Secret::from(secret?),
        session_token: token.map(Secret::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_is_documented() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<AssumeRoleWithLDAPIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithLDAPIdentityResult><AssumedRoleUser><Arn/><AssumeRoleId/></AssumedRoleUser><Credentials><AccessKeyId>ID</AccessKeyId><SecretAccessKey>a&amp;b</SecretAccessKey><Expiration>2026-01-01T00:00:00Z</Expiration><SessionToken>T</SessionToken></Credentials></AssumeRoleWithLDAPIdentityResult><ResponseMetadata/></AssumeRoleWithLDAPIdentityResponse>";
        let keys = read(text).expect("keys");
        assert_eq!(keys.access_key, "ID");
        assert_eq!(keys.secret_key.expose_str(), Some("a&b"));
        assert_eq!(
            keys.session_token
                .and_then(|t| t.expose_str().map(str::to_owned))
                .as_deref(),
            Some("T")
        );
        for bad in [
            "",
            "<a/>",
            "<Credentials><AccessKeyId>ID</AccessKeyId></Credentials>",
            "{}",
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
