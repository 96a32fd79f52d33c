//! A job with its secrets in the open: built right before it is sent, taken apart right after it was received.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tenure_core::Digest;
use tenure_core::frame::Open;
use tenure_net::wire::Outbound;

use crate::cloud::{Identity, Workload};
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
    LogIn {
        repository: Repository,
        identity: Identity,
        token: Open,
        outbound: Outbound,
    },
    Signatures {
        remote: Remote,
        digest: Digest,
        limits: Limits,
    },
}

/// What opens a registry for a while, on its way up.
pub(super) mod lease {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Login;
    use crate::cloud::Lease;

    pub(in crate::child) fn serialize<S: Serializer>(lease: &Lease, to: S) -> Result<S::Ok, S::Error> {
        (Login::from(lease.credential.clone()), lease.good_for).serialize(to)
    }

    pub(in crate::child) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Lease, D::Error> {
        let (login, good_for) = <(Login, Duration)>::deserialize(from)?;
        Ok(Lease {
            credential: login.into(),
            good_for,
        })
    }
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
            super::Job::LogIn {
                repository,
                workload,
                outbound,
            } => Self::LogIn {
                repository,
                identity: workload.identity,
                token: Open(workload.token),
                outbound: outbound.into(),
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
            Job::LogIn {
                repository,
                identity,
                token,
                outbound,
            } => Self::LogIn {
                repository,
                workload: Workload {
                    identity,
                    token: token.0,
                },
                outbound: outbound.into(),
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
        Self {
            repository: remote.repository,
            credential: remote.credential.into(),
            insecure: remote.insecure,
            outbound: remote.outbound.into(),
        }
    }
}

impl From<Remote> for crate::Remote {
    fn from(remote: Remote) -> Self {
        Self {
            repository: remote.repository,
            credential: remote.credential.into(),
            insecure: remote.insecure,
            outbound: remote.outbound.into(),
        }
    }
}

impl From<Credential> for Login {
    fn from(credential: Credential) -> Self {
        match credential {
            Credential::None => Self::None,
            Credential::Basic { username, password } => Self::Basic {
                username,
                password: Open(password),
            },
            Credential::Identity { token } => Self::Identity { token: Open(token) },
            Credential::Bearer { token } => Self::Bearer { token: Open(token) },
        }
    }
}

impl From<Login> for Credential {
    fn from(login: Login) -> Self {
        match login {
            Login::None => Self::None,
            Login::Basic { username, password } => Self::Basic {
                username,
                password: password.0,
            },
            Login::Identity { token } => Self::Identity { token: token.0 },
            Login::Bearer { token } => Self::Bearer { token: token.0 },
        }
    }
}
