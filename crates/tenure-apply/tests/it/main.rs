//! Applies, prunes and health checks against a real API server, as a tenant with a Role only.
#![allow(clippy::unwrap_used, missing_docs)]

mod applying;
mod pruning;
mod world;
