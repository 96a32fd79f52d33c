use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use tenure_sandbox::{Output, Profile, Program, Spec, Stage, enter};

const SMALL: u64 = 64 << 20;

pub(crate) fn main(args: &[String]) {
    let (what, rest) = args.split_first().expect("a scenario");
    let scratch = if what == "read" {
        PathBuf::from(&rest[0])
    } else {
        PathBuf::from("/nowhere")
    };
    let ports: Vec<u16> = match what.as_str() {
        "connect" => vec![rest[0].parse().expect("a port")],
        _ => Vec::new(),
    };
    if what == "parent" {
        return parent();
    }
    let mut report = enter(&Profile::worker(
        &scratch,
        (what == "memory").then_some(SMALL),
        &ports,
    ))
    .expect("entered");
    let mut out = UnixStream::from(report.take_lifeline().expect("once"));
    let text = match what.as_str() {
        "descriptors" => {
            let mut open: Vec<i32> = (0..64).filter(|fd| open(*fd)).collect();
            open.sort_unstable();
            join(open)
        }
        "environment" => join(std::env::vars().map(|(name, _)| name)),
        "read" => {
            std::fs::write(scratch.join("written"), "w").expect("may write here");
            join(
                rest[1..]
                    .iter()
                    .map(|path| yes(std::fs::read(path).is_ok() || std::fs::read_dir(path).is_ok())),
            )
        }
        "status" => {
            let status = std::fs::read_to_string("/proc/self/status").expect("may read its own");
            format!(
                "{status}{}",
                report
                    .granted
                    .iter()
                    .map(|g| format!("granted {g}\n"))
                    .collect::<String>()
            )
        }
        "exec" => {
            let error = std::os::unix::process::CommandExt::exec(&mut program()).kind();
            format!("{error:?}")
        }
        "calls" => calls(),
        "random" => {
            use std::hash::BuildHasher as _;
            format!("{}", std::hash::RandomState::new().hash_one(7))
        }
        "connect" => {
            let connect = |port: &String| yes(TcpStream::connect(format!("127.0.0.1:{port}")).is_ok());
            let listen = yes(TcpListener::bind("127.0.0.1:0").is_ok());
            format!("{} {} {listen}", connect(&rest[0]), connect(&rest[1]))
        }
        "memory" => {
            let block = vec![1_u8; 2 * usize::try_from(SMALL).expect("small")];
            format!("{}", std::hint::black_box(block).len())
        }
        "busy" => {
            std::thread::spawn(|| {
                loop {
                    std::hint::spin_loop();
                }
            });
            out.write_all(b"r").expect("heard");
            loop {
                std::thread::park();
            }
        }
        _ => {
            out.write_all(b"r").expect("heard");
            loop {
                std::thread::park();
            }
        }
    };
    out.write_all(text.as_bytes()).expect("heard");
}

#[expect(clippy::disallowed_methods, reason = "what must not work")]
fn program() -> std::process::Command {
    std::process::Command::new("/bin/true")
}

/// A child that has a child, of which it names the process id.
fn parent() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _guard = runtime.enter();
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let stage = Stage::of(Program::Own).expect("started");
    let child = stage.spawn(&Spec {
        args: vec!["sleep".into()],
        lifeline: theirs.into(),
        output: Output::Inherit,
    });
    let child = child.expect("started");
    std::io::Read::read_exact(&mut ours, &mut [0]).expect("it runs");
    // A parent speaks over its own standard input, as it has not entered.
    let stdin = std::os::fd::AsFd::as_fd(&std::io::stdin())
        .try_clone_to_owned()
        .expect("doubled");
    UnixStream::from(stdin)
        .write_all(&child.pid().to_ne_bytes())
        .expect("heard");
    // Our end stays open in the child's view: only the parent's death may end it.
    loop {
        std::thread::park();
    }
}

/// What calls that are none of a child's answer, and that threads and sockets are there all the same.
fn calls() -> String {
    let raw = |family, kind| {
        rustix::net::socket(family, kind, None)
            .map(drop)
            .map_err(std::io::Error::from)
    };
    let said = |result: std::io::Result<()>| match result {
        Ok(()) => "yes".to_owned(),
        Err(error) => error
            .raw_os_error()
            .map_or("no".to_owned(), |number| number.to_string()),
    };
    let thread = std::thread::spawn(|| 7).join().is_ok_and(|seven| seven == 7);
    let stream = raw(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM);
    let packet = raw(rustix::net::AddressFamily::PACKET, rustix::net::SocketType::DGRAM);
    let root = rustix::process::chroot("/").map_err(std::io::Error::from);
    let (thread, stream, packet) = (yes(thread), said(stream), said(packet));
    format!("{thread} {stream} {packet} {} {}", said(root), said(process()))
}

#[allow(unsafe_code, reason = "a process is asked for in no other way")]
fn process() -> std::io::Result<()> {
    // SAFETY: the copy ends at once.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error()),
        0 => std::process::exit(0),
        _ => Ok(()),
    }
}

fn open(fd: i32) -> bool {
    std::fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok()
}

fn yes(it_is: bool) -> &'static str {
    if it_is { "yes" } else { "no" }
}

fn join(items: impl IntoIterator<Item = impl ToString>) -> String {
    items
        .into_iter()
        .map(|item| item.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}
