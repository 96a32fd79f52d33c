//! Taking away what a deleted Kustomization made.

use std::sync::Arc;

use jiff::Timestamp;
use tenure_api::{KUSTOMIZE_CONTROLLER, reasons};
use tenure_apply::inventory::Entry;
use tenure_core::ObjectKey;
use tenure_kube::{EventKind, KUSTOMIZATION};

use super::applying;
use super::finalizer::drop_finalizer;
use super::plan::Finalize;
use super::run::{lost, write};
use super::status::Ending;
use crate::retry::after;
use crate::writer::event;
use crate::{Effects, Pass, State};

/// Deletes the inventory as the tenant and lets the object go. What cannot be deleted keeps the
/// finalizer and is named in the status; in a namespace that is going away, what lives there is left
/// to the namespace controller.
pub(crate) async fn finalize(key: &ObjectKey, plan: &Finalize, effects: &Arc<Effects>) -> Pass {
    let held = held(key, effects);
    if plan.orphan || held.is_empty() {
        return drop_finalizer(KUSTOMIZATION, key, effects).await;
    }
    let terminating = effects.own.namespace_terminating().await.unwrap_or(false);
    let here = |entry: &Entry| entry.parse().is_ok_and(|object| object.namespace == effects.home.namespace.as_str());
    let doomed: Vec<Entry> = held.into_iter().filter(|entry| !(terminating && here(entry))).collect();
    let result = match doomed.is_empty() {
        true => Ok(Vec::new()),
        false => delete(key, plan, &doomed, effects).await,
    };
    match result {
        Ok(lines) => {
            if !lines.is_empty() {
                let message = lines.join("\n");
                let reason = reasons::RECONCILIATION_SUCCEEDED;
                event(effects, key, KUSTOMIZE_CONTROLLER, EventKind::Normal, reason, message, []).await;
            }
            drop_finalizer(KUSTOMIZATION, key, effects).await
        }
        Err(message) if terminating => {
            let left = applying::names(&doomed);
            let message = format!("left behind with the namespace '{}': {left}: {message}", effects.home.namespace);
            event(effects, key, KUSTOMIZE_CONTROLLER, EventKind::Warning, reasons::PRUNE_FAILED, message, []).await;
            drop_finalizer(KUSTOMIZATION, key, effects).await
        }
        Err(message) => keep(key, plan, &message, effects).await,
    }
}

async fn delete(key: &ObjectKey, plan: &Finalize, doomed: &[Entry], effects: &Arc<Effects>) -> Result<Vec<String>, String> {
    let account = plan.account.clone()?;
    match effects.own.account_exists(&account).await {
        Ok(true) => {}
        Ok(false) => {
            return Err(format!(
                "ServiceAccount '{}/{}' not found: nothing is deleted as an account that does not exist; create it, or set spec.deletionPolicy to Orphan to let the objects stay",
                account.namespace, account.name
            ));
        }
        Err(error) => return Err(error.to_string()),
    }
    let client = effects.acting(&account);
    let (pruned, errors) = applying::delete_all(&client, doomed, key, effects).await?;
    if !errors.is_empty() {
        return Err(errors.join("; "));
    }
    if plan.wait {
        applying::wait_gone(&client, doomed, plan.timeout, effects).await;
    }
    Ok(pruned.lines)
}

async fn keep(key: &ObjectKey, plan: &Finalize, message: &str, effects: &Arc<Effects>) -> Pass {
    let ending = Ending::Waiting { reason: reasons::PRUNE_FAILED, message };
    match write(key, effects, &ending).await {
        Ok(true) => {
            let reason = reasons::PRUNE_FAILED;
            event(effects, key, KUSTOMIZE_CONTROLLER, EventKind::Warning, reason, message.to_owned(), []).await;
        }
        Ok(false) => {}
        Err(error) => return lost(key, &error, effects),
    }
    Pass {
        state: State::Failed,
        reason: reasons::PRUNE_FAILED.to_owned(),
        next_due: Some(after(Timestamp::now(), plan.timeout)),
        wake: Vec::new(),
    }
}

fn held(key: &ObjectKey, effects: &Effects) -> Vec<Entry> {
    let Some(object) = effects.snapshot.get(key) else { return Vec::new() };
    let Ok(kustomization) = super::typed(&object) else { return Vec::new() };
    let entries = kustomization.status.and_then(|status| status.inventory).map(|inventory| inventory.entries);
    let entry = |entry: tenure_api::ResourceRef| Entry { id: entry.id, v: entry.v };
    entries.unwrap_or_default().into_iter().map(entry).collect()
}
