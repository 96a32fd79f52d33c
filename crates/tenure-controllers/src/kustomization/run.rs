use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tenure_api::{
    self as condition, KUSTOMIZE_CONTROLLER, KUSTOMIZE_STATUS_MANAGER, Limit, REQUESTED_AT, reasons,
};
use tenure_apply::inventory::{self, Entry};
use tenure_apply::{Fingerprints, Sightings};
use tenure_core::{Account, Digest, GoDuration, ObjectKey, Revision};
use tenure_kube::{EventKind, KUSTOMIZATION, KubeError};

use super::applying;
use super::before::Before;
use super::brake;
use super::build::{self, Built};
use super::drifted;
use super::events::{annotations, revisions, say, say_finished};
use super::finalize;
use super::mask::Mask;
use super::plan::{Apply, Offered, Plan};
use super::standing::{Standing, standing, written_for};
use super::status::{About, Ending, Failed, Snapshot, status};
use super::target::Target;
use crate::retry::after;
use crate::writer::{event, write_status};
use crate::{Effects, Pass, State, Wake, next_due};

/// What was found within this time need not be asked again by passes that follow each other.
const TOGETHER: Duration = Duration::from_secs(5);

/// The reason of a pass whose end could not be written.
const LOST: &str = "Failed";

/// Carries the plan out.
pub(crate) async fn run(key: &ObjectKey, plan: Plan, effects: &Arc<Effects>) -> Pass {
    if !matches!(plan, Plan::Finalize(_))
        && let Err(error) = super::add_finalizer(KUSTOMIZATION, key, effects).await
    {
        return lost(key, &error, effects);
    }
    match plan {
        Plan::Finalize(plan) => finalize::finalize(key, &plan, effects).await,
        Plan::Rest => match write(key, effects, &Ending::Rested).await {
            Ok(_) => Pass::suspended(),
            Err(error) => lost(key, &error, effects),
        },
        Plan::Stall {
            reason,
            message,
            limit,
            offered,
        } => {
            let message = message.as_str();
            let ending = Ending::Stalled { reason, message };
            let pass = said(key, effects, (reason, message), &ending, offered.as_ref(), None).await;
            Pass { limit, ..pass }
        }
        Plan::Wait {
            reason,
            message,
            after,
            offered,
        } => {
            let message = message.as_str();
            let ending = Ending::Waiting { reason, message };
            said(
                key,
                effects,
                (reason, message),
                &ending,
                offered.as_ref(),
                Some(after),
            )
            .await
        }
        Plan::Apply(plan) => apply(key, *plan, effects).await,
    }
}

/// Writes an ending that is nothing but a message. As with Flux, a missing source has no event, and that
/// of a dependency does not name it.
async fn said(
    key: &ObjectKey,
    effects: &Effects,
    (reason, message): (&'static str, &str),
    ending: &Ending<'_>,
    offered: Option<&Offered>,
    wait: Option<Duration>,
) -> Pass {
    let news = match write(key, effects, ending).await {
        Ok(news) => news,
        Err(error) => return lost(key, &error, effects),
    };
    let told = match (wait, reason) {
        (Some(wait), reasons::DEPENDENCY_NOT_READY) => {
            let wait = GoDuration::new(wait);
            let text = format!("Dependencies do not meet ready condition, retrying in {wait}");
            Some((EventKind::Normal, text))
        }
        (Some(_), _) => None,
        (None, _) => Some((EventKind::Warning, message.to_owned())),
    };
    if let Some((kind, text)) = told.filter(|_| news) {
        let revision = offered.map(|offered| offered.revision.to_string());
        let origin = offered.and_then(|offered| offered.origin.as_deref());
        let revisions = annotations(revision.as_deref(), origin);
        event(effects, key, KUSTOMIZE_CONTROLLER, kind, reason, text, revisions).await;
    }
    Pass {
        state: if wait.is_some() {
            State::Failed
        } else {
            State::Stalled
        },
        reason: reason.to_owned(),
        next_due: wait.map(|wait| after(Timestamp::now(), wait)),
        wake: Vec::new(),
        limit: None,
    }
}

/// Where a pass failed.
pub(super) struct Failure {
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// What the event says before the message.
    pub(super) title: &'static str,
    /// What was being done, as Flux words it.
    pub(super) step: Step,
    /// What is on the cluster now, where the pass changed it.
    pub(super) inventory: Option<Vec<Entry>>,
    /// What was built, once that worked.
    pub(super) built: Option<Digest>,
    /// What the Tenant does not allow.
    pub(super) limit: Option<Limit>,
}

impl Failure {
    pub(super) fn new(step: Step, reason: &'static str, message: String) -> Self {
        Self {
            reason,
            message,
            title: "",
            step,
            inventory: None,
            built: None,
            limit: None,
        }
    }

    pub(super) fn over(self, limit: Limit) -> Self {
        let limit = Some(limit);
        Self { limit, ..self }
    }

    /// Without what the mask hides.
    pub(super) fn masked(self, mask: &Mask) -> Self {
        Self {
            message: mask.hide(self.message),
            ..self
        }
    }

    pub(super) fn holding(self, inventory: Vec<Entry>) -> Self {
        Self {
            inventory: Some(inventory),
            ..self
        }
    }
}

/// The steps of a pass, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Fetching,
    Building,
    Applying,
    Checking,
}

impl Step {
    pub(super) fn progress(self, revision: &Revision, timeout: Duration) -> String {
        let doing = match self {
            Self::Fetching => "Fetching manifests",
            Self::Building => "Building manifests",
            Self::Applying => "Detecting drift",
            Self::Checking => "Running health checks",
        };
        format!(
            "{doing} for revision {revision} with a timeout of {}",
            GoDuration::new(timeout)
        )
    }
}

/// What a successful pass has to say.
struct Success {
    inventory: Vec<Entry>,
    built: Built,
    /// Whether anything was written, and whether anything left the source.
    changed: bool,
    pruned: bool,
    healthy: Option<String>,
    /// When it is due, if not an interval from now.
    due: Option<Timestamp>,
    /// What is not as applied, and was left so.
    drifted: Option<String>,
}

async fn apply(key: &ObjectKey, plan: Apply, effects: &Arc<Effects>) -> Pass {
    let began = Instant::now();
    let before = Before::of(key, effects);
    let old = inventory_of(&plan);
    let worked = tokio::select! {
        worked = attempt(key, &plan, &old, &before, effects) => worked,
        () = effects.cancel.cancelled() => return Pass { state: State::Failed, reason: "Canceled".into(), next_due: Some(Timestamp::now()), wake: Vec::new(), limit: None },
    };
    let pass = match worked {
        Ok(success) => succeeded(key, &plan, &before, &old, success, began, effects).await,
        Err(failure) => {
            effects.written.lock().forget(key);
            failed(key, &plan, &before, &failure, began, effects).await
        }
    };
    if pass.reason != LOST {
        // the status says it now
        effects.claims.lock().remove(key);
    }
    pass
}

async fn attempt(
    key: &ObjectKey,
    plan: &Apply,
    old: &[Entry],
    before: &Before,
    effects: &Arc<Effects>,
) -> Result<Success, Failure> {
    let target = open(plan, effects).await;
    let built = build::build(plan, effects).await;
    let (target, built) = match (target, built) {
        // as with Flux: the artifact, then the cluster, then the build
        (_, Err(failure)) if failure.step == Step::Fetching => return Err(failure),
        (target, built) => (target?, built?),
    };
    let (digest, hidden) = (built.digest, built.hidden.clone());
    let worked = work(key, plan, old, &target, built, before, effects).await;
    worked.map_err(|failure| Failure {
        built: Some(digest),
        ..failure.masked(&hidden)
    })
}

/// Where the plan applies to.
async fn open(plan: &Apply, effects: &Arc<Effects>) -> Result<Target, Failure> {
    let spec = &plan.kustomization.spec;
    let named = spec
        .service_account_name
        .as_deref()
        .is_some_and(|name| !name.is_empty());
    Target::open(spec.kube_config.as_ref(), &plan.account, named, effects).await
}

/// Everything that follows the build.
async fn work(
    key: &ObjectKey,
    plan: &Apply,
    old: &[Entry],
    target: &Target,
    built: Built,
    before: &Before,
    effects: &Arc<Effects>,
) -> Result<Success, Failure> {
    let mut new = applying::entries(&built);
    new.sort_by(inventory::apply_order);
    super::count::claim(key, old.len(), new.len(), effects)?;
    let standing = standing(target, plan, built.digest, (old, &new), key, before, effects).await;
    let unchanged = |healthy, due| Success {
        inventory: new.clone(),
        built: built.clone(),
        changed: false,
        pruned: false,
        healthy,
        due,
        drifted: None,
    };
    let was_healthy = || {
        before
            .is(condition::HEALTHY)
            .then(|| before.message(condition::HEALTHY))
    };
    match standing {
        Standing::Unasked(due) => return Ok(unchanged(was_healthy(), Some(due))),
        Standing::Same { healthy: true } => return Ok(unchanged(was_healthy(), None)),
        Standing::Same { healthy: false } => {
            check_account(target, &plan.account, before, effects).await?;
            let targets = applying::targets(&new, &plan.kustomization.spec, key, &effects.home.namespace);
            let nothing = Sightings::default();
            let healthy = applying::wait_healthy(key, target, targets, &nothing, plan, effects).await;
            let healthy = healthy.map_err(|failure| failure.holding(new.clone()))?;
            return Ok(unchanged(healthy, None));
        }
        Standing::Unknown => {}
    }
    check_account(target, &plan.account, before, effects).await?;
    let report_only = drifted::only_reported(plan, built.digest, before);
    let written = written_for(plan, built.digest);
    let how = applying::How {
        report_only,
        fresh: old.is_empty() && before.untried(),
        // whoever asks for a reconcile gets a whole one
        known: match before.answered {
            true => effects.written.lock().prints(key, &written),
            false => Fingerprints::new(),
        },
    };
    let applied = applying::apply(target, &built, plan, key, old, how, effects).await?;
    let drifted = drifted::message(&applied);
    drifted::announce(key, drifted.as_deref(), before, effects).await;
    // said at once: the checks that follow may fail
    let changes = applying::changed(&applied.changes);
    say(key, plan, reasons::PROGRESSING, changes.join("\n"), effects).await;
    let stale = inventory::stale(old, &new);
    let pruned = if plan.kustomization.spec.prune && !stale.is_empty() {
        brake::check(target, &stale, old, &new, key, effects).await?;
        applying::prune(target, &stale, &new, key, effects).await?
    } else {
        applying::Pruned::default()
    };
    let lines: Vec<_> = pruned.changes.iter().map(ToString::to_string).collect();
    say(key, plan, reasons::PROGRESSING, lines.join("\n"), effects).await;
    let dealt_with = applying::dealt_with(&applied);
    let targets = applying::targets(
        &dealt_with,
        &plan.kustomization.spec,
        key,
        &effects.home.namespace,
    );
    let healthy = applying::wait_healthy(key, target, targets, &applied.seen, plan, effects).await;
    let inventory = inventory::union(&new, &pruned.survivors);
    effects
        .written
        .lock()
        .keep(key, &written, applied.prints.clone(), Timestamp::now());
    Ok(Success {
        healthy: healthy.map_err(|failure| failure.holding(inventory.clone()))?,
        inventory,
        changed: !changes.is_empty(),
        pruned: !lines.is_empty(),
        due: None,
        drifted,
        built,
    })
}

/// The API server lets a deleted ServiceAccount be impersonated: whether it exists is for us to ask.
async fn check_account(
    target: &Target,
    account: &Account,
    before: &Before,
    effects: &Effects,
) -> Result<(), Failure> {
    if target.is_remote() {
        return Ok(());
    }
    let fail = |message: String| Failure::new(Step::Applying, reasons::RECONCILIATION_FAILED, message);
    // whoever asks for a reconcile may just have changed it
    let age = if before.answered { TOGETHER } else { Duration::ZERO };
    match effects.own.account_existed(account, age).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(fail(format!(
            "ServiceAccount '{}/{}' not found: nothing is applied as an account that does not exist; create it, or name another in spec.serviceAccountName",
            account.namespace, account.name
        ))),
        Err(error) => Err(fail(format!(
            "failed to look up ServiceAccount '{}/{}': {error}",
            account.namespace, account.name
        ))),
    }
}

async fn succeeded(
    key: &ObjectKey,
    plan: &Apply,
    before: &Before,
    old: &[Entry],
    success: Success,
    began: Instant,
    effects: &Arc<Effects>,
) -> Pass {
    let moved = before.applied.as_deref() != Some(plan.revision.to_string().as_str());
    let worth_saying = success.changed
        || success.pruned
        || moved
        || !before.is(condition::READY)
        || old.len() != success.inventory.len();
    let healed = !before.is(condition::HEALTHY) || (moved && success.changed);
    let healthy_news = success.healthy.clone().filter(|_| healed);
    let snapshot = Snapshot {
        digest: success.built.digest,
        took: began.elapsed(),
        reason: reasons::RECONCILIATION_SUCCEEDED,
        revision: &plan.revision,
        origin: plan.origin.as_deref(),
    };
    let ending = Ending::Applied {
        revision: &plan.revision,
        origin: plan.origin.as_deref(),
        inventory: &success.inventory,
        drifted: success.drifted.as_deref(),
        history: worth_saying.then_some(snapshot),
        healthy: success.healthy.map(|message| {
            if healed {
                message
            } else {
                before.message(condition::HEALTHY)
            }
        }),
    };
    let written = match write(key, effects, &ending).await {
        Ok(written) => written,
        Err(error) => return lost(key, &error, effects),
    };
    effects.failures.lock().succeeded(key);
    if let Some(message) = healthy_news {
        say(key, plan, reasons::PROGRESSING, message, effects).await;
    }
    if written && worth_saying {
        say_finished(key, plan, began, effects).await;
    }
    Pass {
        state: State::Ready,
        reason: reasons::RECONCILIATION_SUCCEEDED.to_owned(),
        next_due: Some(
            success
                .due
                .unwrap_or_else(|| next_due(Timestamp::now(), plan.interval)),
        ),
        wake: if written {
            vec![Wake::DependantsOf(key.clone())]
        } else {
            Vec::new()
        },
        limit: None,
    }
}

async fn failed(
    key: &ObjectKey,
    plan: &Apply,
    before: &Before,
    failure: &Failure,
    began: Instant,
    effects: &Arc<Effects>,
) -> Pass {
    let news = !before.has_failed_like(failure, &plan.revision);
    let snapshot = |digest| Snapshot {
        digest,
        took: began.elapsed(),
        reason: failure.reason,
        revision: &plan.revision,
        origin: plan.origin.as_deref(),
    };
    let ending = Ending::Failed(Failed {
        reason: failure.reason,
        message: &failure.message,
        progress: &failure.step.progress(&plan.revision, plan.timeout),
        attempted: (failure.step != Step::Fetching).then_some(&plan.revision),
        inventory: failure.inventory.as_deref(),
        unhealthy: failure.step == Step::Checking,
        history: failure.built.filter(|_| news).map(snapshot),
    });
    match write(key, effects, &ending).await {
        Ok(true) if news => {
            let message = [failure.title, &failure.message].concat();
            // a newer revision is no fault of anybody
            let kind = match failure.reason {
                reasons::HEALTH_CHECK_CANCELED => EventKind::Normal,
                _ => EventKind::Warning,
            };
            event(
                effects,
                key,
                KUSTOMIZE_CONTROLLER,
                kind,
                failure.reason,
                message,
                revisions(plan),
            )
            .await;
        }
        Ok(_) => {}
        Err(error) => return lost(key, &error, effects),
    }
    tracing::warn!(object = %key, reason = failure.reason, error = failure.message, "reconciliation failed");
    Pass {
        state: State::Failed,
        reason: failure.reason.to_owned(),
        next_due: Some(after(Timestamp::now(), plan.retry)),
        wake: Vec::new(),
        limit: failure.limit,
    }
}

/// The API server could not be reached or refused: nothing can be said on the object.
pub(super) fn lost(key: &ObjectKey, error: &KubeError, effects: &Effects) -> Pass {
    tracing::warn!(object = %key, %error, "failed to write the object's state");
    let wait = effects.failures.lock().failed(key);
    Pass {
        state: State::Failed,
        reason: LOST.to_owned(),
        next_due: Some(after(Timestamp::now(), wait)),
        wake: Vec::new(),
        limit: None,
    }
}

/// Brings the status to `ending`; whether anything was written.
pub(super) async fn write(
    key: &ObjectKey,
    effects: &Effects,
    ending: &Ending<'_>,
) -> Result<bool, KubeError> {
    let Some(object) = effects.snapshot.get(key) else {
        return Ok(false);
    };
    let requested = object
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(REQUESTED_AT));
    let about = About {
        generation: object
            .pointer("/metadata/generation")
            .and_then(Value::as_i64)
            .unwrap_or(0),
        requested_at: requested.and_then(Value::as_str),
        suspended: object
            .pointer("/spec/suspend")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        now: Timestamp::now(),
    };
    write_status(effects, KUSTOMIZATION, key, KUSTOMIZE_STATUS_MANAGER, |old| {
        status(old, &about, ending)
    })
    .await
}

/// What the object says it holds.
fn inventory_of(plan: &Apply) -> Vec<Entry> {
    let status = plan.kustomization.status.as_ref();
    let entries = status
        .and_then(|status| status.inventory.as_ref())
        .map(|inventory| inventory.entries.as_slice());
    let entry = |entry: &tenure_api::ResourceRef| Entry {
        id: entry.id.clone(),
        v: entry.v.clone(),
    };
    entries.unwrap_or_default().iter().map(entry).collect()
}
