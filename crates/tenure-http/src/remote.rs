use std::time::Duration;

use serde::{Deserialize, Serialize};
use tenure_core::{Secret, SourceUrl};
use tenure_net::Outbound;

/// A Helm repository and what opens it. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Remote {
    /// `http` or `https`, without `index.yaml`.
    pub url: SourceUrl,
    /// Shown to the repository's origin.
    pub credential: Credential,
    /// Show it to the origins of charts too.
    pub pass_credentials: bool,
    /// Which addresses, authorities, client certificate and proxy.
    pub outbound: Outbound,
}

/// How to log in.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Not at all.
    None,
    /// User and password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
}

/// What one operation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of an index.
    pub index_bytes: u64,
    /// Bytes of a chart's archive.
    pub chart_bytes: u64,
    /// Objects in a bucket.
    pub objects: usize,
    /// Bytes of file content in a bucket's artifact, not compressed.
    pub artifact_bytes: u64,
    /// For everything.
    pub timeout: Duration,
}

impl Default for Limits {
    /// Flux's 50 MiB of index, 10 MiB of chart and 60 s; 50,000 objects with 64 MiB.
    fn default() -> Self {
        Self {
            index_bytes: 50 << 20,
            chart_bytes: 10 << 20,
            objects: 50_000,
            artifact_bytes: 64 << 20,
            timeout: Duration::from_secs(60),
        }
    }
}

impl Remote {
    /// A repository with the public authorities. User and password in the URL count if `credential` is
    /// [`Credential::None`].
    #[must_use]
    pub fn new(url: SourceUrl, credential: Credential) -> Self {
        let credential = match (credential, url.user(), url.expose_password()) {
            (Credential::None, Some(user), Some(password)) => Credential::Basic {
                username: user.to_owned(),
                password: Secret::from(password.to_owned()),
            },
            (credential, _, _) => credential,
        };
        Self {
            url,
            credential,
            pass_credentials: false,
            outbound: Outbound::default(),
        }
    }
}
