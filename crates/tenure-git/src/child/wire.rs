//! A job with its secrets in the open: built right before it is sent, taken apart right after it was received.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tenure_core::frame::Open;
use tenure_core::{Secret, SourceUrl};

use crate::github::Installation;
use crate::{Credential, Filter, Limits, Reference, Resolved};

#[derive(Serialize, Deserialize)]
pub(super) enum Job {
    LogIn {
        app: App,
        outbound: tenure_net::wire::Outbound,
        limits: Limits,
    },
    Resolve {
        remote: Remote,
        reference: Reference,
        limits: Limits,
    },
    Fetch {
        remote: Remote,
        resolved: Resolved,
        odb_dir: PathBuf,
        out: PathBuf,
        filter: Filter,
        limits: Limits,
    },
}

#[derive(Serialize, Deserialize)]
pub(super) struct App {
    id: String,
    installation: Installation,
    key: Open,
    api: String,
}

/// A token on its way up.
pub(super) mod token {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use tenure_core::frame::Open;

    use crate::github::Token;

    pub(in crate::child) fn serialize<S: Serializer>(token: &Token, to: S) -> Result<S::Ok, S::Error> {
        (Open(token.token.clone()), token.good_for).serialize(to)
    }

    pub(in crate::child) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Token, D::Error> {
        let (token, good_for) = <(Open, Duration)>::deserialize(from)?;
        Ok(Token {
            token: token.0,
            good_for,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Remote {
    /// With user and password, if it has them.
    url: Open,
    credential: Login,
    outbound: tenure_net::wire::Outbound,
}

#[derive(Serialize, Deserialize)]
enum Login {
    None,
    Basic {
        username: String,
        password: Open,
    },
    Bearer {
        token: Open,
    },
    Ssh {
        identity: Open,
        passphrase: Option<Open>,
        known_hosts: String,
        username: Option<String>,
    },
}

impl Job {
    pub(super) fn of(job: &super::Job) -> Self {
        match job.clone() {
            super::Job::LogIn {
                app,
                outbound,
                limits,
            } => Self::LogIn {
                app: App {
                    id: app.id,
                    installation: app.installation,
                    key: Open(app.key),
                    api: app.api,
                },
                outbound: outbound.into(),
                limits,
            },
            super::Job::Resolve {
                remote,
                reference,
                limits,
            } => Self::Resolve {
                remote: Remote::of(remote),
                reference,
                limits,
            },
            super::Job::Fetch {
                remote,
                resolved,
                odb_dir,
                out,
                filter,
                limits,
            } => Self::Fetch {
                remote: Remote::of(remote),
                resolved,
                odb_dir,
                out,
                filter,
                limits,
            },
        }
    }

    pub(super) fn into_job(self) -> io::Result<super::Job> {
        Ok(match self {
            Self::LogIn {
                app,
                outbound,
                limits,
            } => super::Job::LogIn {
                app: crate::github::App {
                    id: app.id,
                    installation: app.installation,
                    key: app.key.0,
                    api: app.api,
                },
                outbound: outbound.into(),
                limits,
            },
            Self::Resolve {
                remote,
                reference,
                limits,
            } => super::Job::Resolve {
                remote: remote.into_remote()?,
                reference,
                limits,
            },
            Self::Fetch {
                remote,
                resolved,
                odb_dir,
                out,
                filter,
                limits,
            } => super::Job::Fetch {
                remote: remote.into_remote()?,
                resolved,
                odb_dir,
                out,
                filter,
                limits,
            },
        })
    }
}

impl Remote {
    fn of(remote: crate::Remote) -> Self {
        let credential = match remote.credential {
            Credential::None => Login::None,
            Credential::Basic { username, password } => Login::Basic {
                username,
                password: Open(password),
            },
            Credential::Bearer { token } => Login::Bearer { token: Open(token) },
            Credential::Ssh {
                identity,
                passphrase,
                known_hosts,
                username,
            } => Login::Ssh {
                identity: Open(identity),
                passphrase: passphrase.map(Open),
                known_hosts,
                username,
            },
        };
        Self {
            url: Open(full_url(&remote.url)),
            credential,
            outbound: remote.outbound.into(),
        }
    }

    fn into_remote(self) -> io::Result<crate::Remote> {
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "the job's URL is not one");
        let url: SourceUrl = self
            .url
            .0
            .expose_str()
            .and_then(|url| url.parse().ok())
            .ok_or_else(bad)?;
        let credential = match self.credential {
            Login::None => Credential::None,
            Login::Basic { username, password } => Credential::Basic {
                username,
                password: password.0,
            },
            Login::Bearer { token } => Credential::Bearer { token: token.0 },
            Login::Ssh {
                identity,
                passphrase,
                known_hosts,
                username,
            } => Credential::Ssh {
                identity: identity.0,
                passphrase: passphrase.map(|p| p.0),
                known_hosts,
                username,
            },
        };
        Ok(crate::Remote {
            url,
            credential,
            outbound: self.outbound.into(),
        })
    }
}

fn full_url(url: &SourceUrl) -> Secret {
    let userinfo = match (url.user(), url.expose_password()) {
        (Some(user), Some(password)) => format!("{user}:{password}@"),
        (Some(user), None) => format!("{user}@"),
        (None, _) => String::new(),
    };
    Secret::from(format!(
        "{}://{userinfo}{}:{}{}",
        url.scheme(),
        url.host(),
        url.port(),
        url.path()
    ))
}
