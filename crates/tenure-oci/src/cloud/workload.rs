use serde::{Deserialize, Serialize};
use tenure_core::Secret;
use tenure_net::Outbound;

use super::{Acr, AwsIdentity, Ecr, Gar, Lease, Login};
use crate::{OciError, Repository};

/// Who a workload is to a cloud that trusts the cluster's issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    /// A role of AWS.
    Aws {
        /// `arn:aws:iam::…:role/…`.
        role: String,
    },
    /// A principal of a workload identity pool of Google Cloud.
    Google {
        /// `projects/…/locations/global/workloadIdentityPools/…/providers/…`.
        provider: String,
        /// The service account to act as, if the principal's own rights are not meant.
        service_account: Option<String>,
    },
    /// An application or a managed identity of Azure, with a federated credential.
    Azure {
        /// The directory.
        tenant_id: String,
        /// The application, or the managed identity.
        client_id: String,
    },
}

impl Identity {
    /// The cloud, as `spec.provider` names it.
    #[must_use]
    pub const fn provider(&self) -> &'static str {
        match self {
            Self::Aws { .. } => "aws",
            Self::Google { .. } => "gcp",
            Self::Azure { .. } => "azure",
        }
    }

    /// The audience that the workload's token needs.
    #[must_use]
    pub fn audience(&self) -> String {
        match self {
            Self::Aws { .. } => "sts.amazonaws.com".to_owned(),
            Self::Google { provider, .. } => format!("//iam.googleapis.com/{provider}"),
            Self::Azure { .. } => "api://AzureADTokenExchange".to_owned(),
        }
    }
}

/// A workload at the door of a cloud.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Who it is there.
    pub identity: Identity,
    /// What proves it: a token of the cluster's issuer, with the identity's audience.
    pub token: Secret,
}

impl Workload {
    /// Changes the token for a credential of the repository's registry.
    ///
    /// # Errors
    /// [`OciError`]: the registry is none of that cloud, the cloud refuses, or cannot be reached.
    pub async fn log_in(&self, repository: &Repository, outbound: &Outbound) -> Result<Lease, OciError> {
        let token = self.token.clone();
        match self.identity.clone() {
            Identity::Aws { role } => {
                let ecr = Ecr {
                    identity: AwsIdentity::Web { role, token },
                    endpoint: None,
                    sts_endpoint: None,
                };
                ecr.log_in(repository, outbound).await
            }
            Identity::Google { service_account, .. } => {
                let gar = Gar {
                    audience: self.identity.audience(),
                    token,
                    service_account,
                    sts_endpoint: None,
                    iam_endpoint: None,
                };
                gar.log_in(repository, outbound).await
            }
            Identity::Azure { tenant_id, client_id } => {
                let acr = Acr {
                    tenant_id,
                    client_id,
                    token,
                    authority: None,
                    exchange_endpoint: None,
                };
                acr.log_in(repository, outbound).await
            }
        }
    }
}
