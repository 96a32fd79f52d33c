//! Taking away what a deleted Kustomization made.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tenure_api::{self as condition, KUSTOMIZE_CONTROLLER, reasons};
use tenure_apply::inventory::Entry;
use tenure_core::ObjectKey;
use tenure_kube::{EventKind, KUSTOMIZATION};

use super::applying;
use super::finalizer::drop_finalizer;
use super::plan::Finalize;
use super::run::{lost, write};
use super::status::Ending;
use super::target::Target;
use crate::merge::conditions_of;
use crate::retry::after;
use crate::writer::event;
use crate::{Effects, Pass, State};

/// Longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Deletes the inventory as the tenant and lets the object go. What cannot be deleted keeps the
/// finalizer and is named in the status; in a namespace that is going away, what lives there is left
/// to the namespace controller, and what can't be deleted elsewhere is waited for
/// as long as the Tenant says.
pub(crate) async fn finalize(key: &ObjectKey, plan: &Finalize, effects: &Arc<Effects>) -> Pass {
    effects.written.lock().forget(key);
    let held = held(key, effects);
    if plan.orphan || held.is_empty() {
        return drop_finalizer(KUSTOMIZATION, key, effects).await;
    }
    let terminating = effects.own.namespace_terminating().await.unwrap_or(false);
    // what is on another cluster is not in this namespace, whatever it is called there
    let away = plan.kube_config.is_some();
    let here = |entry: &Entry| {
        entry
            .parse()
            .is_ok_and(|object| object.namespace == effects.home.namespace.as_str())
    };
    let doomed: Vec<Entry> = held
        .into_iter()
        .filter(|entry| away || !(terminating && here(entry)))
        .collect();
    let result = match doomed.is_empty() {
        true => Ok(()),
        false => delete(key, plan, &doomed, terminating, effects).await,
    };
    match result {
        Ok(()) => drop_finalizer(KUSTOMIZATION, key, effects).await,
        Err(message) if terminating && out_of_patience(key, effects) => {
            let left = applying::names(&doomed);
            let message = format!(
                "left behind with the namespace '{}': {left}: {message}",
                effects.home.namespace
            );
            // a namespace that goes away takes no new event: then the log is all there is
            tracing::error!(object = %key, message, "finalizer dropped");
            event(
                effects,
                key,
                KUSTOMIZE_CONTROLLER,
                EventKind::Warning,
                reasons::PRUNE_FAILED,
                message,
                [],
            )
            .await;
            drop_finalizer(KUSTOMIZATION, key, effects).await
        }
        Err(message) => keep(key, &message, effects).await,
    }
}

async fn delete(
    key: &ObjectKey,
    plan: &Finalize,
    doomed: &[Entry],
    terminating: bool,
    effects: &Arc<Effects>,
) -> Result<(), String> {
    let account = plan.account.clone()?;
    let opened = Target::open(plan.kube_config.as_ref(), &account, plan.named, effects).await;
    let target = opened.map_err(|failure| failure.message)?;
    match effects.own.account_exists(&account).await {
        _ if target.is_remote() => {}
        Ok(true) => {}
        // the account went with the namespace; its rights elsewhere are by name and still count
        Ok(false) if terminating => {}
        Ok(false) => {
            return Err(format!(
                "ServiceAccount '{}/{}' not found: nothing is deleted as an account that does not exist; create it, or set spec.deletionPolicy to Orphan to let the objects stay",
                account.namespace, account.name
            ));
        }
        Err(error) => return Err(error.to_string()),
    }
    let (pruned, errors) = applying::delete_all(&target, doomed, key, effects).await?;
    if !errors.is_empty() {
        return Err(errors.join("; "));
    }
    let lines: Vec<_> = pruned.changes.iter().map(ToString::to_string).collect();
    announce(key, &lines, effects).await;
    if plan.wait {
        applying::wait_gone(&target, doomed, plan.timeout, effects).await;
    }
    Ok(())
}

/// Says what was deleted, before it is waited for.
async fn announce(key: &ObjectKey, lines: &[String], effects: &Effects) {
    if lines.is_empty() {
        return;
    }
    let (reason, message) = (reason_of(key, effects), lines.join("\n"));
    event(
        effects,
        key,
        KUSTOMIZE_CONTROLLER,
        EventKind::Normal,
        &reason,
        message,
        [],
    )
    .await;
}

async fn keep(key: &ObjectKey, message: &str, effects: &Arc<Effects>) -> Pass {
    let ending = Ending::Waiting {
        reason: reasons::PRUNE_FAILED,
        message,
    };
    match write(key, effects, &ending).await {
        Ok(true) => {
            let reason = reasons::PRUNE_FAILED;
            event(
                effects,
                key,
                KUSTOMIZE_CONTROLLER,
                EventKind::Warning,
                reason,
                message.to_owned(),
                [],
            )
            .await;
        }
        Ok(false) => {}
        Err(error) => return lost(key, &error, effects),
    }
    let wait = effects.failures.lock().failed(key).min(LONGEST_WAIT);
    Pass {
        state: State::Failed,
        reason: reasons::PRUNE_FAILED.to_owned(),
        next_due: Some(after(Timestamp::now(), wait)),
        wake: Vec::new(),
        limit: None,
    }
}

/// The reason of the Ready condition, which Flux gives to the last event too.
fn reason_of(key: &ObjectKey, effects: &Effects) -> String {
    let ready = effects.snapshot.get(key).and_then(|object| {
        let conditions = conditions_of(object.get("status")?);
        Some(condition::get(&conditions, condition::READY)?.reason.clone())
    });
    ready.unwrap_or_else(|| reasons::RECONCILIATION_SUCCEEDED.to_owned())
}

fn deleted_at(key: &ObjectKey, effects: &Effects) -> Option<Timestamp> {
    effects
        .snapshot
        .get(key)?
        .pointer("/metadata/deletionTimestamp")?
        .as_str()?
        .parse()
        .ok()
}

fn out_of_patience(key: &ObjectKey, effects: &Effects) -> bool {
    is_over(
        deleted_at(key, effects),
        Timestamp::now(),
        effects.home.offboarding_grace,
    )
}

fn is_over(deleted: Option<Timestamp>, now: Timestamp, grace: Duration) -> bool {
    deleted.is_none_or(|deleted| now >= after(deleted, grace))
}

fn held(key: &ObjectKey, effects: &Effects) -> Vec<Entry> {
    let Some(object) = effects.snapshot.get(key) else {
        return Vec::new();
    };
    let Ok(kustomization) = super::typed(&object) else {
        return Vec::new();
    };
    let entries = kustomization
        .status
        .and_then(|status| status.inventory)
        .map(|inventory| inventory.entries);
    let entry = |entry: tenure_api::ResourceRef| Entry {
        id: entry.id,
        v: entry.v,
    };
    entries.unwrap_or_default().into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn a_namespace_that_goes_away_waits_as_long_as_the_tenant_says_and_no_longer() {
        let (deleted, grace) = (Timestamp::UNIX_EPOCH, Duration::from_mins(10));
        let over = |seconds| is_over(Some(deleted), deleted + SignedDuration::from_secs(seconds), grace);
        assert!(!over(0) && !over(599) && over(600));
    }
}
