//! The system calls that no safe crate in the house offers. Nearly all are plain calls with integers.
#![allow(
    unsafe_code,
    reason = "the calls take integers, and descriptors are touched before anything owns one"
)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

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

/// Names the calling thread.
pub(crate) fn name(name: &CStr) -> io::Result<()> {
    let zero: libc::c_ulong = 0;
    // SAFETY: the option reads a string that ends with NUL.
    check(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), zero, zero, zero) })
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

/// Standard input, whatever it is.
pub(crate) fn stdin() -> BorrowedFd<'static> {
    // SAFETY: nothing in this crate closes number 0 without putting another descriptor in its place at once.
    unsafe { BorrowedFd::borrow_raw(0) }
}

/// Makes `number` another name of a descriptor, open across programs.
pub(crate) fn duplicate(descriptor: i32, number: i32) -> io::Result<()> {
    // SAFETY: the caller is the first code to run, and `number` is a standard descriptor, which nothing owns.
    match unsafe { libc::dup2(descriptor, number) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Makes a copy of this process, as fork(2) does, that is a child of this process's parent: 0 in the copy, its process id here.
///
/// Not by way of the C library's `fork`, which can't do the latter. What that does besides is for programs with threads
/// or with handlers for it; a stage has neither. The copy's first thread keeps the number that the library had noted for the
/// stage's, which it looks at to see whether a lock is already its own.
pub(crate) fn copy_beside() -> io::Result<i32> {
    let flags = libc::c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
    let none: libc::c_long = 0;
    // SAFETY: without CLONE_VM and with no stack of its own the copy goes on here, in memory that is its alone; the process has
    // one thread, so that no lock is held by another.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, none, none, none, none) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        pid => i32::try_from(pid).map_err(io::Error::other),
    }
}

/// Writes over this process's own arguments, which begin at the address `from`.
pub(crate) fn overwrite(from: usize, bytes: &[u8]) {
    let to: *mut u8 = std::ptr::with_exposed_provenance_mut(from);
    // SAFETY: the kernel named the address and put that many bytes there when it started the program; they are writable, and no
    // other thread runs that could read them.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
}
