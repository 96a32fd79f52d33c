use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use anyhow::ensure;
use tenure_testkit::proc::Spec;
use tenure_testkit::{Proc, until};

const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_program_is_logged_asked_to_end_and_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let script = "trap 'echo bye; exit 3' TERM; echo hello >&2; while :; do sleep 0.02; done";
    let spec = Spec::new("sh", dir.path().join("log")).args(["-c", script]);
    let mut child = Proc::spawn(&spec).unwrap();
    until("the greeting", TIMEOUT, || async {
        ensure!(child.log() == "hello\n", "{:?}", child.log());
        Ok(())
    })
    .await
    .unwrap();
    child.terminate().unwrap();
    assert_eq!(child.wait(TIMEOUT).await.unwrap().code(), Some(3));
    assert_eq!(child.log(), "hello\nbye\n");
}

#[tokio::test]
async fn a_program_outlives_the_thread_that_started_it_and_dies_by_kill() {
    let dir = tempfile::tempdir().unwrap();
    let spec = Spec::new("sleep", dir.path().join("log")).arg("600");
    let mut child = std::thread::spawn(move || Proc::spawn(&spec).unwrap())
        .join()
        .unwrap();
    assert_eq!(child.ended().unwrap(), None);
    assert_eq!(child.kill().unwrap().signal(), Some(9));
}

/// Not a test by itself: the next one runs this binary with it, and kills it.
#[test]
#[ignore = "the other half of a test"]
fn hold_a_program_for_ever() {
    let Ok(dir) = std::env::var("RIG_HOLD") else {
        return;
    };
    let spec = Spec::new("sleep", format!("{dir}/log")).arg("600");
    let child = Proc::spawn(&spec).unwrap();
    std::fs::write(format!("{dir}/pid.new"), child.id().to_string()).unwrap();
    std::fs::rename(format!("{dir}/pid.new"), format!("{dir}/pid")).unwrap();
    std::thread::park();
}

#[tokio::test]
async fn a_program_dies_with_a_test_that_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let spec = Spec::new(std::env::current_exe().unwrap(), dir.path().join("outer"))
        .args(["--ignored", "--exact", "proc::hold_a_program_for_ever"])
        .env("RIG_HOLD", dir.path());
    let mut test = Proc::spawn(&spec).unwrap();
    let pid = until("the inner program", TIMEOUT, || async {
        Ok(std::fs::read_to_string(dir.path().join("pid"))?)
    })
    .await
    .unwrap();
    let exe = format!("/proc/{pid}/exe");
    assert!(std::fs::read_link(&exe).is_ok(), "it runs before");
    test.kill().unwrap();
    until("the inner program to be gone", TIMEOUT, || async {
        ensure!(std::fs::read_link(&exe).is_err(), "{exe} is there");
        Ok(())
    })
    .await
    .unwrap();
}
