//! What a pass does to the cluster, as the tenant.

use std::sync::Arc;
use std::time::Duration;

use tenure_api::{KustomizationSpec, Limit, reasons};
use tenure_apply::inventory::{self, Entry};
use tenure_apply::{
    Action, ApplyOptions, Change, Fingerprints, HealthError, ObjectRef, Owner, Report, Sightings,
};
use tenure_core::{Classify as _, GoDuration, Name, ObjectKey};
use tenure_kube::{ActingClient, By, Discovery, KubeError, RoleRule};

use super::build::Built;
use super::plan::Apply;
use super::run::{Failure, Step, write};
use super::status::Ending;
use super::target::Target;
use crate::Effects;

/// How often what should be gone is looked for.
const GONE_POLL: Duration = Duration::from_secs(1);
/// What is healthy within this time costs no write that says it is waited for.
const UNSAID: Duration = Duration::from_secs(2);

/// What a prune came to.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    /// What was deleted, and what was left alone because it says so.
    pub(super) changes: Vec<Change>,
    /// What is still there, and stays in the inventory.
    pub(super) survivors: Vec<Entry>,
}

impl Pruned {
    /// What was deleted, or was gone already.
    pub(super) fn deleted(&self) -> Vec<ObjectRef> {
        let deleted = |change: &&Change| change.action == Action::Deleted;
        let changes = self.changes.iter().filter(deleted);
        changes.map(|change| change.object.clone()).collect()
    }
}

/// The inventory that the built objects make.
pub(super) fn entries(built: &Built) -> Vec<Entry> {
    built
        .objects
        .iter()
        .map(|object| Entry::of(&ObjectRef::of(object)))
        .collect()
}

/// How everything is applied.
#[derive(Debug)]
pub(super) struct How {
    /// Only say what is not as wanted.
    pub(super) report_only: bool,
    /// Nothing was ever applied.
    pub(super) fresh: bool,
    /// How objects were written last time.
    pub(super) known: Fingerprints,
}

/// Applies everything. Objects that the inventory does not name yet are written into it first, so that
/// a crash in the middle leaves no orphan.
pub(super) async fn apply(
    target: &Target,
    built: &Built,
    plan: &Apply,
    key: &ObjectKey,
    old: &[Entry],
    how: How,
    effects: &Arc<Effects>,
) -> Result<Report, Failure> {
    let new = entries(built);
    let ahead = !inventory::stale(&new, old).is_empty();
    if ahead {
        let all = inventory::union(old, &new);
        let message = Step::Applying.progress(&plan.revision, plan.timeout);
        let ending = Ending::Applying {
            revision: &plan.revision,
            message,
            inventory: &all,
        };
        write(key, effects, &ending)
            .await
            .map_err(|error| failure(format!("failed to write the inventory: {error}")))?;
    }
    let mut options = ApplyOptions::new(owner(key, effects));
    options.ignored = super::ignore::fields(&plan.kustomization.spec, &built.objects).map_err(failure)?;
    options.report_only = how.report_only;
    options.fresh = how.fresh;
    options.known = how.known;
    options.health = Some(plan.health.clone());
    options.force = plan.kustomization.spec.force;
    options.cancel = effects.cancel.clone();
    match attempt(target, built, &options, effects).await {
        Ok(report) => Ok(report),
        Err(Undone {
            message,
            so_far,
            limit,
        }) => {
            // what was made before the failure stays in the inventory
            let held = ahead.then(|| inventory::union(old, &so_far.entries));
            Err(Failure {
                inventory: held,
                limit,
                ..failure(with_changes(message, &so_far))
            })
        }
    }
}

/// An apply that came to an end before it was through.
struct Undone {
    message: String,
    so_far: Report,
    /// What the Tenant does not allow.
    limit: Option<Limit>,
}

/// It is a right of the worker that is missing, and none of the tenant's own.
fn limit(rule: &RoleRule) -> Option<Limit> {
    match rule.verb.as_str() {
        "impersonate" | "impersonate:serviceaccount" => Some(Limit::Accounts),
        verb if verb.starts_with("impersonate-on:") => Some(Limit::Kinds),
        _ => None,
    }
}

async fn attempt(
    target: &Target,
    built: &Built,
    options: &ApplyOptions,
    effects: &Effects,
) -> Result<Report, Undone> {
    let undone = |message| Undone {
        message,
        so_far: Report::default(),
        limit: None,
    };
    let unknown = |error: KubeError| undone(format!("failed to learn what the API server serves: {error}"));
    let mut discovery = target.discovery(effects).await.map_err(unknown)?;
    for refreshed in [false, true] {
        match tenure_apply::apply(&target.client, &discovery, built.objects.clone(), options).await {
            Ok(report) => return Ok(report),
            Err(failed) if failed.error.is_missing_kind() && !refreshed => {
                discovery = target.refresh(effects).await.map_err(unknown)?;
            }
            Err(failed) => {
                let hint = failed
                    .error
                    .hint()
                    .map(|hint| format!("; {hint}"))
                    .unwrap_or_default();
                let missing = failed.error.kube().and_then(KubeError::missing_rule);
                return Err(Undone {
                    message: format!("{}{hint}", failed.error),
                    so_far: failed.report_so_far,
                    limit: missing
                        .filter(|_| !target.is_remote())
                        .and_then(|rule| limit(&rule)),
                });
            }
        }
    }
    Err(undone("a kind is not served by the API server".to_owned()))
}

/// As Flux words it: the error, and below it a line for each change before it.
fn with_changes(message: String, so_far: &Report) -> String {
    let lines = changed(&so_far.changes).into_iter().map(|line| line + "\n");
    format!("{}\n{}", message.trim_end(), lines.collect::<String>())
}

/// What was changed, for events.
pub(super) fn changed(changes: &[Change]) -> Vec<String> {
    let told = |change: &&Change| {
        matches!(
            change.action,
            Action::Created | Action::Configured | Action::Deleted
        )
    };
    changes.iter().filter(told).map(ToString::to_string).collect()
}

/// Deletes what left the source.
pub(super) async fn prune(
    target: &Target,
    stale: &[Entry],
    new: &[Entry],
    key: &ObjectKey,
    effects: &Arc<Effects>,
) -> Result<Pruned, Failure> {
    let fail = |message: String, survivors: &[Entry]| {
        Failure::new(Step::Applying, reasons::PRUNE_FAILED, message).holding(inventory::union(new, survivors))
    };
    let (pruned, errors) = delete_all(target, stale, key, effects)
        .await
        .map_err(|message| fail(message, stale))?;
    if errors.is_empty() {
        return Ok(pruned);
    }
    Err(fail(undeleted(&errors), &pruned.survivors))
}

/// What could not be deleted, in Flux's words.
pub(super) fn undeleted(errors: &[String]) -> String {
    let errors: String = errors.iter().map(|error| format!("{error};")).collect();
    format!("delete failed, errors: {errors}")
}

/// Deletes everything that still carries this owner's labels; the errors are for the condition.
pub(super) async fn delete_all(
    target: &Target,
    doomed: &[Entry],
    key: &ObjectKey,
    effects: &Effects,
) -> Result<(Pruned, Vec<String>), String> {
    let discovery = target
        .discovery(effects)
        .await
        .map_err(|error| error.to_string())?;
    let report = tenure_apply::prune(&target.client, &discovery, doomed, &owner(key, effects)).await;
    let told = |error: &tenure_apply::ApplyError| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    };
    let errors = report.errors.iter().map(told).collect();
    Ok((
        Pruned {
            changes: report.changes,
            survivors: report.survivors,
        },
        errors,
    ))
}

/// Waits for what the object asks for: everything with `wait`, else its `healthChecks`. The message of
/// the Healthy condition, or nothing when nothing was to be checked.
pub(super) async fn wait_healthy(
    key: &ObjectKey,
    target: &Target,
    targets: Vec<ObjectRef>,
    seen: &Sightings,
    plan: &Apply,
    effects: &Effects,
) -> Result<Option<String>, Failure> {
    if targets.is_empty() {
        return Ok(None);
    }
    let fail = |reason, message| Failure::new(Step::Checking, reason, message);
    let discovery = target
        .discovery(effects)
        .await
        .map_err(|error| fail(reasons::HEALTH_CHECK_FAILED, error.to_string()))?;
    let _waits = effects.waits.begin();
    let checks = tenure_apply::wait_healthy(
        &target.client,
        &discovery,
        &targets,
        seen,
        &plan.health,
        plan.timeout,
        &effects.cancel,
    );
    let checks = async {
        tokio::pin!(checks);
        if let Ok(checked) = tokio::time::timeout(UNSAID, &mut checks).await {
            return checked;
        }
        let message = Step::Checking.progress(&plan.revision, plan.timeout);
        let revision = &plan.revision;
        if let Err(error) = write(key, effects, &Ending::Checking { revision, message }).await {
            tracing::warn!(object = %key, %error, "failed to say that objects are waited for");
        }
        checks.await
    };
    let checked = tokio::select! {
        checked = checks => checked,
        () = superseded(plan, effects) => {
            let message = "New revision detected during health check, cancelling";
            return Err(fail(reasons::HEALTH_CHECK_CANCELED, message.to_owned()));
        }
    };
    match checked {
        Ok(took) => Ok(Some(format!("Health check passed in {}", GoDuration::new(took)))),
        Err(error @ HealthError::Cancelled) => Err(fail(reasons::HEALTH_CHECK_CANCELED, error.to_string())),
        Err(error) => Err(fail(reasons::HEALTH_CHECK_FAILED, error.to_string())),
    }
}

/// Ends when the source offers something else than what was applied; whoever saw that wakes this object.
async fn superseded(plan: &Apply, effects: &Effects) {
    let mut moved = effects.moved.subscribe();
    loop {
        let source = effects.snapshot.get(&plan.source);
        let offered = source
            .as_ref()
            .and_then(|source| source.pointer("/status/artifact/digest")?.as_str());
        if offered.is_some_and(|offered| offered != plan.digest.to_string()) {
            return;
        }
        if moved.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// What is to be waited for: with `wait` what was applied, without what was skipped, else the
/// `healthChecks`. Never the Kustomization itself, which would wait for ever.
pub(super) fn targets(
    applied: &[Entry],
    spec: &KustomizationSpec,
    key: &ObjectKey,
    home: &Name,
) -> Vec<ObjectRef> {
    let checks = spec.health_checks.iter().flatten();
    let named = checks.map(checked);
    let there = applied.iter().filter_map(|entry| entry.parse().ok());
    let all: Vec<_> = if spec.wait {
        there.collect()
    } else {
        named.collect()
    };
    let itself = |object: &ObjectRef| {
        object.kind == key.kind && object.name == key.name.as_str() && object.namespace == home.as_str()
    };
    all.into_iter().filter(|object| !itself(object)).collect()
}

/// What an apply did not skip.
pub(super) fn dealt_with(applied: &Report) -> Vec<Entry> {
    let changes = applied.changes.iter();
    let there = changes.filter(|change| change.action != Action::Skipped);
    there.map(|change| Entry::of(&change.object)).collect()
}

fn checked(check: &tenure_api::ObjectReference) -> ObjectRef {
    let given = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    let api_version = given(&check.api_version).unwrap_or_else(|| "apps/v1".to_owned());
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    ObjectRef {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: check.kind.clone(),
        namespace: given(&check.namespace).unwrap_or_default(),
        name: check.name.clone(),
    }
}

/// Waits until none of the objects is there any more, as `deletionPolicy: WaitForTermination` asks. False if the
/// time is over, or if they can't be looked at.
pub(super) async fn are_gone(
    target: &Target,
    objects: &[ObjectRef],
    timeout: Duration,
    effects: &Effects,
) -> bool {
    let look = async {
        let discovery = target.discovery(effects).await?;
        for object in objects {
            while is_there(&target.client, &discovery, object).await? {
                tokio::time::sleep(GONE_POLL).await;
            }
        }
        Ok::<_, KubeError>(())
    };
    tokio::select! {
        looked = look => looked.is_ok(),
        () = tokio::time::sleep(timeout) => false,
        () = effects.cancel.cancelled() => true,
    }
}

/// A kind that is not served any more has no objects.
async fn is_there(
    client: &ActingClient,
    discovery: &Discovery,
    object: &ObjectRef,
) -> Result<bool, KubeError> {
    let Some(info) = discovery.resolve(&object.api_version(), &object.kind) else {
        return Ok(false);
    };
    let found = client.list(&info, object.ns(), By::Name(&object.name)).await;
    found.map(|items| !items.is_empty())
}

/// What the objects are called, for a message.
pub(super) fn names(entries: &[Entry]) -> String {
    let name = |entry: &Entry| {
        entry
            .parse()
            .map_or_else(|_| entry.id.clone(), |object| object.to_string())
    };
    entries.iter().map(name).collect::<Vec<_>>().join(", ")
}

pub(super) fn owner(key: &ObjectKey, effects: &Effects) -> Owner {
    Owner {
        name: key.name.to_string(),
        namespace: effects.home.namespace.to_string(),
    }
}

fn failure(message: String) -> Failure {
    Failure::new(Step::Applying, reasons::RECONCILIATION_FAILED, message)
}

#[cfg(test)]
#[path = "applying_tests.rs"]
mod tests;
