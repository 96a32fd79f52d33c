//! The system calls that no safe crate in the house offers. All are plain calls with integers.
#![allow(
    unsafe_code,
    reason = "the calls take integers, and descriptors are touched before anything owns one"
)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use tokio::io::unix::AsyncFd;

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn prctl(option: libc::c_int, value: libc::c_ulong) -> io::Result<()> {
    let zero: libc::c_ulong = 0;
    // SAFETY: the options used below read their arguments as numbers.
    check(unsafe { libc::prctl(option, value, zero, zero, zero) })
}

/// No program started from here gains a privilege.
pub(crate) fn no_new_privs() -> io::Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1)
}

/// No core dump, and no other process of the same user may look into the memory.
pub(crate) fn not_dumpable() -> io::Result<()> {
    prctl(libc::PR_SET_DUMPABLE, 0)
}

/// The kernel ends this process when the thread that started it ends.
pub(crate) fn die_with_parent() -> io::Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong)
}

/// Moves standard input to `to`, which is closed first if it is open.
pub(crate) fn move_stdin(to: i32) -> io::Result<OwnedFd> {
    // SAFETY: no owned descriptor of this process is closed: the caller is the first code to run.
    if unsafe { libc::dup3(0, to, libc::O_CLOEXEC) } != to {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a constant string ends with NUL; descriptor 0 is nobody's but this function's.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if null < 0 || libc::dup2(null, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
        libc::close(null);
    }
    // SAFETY: it was opened above and nothing else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(to) })
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: i32) -> io::Result<()> {
    let first = libc::c_uint::try_from(first).map_err(io::Error::other)?;
    // SAFETY: the caller is the first code to run, so nothing owns a descriptor there.
    check(unsafe { libc::close_range(first, libc::c_uint::MAX, 0) })
}

/// Makes an owned descriptor one that can be awaited.
pub(crate) fn register(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names the same open descriptor until it is dropped.
    unsafe { AsyncFd::register(descriptor) }.map_err(Into::into)
}
