//! Clouds that trust the cluster's issuer: what a workload's token is good for there.
//!
//! The token goes to the cloud's own service over https, and nowhere else. What a cloud says when it refuses is not repeated:
//! it may quote the token.

mod cluster;
mod exchange;
mod talk;

use serde::{Deserialize, Serialize};
use std::time::Duration;
use tenure_core::Secret;

pub use cluster::{Described, Managed};
pub use talk::Talk;

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

/// Services of clouds at other addresses than the public ones.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Instead of `https://sts.<region>.amazonaws.com`.
    pub aws_sts: Option<String>,
    /// Instead of `https://eks.<region>.amazonaws.com`.
    pub aws_eks: Option<String>,
    /// Instead of `https://sts.googleapis.com/v1/token`.
    pub google_sts: Option<String>,
    /// Instead of `https://iamcredentials.googleapis.com`.
    pub google_iam: Option<String>,
    /// Instead of `https://container.googleapis.com`.
    pub google_clusters: Option<String>,
    /// Instead of `https://login.microsoftonline.com`.
    pub azure_authority: Option<String>,
    /// Instead of `https://management.azure.com`.
    pub azure_management: Option<String>,
}

/// A bearer's token.
#[derive(Clone, Debug)]
pub struct Access {
    /// The token.
    pub token: Secret,
    /// From now on.
    pub good_for: Duration,
}

/// Why a cloud gave nothing. No variant holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// The cloud refuses, or what it is asked for can't be.
    #[error("{who}: {message}")]
    Refused {
        /// The cloud.
        who: &'static str,
        /// What, and why.
        message: String,
    },
    /// The platform does not allow its address.
    #[error("{0}")]
    Forbidden(String),
    /// It can't be reached, or failed.
    #[error("logging in at {who}: {message}")]
    Unavailable {
        /// The cloud.
        who: &'static str,
        /// The cause.
        message: String,
    },
}
