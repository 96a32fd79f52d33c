use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tenure_core::Secret;
use tenure_net::Outbound;

use super::{Cloud, Lease, Login, text};
use crate::hidden::Hidden;
use crate::{Credential, OciError, Repository};

const WHO: &str = "Google Cloud";
const STS: &str = "https://sts.googleapis.com/v1/token";
const IAM: &str = "https://iamcredentials.googleapis.com";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// The user that stands for a token.
const USER: &str = "oauth2accesstoken";
const KIND: (&str, &[u8]) = ("content-type", b"application/json");
/// What Google gives a token unless told otherwise.
const HOUR: u64 = 3600;

/// Google's registries: Artifact Registry, and the older one.
#[derive(Clone, Debug)]
pub struct Gar {
    /// The pool's provider that trusts the token's issuer: `//iam.googleapis.com/projects/…/providers/…`.
    pub audience: String,
    /// The token of a workload, with that audience.
    pub token: Secret,
    /// The service account to act as, if the pool's own rights are not enough.
    pub service_account: Option<String>,
    /// Instead of `https://sts.googleapis.com/v1/token`.
    pub sts_endpoint: Option<String>,
    /// Instead of `https://iamcredentials.googleapis.com`.
    pub iam_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct Federated {
    access_token: Hidden,
    #[serde(default)]
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: Hidden,
}

#[async_trait]
impl Login for Gar {
    fn serves(&self, repository: &Repository) -> bool {
        let registry = repository.registry();
        registry == "gcr.io" || [".gcr.io", ".pkg.dev"].iter().any(|domain| registry.ends_with(domain))
    }

    async fn log_in(&self, repository: &Repository, outbound: &Outbound) -> Result<Lease, OciError> {
        let cloud = Cloud::open(self, WHO, repository, outbound)?;
        let sts = cloud.url(self.sts_endpoint.as_deref().unwrap_or(STS))?;
        let ask = serde_json::json!({
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": self.audience,
            "scope": SCOPE,
            "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
            "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
            "subjectToken": text(&cloud, &self.token)?,
        });
        let got: Federated = cloud.json(&sts, &[KIND], ask.to_string().as_bytes()).await?;
        let (token, good_for) = match &self.service_account {
            None => (got.access_token, got.expires_in.unwrap_or(HOUR)),
            Some(account) => (self.impersonate(&cloud, account, &got.access_token).await?, HOUR),
        };
        Ok(Lease {
            credential: Credential::Basic {
                username: USER.to_owned(),
                password: Secret::new(token.as_bytes()),
            },
            good_for: Duration::from_secs(good_for),
        })
    }
}

impl Gar {
    async fn impersonate(&self, cloud: &Cloud, account: &str, token: &str) -> Result<Hidden, OciError> {
        let iam = self.iam_endpoint.as_deref().unwrap_or(IAM);
        let account = tenure_net::aws::encode(account, true);
        let place = format!("{iam}/v1/projects/-/serviceAccounts/{account}:generateAccessToken");
        let bearer = zeroize::Zeroizing::new(format!("Bearer {token}"));
        let ask = serde_json::json!({"scope": [SCOPE]}).to_string();
        let headers = [KIND, ("authorization", bearer.as_bytes())];
        let got: Impersonated = cloud.json(&cloud.url(&place)?, &headers, ask.as_bytes()).await?;
        Ok(got.access_token)
    }
}
