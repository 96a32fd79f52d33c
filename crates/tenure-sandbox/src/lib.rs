//! Child processes and what they may not do.
//!
//! A child is this very binary again, with one inherited descriptor: a copy of a [`Stage`], which is that binary
//! just after its start, with an empty environment. The first thing a child does is [`enter`], which gives up, for
//! good, what its work does not need. It is the only crate of the house with `unsafe` code or a child process;
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
mod group;
mod mapped;
mod profile;
mod request;
mod scratch;
mod spawn;
mod stage;
mod sys;
mod title;
mod weight;

pub use child::{Child, Exit};
pub use enter::{EnterError, Report, enter};
pub use group::{Group, GroupError, Groups};
pub use mapped::Mapped;
pub use profile::Profile;
pub use scratch::{Scratch, ScratchError};
pub use spawn::{Output, Program, SpawnError, Spec, Stage};
pub use stage::{Staged, stage};

/// Number of the inherited descriptor once a child has [`enter`]ed.
pub const LIFELINE_FD: i32 = 3;

/// The argument that a program is started with to be a [`stage`].
pub const STAGE: &str = "stage";

/// Tells a child who started it, so that it can see whether that process is gone already.
const PARENT: &str = "TENURE_PARENT_PID";
