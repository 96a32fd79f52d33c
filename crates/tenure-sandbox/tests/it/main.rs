//! What a child may not do, shown by children: this binary starts itself.

#![allow(clippy::print_stdout, reason = "it is its own harness")]

mod child;

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tenure_sandbox::{Child, Exit, Output, Program, STAGE, Spec, Stage, Staged};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == STAGE) {
        let Staged::Child(args) = tenure_sandbox::stage().expect("started by a test") else {
            return;
        };
        let args: Vec<_> = args
            .into_iter()
            .map(|arg| arg.into_string().expect("text"))
            .collect();
        return child::main(&args);
    }
    let tests: [(&str, fn()); 15] = [
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
        (
            "a_child_is_its_parents_own_and_shows_its_arguments",
            a_child_is_its_parents_own_and_shows_its_arguments,
        ),
        (
            "children_of_one_stage_draw_different_random_numbers",
            children_of_one_stage_draw_different_random_numbers,
        ),
        (
            "children_share_what_the_stage_wrote",
            children_share_what_the_stage_wrote,
        ),
        (
            "a_stage_that_is_gone_is_replaced_and_its_children_live_on",
            a_stage_that_is_gone_is_replaced_and_its_children_live_on,
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
        *stage() = Some(Stage::of(Program::Own).expect("started"));
        test();
        *stage() = None;
        println!("test {name} ... ok");
    }
}

/// The stage of the test that runs.
fn stage() -> MutexGuard<'static, Option<Stage>> {
    static STAGE: Mutex<Option<Stage>> = Mutex::new(None);
    STAGE.lock().expect("tests run one after the other")
}

/// Starts a child and returns it with our end of its lifeline.
fn start(args: &[&str]) -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    ours.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let spec = Spec {
        args: args.iter().map(Into::into).collect(),
        lifeline: theirs.into(),
        output: Output::Inherit,
    };
    let child = stage().as_ref().expect("one").spawn(&spec);
    (child.expect("started"), ours)
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
        format!("yes yes {ENOSYS} {ENOSYS} {ENOSYS}"),
        "a thread, a TCP socket, a packet socket, another root, a process"
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

fn stat(pid: u32) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let rest = stat.rsplit_once(')').expect("its name").1;
    rest.split_whitespace().map(str::to_owned).collect()
}

fn words(pid: u32) -> Vec<String> {
    let raw = std::fs::read(format!("/proc/{pid}/cmdline")).expect("it runs");
    let words = raw.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// Children of this process that are stages.
fn stages() -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").expect("this is Linux").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_one = |pid: &u32| {
        let (stat, cmdline) = (
            std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default(),
            std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default(),
        );
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        fields.get(1) == Some(&std::process::id().to_string().as_str())
            && cmdline.split('\0').nth(1) == Some(STAGE)
    };
    pids.filter(is_one).collect()
}

fn a_child_is_its_parents_own_and_shows_its_arguments() {
    let (child, mut lifeline) = start(&["sleep", "--home", "apps"]);
    lifeline.read_exact(&mut [0]).expect("it runs");
    assert_eq!(stat(child.pid())[1], std::process::id().to_string());
    assert_eq!(words(child.pid())[1..], ["sleep", "--home", "apps"]);
    let long = "x".repeat(4000);
    let (other, mut lifeline) = start(&["sleep", &long]);
    lifeline.read_exact(&mut [0]).expect("it runs");
    let shown = words(other.pid());
    assert!(
        shown.len() == 3 && long.starts_with(&shown[2]),
        "as much as there is room for: {shown:?}"
    );
}

fn children_of_one_stage_draw_different_random_numbers() {
    let all: Vec<_> = (0..8).map(|_| said(&["random"])).collect();
    let mut different = all.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), all.len(), "{all:?}");
}

fn children_share_what_the_stage_wrote() {
    let shared = |pid: u32| {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("it runs");
        let line = rollup.lines().find_map(|line| line.strip_prefix("Shared_Dirty:"));
        let kib = line
            .and_then(|line| line.split_whitespace().next())
            .expect("said");
        kib.parse::<u64>().expect("a number")
    };
    let (one, mut first) = start(&["sleep"]);
    let (_other, mut second) = start(&["sleep"]);
    first.read_exact(&mut [0]).expect("it runs");
    second.read_exact(&mut [0]).expect("it runs");
    assert!(shared(one.pid()) > 64, "{} KiB", shared(one.pid()));
}

fn a_stage_that_is_gone_is_replaced_and_its_children_live_on() {
    let (child, mut lifeline) = start(&["sleep"]);
    lifeline.read_exact(&mut [0]).expect("it runs");
    let before = stages();
    let [only] = before[..] else {
        panic!("one stage, not {before:?}")
    };
    let pid = rustix::process::Pid::from_raw(only.cast_signed()).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    until(|| !alive(only));
    let (_another, mut other) = start(&["sleep"]);
    other.read_exact(&mut [0]).expect("it runs");
    assert!(alive(child.pid()), "a child does not need its stage");
    assert!(stages().iter().all(|stage| *stage != only));
}
