//! The finalizer that all kinds carry.

use jiff::Timestamp;
use tenure_api::{KUSTOMIZE_STATUS_MANAGER, SOURCE_CONTROLLER, SOURCE_GROUP};
use tenure_core::ObjectKey;
use tenure_kube::{FinalizerChange, FluxKind, KubeError};

use crate::retry::after;
use crate::{Effects, Pass, State};

/// Adds it; the snapshot follows.
pub(crate) async fn add_finalizer(
    kind: FluxKind,
    key: &ObjectKey,
    effects: &Effects,
) -> Result<(), KubeError> {
    change(kind, key, effects, FinalizerChange::Add).await
}

/// Removes it, which lets a deleted object go.
pub(crate) async fn drop_finalizer(kind: FluxKind, key: &ObjectKey, effects: &Effects) -> Pass {
    match change(kind, key, effects, FinalizerChange::Remove).await {
        Ok(()) => Pass::gone(),
        Err(error) => {
            tracing::warn!(object = %key, %error, "failed to remove the finalizer");
            let wait = effects.failures.lock().failed(key);
            Pass {
                state: State::Failed,
                reason: "Failed".to_owned(),
                next_due: Some(after(Timestamp::now(), wait)),
                wake: Vec::new(),
                limit: None,
            }
        }
    }
}

async fn change(
    kind: FluxKind,
    key: &ObjectKey,
    effects: &Effects,
    change: FinalizerChange,
) -> Result<(), KubeError> {
    let Some(object) = effects.snapshot.get(key) else {
        return Ok(());
    };
    let manager = if kind.group == SOURCE_GROUP {
        SOURCE_CONTROLLER
    } else {
        KUSTOMIZE_STATUS_MANAGER
    };
    match effects
        .own
        .patch_finalizers(kind, &key.name, &object, change, manager)
        .await
    {
        Ok(Some(object)) => effects.snapshot.put(key.clone(), object),
        Ok(None) => effects.snapshot.remove(key),
        Err(error) if error.is_not_found() => effects.snapshot.remove(key),
        Err(error) => return Err(error),
    }
    Ok(())
}
