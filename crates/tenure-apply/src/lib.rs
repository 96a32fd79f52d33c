//! Applies objects as a tenant: stages, dry-run first, inventory, prune, health.
//!
//! It knows no Flux kind: an [`Owner`] is a name and a namespace that end up in two labels, and
//! everything is done by an [`ActingClient`](tenure_kube::ActingClient), which cannot exist without
//! a ServiceAccount.
//!
//! What it refuses:
//! - to write anything of a stage of which one object fails its dry-run;
//! - to delete what does not carry both labels of its owner, or has moved on meanwhile;
//! - to apply a namespaced object without a namespace.
//!
//! What holds: the inventory of a [`Report`] names every object of the input, also those that were
//! skipped, so that nothing is orphaned; markers are honoured on the desired and the live object.

mod apply;
pub mod cel;
mod custom;
mod drift;
mod health;
mod ignored;
pub mod inventory;
pub mod kstatus;
mod managed;
mod normalise;
mod object;
mod order;
mod owner;
mod prune;
mod report;

pub use apply::{ApplyOptions, apply};
pub use custom::{CustomHealth, HealthRuleError, HealthRules};
pub use drift::{Fingerprints, Print, as_written, drifted, fingerprint};
pub use health::{HealthError, HealthTarget, Sightings, Unhealthy, wait_healthy};
pub use ignored::IgnoredFields;
pub use normalise::normalise;
pub use object::ObjectRef;
pub use order::{Stage, stage_of};
pub use owner::{Marker, Owner};
pub use prune::{PruneReport, doomed, prune};
pub use report::{Action, ApplyError, ApplyFailure, Change, Report};
