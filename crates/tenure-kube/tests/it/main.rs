//! The clients against a real API server.
#![allow(clippy::unwrap_used, missing_docs)]

mod acting;
mod lifecycle;
mod own;
mod supervisor;
mod world;
