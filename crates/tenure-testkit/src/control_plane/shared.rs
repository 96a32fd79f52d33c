use std::env;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

use super::detached::{attach, create_private, launch, stop};
use super::{ControlPlane, Options, Servers, ready_rig};
use crate::command::program;
use crate::places::{cache_dir, private_runtime_dir};
use crate::rig::Rig;

/// Ends the servers when the last lock on `users.lock` is gone. The kernel drops a lock with its
/// process however that ends, so nobody has to say goodbye. The pause lets the next test binary of
/// one `cargo test` find the control plane running.
/// Arguments: the directory, where the programs are, the pause in seconds.
const WATCHER: &str = r#"
exec 8>"$1/watcher.lock" 9>"$1/users.lock"
flock -n 8 || exit 0
while :; do
  flock -x 9 8>&-
  flock -u 9
  sleep "$3" 8>&- 9>&-
  flock -n -x 9 && break
done
for file in "$1"/plane/*.pid; do
  pid=$(cat "$file") || continue
  case $(readlink "/proc/$pid/exe") in "$2"/*) kill -9 "$pid" ;; esac
done
rm -rf "$1/plane"
"#;

/// Seconds between the last user and the end, when `$TENURE_LINGER` says nothing.
const LINGER: &str = "20";

impl ControlPlane {
    /// The control plane that all test processes of this machine share. The first one starts it;
    /// it ends a little after the last one. Tests keep apart by namespaces, and by names with the
    /// namespace's name in them where objects are cluster-scoped.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn shared() -> anyhow::Result<Self> {
        let rig = ready_rig().await?;
        let dir = private_runtime_dir()?.join(format!("shared-{}", key(&rig)));
        create_private(&dir)?;
        let starting = lock(&dir.join("start.lock"), FlockOperation::LockExclusive).await?;
        let users = lock(&dir.join("users.lock"), FlockOperation::LockShared).await?;
        watch(&dir)?;
        let place = dir.join("plane");
        let mut plane = match attach(&place).await {
            Ok(plane) => plane,
            Err(_) => {
                stop(&place)?;
                create_private(&place)?;
                launch(&place, Options::default()).await?
            }
        };
        plane.servers = Servers::Shared { _lock: users };
        drop(starting);
        Ok(plane)
    }
}

/// Other programs or another cache make another control plane.
fn key(rig: &Rig) -> String {
    let mut hash = Sha256::new();
    hash.update(rig.dir().as_os_str().as_encoded_bytes());
    hash.finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

async fn lock(path: &Path, how: FlockOperation) -> anyhow::Result<File> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || {
        let file = File::create(&path).with_context(|| format!("open {}", path.display()))?;
        flock(&file, how).with_context(|| format!("lock {}", path.display()))?;
        Ok(file)
    })
    .await?
}

/// Starts the watcher; a second one ends at once.
fn watch(dir: &Path) -> anyhow::Result<()> {
    let programs = fs::canonicalize(cache_dir().join("rig"))?;
    let mut child = program("sh")
        .args(["-c", WATCHER, "watcher"])
        .arg(dir)
        .arg(programs)
        .arg(env::var_os("TENURE_LINGER").unwrap_or_else(|| LINGER.into()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("start the watcher of the shared control plane")?;
    // Most of them end at once, and somebody must take their status.
    std::thread::spawn(move || child.wait());
    Ok(())
}
