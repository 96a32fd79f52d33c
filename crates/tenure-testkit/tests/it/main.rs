//! The rig, tested: what the other suites rest on.
mod control_plane;
mod git;
mod proc;
