//! ssh in this process: a checked host key, one key to log in with, `git-upload-pack` as a channel.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use gix::protocol::transport::Protocol;
use gix::protocol::transport::client::git::ConnectMode;
use gix::protocol::transport::client::git::blocking_io::Connection as GitConnection;
use russh::client::{self, Handle, Msg};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Preferred};
use tenure_core::Secret;

use crate::known_hosts::{KnownHosts, Verdict, host_name, shown};
use crate::transport::{Context, Wire};
use crate::{Credential, GitError, Missing, Remote};
use tenure_core::printable;
use tenure_net::Unresolved;

/// Connecting and agreeing on keys takes at most this long, however long the download may take.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// How much of the remote's complaints is kept.
const STDERR: usize = 4096;

pub(crate) fn connect(remote: &Remote, context: &Context) -> Result<Wire, GitError> {
    let Credential::Ssh {
        identity,
        passphrase,
        known_hosts,
        username,
    } = &remote.credential
    else {
        return Err(authentication(
            context,
            "ssh needs a key: give the Secret 'identity' and 'known_hosts'",
        ));
    };
    let login = Login {
        user: login_user(remote, username.as_deref()),
        key: decode_key(identity, passphrase.as_ref(), context)?,
        hosts: KnownHosts::parse(known_hosts),
    };
    let opened = context.wait(async { tokio::time::timeout(HANDSHAKE, open(remote, login, context)).await });
    let (handle, channel) = match opened {
        Ok(Ok(opened)) => opened?,
        Ok(Err(_)) => return Err(context.unavailable("no ssh session within 20 s")),
        Err(_) => return Err(context.deadline.error(&context.shown)),
    };
    let (read, write) = channel.split();
    let read = Output {
        channel: read,
        context: context.clone(),
        data: Bytes::new(),
        seen: false,
        stderr: Vec::new(),
    };
    let write = Input {
        channel: write,
        context: context.clone(),
        _session: handle,
    };
    let no_host = None::<(String, Option<u16>)>;
    let path = remote.url.path();
    Ok(Box::new(GitConnection::new(
        read,
        write,
        Protocol::V2,
        path,
        no_host,
        ConnectMode::Process,
        false,
    )))
}

struct Login {
    user: String,
    key: russh::keys::PrivateKey,
    hosts: KnownHosts,
}

fn authentication(context: &Context, message: &str) -> GitError {
    GitError::AuthenticationFailed {
        remote: context.shown.clone(),
        message: printable(message),
    }
}

fn login_user(remote: &Remote, configured: Option<&str>) -> String {
    let configured = configured.filter(|user| !user.is_empty());
    remote.url.user().or(configured).unwrap_or("git").to_owned()
}

fn decode_key(
    identity: &Secret,
    passphrase: Option<&Secret>,
    context: &Context,
) -> Result<russh::keys::PrivateKey, GitError> {
    let text = identity
        .expose_str()
        .ok_or_else(|| authentication(context, "the Secret's 'identity' is not text"))?;
    let passphrase = passphrase.filter(|p| !p.is_empty()).and_then(Secret::expose_str);
    // the decoder's own error could quote what it read
    decode_secret_key(text, passphrase).map_err(|_| {
        let hint = match passphrase {
            Some(_) => "the Secret's 'identity' cannot be read with its 'password'",
            None => "the Secret's 'identity' is not a private key, or is encrypted and the Secret has no 'password'",
        };
        authentication(context, hint)
    })
}

type Opened = (Handle<Checker>, russh::Channel<Msg>);

async fn open(remote: &Remote, login: Login, context: &Context) -> Result<Opened, GitError> {
    let (host, port) = (
        remote.url.host().trim_matches(['[', ']']).to_owned(),
        remote.url.port(),
    );
    let config = Arc::new(client::Config {
        preferred: preferred(&login.hosts.algorithms(&host, port)),
        keepalive_interval: Some(Duration::from_secs(15)),
        nodelay: true,
        ..client::Config::default()
    });
    let checker = Checker {
        host: host.clone(),
        port,
        hosts: login.hosts,
        context: context.clone(),
    };
    let addresses = match remote.outbound.guard.resolve(&host, port).await {
        Ok(addresses) => addresses,
        Err(Unresolved::Refused(refused)) => return Err(context.forbidden(&refused)),
        Err(Unresolved::LookUp(error)) => return Err(context.unavailable(&format!("looking it up: {error}"))),
    };
    let mut handle = match client::connect(config, addresses.as_slice(), checker).await {
        Ok(handle) => handle,
        Err(error) => {
            return Err(context
                .failure
                .take()
                .unwrap_or_else(|| context.unavailable(&error.to_string())));
        }
    };
    log_in(&mut handle, login.user, login.key, context).await?;
    let failed = |error: russh::Error| context.unavailable(&format!("opening the git service: {error}"));
    let channel = handle.channel_open_session().await.map_err(failed)?;
    // a server that does not take the variable answers in an older protocol, which is understood too
    channel
        .set_env(false, "GIT_PROTOCOL", "version=2")
        .await
        .map_err(failed)?;
    let command = format!("git-upload-pack {}", quoted(remote.url.path()));
    channel.exec(true, command).await.map_err(failed)?;
    Ok((handle, channel))
}

async fn log_in(
    handle: &mut Handle<Checker>,
    user: String,
    key: russh::keys::PrivateKey,
    context: &Context,
) -> Result<(), GitError> {
    let failed = |error: russh::Error| context.unavailable(&format!("logging in: {error}"));
    let shown = shown(key.public_key());
    let rsa = handle.best_supported_rsa_hash().await.map_err(failed)?.flatten();
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), rsa.or(Some(HashAlg::Sha512)));
    let answer = handle
        .authenticate_publickey(user.clone(), key)
        .await
        .map_err(failed)?;
    if answer.success() {
        return Ok(());
    }
    let message =
        format!("the host does not accept the {shown} for user {user:?}; add it there as a deploy key");
    Err(authentication(context, &message))
}

/// Asks for a key of a type that `known_hosts` has: a host with several would otherwise show any of them.
fn preferred(known: &[Algorithm]) -> Preferred {
    let all = Preferred::default();
    // one RSA key signs in several ways, each an algorithm of its own
    let is_rsa = |a: &Algorithm| matches!(a, Algorithm::Rsa { .. });
    let rsa = known.iter().any(is_rsa);
    let keys: Vec<Algorithm> = all
        .key
        .iter()
        .filter(|a| known.contains(a) || (rsa && is_rsa(a)))
        .cloned()
        .collect();
    if keys.is_empty() {
        all
    } else {
        Preferred {
            key: Cow::Owned(keys),
            ..all
        }
    }
}

/// For the shell at the other end.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''").replace('!', r"'\!'"))
}

/// Says whether the host is the one that is meant.
struct Checker {
    host: String,
    port: u16,
    hosts: KnownHosts,
    context: Context,
}

impl client::Handler for Checker {
    type Error = russh::Error;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let name = host_name(&self.host, self.port);
        let message = match offered {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                match self.hosts.judge(&self.host, self.port, key) {
                    Verdict::Trusted => return Ok(true),
                    Verdict::Unknown => format!(
                        "the Secret's known_hosts has no entry for {name}; if its {} is the right one, add it",
                        shown(key)
                    ),
                    Verdict::Other => format!(
                        "the Secret's known_hosts has other keys for {name} than its {}; either the host's key was \
                     changed, or this is another host",
                        shown(key)
                    ),
                    Verdict::Revoked => format!(
                        "the {} of {name} is marked @revoked in the Secret's known_hosts",
                        shown(key)
                    ),
                }
            }
            PublicKeyOrCertificate::Certificate(_) => format!("{name} shows a certificate instead of a key"),
        };
        drop(self.context.failure.note(GitError::HostKeyMismatch {
            remote: self.context.shown.clone(),
            message,
        }));
        Ok(false)
    }
}

/// What the remote's `git-upload-pack` writes.
struct Output {
    channel: ChannelReadHalf,
    context: Context,
    data: Bytes,
    seen: bool,
    stderr: Vec<u8>,
}

impl Read for Output {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.data.is_empty() {
            match self.context.wait(self.channel.wait())? {
                Some(ChannelMsg::Data { data }) => {
                    self.context.count(data.len())?;
                    self.seen |= !data.is_empty();
                    self.data = data;
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = STDERR.saturating_sub(self.stderr.len());
                    self.stderr.extend(data.iter().take(room));
                }
                Some(ChannelMsg::Failure) => {
                    return Err(self.refused("the host refuses to run git-upload-pack"));
                }
                Some(ChannelMsg::Close) | None => return self.ended(),
                Some(_) => {}
            }
        }
        let read = buf.len().min(self.data.len());
        self.data.copy_to_slice(buf.get_mut(..read).unwrap_or_default());
        Ok(read)
    }
}

impl Output {
    fn refused(&self, message: &str) -> io::Error {
        self.context.failure.note(self.context.unavailable(message))
    }

    fn ended(&self) -> io::Result<usize> {
        if self.seen && self.stderr.is_empty() {
            return Ok(0);
        }
        let said = printable(&String::from_utf8_lossy(&self.stderr));
        if said.is_empty() {
            return Err(self.refused("the host closed the connection without an answer"));
        }
        Err(self.context.failure.note(complaint(&said, &self.context)))
    }
}

/// What hosts say when they do not serve a repository.
fn complaint(said: &str, context: &Context) -> GitError {
    let lower = said.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    if has(&[
        "not appear to be a git repository",
        "not found",
        "does not exist",
        "no such",
        "could not be found",
        "cannot find",
    ]) {
        return GitError::NotFound {
            remote: context.shown.clone(),
            what: Missing::Repository,
        };
    }
    if has(&["denied", "permission", "not allowed", "unauthorized", "access"]) {
        return authentication(context, &format!("the host said: {said}"));
    }
    context.unavailable(&format!("the host said: {said}"))
}

/// What the remote's `git-upload-pack` reads. The session lives as long as this.
struct Input {
    channel: ChannelWriteHalf<Msg>,
    context: Context,
    _session: Handle<Checker>,
}

impl Write for Input {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let sent = self
            .context
            .wait(self.channel.data_bytes(Bytes::copy_from_slice(buf)))?;
        // a host that refuses the repository is gone before it read: the reader has the reason
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_path_stays_one_word_in_the_hosts_shell() {
        assert_eq!(quoted("/a'; touch x; '"), r"'/a'\''; touch x; '\'''");
        assert_eq!(quoted("/$(id) `id`"), "'/$(id) `id`'");
    }
}
