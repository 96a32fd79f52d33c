//! Helm repositories behind servers of the test's own: a repository is files, so every web server is a real one.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod azure;
mod buckets;
mod charts;
mod cloud;
mod entra;
mod google;
mod support;
