mod access;
mod in_process;
mod openssh;

use std::path::Path;

use anyhow::Context as _;
use rand::random;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use tempfile::TempDir;

use super::{GitHost, below, public_dir};
use crate::net::free_port;

pub use access::Access;
use access::Keys;
use in_process::InProcess;
use openssh::OpenSsh;

/// Which program speaks SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// OpenSSH's own daemon; it needs root.
    OpenSsh,
    /// This process, with the russh library; it runs the machine's `git upload-pack`.
    InProcess,
}

/// A Git server that is reached by SSH as the user `git`, with public keys only. A key may fetch
/// the repositories it was authorised for, and do nothing else.
#[derive(Debug)]
pub struct SshGitServer {
    kind: Kind,
    port: u16,
    host_key: PrivateKey,
    keys: Keys,
    running: Option<Running>,
    dir: TempDir,
}

/// Ends what it holds when it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "held for its end")]
enum Running {
    OpenSsh(OpenSsh),
    InProcess(InProcess),
}

impl SshGitServer {
    /// OpenSSH for root, installed from the distribution when it is missing; else a server in this
    /// process.
    ///
    /// # Errors
    /// When the server cannot be installed or does not come up.
    pub async fn start() -> anyhow::Result<Self> {
        let root = rustix::process::geteuid().is_root();
        Self::start_kind(if root { Kind::OpenSsh } else { Kind::InProcess }).await
    }

    /// The server of that kind.
    ///
    /// # Errors
    /// As [`SshGitServer::start`].
    pub async fn start_kind(kind: Kind) -> anyhow::Result<Self> {
        let dir = public_dir("ssh-git-")?;
        let mut server = Self {
            kind,
            port: free_port()?,
            host_key: new_key("host")?,
            keys: Keys::new(dir.path())?,
            running: None,
            dir,
        };
        server.start_again().await?;
        Ok(server)
    }

    /// Which program speaks SSH.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The URL of a repository.
    #[must_use]
    pub fn url(&self, repository: &str) -> String {
        format!(
            "ssh://git@127.0.0.1:{}/{}",
            self.port,
            repository.trim_start_matches('/')
        )
    }

    /// The line of `known_hosts` for the present host key.
    ///
    /// # Errors
    /// When the key cannot be written as text.
    pub fn known_hosts(&self) -> anyhow::Result<String> {
        let mut key = self.host_key.public_key().clone();
        key.set_comment("");
        Ok(format!(
            "[127.0.0.1]:{} {}\n",
            self.port,
            key.to_openssh()?.trim()
        ))
    }

    /// Lets a public key (one line, as in `authorized_keys`) fetch.
    ///
    /// # Errors
    /// When it is no public key.
    pub fn authorize(&self, public_key: &str, access: Access) -> anyhow::Result<()> {
        self.keys.put(public_key, Some(access))
    }

    /// Takes that back; connections that are open go on.
    ///
    /// # Errors
    /// When it is no public key.
    pub fn revoke(&self, public_key: &str) -> anyhow::Result<()> {
        self.keys.put(public_key, None)
    }

    /// Makes a new key pair and authorises it.
    ///
    /// # Errors
    /// When the key cannot be written.
    pub fn authorized_keypair(&self, access: Access) -> anyhow::Result<(String, String)> {
        let (private, public) = keypair()?;
        self.authorize(&public, access)?;
        Ok((private, public))
    }

    /// Gives the server another host key on the same port.
    ///
    /// # Errors
    /// When the server does not come up again.
    pub async fn rotate_host_key(&mut self) -> anyhow::Result<()> {
        self.stop();
        self.host_key = new_key("host")?;
        self.start_again().await
    }

    /// Stops it: connections are refused.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Starts it on the port it had. One that runs goes on.
    ///
    /// # Errors
    /// When the server does not come up.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        let root = self.repositories().to_owned();
        self.running = Some(match self.kind {
            Kind::OpenSsh => {
                Running::OpenSsh(OpenSsh::start(self.dir.path(), self.port, &self.host_key).await?)
            }
            Kind::InProcess => {
                let keys = self.keys.clone();
                Running::InProcess(InProcess::start(self.port, &self.host_key, keys, root).await?)
            }
        });
        Ok(())
    }

    /// Whether a repository is there, for messages of tests.
    #[must_use]
    pub fn has(&self, repository: &str) -> bool {
        below(self.repositories(), repository).is_ok_and(|path| path.is_dir())
    }
}

impl GitHost for SshGitServer {
    fn repositories(&self) -> &Path {
        self.keys.repositories()
    }
}

/// A new Ed25519 key pair: the private half in OpenSSH's PEM, the public half as one line.
///
/// # Errors
/// When the key cannot be written as text.
pub fn keypair() -> anyhow::Result<(String, String)> {
    let key = new_key("rig")?;
    let private = key.to_openssh(LineEnding::LF).context("write a private key")?;
    Ok((private.to_string(), key.public_key().to_openssh()?))
}

fn new_key(comment: &str) -> anyhow::Result<PrivateKey> {
    let pair = Ed25519Keypair::from_seed(&random::<[u8; 32]>());
    Ok(PrivateKey::new(KeypairData::Ed25519(pair), comment)?)
}
