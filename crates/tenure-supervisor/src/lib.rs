//! The supervisor: it knows who the tenants are and what is due when, and wakes a worker for it.
//!
//! A home (a namespace with a Tenant's Flux objects) without due work is an index of names, a timer and
//! three metadata watches. Work starts a sandboxed worker, which is told what to look at over its
//! lifeline, answers when each object is due again, and ends.
//!
//! What it refuses: to read a spec, Secret or source; to write into a tenant's namespace; to keep a
//! token on disk; to let a worker fetch a token by itself.
//!
//! Invariants:
//! - a home belongs to one Tenant, the oldest; it has at most one worker at a time, also among several
//!   supervisors (see [`tenure_core::ownership`]);
//! - an object told to a worker is told again to the next one unless the first said what became of it;
//! - a Tenant's status is written only when it changes.

mod admin;
mod config;
mod control;
mod everywhere;
mod home;
mod index;
mod inventory;
mod issuer;
mod lifeline;
mod membership;
mod metrics;
mod movements;
mod object_metrics;
mod owners;
mod pace;
mod pods;
mod replicas;
mod run;
mod runtime;
mod schedule;
mod slots;
mod task;
mod tenant_status;
mod tokens;
mod worker_state;

pub use config::{CacheEndpoint, Config, Pods, SupervisorError, host_name};
pub use everywhere::Watching;
pub use run::run;
pub use task::{Task, Tasks};
