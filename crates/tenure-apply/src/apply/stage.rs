use std::collections::HashMap;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use tenure_kube::{ActingClient, Applied, ApplyParams, By, DeleteParams, KubeError, WatchEvent};

use super::kinds::Kinds;
use super::{ApplyOptions, Placed, fresh, live};
use crate::inventory::Entry;
use crate::managed;
use crate::object::ObjectRef;
use crate::owner::Marker;
use crate::report::{Action, ApplyError, Report};

/// How long a new kind may take to be served after its definition is established.
const NEW_KIND: Duration = Duration::from_secs(10);
const NEW_KIND_STEP: Duration = Duration::from_millis(200);
/// How long an object that is recreated may take to go.
const GONE: Duration = Duration::from_secs(60);

/// What a dry-run says is to be done with an object.
enum Verdict {
    Skip,
    Create,
    /// It is there; the object as it would be, and as it is if that is known.
    Compare {
        wanted: Value,
        live: Option<Value>,
    },
    /// It is as it was written, and that is what is wanted again.
    Keep(Value),
    /// It is as it was written, and the only one of the stage of which something else is wanted.
    Alone(Value),
    /// It can't be changed, and may be made anew.
    Recreate,
}

impl Verdict {
    /// With what was seen before the dry-run, if that has seen the same.
    fn after(self, seen: Option<Value>) -> Self {
        match self {
            Self::Compare { wanted, .. } => Self::Compare {
                live: seen.filter(|seen| version(seen) == version(&wanted)),
                wanted,
            },
            other => other,
        }
    }
}

/// What will be done with an object.
enum Step {
    Skip,
    /// It is as wanted, and this is how.
    Keep(Value),
    Write {
        patch: Option<Value>,
    },
    /// Nothing else of the stage is written: if this is refused, nothing was. So it is, as the object is
    /// now, without a dry-run.
    Alone(Value),
}

/// Dry-runs the whole stage, then writes what has to be. Gives the objects as they are afterwards.
/// With `fresh`, what is not there yet is created first.
pub(crate) async fn run(
    client: &ActingClient,
    kinds: &Kinds<'_>,
    placed: Vec<Placed>,
    options: &ApplyOptions,
    fresh: bool,
    report: &mut Report,
) -> Result<Vec<Value>, ApplyError> {
    let made = if fresh {
        fresh::create(client, &placed, options).await
    } else {
        fresh::Made::default()
    };
    let (first, rest) = placed.split_at(made.count());
    let steps = match steps(client, kinds, rest, options).await {
        Ok(steps) => steps,
        Err(ApplyError::Cancelled) => {
            made.report(first, options, report);
            return Err(ApplyError::Cancelled);
        }
        Err(error) => {
            made.undo(client, first, report).await;
            return Err(error);
        }
    };
    let mut after = made.report(first, options, report);
    for (placed, step) in rest.iter().zip(steps) {
        if options.cancel.is_cancelled() {
            return Err(ApplyError::Cancelled);
        }
        let (action, object) = match step {
            Step::Alone(live) => write_alone(client, kinds, placed, &live, options).await?,
            step => carry_out(client, placed, step, options).await?,
        };
        report.add(placed, action, object.as_ref(), options.health.as_ref());
        after.extend(object);
    }
    Ok(after)
}

/// What is to be done, by a dry-run of everything that is not known to be as wanted.
async fn steps(
    client: &ActingClient,
    kinds: &Kinds<'_>,
    placed: &[Placed],
    options: &ApplyOptions,
) -> Result<Vec<Step>, ApplyError> {
    let mut seen = before(client, placed, options).await?;
    let kept = |p: &Placed| seen.get(&p.at).is_some_and(|live| is_kept(p, live, options));
    let mut others = placed.iter().filter(|p| !kept(p));
    let alone = match (others.next(), others.next()) {
        (Some(alone), None) => Some(alone.at.clone()).filter(|_| may_be_alone(alone, &seen, options)),
        _ => None,
    };
    let verdicts = placed.iter().map(|p| (p, seen.remove(&p.at)));
    let alone = &alone;
    let verdicts = verdicts.map(|(p, seen)| async move {
        match seen {
            Some(live) if is_kept(p, &live, options) => Ok(Verdict::Keep(live)),
            Some(live) if alone.as_ref() == Some(&p.at) => Ok(Verdict::Alone(live)),
            seen => Ok(dry_run(client, kinds, p, options).await?.after(seen)),
        }
    });
    let mut verdicts: Vec<Verdict> = stream::iter(verdicts)
        .buffered(options.concurrency.max(1))
        .try_collect()
        .await?;
    for (placed, verdict) in placed.iter().zip(&mut verdicts) {
        make_room(client, kinds, placed, verdict, options).await?;
    }
    decide(client, placed, verdicts, options).await
}

/// Takes away what is to be made anew, and dry-runs it again: if that is refused, nothing was written.
async fn make_room(
    client: &ActingClient,
    kinds: &Kinds<'_>,
    placed: &Placed,
    verdict: &mut Verdict,
    options: &ApplyOptions,
) -> Result<(), ApplyError> {
    if !matches!(verdict, Verdict::Recreate) || options.report_only {
        return Ok(());
    }
    if options.cancel.is_cancelled() {
        return Err(ApplyError::Cancelled);
    }
    remove(client, placed).await?;
    let sent = send(client, kinds, placed, options, true).await;
    let applied = sent.map_err(|error| ApplyError::dry_run(&placed.at, error))?;
    *verdict = match applied.created {
        true => Verdict::Create,
        false => Verdict::Compare {
            wanted: applied.object,
            live: None,
        },
    };
    Ok(())
}

/// What was written before, as it is: a LIST is cheaper than the dry-runs that it may save, and is needed
/// anyway for what is not as it should be.
async fn before(
    client: &ActingClient,
    placed: &[Placed],
    options: &ApplyOptions,
) -> Result<HashMap<ObjectRef, Value>, ApplyError> {
    if options.known.is_empty() {
        return Ok(HashMap::new());
    }
    let is_known = |placed: &&Placed| options.known.contains_key(&Entry::of(&placed.at).id);
    let written: Vec<&Placed> = placed.iter().filter(is_known).collect();
    live::read_ours(client, &written, &options.owner).await
}

/// Whether an object was written just like this, and is still so.
fn is_kept(placed: &Placed, live: &Value, options: &ApplyOptions) -> bool {
    let print = options.known.get(&Entry::of(&placed.at).id);
    print.is_some_and(|print| print.is_for(&placed.wanted) && print.is_of(&placed.info, live))
        && !may_be_skipped(placed)
}

/// Whether an object is as it was written, so that all there is to do is to write what is wanted now.
fn may_be_alone(placed: &Placed, seen: &HashMap<ObjectRef, Value>, options: &ApplyOptions) -> bool {
    let (print, live) = (options.known.get(&Entry::of(&placed.at).id), seen.get(&placed.at));
    let (Some(print), Some(live)) = (print, live) else {
        return false;
    };
    print.is_of(&placed.info, live)
        && !options.report_only
        && !may_be_skipped(placed)
        && managed::clean_up(live, &placed.desired, &options.field_manager).is_none()
}

fn may_be_skipped(placed: &Placed) -> bool {
    Marker::Skip.on(&placed.desired) || Marker::IfNotPresent.on(&placed.desired)
}

async fn dry_run(
    client: &ActingClient,
    kinds: &Kinds<'_>,
    placed: &Placed,
    options: &ApplyOptions,
) -> Result<Verdict, ApplyError> {
    if options.cancel.is_cancelled() {
        return Err(ApplyError::Cancelled);
    }
    if Marker::Skip.on(&placed.desired) {
        return Ok(Verdict::Skip);
    }
    if Marker::IfNotPresent.on(&placed.desired) && live::read_one(client, placed).await?.is_some() {
        return Ok(Verdict::Skip);
    }
    match send(client, kinds, placed, options, true).await {
        Ok(applied) if applied.created => Ok(Verdict::Create),
        // The result holds the labels and annotations of the live object, its markers among them.
        Ok(applied) if Marker::Skip.on(&applied.object) => Ok(Verdict::Skip),
        Ok(applied) => Ok(Verdict::Compare {
            wanted: applied.object,
            live: None,
        }),
        Err(error) => refused(client, placed, options, error).await,
    }
}

/// A refusal may not matter (the live object is marked) or be what force is for.
async fn refused(
    client: &ActingClient,
    placed: &Placed,
    options: &ApplyOptions,
    error: KubeError,
) -> Result<Verdict, ApplyError> {
    if !may_be_immutable(&error) {
        return Err(ApplyError::dry_run(&placed.at, error));
    }
    let live = live::read_one(client, placed).await.ok().flatten();
    if live.as_ref().is_some_and(|live| Marker::Skip.on(live)) {
        return Ok(Verdict::Skip);
    }
    let force = options.force
        || Marker::Force.on(&placed.desired)
        || live.as_ref().is_some_and(|l| Marker::Force.on(l));
    if force && live.is_some() {
        return Ok(Verdict::Recreate);
    }
    Err(ApplyError::dry_run(&placed.at, error))
}

/// Admission webhooks refuse changes of fixed fields with codes of their own choice.
fn may_be_immutable(error: &KubeError) -> bool {
    let message = error.message();
    error.is_conflict()
        || error.is_invalid()
        || message.contains("is immutable")
        || message.contains("immutable field")
}

async fn decide(
    client: &ActingClient,
    placed: &[Placed],
    verdicts: Vec<Verdict>,
    options: &ApplyOptions,
) -> Result<Vec<Step>, ApplyError> {
    let unread = placed
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| matches!(verdict, Verdict::Compare { live: None, .. }));
    let unread: Vec<&Placed> = unread.map(|(p, _)| p).collect();
    let mut read = live::read(client, &unread, &options.owner).await?;
    let step = |(placed, verdict): (&Placed, Verdict)| match verdict {
        Verdict::Skip => Step::Skip,
        Verdict::Keep(live) => Step::Keep(live),
        Verdict::Alone(live) => Step::Alone(live),
        Verdict::Create | Verdict::Recreate => Step::Write { patch: None },
        Verdict::Compare { wanted, live } => match live.or_else(|| read.remove(&placed.at)) {
            Some(live) => {
                let patch = managed::clean_up(&live, &placed.desired, &options.field_manager);
                if patch.is_none() && !live::differs(&live, &wanted) {
                    Step::Keep(wanted)
                } else {
                    Step::Write { patch }
                }
            }
            // Deleted since the dry-run.
            None => Step::Write { patch: None },
        },
    };
    Ok(placed.iter().zip(verdicts).map(step).collect())
}

/// Writes it, if it is still the same. If the server refuses, a dry-run says why, and what can be done.
async fn write_alone(
    client: &ActingClient,
    kinds: &Kinds<'_>,
    placed: &Placed,
    live: &Value,
    options: &ApplyOptions,
) -> Result<(Action, Option<Value>), ApplyError> {
    let params = params(options, false);
    let mut desired = placed.desired.clone();
    if let (Some(version), Some(metadata)) = (version(live), desired.pointer_mut("/metadata")) {
        metadata["resourceVersion"] = version.clone();
    }
    let written = client.apply(&placed.info, &desired, &params).await;
    let is_other = |object: &Value| version(object) != version(live);
    match written {
        Ok(applied) if is_other(&applied.object) => Ok((Action::Configured, Some(applied.object))),
        Ok(applied) => Ok((Action::Unchanged, Some(applied.object))),
        Err(error) => {
            // the server's words may quote values of Secrets
            let reason = error.status_reason();
            tracing::debug!(object = %placed.at, reason, "not written at once; a dry-run will tell");
            let mut verdict = dry_run(client, kinds, placed, options).await?;
            make_room(client, kinds, placed, &mut verdict, options).await?;
            let steps = decide(client, std::slice::from_ref(placed), vec![verdict], options).await?;
            let step = steps.into_iter().next().unwrap_or(Step::Skip);
            match carry_out(client, placed, step, options).await? {
                // it was written after all
                (Action::Unchanged, Some(object)) if is_other(&object) => {
                    Ok((Action::Configured, Some(object)))
                }
                done => Ok(done),
            }
        }
    }
}

fn version(object: &Value) -> Option<&Value> {
    object.pointer("/metadata/resourceVersion")
}

async fn carry_out(
    client: &ActingClient,
    placed: &Placed,
    step: Step,
    options: &ApplyOptions,
) -> Result<(Action, Option<Value>), ApplyError> {
    let patch = match step {
        Step::Skip => return Ok((Action::Skipped, None)),
        Step::Write { .. } if options.report_only => return Ok((Action::Drifted, None)),
        Step::Keep(object) => return Ok((Action::Unchanged, Some(object))),
        Step::Write { patch } => patch,
        Step::Alone(_) => None,
    };
    if let Some(patch) = patch {
        let done = client
            .patch_json(
                &placed.info,
                placed.at.ns(),
                &placed.at.name,
                &patch,
                &options.field_manager,
            )
            .await;
        done.map_err(|error| {
            ApplyError::request(&placed.at, "metadata.managedFields cleanup failed", error)
        })?;
    }
    let applied = client
        .apply(&placed.info, &placed.desired, &params(options, false))
        .await;
    let applied = applied.map_err(|error| ApplyError::request(&placed.at, "apply failed", error))?;
    Ok((
        if applied.created {
            Action::Created
        } else {
            Action::Configured
        },
        Some(applied.object),
    ))
}

pub(super) fn params(options: &ApplyOptions, dry_run: bool) -> ApplyParams {
    ApplyParams {
        field_manager: options.field_manager.clone(),
        force: true,
        dry_run,
    }
}

/// A kind that was established a moment ago may still answer 404: that is waited for, with a bound.
async fn send(
    client: &ActingClient,
    kinds: &Kinds<'_>,
    placed: &Placed,
    options: &ApplyOptions,
    dry_run: bool,
) -> Result<Applied, KubeError> {
    let params = params(options, dry_run);
    let mut left = if kinds.is_new(&placed.info) {
        NEW_KIND
    } else {
        Duration::ZERO
    };
    loop {
        match client.apply(&placed.info, &placed.desired, &params).await {
            Err(error) if error.is_kind_missing() && !left.is_zero() => {
                left = left.saturating_sub(NEW_KIND_STEP);
                tokio::time::sleep(NEW_KIND_STEP).await;
            }
            done => return done,
        }
    }
}

/// Deletes the object and waits, by watching, until it is gone.
async fn remove(client: &ActingClient, placed: &Placed) -> Result<(), ApplyError> {
    let failed = |error| {
        let what = "immutable field detected, failed to delete object";
        ApplyError::request(&placed.at, what, error)
    };
    let (ns, by) = (placed.at.ns(), By::Name(&placed.at.name));
    let gone = async {
        let listing = client.list_at(&placed.info, ns, by).await.map_err(failed)?;
        let Some(live) = listing.items.first() else {
            return Ok(());
        };
        let uid = live
            .pointer("/metadata/uid")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let mut events = client
            .watch(&placed.info, ns, by, &listing.resource_version)
            .await
            .map_err(failed)?;
        let params = DeleteParams {
            uid,
            ..DeleteParams::default()
        };
        client
            .delete(&placed.info, ns, &placed.at.name, &params)
            .await
            .map_err(failed)?;
        while let Some(event) = events.next().await {
            if matches!(event.map_err(failed)?, WatchEvent::Deleted(_)) {
                return Ok(());
            }
        }
        Err(ApplyError::NotReady(format!(
            "{} is still being deleted",
            placed.at
        )))
    };
    match tokio::time::timeout(GONE, gone).await {
        Ok(done) => done,
        Err(_) => Err(ApplyError::NotReady(format!(
            "{} is still being deleted after {}s",
            placed.at,
            GONE.as_secs()
        ))),
    }
}
