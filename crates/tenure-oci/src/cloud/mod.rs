//! Logins at the registries of clouds: the token of a workload for the password of a registry, for some hours.

mod acr;
mod ecr;
mod gar;

use std::time::Duration;

use async_trait::async_trait;
use tenure_net::Outbound;
use tenure_net::cloud::{CloudError, Talk};

pub use acr::Acr;
pub use ecr::{AwsIdentity, Ecr};
pub use gar::Gar;
pub use tenure_net::cloud::{Identity, Workload};

use crate::{Credential, OciError, Repository};

/// What opens a registry for a while.
#[derive(Clone, Debug)]
pub struct Lease {
    /// For the registry.
    pub credential: Credential,
    /// From now on.
    pub good_for: Duration,
}

/// A cloud that gives credentials for its registries.
#[async_trait]
pub trait Login: Send + Sync {
    /// Whether the repository is in a registry of this cloud. A workload's token is never used for others.
    fn serves(&self, repository: &Repository) -> bool;

    /// Gets a credential for the repository's registry.
    ///
    /// # Errors
    /// [`OciError`]: the cloud refuses, or cannot be reached.
    async fn log_in(&self, repository: &Repository, outbound: &Outbound) -> Result<Lease, OciError>;
}

/// Changes a workload's token for a credential of the repository's registry.
///
/// # Errors
/// [`OciError`]: the registry is none of that cloud, the cloud refuses, or cannot be reached.
pub async fn log_in(
    workload: &Workload,
    repository: &Repository,
    outbound: &Outbound,
) -> Result<Lease, OciError> {
    match workload.identity {
        Identity::Aws { .. } => {
            let ecr = Ecr {
                identity: AwsIdentity::Web(workload.clone()),
                endpoint: None,
                sts_endpoint: None,
            };
            ecr.log_in(repository, outbound).await
        }
        Identity::Google { .. } => {
            let gar = Gar {
                workload: workload.clone(),
                sts_endpoint: None,
                iam_endpoint: None,
            };
            gar.log_in(repository, outbound).await
        }
        Identity::Azure { .. } => {
            let acr = Acr {
                workload: workload.clone(),
                authority: None,
                exchange_endpoint: None,
            };
            acr.log_in(repository, outbound).await
        }
    }
}

/// The conversation with the cloud about a repository, which must be in a registry of it.
fn talk(
    login: &dyn Login,
    who: &'static str,
    repository: &Repository,
    outbound: &Outbound,
) -> Result<Talk, OciError> {
    if !login.serves(repository) {
        return Err(OciError::InvalidReference {
            image: repository.url(),
            message: format!("it is not in a registry of {who}; set spec.provider to what it is"),
        });
    }
    Talk::open(outbound, who).map_err(|error| about(repository, error))
}

fn about(repository: &Repository, error: CloudError) -> OciError {
    let (image, message) = (repository.url(), error.to_string());
    match error {
        CloudError::Refused { .. } => OciError::AuthenticationFailed { image, message },
        CloudError::Forbidden(_) => OciError::Forbidden { image, message },
        CloudError::Unavailable { .. } => OciError::Unavailable { image, message },
    }
}
