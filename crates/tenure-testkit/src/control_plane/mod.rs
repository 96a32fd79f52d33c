//! A Kubernetes control plane of its own: etcd, kube-apiserver, kube-controller-manager.
//!
//! Authorisation is RBAC alone, anonymous requests are refused, every request is audited with its
//! bodies. There is no scheduler and no kubelet: see [`crate::node`].

mod access;
mod audit;
mod detached;
mod layout;
mod servers;
mod shared;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use kube::Client;
use tempfile::TempDir;

use crate::places::private_runtime_dir;
use crate::proc::{Proc, tail};
use crate::rig::Rig;
use crate::{pki, wait};

pub(crate) use access::token_of_pod;
pub use access::{Endpoint, TempNamespace};
pub use audit::{AuditEvent, AuditMark, ObjectRef};
pub use detached::{attach, stop, up};

use layout::Layout;
use servers::Server;

/// How long a control plane may take to come up on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// What a test may choose.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// More flags for kube-apiserver, as `--flag=value`; a later flag wins.
    pub api_server_flags: Vec<String>,
    /// Who issues ServiceAccount tokens, if not who does in most clusters: a cluster trusts no other one of its own name.
    pub issuer: Option<String>,
}

/// A running control plane. What it started ends with this value, or with the process.
pub struct ControlPlane {
    layout: Layout,
    servers: Servers,
    client: Client,
}

/// Who ends the servers.
#[derive(Debug)]
enum Servers {
    /// This value does.
    Owned(Box<Owned>),
    /// A watcher does, when no process holds the lock any more.
    Shared { _lock: File },
    /// A person does.
    Detached,
}

/// The order of the fields matters: servers are killed before their directory goes.
#[derive(Debug)]
struct Owned {
    api: Option<Proc>,
    controllers: Option<Proc>,
    rig: Rig,
    _etcd: Proc,
    _dir: TempDir,
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane")
            .field("dir", &self.dir())
            .finish_non_exhaustive()
    }
}

impl ControlPlane {
    /// Starts a control plane that belongs to the caller, for tests that restart or reconfigure
    /// it. Others use [`ControlPlane::shared`].
    ///
    /// # Errors
    /// When the programs cannot be built, or a server does not become ready; the message carries
    /// the end of its log.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let rig = ready_rig().await?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::start_once(&rig, &options).await {
                // Somebody took the port between our look and the server's.
                Err(error) if attempts < 4 && format!("{error:#}").contains("address already in use") => {}
                result => return result,
            }
        }
    }

    async fn start_once(rig: &Rig, options: &Options) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("plane-")
            .tempdir_in(private_runtime_dir()?)?;
        let layout = Layout::create(dir.path(), options)?;
        let mut etcd = Proc::spawn(&layout.spec(rig, Server::Etcd))?;
        let mut api = Proc::spawn(&layout.spec(rig, Server::Api))?;
        let client = layout.client().await?;
        ready(&client, &mut [&mut etcd, &mut api]).await?;
        let controllers = Proc::spawn(&layout.spec(rig, Server::Controllers))?;
        let servers = Servers::Owned(Box::new(Owned {
            api: Some(api),
            controllers: Some(controllers),
            _etcd: etcd,
            rig: rig.clone(),
            _dir: dir,
        }));
        let plane = Self {
            layout,
            servers,
            client,
        };
        plane.controllers_ready().await?;
        Ok(plane)
    }

    /// The first sign of the controllers: every namespace gets the account `default`.
    async fn controllers_ready(&self) -> anyhow::Result<()> {
        self.await_default_account("default")
            .await
            .with_context(|| tail(&self.layout.log(Server::Controllers)))
    }

    /// Kills the API server; etcd keeps what it had.
    ///
    /// # Errors
    /// When the control plane is not the caller's own.
    pub fn kill_api_server(&mut self) -> anyhow::Result<()> {
        if let Some(mut api) = self.own()?.api.take() {
            api.kill()?;
        }
        Ok(())
    }

    /// Starts the API server again on the same port, and waits until it is ready.
    ///
    /// # Errors
    /// When the control plane is not the caller's own, or the server does not become ready.
    pub async fn start_api_server(&mut self) -> anyhow::Result<()> {
        let layout = self.layout.clone();
        let client = self.client.clone();
        let own = self.own()?;
        if own.api.is_some() {
            return Ok(());
        }
        let api = own.api.insert(Proc::spawn(&layout.spec(&own.rig, Server::Api))?);
        ready(&client, &mut [api]).await
    }

    /// Kills the API server and starts it again: every watch breaks, nothing is lost.
    ///
    /// # Errors
    /// As [`ControlPlane::start_api_server`].
    pub async fn restart_api_server(&mut self) -> anyhow::Result<()> {
        self.kill_api_server()?;
        self.start_api_server().await
    }

    /// Signs service account tokens with a new key from now on. With `keep_old`, tokens of the old
    /// one stay valid. Restarts the API server and the controllers.
    ///
    /// # Errors
    /// As [`ControlPlane::start_api_server`].
    pub async fn rotate_service_account_key(&mut self, keep_old: bool) -> anyhow::Result<()> {
        self.own()?;
        self.layout.rotate_key(keep_old)?;
        self.restart_api_server().await?;
        let layout = self.layout.clone();
        let own = self.own()?;
        own.controllers = None;
        own.controllers = Some(Proc::spawn(&layout.spec(&own.rig, Server::Controllers))?);
        Ok(())
    }

    /// The file with one JSON event per answered request.
    #[must_use]
    pub fn audit_log_path(&self) -> PathBuf {
        self.layout.audit_log()
    }

    /// A kubeconfig with a client certificate of `system:masters`.
    #[must_use]
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.layout.kubeconfig()
    }

    /// Where the logs and keys are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.layout.dir()
    }

    fn own(&mut self) -> anyhow::Result<&mut Owned> {
        match &mut self.servers {
            Servers::Owned(owned) => Ok(owned),
            Servers::Shared { .. } | Servers::Detached => {
                bail!("others use this control plane too: use ControlPlane::start for one to break")
            }
        }
    }
}

/// The programs, without blocking the runtime while they are built.
async fn ready_rig() -> anyhow::Result<Rig> {
    pki::install_crypto();
    tokio::task::spawn_blocking(Rig::ready).await?
}

/// Waits for `/readyz`; gives up at once when one of the servers has ended.
async fn ready(client: &Client, servers: &mut [&mut Proc]) -> anyhow::Result<()> {
    wait::until("the API server to be ready", START_TIMEOUT, || {
        let alive = servers.iter_mut().try_for_each(|server| server.check());
        async move {
            if alive.is_err() {
                return Ok(alive);
            }
            is_ready(client).await.map(Ok)
        }
    })
    .await?
}

async fn is_ready(client: &Client) -> anyhow::Result<()> {
    let request = http::Request::get("/readyz").body(Vec::new())?;
    client.request_text(request).await.context("ask for /readyz")?;
    Ok(())
}
