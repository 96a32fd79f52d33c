//! An OCI registry that is a real one, and artifacts to push into it.

mod artifact;
mod push;
mod token;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, StatusCode};
use tempfile::TempDir;

pub use artifact::{Artifact, Part};
pub use push::Pushed;
use token::TokenService;

use crate::command::{program, run};
use crate::net::free_port;
use crate::pki::{Authority, Identity, install_crypto};
use crate::proc::{Proc, Spec, tail};
use crate::rig::registry_program;
use crate::wait::until;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Who pushes.
const PUSHER: (&str, &str) = ("pusher", "rig-pushes");

/// How people log in to a registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Login {
    /// User and password at the registry itself.
    #[default]
    Password,
    /// User and password at a token service, whose token the registry takes.
    Token,
    /// Everybody may do everything.
    Nobody,
}

/// How a registry is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// TLS with a certificate authority of its own.
    #[default]
    Https,
    /// The same, and clients have to show a certificate.
    MutualTls,
    /// In the clear.
    Http,
}

/// A running registry. Its first user is the one that this type itself pushes as.
#[derive(Debug)]
pub struct Registry {
    port: u16,
    transport: Transport,
    login: Login,
    authority: Authority,
    client: Client,
    token: Option<TokenService>,
    users: Mutex<BTreeMap<String, String>>,
    daemon: Proc,
    dir: TempDir,
}

impl Registry {
    /// Starts one with TLS and passwords.
    ///
    /// # Errors
    /// When it cannot be built or does not answer.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(Transport::default(), Login::default()).await
    }

    /// Starts one.
    ///
    /// # Errors
    /// When it cannot be built or does not answer.
    pub async fn start_with(transport: Transport, login: Login) -> anyhow::Result<Self> {
        install_crypto();
        let binary = tokio::task::spawn_blocking(registry_program).await??;
        let dir = tempfile::Builder::new().prefix("registry-").tempdir()?;
        let authority = Authority::new("rig-registry")?;
        let own = authority.client(PUSHER.0, None)?;
        let client = client(&authority, &own)?;
        write_identity(dir.path(), &authority)?;
        let users = BTreeMap::from([(PUSHER.0.to_owned(), PUSHER.1.to_owned())]);
        write_users(&binary, dir.path(), &users)?;
        let token = match login {
            Login::Token => Some(TokenService::start(&authority, users.clone(), dir.path()).await?),
            _ => None,
        };
        let mut tries = 0;
        loop {
            let port = free_port()?;
            let config = config(dir.path(), port, transport, login, token.as_ref())?;
            let spec = Spec::new(&binary, dir.path().join("registry.log"))
                .args(["serve"])
                .arg(config)
                .env("OTEL_TRACES_EXPORTER", "none");
            let mut daemon = Proc::spawn(&spec)?;
            match answers(&client, &mut daemon, &origin(transport, port)).await {
                Ok(()) => {
                    return Ok(Self {
                        port,
                        transport,
                        login,
                        authority,
                        client,
                        token,
                        users: Mutex::new(users),
                        daemon,
                        dir,
                    });
                }
                // another process may have taken the port
                Err(_) if tries < 3 => tries += 1,
                Err(error) => return Err(error.context(tail(&dir.path().join("registry.log")))),
            }
        }
    }

    /// Host and port.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL of a repository, as a source names it.
    #[must_use]
    pub fn url(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.host())
    }

    /// The authority that signed the certificates of the registry and its token service, PEM.
    #[must_use]
    pub fn ca(&self) -> &str {
        self.authority.certificate()
    }

    /// A certificate that the registry accepts from a client.
    ///
    /// # Errors
    /// When the machine cannot make a key.
    pub fn client_identity(&self, name: &str) -> anyhow::Result<Identity> {
        self.authority.client(name, None)
    }

    /// Adds a user or changes a password. The registry looks at the next request.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub fn set_password(&self, user: &str, password: &str) -> anyhow::Result<()> {
        self.change(|users| {
            users.insert(user.to_owned(), password.to_owned());
        })
    }

    /// Removes a user.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub fn revoke(&self, user: &str) -> anyhow::Result<()> {
        self.change(|users| {
            users.remove(user);
        })
    }

    /// What it was asked since it started: method, path and status, as `GET /v2/app/manifests/latest 200`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.daemon.log().lines().filter_map(request).collect()
    }

    /// Everything that it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// A docker config that logs in here.
    #[must_use]
    pub fn docker_config(&self, user: &str, password: &str) -> String {
        let login = serde_json::json!({"username": user, "password": password});
        serde_json::json!({"auths": {self.host(): login}}).to_string()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) -> anyhow::Result<()> {
        let mut users = self.users.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut users);
        if let Some(token) = &self.token {
            token.set_users(users.clone());
        }
        write_users(&registry_program()?, self.dir.path(), &users)
    }

    fn origin(&self) -> String {
        origin(self.transport, self.port)
    }
}

fn origin(transport: Transport, port: u16) -> String {
    let scheme = if transport == Transport::Http { "http" } else { "https" };
    format!("{scheme}://127.0.0.1:{port}")
}

fn client(authority: &Authority, own: &Identity) -> anyhow::Result<Client> {
    let identity = format!("{}{}", own.certificate, own.key);
    Ok(Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(authority.certificate().as_bytes())?])
        .identity(reqwest::Identity::from_pem(identity.as_bytes())?)
        .build()?)
}

async fn answers(client: &Client, daemon: &mut Proc, origin: &str) -> anyhow::Result<()> {
    until("the registry to answer", TIMEOUT, || {
        let alive = daemon.check();
        let asked = client.get(format!("{origin}/v2/")).send();
        async move {
            if alive.is_err() {
                return Ok(alive);
            }
            let status = asked.await?.status();
            anyhow::ensure!(
                matches!(status, StatusCode::OK | StatusCode::UNAUTHORIZED),
                "it answers {status}"
            );
            Ok(Ok(()))
        }
    })
    .await?
}

fn write_identity(dir: &Path, authority: &Authority) -> anyhow::Result<()> {
    let server = authority.server("registry", &[])?;
    fs::write(dir.join("tls.crt"), &server.certificate)?;
    fs::write(dir.join("tls.key"), &server.key)?;
    Ok(fs::write(dir.join("ca.crt"), authority.certificate())?)
}

/// The registry reads the file again when its time changes, so it must appear whole.
fn write_users(binary: &Path, dir: &Path, users: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let lines: Vec<String> = users
        .iter()
        .map(|(user, password)| run(program(binary).args(["htpasswd", user, password])))
        .collect::<anyhow::Result<_>>()
        .context("hash passwords")?;
    fs::write(dir.join("htpasswd.new"), lines.concat())?;
    Ok(fs::rename(dir.join("htpasswd.new"), dir.join("htpasswd"))?)
}

fn config(
    dir: &Path,
    port: u16,
    transport: Transport,
    login: Login,
    token: Option<&TokenService>,
) -> anyhow::Result<std::path::PathBuf> {
    let file = |name: &str| dir.join(name).display().to_string();
    let mut http = serde_json::json!({
        "addr": format!("127.0.0.1:{port}"), "secret": "rig", "relativeurls": true,
    });
    if transport != Transport::Http {
        http["tls"] = serde_json::json!({"certificate": file("tls.crt"), "key": file("tls.key")});
    }
    if transport == Transport::MutualTls {
        http["tls"]["clientcas"] = serde_json::json!([file("ca.crt")]);
    }
    let auth = match (login, token) {
        (Login::Password, _) => {
            serde_json::json!({"htpasswd": {"realm": "rig", "path": file("htpasswd")}})
        }
        (Login::Token, Some(token)) => serde_json::json!({"token": token.config(&file("jwks.json"))}),
        _ => serde_json::json!({}),
    };
    let config = serde_json::json!({
        "version": "0.1",
        "log": {"level": "warn", "formatter": "json"},
        "storage": {
            "filesystem": {"rootdirectory": file("data")},
            "delete": {"enabled": true},
            "redirect": {"disable": true},
        },
        "http": http,
        "auth": auth,
    });
    // JSON is YAML too
    let path = dir.join("config.yml");
    fs::write(&path, config.to_string())?;
    Ok(path)
}

/// A line of the registry's access log: `127.0.0.1 - - [time] "GET /v2/ HTTP/2.0" 401 87 "" "tenure/0.1.0"`.
fn request(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("] \"")?;
    let (asked, rest) = rest.split_once("\" ")?;
    let (asked, _) = asked.rsplit_once(' ')?;
    let (status, _) = rest.split_once(' ')?;
    Some(format!("{asked} {status}"))
}
