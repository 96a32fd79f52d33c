//! Ports and certificates' subjects are all on the loopback address.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail};

use crate::places::private_runtime_dir;

/// From here on there are ports that no connection is given as its own end.
const FIRST: u16 = 15_000;
const MANY: u16 = 15_000;

/// A port of 127.0.0.1 that is free, and that no other test gets while this process lives.
///
/// # Errors
/// When the machine has no free port.
pub fn free_port() -> anyhow::Result<u16> {
    static KEPT: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let directory = private_runtime_dir()?.join("ports");
    fs::create_dir_all(&directory).with_context(|| format!("create {}", directory.display()))?;
    let begin = rand::random::<u16>() % MANY;
    for step in 0..MANY {
        let port = FIRST + (begin + step) % MANY;
        let file = File::create(directory.join(port.to_string()))?;
        if file.try_lock().is_err() || TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
            continue;
        }
        // the lock ends with this process, not with the server: the next one takes another port
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(file);
        return Ok(port);
    }
    bail!("no port of 127.0.0.1 is free")
}

/// 127.0.0.1 with a port.
#[must_use]
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
