//! The reconcilers of the Flux kinds: the only crate that knows conditions and reasons.
//!
//! Every controller has one shape. `plan(&Observed) -> Plan` is synchronous, total and tested with
//! tables. `run(Plan, &Effects) -> …` carries the plan out. `status.rs` turns what came of it into the
//! object's status. Whoever has read one controller has read them all.
//!
//! What it refuses: to act without an [`Account`](tenure_core::Account) (objects are applied through
//! [`ActingClient`](tenure_kube::ActingClient), which cannot be made without one); to prune from
//! anything but a complete build; to read another namespace; to write a status that did not change.
//!
//! Invariants: a pass over an object ends in exactly one [`Pass`], which says what state the object is
//! in, when it is due again, and which of its siblings should be woken. Nothing is remembered between
//! passes except what the [`Snapshot`] and the object's own status hold, and what can be lost: failures in a row,
//! and what was written.

mod artifacts;
mod chain;
mod compose;
mod effects;
mod merge;
mod pass;
mod reads;
mod retry;
mod snapshot;
mod sources;
mod waits;
mod writer;
mod written;

mod bucket;
mod externalartifact;
mod gitrepository;
mod helmchart;
mod helmrepository;
pub mod kustomization;
mod ocirepository;
pub mod source;

pub(crate) use chain::chain;

pub use artifacts::{ArtifactError, Artifacts};
pub use compose::{ComposeError, Part, Written};
pub use effects::{Effects, Home, PruneLimits, SecretFor, SourcePolicy};
pub use pass::{Pass, State, Wake};
pub use retry::{FailureCounts, next_due};
pub use snapshot::{Snapshot, key_of};
pub use sources::{
    BucketOpener, BucketRequest, FileRequest, GitCredential, GitCredentialKind, GitObject, GitReference,
    GitRequest, HelmRequest, Identities, KeyServices, LdapRequest, Link, OciCredential, OciRequest,
    ProxySecret, Resolved, SourceFailure, SourceRequest, Sources, TlsSecrets, Trouble, Wanted,
};
pub use tenure_api::reasons::QUARANTINED;
pub use waits::Waits;
pub use written::WrittenObjects;

#[cfg(test)]
mod testing;
