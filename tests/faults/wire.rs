//! A wire to the API server that breaks where it is told to. It reads no request: it counts the records
//! of TLS that workers send, and each request is one or more.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The kind of a record that is no handshake any more.
const APPLICATION_DATA: u8 = 23;

/// How often, and how long between, it is looked whose a connection is.
const LOOKS: usize = 200;
const GLANCE: Duration = Duration::from_millis(5);

/// How it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// The worker is killed and what it sends does not arrive.
    Unsent,
    /// What it sends arrives, and it is killed when the answer comes.
    Unanswered,
    /// All connections of workers end.
    Cut,
}

/// Between workers and an API server.
pub(crate) struct Wire {
    address: SocketAddr,
    state: Arc<State>,
    _end: DropGuard,
}

struct State {
    server: SocketAddr,
    armed: Mutex<Option<(Break, usize)>>,
    broke: AtomicBool,
    /// Changes when all connections of workers are to end.
    cuts: watch::Sender<u32>,
}

impl Wire {
    pub(crate) async fn to(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let end = CancellationToken::new();
        let wire = Self {
            address: listener.local_addr()?,
            state: Arc::new(State {
                server,
                armed: Mutex::default(),
                broke: AtomicBool::new(false),
                cuts: watch::Sender::new(0),
            }),
            _end: end.clone().drop_guard(),
        };
        let state = wire.state.clone();
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = end.cancelled() => return,
                };
                if let Ok((client, from)) = accepted {
                    let (state, end) = (state.clone(), end.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            done = state.carry(client, from) => drop(done),
                            () = end.cancelled() => {}
                        }
                    });
                }
            }
        });
        Ok(wire)
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Breaks at the record with this number, counted from now and from one.
    pub(crate) fn arm(&self, how: Break, record: usize) {
        self.state.broke.store(false, Ordering::SeqCst);
        *self.state.armed() = Some((how, record));
    }

    /// Breaks no more; whether it did.
    pub(crate) fn disarm(&self) -> bool {
        *self.state.armed() = None;
        self.state.broke.load(Ordering::SeqCst)
    }
}

impl State {
    fn armed(&self) -> std::sync::MutexGuard<'_, Option<(Break, usize)>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a record; how to break at it.
    fn count(&self) -> Option<Break> {
        let mut armed = self.armed();
        let (how, left) = armed.as_mut()?;
        *left = left.saturating_sub(1);
        if *left > 0 {
            return None;
        }
        let how = *how;
        *armed = None;
        self.broke.store(true, Ordering::SeqCst);
        Some(how)
    }

    async fn carry(&self, mut client: TcpStream, from: SocketAddr) -> std::io::Result<()> {
        let mut server = TcpStream::connect(self.server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let worker = match holder_of(from, client.local_addr()?).await {
            Some((pid, true)) => Pid::from_raw(pid).ok_or(ErrorKind::NotFound)?,
            Some((_, false)) => {
                let carried = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                return carried.map(drop);
            }
            // nobody's: it ends, and whoever it is comes again
            None => return Ok(()),
        };
        let mut cuts = self.cuts.subscribe();
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let doomed = AtomicBool::new(false);
        tokio::select! {
            done = self.requests(from_client, to_server, worker, &doomed) => done,
            done = answers(from_server, to_client, worker, &doomed) => done,
            _ = cuts.changed() => Ok(()),
        }
    }

    async fn requests(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        worker: Pid,
        doomed: &AtomicBool,
    ) -> std::io::Result<()> {
        loop {
            let mut head = [0; 5];
            from.read_exact(&mut head).await?;
            let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
            from.read_exact(&mut body).await?;
            let how = (head[0] == APPLICATION_DATA).then(|| self.count()).flatten();
            match how {
                Some(Break::Unsent) => return kill(worker),
                Some(Break::Cut) => {
                    self.cuts.send_modify(|cuts| *cuts += 1);
                    return Ok(());
                }
                Some(Break::Unanswered) => doomed.store(true, Ordering::SeqCst),
                None => {}
            }
            to.write_all(&head).await?;
            to.write_all(&body).await?;
        }
    }
}

async fn answers(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    worker: Pid,
    doomed: &AtomicBool,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if doomed.load(Ordering::SeqCst) {
            return kill(worker);
        }
        if read == 0 {
            return Ok(());
        }
        to.write_all(buffer.get(..read).unwrap_or_default()).await?;
    }
}

fn kill(worker: Pid) -> std::io::Result<()> {
    Ok(kill_process(worker, Signal::KILL)?)
}

/// The process that holds the end `from` of a connection to `to`, and whether it is a worker.
async fn holder_of(from: SocketAddr, to: SocketAddr) -> Option<(i32, bool)> {
    // a socket is somebody's before the tables of the kernel all say so
    for _ in 0..LOOKS {
        if let Some(found) = look(from, to) {
            return Some(found);
        }
        tokio::time::sleep(GLANCE).await;
    }
    None
}

fn look(from: SocketAddr, to: SocketAddr) -> Option<(i32, bool)> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    // by both ends: a port can have several connections, to different servers
    let [local, remote] = [from, to].map(|end| format!("0100007F:{:04X}", end.port()));
    let is_it = |line: &&str| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some(&local) && words.next() == Some(&remote)
    };
    let line = table.lines().find(is_it)?;
    let socket = format!("socket:[{}]", line.split_whitespace().nth(9)?);
    let holds = |pid: i32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|link| link.to_str() == Some(&socket))
    };
    let part = |pid: i32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let word = words.split(|byte| *byte == 0).nth(1)?;
        (word == b"worker" || word == b"supervisor").then(|| (pid, word == b"worker"))
    };
    let pids = fs::read_dir("/proc").ok()?.flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(part)
        .find(|(pid, _)| holds(*pid))
}
