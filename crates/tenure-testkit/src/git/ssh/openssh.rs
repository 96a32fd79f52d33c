use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use rustix::fs::{FlockOperation, flock};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::command::{output, program, run};
use crate::net::local;
use crate::places::private_runtime_dir;
use crate::proc::{Proc, Spec, tail};
use crate::progress::say;
use crate::wait::until;

const SSHD: &str = "/usr/sbin/sshd";

/// Stands between every key and the repositories. Its argument is the key's name.
const SERVE: &str = r#"#!/bin/sh
refuse() { echo "$1" >&2; exit 1; }
case $SSH_ORIGINAL_COMMAND in
  "git-upload-pack '"*"'") ;;
  *) refuse "only git-upload-pack is served here" ;;
esac
path=${SSH_ORIGINAL_COMMAND#"git-upload-pack '"}
path=${path%"'"}
path=${path#/}
case /$path/ in *"'"* | */../* | *//*) refuse "this is no path of a repository" ;; esac
here=$(dirname "$0")
grep -qxF -e '*' -e "$path" "$here/access/$1" || refuse "repository not found"
[ -d "$here/repositories/$path" ] || refuse "repository not found"
exec git -c safe.directory='*' upload-pack --strict "$here/repositories/$path"
"#;

/// A running daemon.
#[derive(Debug)]
pub(super) struct OpenSsh {
    _daemon: Proc,
}

impl OpenSsh {
    /// Starts the daemon with a configuration of its own in `dir`; the machine's is not read.
    pub(super) async fn start(dir: &Path, port: u16, host_key: &PrivateKey) -> anyhow::Result<Self> {
        tokio::task::spawn_blocking(prepare_machine).await??;
        write_config(dir, port, host_key)?;
        let spec = Spec::new(SSHD, dir.join("sshd.log"))
            .args(["-D", "-e", "-f"])
            .arg(dir.join("sshd_config"));
        let mut daemon = Proc::spawn(&spec)?;
        until("sshd to answer", Duration::from_secs(20), || {
            let alive = daemon.check();
            async move {
                if alive.is_err() {
                    return Ok(alive);
                }
                greets(port).await.map(Ok)
            }
        })
        .await
        .with_context(|| tail(&dir.join("sshd.log")))??;
        Ok(Self { _daemon: daemon })
    }
}

async fn greets(port: u16) -> anyhow::Result<()> {
    let mut greeting = [0; 8];
    TcpStream::connect(local(port))
        .await?
        .read_exact(&mut greeting)
        .await?;
    ensure!(&greeting == b"SSH-2.0-", "it says {greeting:?}");
    Ok(())
}

fn write_config(dir: &Path, port: u16, host_key: &PrivateKey) -> anyhow::Result<()> {
    let key_path = dir.join("host_key");
    // Created closed: sshd refuses a key that others may read.
    fs::write(&key_path, "")?;
    fs::set_permissions(&key_path, Permissions::from_mode(0o600))?;
    fs::write(&key_path, host_key.to_openssh(LineEnding::LF)?.as_bytes())?;
    fs::write(dir.join("serve"), SERVE)?;
    fs::set_permissions(dir.join("serve"), Permissions::from_mode(0o755))?;
    let dir_name = dir.display();
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {dir_name}/host_key\nPidFile none\n\
         AuthorizedKeysFile {dir_name}/authorized_keys\nAllowUsers git\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n\
         DisableForwarding yes\nPermitTTY no\nPermitUserRC no\nPermitUserEnvironment no\n\
         AcceptEnv GIT_PROTOCOL\nUseDNS no\nPrintMotd no\nLogLevel VERBOSE\n\
         MaxStartups 200\n\
         # The directory is in /tmp, where others may write.\nStrictModes no\n"
    );
    fs::write(dir.join("sshd_config"), config).context("write the daemon's configuration")
}

/// The daemon, and the user it serves as. Under a lock: tests start servers at the same time.
fn prepare_machine() -> anyhow::Result<()> {
    let lock = File::create(private_runtime_dir()?.join("machine.lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    if !Path::new(SSHD).exists() {
        install()?;
    }
    // Where the daemon locks its unprivileged half in.
    fs::create_dir_all("/run/sshd").context("create /run/sshd")?;
    if !output(program("id").args(["-u", "git"]))?.status.success() {
        // A shell is needed to run the forced command; `*` is a password that nothing matches,
        // while the `!` of useradd would lock the account for keys too.
        run(program("useradd")
            .args(["--system", "--home-dir", "/run/sshd", "--no-create-home"])
            .args(["--shell", "/bin/sh", "--password", "*", "git"]))
        .context("create the user git")?;
    }
    Ok(())
}

/// Installs the daemon without letting the package start a server of its own.
fn install() -> anyhow::Result<()> {
    say("installing openssh-server");
    let policy = Path::new("/usr/sbin/policy-rc.d");
    let ours = !policy.exists();
    if ours {
        fs::write(policy, "#!/bin/sh\nexit 101\n")?;
        fs::set_permissions(policy, Permissions::from_mode(0o755))?;
    }
    // A fresh machine has no lists of packages, or old ones that name packages no longer there.
    let installed = apt(&INSTALL)
        .or_else(|_| apt(&["update"]).and_then(|_| apt(&INSTALL)))
        .map(drop);
    if ours {
        fs::remove_file(policy)?;
    }
    installed.context("install openssh-server; without root a server in this process is used")
}

const INSTALL: [&str; 4] = ["install", "--yes", "--no-install-recommends", "openssh-server"];

fn apt(args: &[&str]) -> anyhow::Result<String> {
    run(program("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(args))
}
