//! Ports and certificates' subjects are all on the loopback address.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context as _;

/// A port of 127.0.0.1 that was free a moment ago. Another process may take it first, so callers
/// that start a server on it try again with another one.
///
/// # Errors
/// When the machine has no free port.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("look for a free port")?;
    Ok(listener.local_addr()?.port())
}

/// 127.0.0.1 with a port.
#[must_use]
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
