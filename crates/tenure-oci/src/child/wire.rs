//! A job with its secrets in the open: built right before it is sent, taken apart right after it was received.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tenure_core::Digest;
use tenure_core::frame::Open;
use tenure_net::wire::Outbound;

use crate::{Credential, Layer, Limits, Reference, Repository, Resolved};

#[derive(Serialize, Deserialize)]
pub(super) enum Job {
    Resolve {
        remote: Remote,
        reference: Reference,
        limits: Limits,
    },
    Fetch {
        remote: Remote,
        resolved: Resolved,
        out: PathBuf,
        layer: Layer,
        ignore: Option<String>,
        limits: Limits,
    },
    Signatures {
        remote: Remote,
        digest: Digest,
        limits: Limits,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) struct Remote {
    repository: Repository,
    credential: Login,
    insecure: bool,
    outbound: Outbound,
}

#[derive(Serialize, Deserialize)]
enum Login {
    None,
    Basic { username: String, password: Open },
    Identity { token: Open },
    Bearer { token: Open },
}

impl From<super::Job> for Job {
    fn from(job: super::Job) -> Self {
        match job {
            super::Job::Resolve {
                remote,
                reference,
                limits,
            } => Self::Resolve {
                remote: remote.into(),
                reference,
                limits,
            },
            super::Job::Fetch {
                remote,
                resolved,
                out,
                layer,
                ignore,
                limits,
            } => Self::Fetch {
                remote: remote.into(),
                resolved,
                out,
                layer,
                ignore,
                limits,
            },
            super::Job::Signatures {
                remote,
                digest,
                limits,
            } => Self::Signatures {
                remote: remote.into(),
                digest,
                limits,
            },
        }
    }
}

impl From<Job> for super::Job {
    fn from(job: Job) -> Self {
        match job {
            Job::Resolve {
                remote,
                reference,
                limits,
            } => Self::Resolve {
                remote: remote.into(),
                reference,
                limits,
            },
            Job::Fetch {
                remote,
                resolved,
                out,
                layer,
                ignore,
                limits,
            } => Self::Fetch {
                remote: remote.into(),
                resolved,
                out,
                layer,
                ignore,
                limits,
            },
            Job::Signatures {
                remote,
                digest,
                limits,
            } => Self::Signatures {
                remote: remote.into(),
                digest,
                limits,
            },
        }
    }
}

impl From<crate::Remote> for Remote {
    fn from(remote: crate::Remote) -> Self {
        let credential = match remote.credential {
            Credential::None => Login::None,
            Credential::Basic { username, password } => Login::Basic {
                username,
                password: Open(password),
            },
            Credential::Identity { token } => Login::Identity { token: Open(token) },
            Credential::Bearer { token } => Login::Bearer { token: Open(token) },
        };
        Self {
            repository: remote.repository,
            credential,
            insecure: remote.insecure,
            outbound: remote.outbound.into(),
        }
    }
}

impl From<Remote> for crate::Remote {
    fn from(remote: Remote) -> Self {
        let credential = match remote.credential {
            Login::None => Credential::None,
            Login::Basic { username, password } => Credential::Basic {
                username,
                password: password.0,
            },
            Login::Identity { token } => Credential::Identity { token: token.0 },
            Login::Bearer { token } => Credential::Bearer { token: token.0 },
        };
        Self {
            repository: remote.repository,
            credential,
            insecure: remote.insecure,
            outbound: remote.outbound.into(),
        }
    }
}
