//! What a child may not do, shown by children: this binary starts itself.

#![allow(clippy::print_stdout, reason = "it is its own harness")]

mod child;

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use tenure_sandbox::{Child, Exit, Output, Program, Spec, spawn};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == "--child") {
        return child::main(&args[2..]);
    }
    let tests: [(&str, fn()); 11] = [
        ("a_child_has_four_descriptors", a_child_has_four_descriptors),
        ("a_child_has_no_environment", a_child_has_no_environment),
        (
            "a_child_reads_its_own_scratch_and_nobody_elses",
            a_child_reads_its_own_scratch_and_nobody_elses,
        ),
        (
            "a_child_can_never_gain_privileges",
            a_child_can_never_gain_privileges,
        ),
        ("a_child_can_not_run_a_program", a_child_can_not_run_a_program),
        (
            "a_child_makes_the_calls_of_the_list_only",
            a_child_makes_the_calls_of_the_list_only,
        ),
        (
            "a_child_connects_to_the_named_ports_only",
            a_child_connects_to_the_named_ports_only,
        ),
        ("a_child_over_its_memory_ends", a_child_over_its_memory_ends),
        ("a_child_ends_with_its_parent", a_child_ends_with_its_parent),
        (
            "a_dropped_child_is_ended_and_reaped",
            a_dropped_child_is_ended_and_reaped,
        ),
        (
            "a_child_that_has_used_much_stands_back_with_all_its_threads",
            a_child_that_has_used_much_stands_back_with_all_its_threads,
        ),
    ];
    let filter = args.iter().skip(1).find(|arg| !arg.starts_with('-'));
    for (name, test) in tests
        .iter()
        .filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter)))
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let _guard = runtime.enter();
        test();
        println!("test {name} ... ok");
    }
}

/// Starts a child and returns it with our end of its lifeline.
fn start(args: &[&str]) -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    ours.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let args = std::iter::once("--child")
        .chain(args.iter().copied())
        .map(Into::into)
        .collect();
    let spec = Spec {
        program: Program::Own,
        args,
        lifeline: theirs.into(),
        output: Output::Inherit,
    };
    (spawn(spec).expect("started"), ours)
}

/// Everything that a child says before it ends.
fn said(args: &[&str]) -> String {
    let (_child, mut lifeline) = start(args);
    let mut text = String::new();
    lifeline
        .read_to_string(&mut text)
        .expect("the child speaks and ends");
    text
}

fn a_child_has_four_descriptors() {
    // One without close-on-exec, as a careless library would leave behind.
    let leaked = std::fs::File::open("/etc/hostname")
        .or_else(|_| std::fs::File::open("/dev/null"))
        .expect("open");
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).expect("set");
    assert_eq!(said(&["descriptors"]), "0 1 2 3");
}

fn a_child_has_no_environment() {
    assert!(
        std::env::var_os("PATH").is_some(),
        "the parent has an environment to lose"
    );
    let said = said(&["environment"]);
    let names: Vec<_> = said
        .split(' ')
        .filter(|name| !["RUST_LOG", "TENURE_LOG"].contains(name))
        .collect();
    assert_eq!(names, ["TENURE_PARENT_PID"]);
}

fn a_child_reads_its_own_scratch_and_nobody_elses() {
    let (own, other) = (
        tempfile::tempdir().expect("made"),
        tempfile::tempdir().expect("made"),
    );
    std::fs::write(own.path().join("f"), "own").expect("written");
    std::fs::write(other.path().join("f"), "other").expect("written");
    let path = |dir: &Path| dir.join("f").display().to_string();
    let (own_file, other_file) = (path(own.path()), path(other.path()));
    let said = said(&[
        "read",
        &own.path().display().to_string(),
        &own_file,
        &other_file,
        "/root",
        "/proc/1/environ",
    ]);
    assert_eq!(
        said, "yes no no no",
        "own file, another's file, /root, another process"
    );
    assert!(own.path().join("written").exists(), "it may write into its own");
}

fn a_child_can_never_gain_privileges() {
    let said = said(&["status"]);
    assert!(said.contains("NoNewPrivs:\t1"), "{said}");
    assert!(said.contains("granted no_new_privs"), "{said}");
    assert!(said.contains("granted landlock:"), "{said}");
}

fn a_child_can_not_run_a_program() {
    assert_eq!(said(&["exec"]), "PermissionDenied");
}

fn a_child_makes_the_calls_of_the_list_only() {
    const ENOSYS: &str = "38";
    assert_eq!(
        said(&["calls"]),
        format!("yes yes {ENOSYS} {ENOSYS}"),
        "a thread, a TCP socket, a packet socket, another root"
    );
    let status = said(&["status"]);
    assert!(status.contains("Seccomp:\t2"), "{status}");
    assert!(status.contains("granted seccomp"), "{status}");
}

fn a_child_connects_to_the_named_ports_only() {
    let listen = || std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let (open, shut) = (listen(), listen());
    let port = |l: &std::net::TcpListener| l.local_addr().expect("bound").port().to_string();
    assert_eq!(
        said(&["connect", &port(&open), &port(&shut)]),
        "yes no no",
        "named, another, listening"
    );
}

fn a_child_over_its_memory_ends() {
    let (mut child, _lifeline) = start(&["memory"]);
    assert_eq!(
        wait(&mut child),
        Exit::Signal(6),
        "an allocation that fails aborts"
    );
}

fn a_child_ends_with_its_parent() {
    let (mut parent, mut lifeline) = start(&["parent"]);
    let mut bytes = [0; 4];
    lifeline
        .read_exact(&mut bytes)
        .expect("the parent names its child");
    let grandchild = u32::from_ne_bytes(bytes);
    assert!(alive(grandchild), "it runs before");
    parent.kill().expect("killed");
    assert_eq!(wait(&mut parent), Exit::Signal(9));
    until(|| !alive(grandchild));
}

fn a_dropped_child_is_ended_and_reaped() {
    let (child, mut lifeline) = start(&["sleep"]);
    lifeline.read_exact(&mut [0]).expect("it runs");
    let pid = child.pid();
    drop(child);
    assert!(
        !Path::new(&format!("/proc/{pid}")).exists(),
        "neither running nor a zombie"
    );
    assert!(
        lifeline.write_all(b"x").is_err(),
        "its end of the lifeline is closed"
    );
}

fn wait(child: &mut Child) -> Exit {
    tokio::runtime::Handle::current()
        .block_on(child.wait())
        .expect("ends")
}

/// Whether the process runs; a zombie does not.
fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not come true");
        std::thread::yield_now();
    }
}

/// Keeps the type in the tests' vocabulary: a lifeline is any owned descriptor.
const _: fn(UnixStream) -> OwnedFd = OwnedFd::from;

fn a_child_that_has_used_much_stands_back_with_all_its_threads() {
    let (child, mut lifeline) = start(&["busy"]);
    lifeline.read_exact(&mut [0]).expect("it works");
    let until = Instant::now() + Duration::from_secs(20);
    while child.cpu().expect("known").expect("it runs") < Duration::from_millis(50) {
        assert!(Instant::now() < until, "it uses the processor");
        std::thread::yield_now();
    }
    child.stand_back(15).expect("allowed");
    let tasks: Vec<_> = std::fs::read_dir(format!("/proc/{}/task", child.pid()))
        .expect("it runs")
        .map(|task| std::fs::read_to_string(task.expect("there").path().join("stat")).expect("there"))
        .collect();
    let nice = |stat: &String| {
        let fields = stat.rsplit_once(')').expect("its name").1;
        fields.split_whitespace().nth(16).map(str::to_owned)
    };
    let all: Vec<_> = tasks.iter().map(nice).collect();
    assert_eq!(all, vec![Some("15".to_owned()); 2]);
}
