//! Kustomization: builds what its source holds and applies it as the tenant.
//!
//! `plan` decides from the object, the Tenant and its siblings; `run` fetches, builds, applies, prunes
//! and waits; `finalize` takes everything away again; `status` writes what came of it.

mod applying;
mod before;
mod brake;
mod build;
mod cluster;
mod count;
mod decryption;
mod dependencies;
mod drifted;
mod events;
mod finalize;
mod finalizer;
mod graph;
mod ignore;
mod mask;
mod peers;
mod plan;
mod run;
mod standing;
mod status;
mod target;
mod variables;
mod watching;

use std::sync::Arc;

use serde_json::Value;
use tenure_api::{Kustomization, reasons};
use tenure_core::ObjectKey;

use crate::pass::LEFT_ALONE;
use crate::{Effects, Pass};

pub use drifted::drifted;
pub(crate) use finalizer::{add_finalizer, drop_finalizer};
pub use graph::{consumers_of, dependants_of, needs};
pub(crate) use graph::{is_behind, is_consumed};
pub use watching::DriftWatches;

/// One pass over the Kustomization `key`, as the snapshot has it.
pub async fn reconcile(key: &ObjectKey, effects: &Arc<Effects>) -> Pass {
    let Some(object) = effects.snapshot.get(key) else {
        return Pass::gone();
    };
    let peers = peers::read(&object, effects).await;
    let observed = plan::Observed {
        peers: &peers,
        object: &object,
        home: &effects.home,
        snapshot: &effects.snapshot,
    };
    run::run(key, plan::plan(&observed), effects).await
}

/// Says of the Kustomization `key` that it is left alone, and does nothing else.
pub async fn leave_alone(key: &ObjectKey, effects: &Arc<Effects>) -> Pass {
    let plan = plan::Plan::stall(reasons::QUARANTINED, LEFT_ALONE.to_owned());
    run::run(key, plan, effects).await
}

/// The typed object; an object that does not decode is that object's own error.
pub(crate) fn typed(object: &Value) -> Result<Kustomization, serde_json::Error> {
    serde::Deserialize::deserialize(object)
}
