use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use tenure_testkit::proc::Spec;
use tenure_testkit::{ControlPlane, Proc, until};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Not a test by itself: the next one runs this binary with it, twice, and kills both.
#[tokio::test]
#[ignore = "the other half of a test"]
async fn hold_the_shared_control_plane_for_ever() {
    let Ok(sign) = std::env::var("RIG_HOLD") else {
        return;
    };
    let plane = ControlPlane::shared().await.unwrap();
    fs::write(format!("{sign}.new"), plane.dir().as_os_str().as_encoded_bytes()).unwrap();
    fs::rename(format!("{sign}.new"), sign).unwrap();
    std::future::pending::<()>().await;
}

fn user(dir: &Path, name: &str) -> Proc {
    let spec = Spec::new(std::env::current_exe().unwrap(), dir.join(format!("{name}.log")))
        .args([
            "--ignored",
            "--exact",
            "shared::hold_the_shared_control_plane_for_ever",
        ])
        // A runtime directory of its own makes a control plane of its own.
        .env("XDG_RUNTIME_DIR", dir)
        .env("TENURE_LINGER", "0")
        .env("RIG_HOLD", dir.join(name));
    Proc::spawn(&spec).unwrap()
}

async fn plane_of(dir: &Path, name: &str) -> String {
    until("a user of the control plane", TIMEOUT, || async {
        Ok(fs::read_to_string(dir.join(name))?)
    })
    .await
    .unwrap()
}

fn pids_of(plane: &str) -> Vec<String> {
    ["etcd", "kube-apiserver", "kube-controller-manager"]
        .map(|program| fs::read_to_string(format!("{plane}/{program}.pid")).unwrap())
        .into()
}

#[tokio::test]
async fn the_shared_control_plane_ends_when_its_last_user_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (user(dir.path(), "first"), user(dir.path(), "second"));
    let plane = plane_of(dir.path(), "first").await;
    assert_eq!(
        plane_of(dir.path(), "second").await,
        plane,
        "both use the same one"
    );
    let pids = pids_of(&plane);
    let running = || {
        let exe = |pid: &String| fs::read_link(format!("/proc/{}/exe", pid.trim())).is_ok();
        pids.iter().filter(|&pid| exe(pid)).count()
    };

    first.kill().unwrap();
    let mut third = user(dir.path(), "third");
    plane_of(dir.path(), "third").await;
    assert_eq!(running(), 3, "two users are left");
    assert_eq!(pids_of(&plane), pids, "the third found the same servers");
    third.kill().unwrap();
    second.kill().unwrap();
    until("the servers to be gone", TIMEOUT, || async {
        ensure!(running() == 0, "{} run", running());
        ensure!(!Path::new(&plane).exists(), "{plane} is there");
        Ok(())
    })
    .await
    .unwrap();
}
