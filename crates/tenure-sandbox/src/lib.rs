//! Child processes and what they may not do.
//!
//! A child is this very binary again, with one inherited descriptor. [`spawn`] starts it with an empty
//! environment; the first thing it does is [`enter`], which gives up, for good, what its work does
//! not need. It is the only crate of the house with `unsafe` code or a child process;
//! for the former's sake it also has [`Mapped`].
//!
//! What it refuses: to run another program; to enter with a second thread running, because a rule
//! holds for the thread that asked for it and for those it starts; to hand a child the environment.
//!
//! What holds:
//! - a child ends with the process that started it, and dropping a [`Child`] ends and reaps it;
//! - after [`enter`] the descriptors are 0 (`/dev/null`), 1, 2 and [`LIFELINE_FD`], no more;
//! - a child makes the system calls of a list, and no others: no program is run, no process looked into;
//! - what the kernel could not grant is in the [`Report`], never silently missing.

mod calls;
mod child;
mod enter;
mod files;
mod mapped;
mod profile;
mod scratch;
mod spawn;
mod sys;
mod weight;

pub use child::{Child, Exit};
pub use enter::{EnterError, Report, enter};
pub use mapped::Mapped;
pub use profile::Profile;
pub use scratch::{Scratch, ScratchError};
pub use spawn::{Output, Program, SpawnError, Spec, spawn};

/// Number of the inherited descriptor once a child has [`enter`]ed.
pub const LIFELINE_FD: i32 = 3;

/// Tells a child who started it, so that it can see whether that process is gone already.
const PARENT: &str = "TENURE_PARENT_PID";
