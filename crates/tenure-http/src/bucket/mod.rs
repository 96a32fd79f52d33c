//! Buckets of S3, Google Cloud Storage and Azure Blob Storage: what is in them, and its files as an artifact.

mod ask;
mod azure;
mod exchange;
mod google;
mod list;
mod pack;
mod s3;
mod sts;
mod xml;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use tenure_core::{Digest, Secret, SourceUrl};
use tenure_net::Outbound;
use tenure_net::aws::Keys;

use crate::{HttpError, Limits};

pub use azure::{AUTHORITY, Application, Azure, Proof};
pub use google::{Account, Federated, Google};
pub use list::{list, look};
pub use pack::pack;
pub use sts::{Ldap, Web};

/// A bucket and what opens it. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Where the service is.
    pub endpoint: SourceUrl,
    /// The bucket; Azure calls it a container.
    pub name: String,
    /// Only keys that start so.
    pub prefix: String,
    /// What it speaks, and who asks.
    pub service: Service,
    /// Which addresses, authorities, client certificate and proxy.
    pub outbound: Outbound,
}

/// A service that keeps objects, and what opens one of its buckets. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum Service {
    /// S3, or what speaks like it; the bucket is the first part of paths at the endpoint.
    S3 {
        /// The bucket's region; `us-east-1` if it is empty.
        region: String,
        /// Who asks.
        opener: S3,
    },
    /// Google Cloud Storage, by its JSON API.
    Google(Google),
    /// Azure Blob Storage; the endpoint is that of a storage account.
    Azure(Azure),
}

/// Who asks a service that speaks S3.
#[derive(Clone, Debug)]
pub enum S3 {
    /// Nobody: a public bucket.
    Anonymous,
    /// An account.
    Keys(Keys),
    /// Who gets keys for user and password; see [`Bucket::opened`].
    Ldap(Box<Ldap>),
    /// Who gets a role's keys for the token of a workload; see [`Bucket::opened`].
    Web(Box<Web>),
}

impl Service {
    /// The region, of services that have them; else nothing.
    #[must_use]
    pub fn region(&self) -> &str {
        match self {
            Self::S3 { region, .. } => region,
            Self::Google(_) | Self::Azure(_) => "",
        }
    }

    /// What no message may repeat.
    #[must_use]
    pub fn secrets(&self) -> Vec<&str> {
        let secrets: Vec<&Secret> = match self {
            Self::S3 { opener, .. } => match opener {
                S3::Anonymous => Vec::new(),
                S3::Keys(keys) => [&keys.secret_key]
                    .into_iter()
                    .chain(&keys.session_token)
                    .collect(),
                S3::Ldap(ldap) => vec![&ldap.password],
                S3::Web(web) => vec![&web.token],
            },
            Self::Google(google) => google.secret().into_iter().collect(),
            Self::Azure(azure) => azure.secret().into_iter().collect(),
        };
        secrets.into_iter().filter_map(Secret::expose_str).collect()
    }

    /// Whether nobody asks.
    fn is_anonymous(&self) -> bool {
        matches!(
            self,
            Self::S3 {
                opener: S3::Anonymous,
                ..
            } | Self::Google(Google::Anonymous)
                | Self::Azure(Azure::Anonymous)
        )
    }

    /// Whether what opens it has to be asked for first.
    fn is_closed(&self) -> bool {
        matches!(
            self,
            Self::S3 {
                opener: S3::Ldap(_) | S3::Web(_),
                ..
            } | Self::Google(Google::Account(_) | Google::Federated(_))
                | Self::Azure(Azure::Application(_))
        )
    }
}

impl Bucket {
    /// As messages name it, redacted.
    pub(crate) fn shown(&self) -> String {
        format!("bucket {:?} at {}", self.name, self.endpoint)
    }

    /// The bucket with what opens it, where that has to be asked for: keys for a user of a directory, a token for a
    /// service account or an application. It opens the bucket for an hour or so. [`list`], [`look`] and [`pack`] do it themselves for
    /// a bucket that is not opened yet; who does several of them asks once.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn opened(&self, limits: &Limits) -> Result<Self, HttpError> {
        let mut opened = self.clone();
        match &mut opened.service {
            Service::S3 { opener, .. } => match opener {
                S3::Ldap(ldap) => *opener = S3::Keys(sts::exchange(ldap, limits).await?),
                S3::Web(web) => *opener = S3::Keys(web.keys(limits).await?),
                S3::Anonymous | S3::Keys(_) => {}
            },
            Service::Google(google) => match google {
                Google::Account(account) => {
                    *google = Google::Token(account.token(&self.outbound, limits).await?);
                }
                Google::Federated(federated) => {
                    *google = Google::Token(federated.token(&self.outbound, limits).await?);
                }
                Google::Anonymous | Google::Token(_) => {}
            },
            Service::Azure(azure) => {
                if let Azure::Application(application) = azure {
                    *azure = Azure::Token(application.token(&self.outbound, limits).await?);
                }
            }
        }
        Ok(opened)
    }
}

/// One object of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// What changes with its content, as Flux writes it: without quotes, but for Azure.
    pub etag: String,
    /// Its bytes.
    pub size: u64,
}

/// What is in a bucket, in the order of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The objects that count as files.
    pub objects: Vec<Object>,
}

impl Listing {
    /// The revision, as Flux has it: the digest of all keys and tags.
    #[must_use]
    pub fn revision(&self) -> Digest {
        let mut text = String::new();
        for object in &self.objects {
            let _ = writeln!(text, "{} {}", object.key, object.etag);
        }
        Digest::of(text.as_bytes())
    }
}
