use std::time::Duration;

use serde::{Deserialize, Serialize};
use tenure_core::{Secret, SourceUrl};
use tenure_net::Outbound;

/// A repository and what opens it. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Remote {
    /// `https`, `http` or `ssh`.
    pub url: SourceUrl,
    /// Sent to that host only.
    pub credential: Credential,
    /// Which addresses may be spoken to; for https also whom to trust, what to show, and what to go through.
    pub outbound: Outbound,
}

/// How to log in.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Not at all. Enough for public repositories over https.
    None,
    /// User and password, or a token in its place.
    Basic {
        /// The user; some hosts take any.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token in an `Authorization: Bearer` header.
    Bearer {
        /// The token.
        token: Secret,
    },
    /// An ssh key.
    Ssh {
        /// The private key, in OpenSSH or PEM form.
        identity: Secret,
        /// What the key is encrypted with, if it is.
        passphrase: Option<Secret>,
        /// The host keys to trust, in the format of ssh's file. There is no trust on first use.
        known_hosts: String,
        /// The user when the URL names none; `git` if this is empty too.
        username: Option<String>,
    },
}

/// What one operation may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of file content in the artifact, not compressed.
    pub artifact_bytes: u64,
    /// Bytes of pack that are downloaded; also the largest single object in memory.
    pub pack_bytes: u64,
    /// Objects in a pack, and entries in a tree.
    pub objects: u64,
    /// For everything: connect, list, download.
    pub timeout: Duration,
}

impl Default for Limits {
    /// 64 MiB of content, 256 MiB of pack, 200,000 objects, Flux's 60 s.
    fn default() -> Self {
        Self {
            artifact_bytes: 64 << 20,
            pack_bytes: 256 << 20,
            objects: 200_000,
            timeout: Duration::from_secs(60),
        }
    }
}

impl Remote {
    /// A remote without extra authorities, client certificate or proxy, at an address that is not reserved. User and password in the URL count if
    /// `credential` is [`Credential::None`].
    #[must_use]
    pub fn new(url: SourceUrl, credential: Credential) -> Self {
        let credential = match (credential, url.user(), url.expose_password()) {
            (Credential::None, Some(user), Some(password)) if url.scheme() != "ssh" => Credential::Basic {
                username: user.to_owned(),
                password: Secret::from(password.to_owned()),
            },
            (credential, _, _) => credential,
        };
        Self {
            url,
            credential,
            outbound: Outbound::default(),
        }
    }

    /// The URL as it may be shown.
    #[must_use]
    pub fn shown(&self) -> String {
        self.url.to_string()
    }

    /// The URL without user and password, for the http client.
    pub(crate) fn bare_url(&self) -> String {
        format!(
            "{}://{}:{}{}",
            self.url.scheme(),
            self.url.host(),
            self.url.port(),
            self.url.path()
        )
    }
}
