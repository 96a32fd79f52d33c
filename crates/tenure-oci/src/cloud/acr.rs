use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tenure_core::Secret;
use tenure_net::cloud::{Places, Talk, Workload};
use tenure_net::{Hidden, Outbound};

use super::{Lease, Login, about, talk};
use crate::{Credential, OciError, Repository};

const WHO: &str = "Azure";
const SCOPE: &str = "https://containerregistry.azure.net/.default";
/// The user that stands for a token.
const USER: &str = "00000000-0000-0000-0000-000000000000";
/// What Azure documents as the life of a registry's refresh token.
const HOURS: Duration = Duration::from_secs(3 * 3600);

/// Azure's registries.
#[derive(Clone, Debug)]
pub struct Acr {
    /// An application of Azure.
    pub workload: Workload,
    /// Instead of `https://login.microsoftonline.com`.
    pub authority: Option<String>,
    /// Instead of `https://<registry>`.
    pub exchange_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: Hidden,
}

#[async_trait]
impl Login for Acr {
    fn serves(&self, repository: &Repository) -> bool {
        let domains = [".azurecr.io", ".azurecr.cn", ".azurecr.us"];
        domains
            .iter()
            .any(|domain| repository.registry().ends_with(domain))
    }

    async fn log_in(&self, repository: &Repository, outbound: &Outbound) -> Result<Lease, OciError> {
        let cloud = talk(self, WHO, repository, outbound)?;
        let failed = |error| about(repository, error);
        let places = Places {
            azure_authority: self.authority.clone(),
            ..Places::default()
        };
        let access = self.workload.azure_token(SCOPE, outbound, &places).await;
        let access = access.map_err(failed)?;
        let registry = repository.registry();
        let usual = format!("https://{registry}");
        let exchange = self.exchange_endpoint.as_deref().unwrap_or(&usual);
        let body = Talk::form(&[
            ("grant_type", "access_token"),
            ("service", registry),
            ("access_token", cloud.text(&access.token).map_err(failed)?),
        ]);
        let place = cloud
            .url(&format!("{exchange}/oauth2/exchange"))
            .map_err(failed)?;
        let refresh: Refresh = cloud.json(&place, &[Talk::FORM], &body).await.map_err(failed)?;
        Ok(Lease {
            credential: Credential::Basic {
                username: USER.to_owned(),
                password: Secret::new(refresh.refresh_token.as_bytes()),
            },
            good_for: HOURS,
        })
    }
}
