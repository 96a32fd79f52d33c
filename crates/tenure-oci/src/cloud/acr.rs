use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tenure_core::Secret;
use tenure_net::Outbound;

use super::{Cloud, FORM, Lease, Login, form, text};
use crate::hidden::Hidden;
use crate::{Credential, OciError, Repository};

const WHO: &str = "Azure";
const AUTHORITY: &str = "https://login.microsoftonline.com";
const SCOPE: &str = "https://containerregistry.azure.net/.default";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The user that stands for a token.
const USER: &str = "00000000-0000-0000-0000-000000000000";
/// What Azure documents as the life of a registry's refresh token.
const HOURS: Duration = Duration::from_secs(3 * 3600);

/// Azure's registries.
#[derive(Clone, Debug)]
pub struct Acr {
    /// The directory.
    pub tenant_id: String,
    /// The application, or the managed identity, that trusts the token's issuer.
    pub client_id: String,
    /// The token of a workload, with audience `api://AzureADTokenExchange`.
    pub token: Secret,
    /// Instead of `https://login.microsoftonline.com`.
    pub authority: Option<String>,
    /// Instead of `https://<registry>`.
    pub exchange_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct Access {
    access_token: Hidden,
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: Hidden,
}

#[async_trait]
impl Login for Acr {
    fn serves(&self, repository: &Repository) -> bool {
        let domains = [".azurecr.io", ".azurecr.cn", ".azurecr.us"];
        domains.iter().any(|domain| repository.registry().ends_with(domain))
    }

    async fn log_in(&self, repository: &Repository, outbound: &Outbound) -> Result<Lease, OciError> {
        let cloud = Cloud::open(self, WHO, repository, outbound)?;
        let authority = self.authority.as_deref().unwrap_or(AUTHORITY);
        let tenant = tenure_net::aws::encode(&self.tenant_id, true);
        let place = cloud.url(&format!("{authority}/{tenant}/oauth2/v2.0/token"))?;
        let body = form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("scope", SCOPE),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", text(&cloud, &self.token)?),
        ]);
        let access: Access = cloud.json(&place, &[FORM], &body).await?;
        let registry = repository.registry();
        let usual = format!("https://{registry}");
        let exchange = self.exchange_endpoint.as_deref().unwrap_or(&usual);
        let body = form(&[
            ("grant_type", "access_token"),
            ("service", registry),
            ("access_token", &access.access_token),
        ]);
        let refresh: Refresh =
            cloud.json(&cloud.url(&format!("{exchange}/oauth2/exchange"))?, &[FORM], &body).await?;
        Ok(Lease {
            credential: Credential::Basic {
                username: USER.to_owned(),
                password: Secret::new(refresh.refresh_token.as_bytes()),
            },
            good_for: HOURS,
        })
    }
}
