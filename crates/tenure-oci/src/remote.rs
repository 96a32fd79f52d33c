use std::time::Duration;

use serde::{Deserialize, Serialize};
use tenure_core::Secret;
use tenure_net::Outbound;

use crate::Repository;

/// A repository and what opens it. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where it is.
    pub repository: Repository,
    /// Shown to that registry and to the token service it names, to nobody else.
    pub credential: Credential,
    /// Which addresses, authorities, client certificate and proxy. The certificate is shown to the registry and
    /// its token service only.
    pub outbound: Outbound,
    /// Speak plain http if the registry does not speak https.
    pub insecure: bool,
}

/// How to log in.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Not at all. Enough for public repositories.
    None,
    /// User and password, or a token in its place.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token that the registry's token service changes for a short one (docker's `identitytoken`).
    Identity {
        /// The token.
        token: Secret,
    },
    /// A token that the registry itself takes (docker's `registrytoken`).
    Bearer {
        /// The token.
        token: Secret,
    },
}

impl Credential {
    /// What must not occur in a message.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let secret = match self {
            Self::None => None,
            Self::Basic { password, .. } => password.expose_str(),
            Self::Identity { token } | Self::Bearer { token } => token.expose_str(),
        };
        secret.into_iter().filter(|s| !s.is_empty()).collect()
    }
}

/// What one operation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of file content in the artifact, not compressed; of the layer itself when it is copied.
    pub artifact_bytes: u64,
    /// Bytes of the layer as it is downloaded.
    pub layer_bytes: u64,
    /// Files and directories in the artifact.
    pub entries: u64,
    /// Bytes of a manifest, an index of manifests or a page of tags.
    pub manifest_bytes: u64,
    /// Tags that are looked at.
    pub tags: usize,
    /// For everything: connect, log in, list, download.
    pub timeout: Duration,
}

impl Default for Limits {
    /// 64 MiB of content, 64 MiB of layer, 50,000 files, 4 MiB of manifest, 100,000 tags, Flux's 60 s.
    fn default() -> Self {
        Self {
            artifact_bytes: 64 << 20,
            layer_bytes: 64 << 20,
            entries: 50_000,
            manifest_bytes: 4 << 20,
            tags: 100_000,
            timeout: Duration::from_secs(60),
        }
    }
}

impl Remote {
    /// A remote over https, with the public authorities and every address that is always allowed.
    #[must_use]
    pub fn new(repository: Repository, credential: Credential) -> Self {
        Self {
            repository,
            credential,
            outbound: Outbound::default(),
            insecure: false,
        }
    }

    /// The registry's names over http: `insecure` trusts any certificate unless the tenant says which to trust.
    pub(crate) fn effective(&self) -> Outbound {
        let mut outbound = self.outbound.clone();
        let tls = &mut outbound.tls;
        tls.trust_anyone |= self.insecure && tls.ca_pem.is_none() && tls.client_certificate.is_none();
        outbound
    }
}
