use async_trait::async_trait;
use tenure_net::Outbound;
use tenure_net::cloud::{Places, Workload};

use super::{Lease, Login, about, talk};
use crate::{Credential, OciError, Repository};

const WHO: &str = "Google Cloud";
/// The user that stands for a token.
const USER: &str = "oauth2accesstoken";

/// Google's registries: Artifact Registry, and the older one.
#[derive(Clone, Debug)]
pub struct Gar {
    /// A principal of Google Cloud.
    pub workload: Workload,
    /// Instead of `https://sts.googleapis.com/v1/token`.
    pub sts_endpoint: Option<String>,
    /// Instead of `https://iamcredentials.googleapis.com`.
    pub iam_endpoint: Option<String>,
}

#[async_trait]
impl Login for Gar {
    fn serves(&self, repository: &Repository) -> bool {
        let registry = repository.registry();
        registry == "gcr.io"
            || [".gcr.io", ".pkg.dev"]
                .iter()
                .any(|domain| registry.ends_with(domain))
    }

    async fn log_in(&self, repository: &Repository, outbound: &Outbound) -> Result<Lease, OciError> {
        talk(self, WHO, repository, outbound)?;
        let places = Places {
            google_sts: self.sts_endpoint.clone(),
            google_iam: self.iam_endpoint.clone(),
            ..Places::default()
        };
        let access = self.workload.google_token(outbound, &places).await;
        let access = access.map_err(|error| about(repository, error))?;
        Ok(Lease {
            credential: Credential::Basic {
                username: USER.to_owned(),
                password: access.token,
            },
            good_for: access.good_for,
        })
    }
}
