//! An ssh server that serves `git-upload-pack` on the repositories below a root.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId};
use tenure_core::Secret;
use tenure_git::{Credential, Remote};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::ChildStdin;

pub(crate) fn key() -> PrivateKey {
    let seed: [u8; 32] = rand::random();
    PrivateKey::from(Ed25519Keypair::from_seed(&seed))
}

/// The server; it ends with its runtime.
pub(crate) struct SshServer {
    pub(crate) port: u16,
    pub(crate) host_key: PublicKey,
    pub(crate) client_key: PrivateKey,
    /// How many times `git-upload-pack` was started.
    pub(crate) runs: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

impl SshServer {
    /// `version2`: whether the server takes the variable that asks for git's protocol 2.
    pub(crate) fn start(root: PathBuf, version2: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (host, client) = (key(), key());
        let runs = Arc::new(AtomicUsize::new(0));
        let (host_key, accepted) = (host.public_key().clone(), client.public_key().clone());
        let config = Arc::new(Config {
            keys: vec![host],
            auth_rejection_time: std::time::Duration::ZERO,
            ..Config::default()
        });
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let counter = runs.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = Connection {
                    root: root.clone(),
                    accepted: accepted.clone(),
                    runs: counter.clone(),
                    version2,
                    protocol: None,
                    inputs: HashMap::new(),
                };
                let config = config.clone();
                tokio::spawn(async move {
                    if let Ok(session) = russh::server::run_stream(config, stream, connection).await {
                        session.await.ok();
                    }
                });
            }
        });
        Self {
            port,
            host_key,
            client_key: client,
            runs,
            _runtime: runtime,
        }
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    pub(crate) fn known_hosts(&self) -> String {
        format!(
            "[127.0.0.1]:{} {}\n",
            self.port,
            self.host_key.to_openssh().expect("a key")
        )
    }

    pub(crate) fn remote(&self, repo: &str) -> Remote {
        self.remote_with(repo, &self.client_key, self.known_hosts())
    }

    pub(crate) fn remote_with(&self, repo: &str, key: &PrivateKey, known_hosts: String) -> Remote {
        let url = format!("ssh://git@127.0.0.1:{}/{repo}", self.port)
            .parse()
            .expect("a URL");
        let identity = key
            .to_openssh(russh::keys::ssh_key::LineEnding::LF)
            .expect("a key");
        let mut remote = Remote::new(
            url,
            Credential::Ssh {
                identity: Secret::new(identity.as_bytes().to_vec()),
                passphrase: None,
                known_hosts,
                username: None,
            },
        );
        remote.outbound.guard = super::this_machine();
        remote
    }
}

struct Connection {
    root: PathBuf,
    accepted: PublicKey,
    runs: Arc<AtomicUsize>,
    version2: bool,
    protocol: Option<String>,
    inputs: HashMap<ChannelId, ChildStdin>,
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let good = user == "git" && key.public_key.key_data() == self.accepted.key_data();
        Ok(if good { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn env_request(
        &mut self,
        _: ChannelId,
        name: &str,
        value: &str,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        if name == "GIT_PROTOCOL" && self.version2 {
            self.protocol = Some(value.to_owned());
        }
        Ok(())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the servers under test are the machine's git"
    )]
    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(data).into_owned();
        let path = command
            .strip_prefix("git-upload-pack '/")
            .and_then(|rest| rest.strip_suffix('\''))
            .expect("a git command");
        let mut git = tokio::process::Command::new("git");
        git.arg("upload-pack")
            .arg(self.root.join(path))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(protocol) = &self.protocol {
            git.env("GIT_PROTOCOL", protocol);
        }
        self.runs.fetch_add(1, Ordering::SeqCst);
        let mut child = git.spawn().expect("git runs");
        self.inputs.insert(channel, child.stdin.take().expect("a pipe"));
        session.channel_success(channel)?;
        let handle = session.handle();
        tokio::spawn(async move {
            let mut out = child.stdout.take().expect("a pipe");
            let mut buf = vec![0; 32 << 10];
            while let Ok(n @ 1..) = out.read(&mut buf).await {
                if handle.data(channel, buf[..n].to_vec()).await.is_err() {
                    break;
                }
            }
            let mut said = Vec::new();
            child
                .stderr
                .take()
                .expect("a pipe")
                .read_to_end(&mut said)
                .await
                .ok();
            handle.extended_data(channel, 1, said).await.ok();
            let status = child.wait().await.ok().and_then(|s| s.code()).unwrap_or(1);
            handle
                .exit_status_request(channel, status.unsigned_abs())
                .await
                .ok();
            handle.eof(channel).await.ok();
            handle.close(channel).await.ok();
        });
        Ok(())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _: &mut Session) -> Result<(), Self::Error> {
        if let Some(input) = self.inputs.get_mut(&channel) {
            input.write_all(data).await.ok();
            input.flush().await.ok();
        }
        Ok(())
    }

    async fn channel_eof(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.inputs.remove(&channel);
        Ok(())
    }
}
