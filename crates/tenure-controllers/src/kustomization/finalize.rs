//! Taking away what a deleted Kustomization made.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tenure_api::{self as condition, KUSTOMIZE_CONTROLLER, reasons};
use tenure_apply::inventory::Entry;
use tenure_core::ObjectKey;
use tenure_kube::{EventKind, KUSTOMIZATION};

use super::applying;
use super::events::annotations;
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
            let (kind, reason) = (EventKind::Warning, reasons::PRUNE_FAILED);
            tell(key, kind, reason, message, effects).await;
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
        return Err(applying::undeleted(&errors));
    }
    let lines: Vec<_> = pruned.changes.iter().map(ToString::to_string).collect();
    if !lines.is_empty() {
        // said before it is waited for
        tell_as_ready(key, EventKind::Normal, lines.join("\n"), effects).await;
    }
    if plan.wait && !applying::are_gone(&target, &pruned.deleted(), plan.timeout, effects).await {
        let message = "failed to wait for resources termination".to_owned();
        tell_as_ready(key, EventKind::Warning, message, effects).await;
    }
    Ok(())
}

/// An event with the reason of the Ready condition, as Flux gives it to what it says at the end.
async fn tell_as_ready(key: &ObjectKey, kind: EventKind, message: String, effects: &Effects) {
    let reason = reason_of(key, kind, effects);
    tell(key, kind, &reason, message, effects).await;
}

/// An event about what was applied last.
async fn tell(key: &ObjectKey, kind: EventKind, reason: &str, message: String, effects: &Effects) {
    let object = effects.snapshot.get(key);
    let status = |field: &str| object.as_ref()?.get("status")?.get(field)?.as_str();
    let revisions = annotations(status("lastAppliedRevision"), status("lastAppliedOriginRevision"));
    event(
        effects,
        key,
        KUSTOMIZE_CONTROLLER,
        kind,
        reason,
        message,
        revisions,
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
            let (kind, reason) = (EventKind::Warning, reasons::PRUNE_FAILED);
            tell(key, kind, reason, message.to_owned(), effects).await;
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

/// The reason of the Ready condition; without one, Flux says how bad it is.
fn reason_of(key: &ObjectKey, kind: EventKind, effects: &Effects) -> String {
    let ready = effects.snapshot.get(key).and_then(|object| {
        let conditions = conditions_of(object.get("status")?);
        Some(condition::get(&conditions, condition::READY)?.reason.clone())
    });
    let severity = match kind {
        EventKind::Normal => "info",
        EventKind::Warning => "error",
    };
    ready.unwrap_or_else(|| severity.to_owned())
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
