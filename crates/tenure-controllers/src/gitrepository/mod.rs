//! GitRepository: asks the cache what a reference means now, keeps the artifact, says so.
//!
//! `plan` decides from the object and the Tenant alone; `run` reads the Secret, asks the cache and
//! fetches what is new; `status` writes what came of it.

mod credential;
mod plan;
mod run;
mod status;

use std::sync::Arc;

use serde_json::Value;
use tenure_api::GitRepository;
use tenure_core::ObjectKey;

use crate::{Effects, Pass, Snapshot};

/// One pass over the GitRepository `key`, as the snapshot has it.
pub async fn reconcile(key: &ObjectKey, effects: &Arc<Effects>) -> Pass {
    let Some(object) = effects.snapshot.get(key) else {
        return Pass::gone();
    };
    let observed = plan::Observed {
        object: &object,
        home: &effects.home,
    };
    run::run(key, plan::plan(&observed), effects).await
}

/// The GitRepositories of the home whose remote is `remote_key`.
#[must_use]
pub fn with_remote(snapshot: &Snapshot, remote_key: &str) -> Vec<ObjectKey> {
    let same = |object: &Value| {
        let url = object.pointer("/spec/url").and_then(Value::as_str)?;
        Some(url.parse::<tenure_core::SourceUrl>().ok()?.remote_key() == remote_key)
    };
    snapshot
        .of_kind("GitRepository")
        .into_iter()
        .filter_map(|(key, object)| same(&object).unwrap_or(false).then_some(key))
        .collect()
}

/// The typed object; an object that does not decode is that object's own error.
pub(crate) fn typed(object: &Value) -> Result<GitRepository, serde_json::Error> {
    serde::Deserialize::deserialize(object)
}
