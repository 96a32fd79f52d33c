use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use russh::keys::PrivateKey;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handle, Handler, Msg, Server, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::access::{Access, Keys};
use crate::command::async_program;
use crate::git::{below, upload_pack_path};
use crate::net::local;
use crate::wait::until;

/// A server in this process.
#[derive(Debug)]
pub(super) struct InProcess {
    _stop: DropGuard,
}

impl InProcess {
    pub(super) async fn start(
        port: u16,
        host_key: &PrivateKey,
        keys: Keys,
        root: PathBuf,
    ) -> anyhow::Result<Self> {
        // A server that was stopped a moment ago may not have let go of the port.
        let socket = until("the port of the SSH server", Duration::from_secs(20), || async {
            TcpListener::bind(local(port)).await.context("listen for SSH")
        })
        .await?;
        let config = Arc::new(Config {
            keys: vec![host_key.clone()],
            // Every client starts by asking whether it may come in without a key.
            auth_rejection_time: Duration::ZERO,
            ..Config::default()
        });
        let stop = CancellationToken::new();
        let token = stop.clone();
        tokio::spawn(async move {
            let mut host = Host { keys, root };
            let running = host.run_on_socket(config, &socket);
            let handle = running.handle();
            tokio::select! {
                _ = running => {}
                () = token.cancelled() => handle.shutdown("the server stops".to_owned()),
            }
        });
        Ok(Self {
            _stop: stop.drop_guard(),
        })
    }
}

struct Host {
    keys: Keys,
    root: PathBuf,
}

impl Server for Host {
    type Handler = Connection;

    fn new_client(&mut self, _: Option<std::net::SocketAddr>) -> Connection {
        Connection {
            keys: self.keys.clone(),
            root: self.root.clone(),
            access: None,
            channels: HashMap::new(),
        }
    }
}

struct Connection {
    keys: Keys,
    root: PathBuf,
    access: Option<Access>,
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Connection {
    fn repository(&self, command: &[u8]) -> anyhow::Result<PathBuf> {
        let name = upload_pack_path(std::str::from_utf8(command)?)?;
        let path = below(&self.root, name)?;
        let allowed = self.access.as_ref().is_some_and(|access| access.allows(name));
        anyhow::ensure!(allowed && path.is_dir(), "repository not found");
        Ok(path)
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.access = (user == "git")
            .then(|| self.keys.access(key.public_key))
            .flatten();
        Ok(if self.access.is_some() {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&id);
        session.channel_failure(id)?;
        session.close(id)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(channel) = self.channels.remove(&id) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let (repository, handle) = (self.repository(command), session.handle());
        tokio::spawn(async move {
            let code = match repository {
                Ok(path) => serve(channel, path).await.unwrap_or(128),
                Err(error) => {
                    let line = format!("{error}\n").into_bytes();
                    let _ = handle.extended_data(id, 1, line).await;
                    1
                }
            };
            finish(&handle, id, code).await;
        });
        Ok(())
    }
}

/// The client may be gone already, and then nobody needs the status.
async fn finish(handle: &Handle, id: ChannelId, code: u32) {
    let _ = handle.exit_status_request(id, code).await;
    let _ = handle.eof(id).await;
    let _ = handle.close(id).await;
}

async fn serve(channel: Channel<Msg>, repository: PathBuf) -> anyhow::Result<u32> {
    let mut child = async_program("git")
        .args(["upload-pack", "--strict"])
        .arg(repository)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    let mut output = child.stdout.take().context("no standard output")?;
    let (mut from, mut to) = tokio::io::split(channel.into_stream());
    let feed = async {
        let _ = tokio::io::copy(&mut from, &mut input).await;
        drop(input);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = feed => {}
        copied = tokio::io::copy(&mut output, &mut to) => {
            copied?;
        }
    }
    to.flush().await?;
    let status = child.wait().await?;
    Ok(status
        .code()
        .and_then(|code| u32::try_from(code).ok())
        .unwrap_or(128))
}
