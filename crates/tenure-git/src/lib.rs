//! Git, read only: which commit a reference is at, and that commit's tree as an artifact.
//!
//! - [`resolve`] lists references with one credential: its success is the proof that the credential opens the remote.
//! - [`fetch`] gets one commit without its history into a bare object database, then packs its tree.
//! - [`github`] changes the key of a GitHub App for a token.
//! - [`child`] is the protocol between a parent and the sandboxed child that does both.
//!
//! ssh and https are spoken in this process. What it refuses: to run a program, to read a git configuration, to
//! prompt, to check out, `file://`, an ssh host whose key is not in the given `known_hosts`, to follow a redirect
//! to another host, paths in a tree that climb or hide (`..`, `.git`, backslashes, control characters).
//! No error and no `Debug` output has a secret in it.

pub mod child;
mod error;
mod export;
mod fetch;
pub mod github;
mod http;
mod known_hosts;
mod pack;
mod reference;
mod remote;
mod resolve;
mod ssh;
mod submodules;
mod transport;
mod tree;

pub use error::{GitError, Missing};
pub use fetch::{Fetched, Filter, RawObject, fetch};
pub use reference::{Reference, Resolved};
pub use remote::{Credential, Limits, Remote};
pub use resolve::resolve;
