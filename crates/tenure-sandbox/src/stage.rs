//! The stage's own side: what it does between its start and the children that it becomes.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::request::{self, Request};
use crate::title::{self, Title};
use crate::{PARENT, sys};

/// What becomes of a process that was started as a stage.
#[derive(Debug)]
pub enum Staged {
    /// It is a child now, with these arguments, and has yet to [`enter`](crate::enter).
    Child(Vec<OsString>),
    /// Nobody asks for children any more.
    Over,
}

/// The life of a stage. The first thing that a program does that was started with [`STAGE`](crate::STAGE) as its argument.
///
/// It returns once in the stage, when it is over, and once in each child. Until then nothing has been read, no thread been
/// started and no random number been drawn: what a child finds in its memory is what is in the program's file, and what is left
/// of the arguments of children before it.
///
/// # Errors
/// When this process was not started by a [`Stage`](crate::Stage).
pub fn stage() -> io::Result<Staged> {
    sys::die_with_parent()?;
    sys::no_new_privs()?;
    let parent: i32 = std::env::var(PARENT)
        .ok()
        .and_then(|pid| pid.parse().ok())
        .ok_or_else(|| io::Error::other("a stage is started by a supervisor or a cache"))?;
    if rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get()) != parent {
        return Ok(Staged::Over);
    }
    sys::close_from(3)?;
    let title = Title::find();
    let asked = sys::stdin();
    while let Some(request) = request::receive(asked)? {
        let copied = match request {
            Ok(request) => copy(request, title)?,
            Err(error) => Copied::Parent(Err(error)),
        };
        match copied {
            Copied::Child(args) => return Ok(Staged::Child(args)),
            Copied::Parent(result) => request::answer(asked, result)?,
        }
    }
    Ok(Staged::Over)
}

enum Copied {
    Child(Vec<OsString>),
    Parent(io::Result<i32>),
}

/// In the child, descriptors are in their places; those of the request are closed in the stage.
fn copy(request: Request, title: Option<Title>) -> io::Result<Copied> {
    match sys::copy_beside() {
        Ok(0) => {
            arrange(&request.descriptors)?;
            if let Some(title) = title {
                title.write(&request.args);
            }
            if let Some(part) = request.args.first() {
                title::name(part);
            }
            Ok(Copied::Child(request.args))
        }
        result => Ok(Copied::Parent(result)),
    }
}

fn arrange(descriptors: &[OwnedFd]) -> io::Result<()> {
    for (given, number) in descriptors.iter().zip(0..) {
        sys::duplicate(given.as_raw_fd(), number)?;
    }
    Ok(())
}
