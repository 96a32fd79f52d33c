//! User and password of a directory for short-lived keys of a bucket, as MinIO gives them.

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

/// Keys for user and password.
///
/// # Errors
/// [`HttpError`].
pub(super) async fn exchange(ldap: &Ldap, limits: &Limits) -> Result<Keys, HttpError> {
    let shown = format!("the STS at {}", ldap.endpoint);
    within(&shown, limits, ask(ldap, &shown)).await
}

async fn ask(ldap: &Ldap, shown: &str) -> Result<Keys, HttpError> {
    let refused = |message: String| HttpError::AuthenticationFailed {
        remote: shown.to_owned(),
        message,
    };
    let endpoint = &ldap.endpoint;
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
    let password = ldap.password.expose_str();
    let password = password.ok_or_else(|| refused("the password is not text".to_owned()))?;
    let form = [
        ("Action", "AssumeRoleWithLDAPIdentity"),
        ("Version", "2011-06-15"),
        ("LDAPUsername", &ldap.username),
        ("LDAPPassword", password),
    ];
    let (status, bytes) = post(&ldap.outbound, url, shown, &form).await?;
    if !status.is_success() {
        return Err(refused(format!(
            "it does not accept user and password (HTTP {})",
            status.as_u16()
        )));
    }
    let keys = std::str::from_utf8(&bytes).ok().and_then(read);
    keys.ok_or_else(|| HttpError::Malformed {
        remote: shown.to_owned(),
        message: "its answer is not understood".to_owned(),
    })
}

/// Reads an `AssumeRoleWithLDAPIdentityResponse`.
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
