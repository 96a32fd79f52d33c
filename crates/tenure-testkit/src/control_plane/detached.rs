use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::layout::Layout;
use super::servers::Server;
use super::{ControlPlane, Options, Servers, is_ready, ready, ready_rig};
use crate::places::cache_dir;

/// Starts a control plane that goes on until [`stop`]; when one runs in `dir` already, that is
/// used.
///
/// # Errors
/// As [`ControlPlane::start`].
pub async fn up(dir: &Path, options: Options) -> anyhow::Result<ControlPlane> {
    if let Ok(plane) = attach(dir).await {
        return Ok(plane);
    }
    stop(dir)?;
    create_private(dir)?;
    let plane = launch(dir, options).await;
    if plane.is_err() {
        stop_servers(dir)?;
    }
    plane
}

/// Uses a control plane that [`up`] started, in this or another process.
///
/// # Errors
/// When none runs there.
pub async fn attach(dir: &Path) -> anyhow::Result<ControlPlane> {
    crate::pki::install_crypto();
    let layout = Layout::load(dir)?;
    let client = layout.client().await?;
    is_ready(&client)
        .await
        .with_context(|| format!("no control plane runs in {}", dir.display()))?;
    Ok(ControlPlane {
        layout,
        servers: Servers::Detached,
        client,
    })
}

/// Ends the control plane in `dir` and removes the directory. None there is no error.
///
/// # Errors
/// When a server cannot be killed or the directory cannot be removed.
pub fn stop(dir: &Path) -> anyhow::Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    let ours = Server::ALL.iter().any(|&server| pid_file(dir, server).exists());
    if !ours && fs::read_dir(dir)?.next().is_some() {
        bail!("{} holds no control plane: it is left alone", dir.display());
    }
    stop_servers(dir)?;
    fs::remove_dir_all(dir).with_context(|| format!("remove {}", dir.display()))
}

pub(super) async fn launch(dir: &Path, options: Options) -> anyhow::Result<ControlPlane> {
    let rig = ready_rig().await?;
    let layout = Layout::create(dir, &options)?;
    let spawn = |server| layout.spec(&rig, server).spawn_detached(&pid_file(dir, server));
    let mut etcd = spawn(Server::Etcd)?;
    let mut api = spawn(Server::Api)?;
    let client = layout.client().await?;
    ready(&client, &mut [&mut etcd, &mut api]).await?;
    spawn(Server::Controllers)?;
    let plane = ControlPlane {
        layout: layout.clone(),
        servers: Servers::Detached,
        client,
    };
    plane.controllers_ready().await?;
    layout.save()?;
    Ok(plane)
}

fn pid_file(dir: &Path, server: Server) -> PathBuf {
    dir.join(format!("{}.pid", server.program()))
}

pub(super) fn create_private(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("create {}", dir.display()))
}

pub(super) fn stop_servers(dir: &Path) -> anyhow::Result<()> {
    for server in Server::ALL {
        let Ok(text) = fs::read_to_string(pid_file(dir, server)) else {
            continue;
        };
        let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else {
            continue;
        };
        if runs_from_rig(pid) {
            kill_process(pid, Signal::KILL)
                .with_context(|| format!("kill {} in {}", server.program(), dir.display()))?;
            gone(pid)?;
        }
    }
    Ok(())
}

/// A number in an old file may be another program's by now.
fn runs_from_rig(pid: Pid) -> bool {
    let programs = cache_dir().join("rig");
    let programs = programs.canonicalize().unwrap_or(programs);
    fs::read_link(exe(pid)).is_ok_and(|path| path.starts_with(programs))
}

fn exe(pid: Pid) -> PathBuf {
    format!("/proc/{}/exe", pid.as_raw_nonzero()).into()
}

/// A dead process has no program any more, even while nobody has asked for its status.
fn gone(pid: Pid) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while fs::read_link(exe(pid)).is_ok() {
        if Instant::now() > deadline {
            bail!(
                "process {} is still there 10 s after SIGKILL",
                pid.as_raw_nonzero()
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
