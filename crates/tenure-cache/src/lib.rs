//! The source cache: one service that fetches for all homes, and gives each only what its own
//! credential has opened.
//!
//! - A caller is the home that its ServiceAccount token stands for, checked offline against the
//!   issuer's keys from a file; nothing else in a request can name a home.
//! - *Proof before dedupe*: the remote is asked with the caller's credential, once for all who bring the
//!   same one. Only then is an artifact that another home's fetch has made given out, by a grant that is
//!   worth nothing to others.
//! - While a worker sleeps, the cache asks in its place under a lease, and tells the supervisor what moved.
//! - Bytes from remotes are parsed in sandboxed children that live for one job ([`fetcher_main`]).
//! - The disk is a cache: [`run`] survives the loss of all of it.
//!
//! What it refuses: to hold a Kubernetes client or a token of its own; to keep a credential longer than the
//! call that brought it or the lease that came of it, but for the short-lived tokens that a host has given
//! for an App's key; to say whether an artifact exists to whoever may not read it; to put a secret into an
//! error, a log line or a metric.
//!
//! Invariants: a grant is issued only after a proof and never outlives a later refusal by the same
//! remote; one archive is made at a time per commit or manifest, ignore rules and parts of it; a failure of one
//! caller's credential, limit or patience is never another caller's failure.

mod admin;
mod answers;
mod auth;
mod child;
mod config;
mod disk;
mod download;
mod failure;
mod fetcher;
mod grant;
mod hosts;
mod inventory;
mod kept;
mod launch;
mod leases;
mod links;
mod memo;
mod metrics;
mod negative;
mod once;
mod poll;
mod proof;
mod request;
mod run;
mod service;
mod source;
mod tokens;

pub use child::fetcher_main;
pub use config::{Artifacts, CacheError, Config, Limits};
pub use run::{Server, run};
