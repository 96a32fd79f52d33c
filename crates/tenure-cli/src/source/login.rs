//! What opens a remote, as flags. Secrets come from files or the environment: arguments are seen by everybody on the
//! machine.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tenure_core::Secret;
use tenure_net::{Cidr, ClientCertificate, Guard, Outbound, Proxy, Tls};

/// What opens the remote, and how it is reached.
#[derive(clap::Args)]
pub(super) struct Login {
    /// User of https, and of ssh when the URL names none
    #[arg(long, global = true)]
    username: Option<String>,
    /// File with the password; TENURE_PASSWORD counts without it
    #[arg(long, global = true, requires = "username")]
    password_file: Option<PathBuf>,
    /// File with a token for an Authorization: Bearer header
    #[arg(long, global = true, conflicts_with = "username")]
    token_file: Option<PathBuf>,
    /// File with a private key for ssh
    #[arg(long, global = true, requires = "known_hosts_file")]
    identity_file: Option<PathBuf>,
    /// File with the host keys that are trusted
    #[arg(long, global = true)]
    known_hosts_file: Option<PathBuf>,
    /// File with authorities that are trusted, PEM, in place of the usual ones
    #[arg(long, global = true)]
    ca_file: Option<PathBuf>,
    /// File with a client certificate, PEM
    #[arg(long, global = true, requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// File with its key, PEM
    #[arg(long, global = true)]
    key_file: Option<PathBuf>,
    /// Proxy for https, as http://host:port
    #[arg(long, global = true)]
    proxy: Option<String>,
    /// Block of addresses where the remote may be although the cache refuses it; may be repeated
    #[arg(long, global = true)]
    allow_addresses: Vec<Cidr>,
}

/// A way to log in, of those that several kinds have.
pub(super) enum Given {
    Nothing,
    Basic { username: String, password: Secret },
    Token(Secret),
    Ssh { identity: Secret, known_hosts: String },
}

impl Login {
    pub(super) fn given(&self) -> anyhow::Result<Given> {
        if let Some(file) = &self.identity_file {
            let known_hosts = self.known_hosts_file.as_deref().context("clap requires it")?;
            return Ok(Given::Ssh {
                identity: Secret::new(read(file)?),
                known_hosts: String::from_utf8(read(known_hosts)?)
                    .with_context(|| format!("{} is not text", known_hosts.display()))?,
            });
        }
        if let Some(file) = &self.token_file {
            return Ok(Given::Token(line(file)?));
        }
        let Some(username) = self.username.clone() else {
            return Ok(Given::Nothing);
        };
        let password = match &self.password_file {
            Some(file) => line(file)?,
            None => std::env::var("TENURE_PASSWORD")
                .map(Secret::from)
                .context("--username needs a password: --password-file or TENURE_PASSWORD")?,
        };
        Ok(Given::Basic { username, password })
    }

    pub(super) fn username(&self) -> Option<String> {
        self.username.clone()
    }

    pub(super) fn outbound(&self) -> anyhow::Result<Outbound> {
        let certificate = self.cert_file.as_deref().zip(self.key_file.as_deref());
        let certificate = certificate.map(|(certificate, key)| {
            anyhow::Ok(ClientCertificate {
                certificate_pem: read(certificate)?,
                key_pem: Secret::new(read(key)?),
            })
        });
        Ok(Outbound {
            guard: Guard::new(self.allow_addresses.iter().cloned(), []),
            tls: Tls {
                ca_pem: self.ca_file.as_deref().map(read).transpose()?,
                client_certificate: certificate.transpose()?,
                ..Tls::default()
            },
            proxy: self.proxy.clone().map(|address| Proxy { address, login: None }),
        })
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))
}

/// A secret on a line of its own.
fn line(path: &Path) -> anyhow::Result<Secret> {
    Ok(Secret::new(read(path)?.trim_ascii().to_vec()))
}
