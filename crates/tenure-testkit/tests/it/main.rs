//! The rig, tested: what the other suites rest on.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod control_plane;
mod git;
mod proc;
mod shared;
mod tools;
