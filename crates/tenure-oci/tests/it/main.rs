//! Pulling from a real registry, and from servers that do what a registry should not.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod cloud;
mod hostile;
mod login;
mod pull;
mod redirects;
mod support;
