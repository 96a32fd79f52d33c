//! A workload's token for keys, or for a token of the cloud's own.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use tenure_core::Secret;
use zeroize::Zeroizing;

use super::{Access, CloudError, Identity, Places, Talk, Workload};
use crate::aws::{Keys, encode};
use crate::{Hidden, Outbound};

pub(super) const AWS: &str = "AWS";
pub(super) const GOOGLE: &str = "Google Cloud";
pub(super) const AZURE: &str = "Azure";

const GOOGLE_STS: &str = "https://sts.googleapis.com/v1/token";
const GOOGLE_IAM: &str = "https://iamcredentials.googleapis.com";
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const AZURE_AUTHORITY: &str = "https://login.microsoftonline.com";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// What a cloud gives a token unless it says so.
const HOUR: u64 = 3600;

#[derive(Deserialize)]
struct Granted {
    access_token: Hidden,
    #[serde(default)]
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: Hidden,
}

/// Where AWS has its services in a region.
#[must_use]
pub(super) fn domain(region: &str) -> &'static str {
    match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    }
}

impl Workload {
    /// Keys of its role, good for an hour.
    ///
    /// # Errors
    /// It is none of AWS; AWS refuses or can't be reached.
    pub async fn aws_keys(
        &self,
        region: &str,
        outbound: &Outbound,
        places: &Places,
    ) -> Result<Keys, CloudError> {
        let talk = Talk::open(outbound, AWS)?;
        let Identity::Aws { role } = &self.identity else {
            return Err(talk.refused("the workload has no role there"));
        };
        let usual = format!("https://sts.{region}.{}/", domain(region));
        let sts = talk.url(places.aws_sts.as_deref().unwrap_or(&usual))?;
        let body = Talk::form(&[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", role),
            ("RoleSessionName", "tenure"),
            ("WebIdentityToken", talk.text(&self.token)?),
        ]);
        let answer = talk.send(Method::POST, &sts, &[Talk::FORM], &body).await?;
        keys(&answer).ok_or_else(|| talk.unavailable("the answer has no keys"))
    }

    /// A token for Google's services.
    ///
    /// # Errors
    /// It is none of Google Cloud; Google refuses or can't be reached.
    pub async fn google_token(&self, outbound: &Outbound, places: &Places) -> Result<Access, CloudError> {
        let talk = Talk::open(outbound, GOOGLE)?;
        let Identity::Google { service_account, .. } = &self.identity else {
            return Err(talk.refused("the workload is no principal there"));
        };
        let sts = talk.url(places.google_sts.as_deref().unwrap_or(GOOGLE_STS))?;
        let ask = serde_json::json!({
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": self.identity.audience(),
            "scope": GOOGLE_SCOPE,
            "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
            "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
            "subjectToken": talk.text(&self.token)?,
        });
        let ask = Zeroizing::new(ask.to_string());
        let got: Granted = talk.json(&sts, &[Talk::JSON], ask.as_bytes()).await?;
        let Some(account) = service_account else {
            return Ok(access(&got));
        };
        let iam = places.google_iam.as_deref().unwrap_or(GOOGLE_IAM);
        let account = encode(account, true);
        let place = format!("{iam}/v1/projects/-/serviceAccounts/{account}:generateAccessToken");
        let bearer = Zeroizing::new(format!("Bearer {}", &*got.access_token));
        let ask = serde_json::json!({"scope": [GOOGLE_SCOPE]}).to_string();
        let headers = [Talk::JSON, ("authorization", bearer.as_bytes())];
        let got: Impersonated = talk.json(&talk.url(&place)?, &headers, ask.as_bytes()).await?;
        Ok(Access {
            token: Secret::new(got.access_token.as_bytes()),
            good_for: Duration::from_secs(HOUR),
        })
    }

    /// A token of Azure's for one of its services, `scope`.
    ///
    /// # Errors
    /// It is none of Azure; Azure refuses or can't be reached.
    pub async fn azure_token(
        &self,
        scope: &str,
        outbound: &Outbound,
        places: &Places,
    ) -> Result<Access, CloudError> {
        let talk = Talk::open(outbound, AZURE)?;
        let Identity::Azure { tenant_id, client_id } = &self.identity else {
            return Err(talk.refused("the workload is no application there"));
        };
        let authority = places.azure_authority.as_deref().unwrap_or(AZURE_AUTHORITY);
        let tenant = encode(tenant_id, true);
        let place = talk.url(&format!("{authority}/{tenant}/oauth2/v2.0/token"))?;
        let body = Talk::form(&[
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("scope", scope),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", talk.text(&self.token)?),
        ]);
        let got: Granted = talk.json(&place, &[Talk::FORM], &body).await?;
        Ok(access(&got))
    }
}

fn access(granted: &Granted) -> Access {
    Access {
        token: Secret::new(granted.access_token.as_bytes()),
        good_for: Duration::from_secs(granted.expires_in.unwrap_or(HOUR)),
    }
}

/// The keys in STS's XML, whose elements have neither attributes nor entities.
fn keys(xml: &[u8]) -> Option<Keys> {
    let xml = std::str::from_utf8(xml).ok()?;
    let element = |name: &str| {
        let (_, rest) = xml.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once(&format!("</{name}>"))?;
        Some(value.trim().to_owned()).filter(|v| !v.is_empty() && !v.contains(['<', '&']))
    };
    Some(Keys {
        access_key: element("AccessKeyId")?,
        secret_key: Secret::from(element("SecretAccessKey")?),
        session_token: Some(Secret::from(element("SessionToken")?)),
    })
}
