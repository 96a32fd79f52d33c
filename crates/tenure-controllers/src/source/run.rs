use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tenure_api::{FINALIZER, Limit, OciVerification, REQUESTED_AT, SOURCE_CONTROLLER, reasons};
use tenure_core::{ObjectKey, Retry};
use tenure_kube::{EventKind, KubeError};

use super::plan::{Plan, Refusal, Resolve};
use super::status::{About, Ending, status};
use super::{Kind, verify};
use crate::retry::after;
use crate::writer::{event, write_status};
use crate::{Effects, Pass, Resolved, SourceFailure, SourceRequest, State, Wake, chain, next_due};

/// Longest wait for the cache itself before the pass goes on to its next object; the answer to
/// what the remote does is bounded by `spec.timeout`.
const CACHE_RETRY: Duration = Duration::from_secs(10);

/// The oldest answer that counts for a look that nobody has asked for: half the interval, within these.
const RECENT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// Whoever makes an object may have pushed right before, and its time is in whole seconds of the API server's clock.
const SINCE_MADE: SignedDuration = SignedDuration::from_secs(2);

/// How old an answer of the remote may be. Who asks for a look, or changes the object, is told what is so after that;
/// who makes one, what is so after it was made. Other looks of one repository go together.
fn max_age(object: &Value, interval: Duration, now: Timestamp) -> Duration {
    let at = |pointer: &str| object.pointer(pointer);
    let annotations = at("/metadata/annotations");
    let requested = annotations.and_then(|all| all.get(REQUESTED_AT));
    if requested != at("/status/lastHandledReconcileAt") {
        return Duration::ZERO;
    }
    let (least, most) = RECENT;
    let conditions = at("/status/conditions").and_then(Value::as_array);
    let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
    let tried = ready.and_then(|ready| ready.get("observedGeneration"));
    if tried.is_some() && tried == at("/metadata/generation") {
        return (interval / 2).clamp(least, most);
    }
    let made = at("/metadata/creationTimestamp").and_then(Value::as_str);
    let made = made.and_then(|made| made.parse::<Timestamp>().ok());
    match (at("/metadata/generation").and_then(Value::as_i64), made) {
        (Some(1), Some(made)) => {
            let since = now.duration_since(made) - SINCE_MADE;
            Duration::try_from(since).unwrap_or_default().min(most)
        }
        _ => Duration::ZERO,
    }
}

/// Carries the plan out.
pub(crate) async fn run<K: Kind>(key: &ObjectKey, plan: Plan<K::Question>, effects: &Arc<Effects>) -> Pass {
    if !matches!(plan, Plan::Release { .. } | Plan::Static { .. })
        && let Err(error) = crate::kustomization::add_finalizer(K::FLUX, key, effects).await
    {
        return lost(key, &error, effects);
    }
    let outcome = match plan {
        Plan::Release { remote } => return release::<K>(key, remote, effects).await,
        Plan::Rest => {
            return match write::<K>(key, effects, &Ending::Rested).await {
                Ok(_) => Pass::suspended(),
                Err(error) => lost(key, &error, effects),
            };
        }
        Plan::Static { suspended } => return rest_for_ever::<K>(key, suspended, effects).await,
        Plan::Refuse(refusal) => Err(Failure::from(refusal)),
        Plan::Resolve(mut resolve) => {
            let Some(object) = effects.snapshot.get(key) else {
                return Pass::gone();
            };
            resolve.max_age = max_age(&object, resolve.interval, Timestamp::now());
            resolve.consumed = crate::kustomization::is_consumed(&effects.snapshot, key);
            resolve.subject = effects.home.leases.then(|| format!("{}/{}", key.kind, key.name));
            Box::pin(K::obtain(&resolve, &object, effects))
                .await
                .map(|obtained| (resolve.interval, obtained))
        }
    };
    match outcome {
        Ok((interval, obtained)) => stored::<K>(key, interval, &obtained, effects).await,
        Err(failure) => failed::<K>(key, &failure, effects).await,
    }
}

/// What went wrong, in the words of the status.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) retry: Retry,
    pub(crate) cache_down: bool,
    pub(crate) at: At,
    /// What the Tenant does not allow.
    pub(crate) limit: Option<Limit>,
}

/// What failed, for the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Fetch,
    Build,
    /// Another source that is to be part of this one.
    Include,
    Storage,
    /// It is not signed as it should be.
    Verify,
    /// A chart that is not signed as it should be is not built.
    VerifyForBuild,
}

impl Failure {
    /// The source could not be fetched; it is tried again.
    pub(crate) fn fetching(reason: &'static str, message: String) -> Self {
        Self {
            reason,
            message,
            retry: Retry::Backoff,
            cache_down: false,
            at: At::Fetch,
            limit: None,
        }
    }

    /// The same, of another step.
    pub(crate) fn at(self, at: At) -> Self {
        Self { at, ..self }
    }

    /// The same, and only a change helps.
    pub(crate) fn stalled(self) -> Self {
        Self {
            retry: Retry::Stalled,
            ..self
        }
    }
}

/// What a pass has got.
#[derive(Debug)]
pub(crate) struct Obtained {
    pub(crate) resolved: Resolved,
    pub(crate) notes: Notes,
}

/// What there is to say of an artifact, where it is not the same for all of its kind.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Reason and message of Ready, and of the event that it is new.
    pub(crate) ready: Option<(&'static str, String)>,
    /// Who has signed it, if that was asked for.
    pub(crate) verified: Option<String>,
    /// The artifact's file, in the directory of the object.
    pub(crate) file: Option<String>,
    /// What made it, as fields of the status.
    pub(crate) observed: Vec<(&'static str, Option<Value>)>,
}

impl From<Resolved> for Obtained {
    fn from(resolved: Resolved) -> Self {
        Self {
            resolved,
            notes: Notes::default(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.reason,
            message: refusal.message,
            retry: Retry::Stalled,
            cache_down: false,
            at: At::Fetch,
            limit: refusal.limit,
        }
    }
}

impl From<SourceFailure> for Failure {
    fn from(failure: SourceFailure) -> Self {
        Self {
            reason: failure.reason,
            message: failure.message,
            retry: failure.retry,
            cache_down: failure.cache_down,
            at: At::Fetch,
            limit: failure.trouble.limit(),
        }
    }
}

async fn release<K: Kind>(key: &ObjectKey, remote: Option<String>, effects: &Arc<Effects>) -> Pass {
    if let Some(remote) = remote {
        effects.sources.release(&remote).await;
    }
    let object = effects.snapshot.get(key);
    if object.and_then(|object| digest_of(&object)).is_some() {
        let message = "garbage collected artifacts for deleted resource".to_owned();
        event(
            effects,
            key,
            SOURCE_CONTROLLER,
            EventKind::Normal,
            "GarbageCollectionSucceeded",
            message,
            [],
        )
        .await;
    }
    crate::kustomization::drop_finalizer(K::FLUX, key, effects).await
}

/// An object that nobody reconciles.
async fn rest_for_ever<K: Kind>(key: &ObjectKey, suspended: bool, effects: &Arc<Effects>) -> Pass {
    if suspended {
        return Pass::suspended();
    }
    let ours = effects.snapshot.get(key).is_some_and(|object| {
        let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
        finalizers.is_some_and(|all| all.iter().any(|one| one == FINALIZER))
    });
    if ours {
        let pass = crate::kustomization::drop_finalizer(K::FLUX, key, effects).await;
        if pass.state == State::Failed {
            return pass;
        }
    }
    let emptied = write_status(
        effects,
        K::FLUX,
        key,
        SOURCE_CONTROLLER,
        |_| serde_json::json!({}),
    );
    if let Err(error) = emptied.await {
        return lost(key, &error, effects);
    }
    effects.failures.lock().succeeded(key);
    Pass {
        state: State::Ready,
        reason: reasons::SUCCEEDED.to_owned(),
        next_due: None,
        wake: vec![Wake::ConsumersOf(key.clone())],
        limit: None,
    }
}

/// Asks the cache, and brings what it has here if something is made of it. Whatever comes to be made of it later asks
/// for the bytes.
pub(crate) async fn ask<K: Kind>(
    resolve: &Resolve<K::Question>,
    effects: &Effects,
) -> Result<Resolved, Failure> {
    let request = request::<K>(resolve, effects).await?;
    let ask = async || {
        let answered = effects.resolve(&request).await;
        let resolved = answered.map_err(|failure| K::failed(&resolve.question, failure))?;
        let kept = kept(resolve, &resolved, effects).await;
        Ok((resolved, kept))
    };
    again(ask).await
}

/// The same, and verifies it before it is kept.
pub(crate) async fn ask_verified<K: Kind>(
    resolve: &Resolve<K::Question>,
    wish: Option<&OciVerification>,
    object: &Value,
    effects: &Effects,
) -> Result<Obtained, Failure> {
    let request = request::<K>(resolve, effects).await?;
    let ask = async || {
        let answered = effects.resolve(&request).await;
        let resolved = answered.map_err(|failure| K::failed(&resolve.question, failure))?;
        let mut verified = None;
        if let Some(wish) = wish {
            let revision = resolved.revision.to_string();
            let vouched = verify::before(object, &revision)
                || verify::verify(wish, &request, &resolved, effects).await?;
            verified = vouched.then(|| format!("verified signature of revision {revision}"));
        }
        let kept = kept(resolve, &resolved, effects).await;
        let notes = Notes {
            verified,
            ..Notes::default()
        };
        Ok((Obtained { resolved, notes }, kept))
    };
    again(ask).await
}

/// A replica of the cache may go between its answer and the bytes: another one is asked then, once.
async fn again<T>(ask: impl AsyncFn() -> Result<(T, Result<(), Failure>), Failure>) -> Result<T, Failure> {
    let (answer, kept) = ask().await?;
    match kept {
        Ok(()) => Ok(answer),
        Err(failure) if !failure.cache_down => Err(failure),
        Err(_) => {
            let (answer, kept) = ask().await?;
            kept.map(|()| answer)
        }
    }
}

async fn kept<Q>(resolve: &Resolve<Q>, resolved: &Resolved, effects: &Effects) -> Result<(), Failure> {
    match resolve.consumed {
        true => keep(resolved, effects).await,
        false => Ok(()),
    }
}

async fn request<K: Kind>(
    resolve: &Resolve<K::Question>,
    effects: &Effects,
) -> Result<SourceRequest, Failure> {
    Ok(SourceRequest {
        wanted: K::wanted(&resolve.question, effects).await?,
        ignore: resolve.ignore.clone(),
        timeout: resolve.timeout,
        max_artifact_bytes: effects.home.max_artifact_bytes,
        signatures: false,
        max_age: resolve.max_age,
        // the next look is sooner
        link_for: (!effects.home.strict).then(|| resolve.interval.saturating_mul(2) + resolve.timeout),
        lease: resolve.subject.clone().map(|subject| (subject, resolve.interval)),
    })
}

/// Brings the artifact's bytes here, if they are not.
pub(crate) async fn keep(resolved: &Resolved, effects: &Effects) -> Result<(), Failure> {
    if effects.artifacts.holds(&resolved.digest) {
        return Ok(());
    }
    let _turn = effects.artifacts.turn(&resolved.digest).await;
    if !effects.artifacts.holds(&resolved.digest) {
        let to = effects.artifacts.incoming();
        effects.sources.fetch(resolved, to.clone()).await?;
        effects.artifacts.accept(&to, resolved).map_err(|error| {
            let message = format!("failed to keep the artifact: {}", chain(&error));
            Failure::fetching(reasons::STORAGE_OPERATION_FAILED, message)
        })?;
    }
    Ok(())
}

async fn stored<K: Kind>(
    key: &ObjectKey,
    interval: Duration,
    obtained: &Obtained,
    effects: &Arc<Effects>,
) -> Pass {
    let resolved = &obtained.resolved;
    let before = effects.snapshot.get(key).and_then(|object| digest_of(&object));
    let written = match write::<K>(key, effects, &Ending::Stored(obtained)).await {
        Ok(written) => written,
        Err(error) => return lost(key, &error, effects),
    };
    effects.failures.lock().succeeded(key);
    let ready = obtained.notes.ready.as_ref();
    let ready = ready.map_or(reasons::SUCCEEDED, |(reason, _)| reason);
    let mut wake = Vec::new();
    let moved = before.as_deref() != Some(resolved.digest.to_string().as_str());
    // a worker may have ended between the status that says so and the word to the consumers
    if moved || crate::kustomization::is_behind(&effects.snapshot, key, &resolved.revision) {
        effects.moved.send_replace(());
        wake.push(Wake::ConsumersOf(key.clone()));
    }
    if moved {
        announce::<K>(key, effects, obtained).await;
    } else if written {
        unmoved::<K>(key, effects, resolved).await;
    }
    Pass {
        state: State::Ready,
        reason: ready.to_owned(),
        // under a lease the cache looks, and a changed Secret is seen at its end
        next_due: Some(next_due(
            Timestamp::now(),
            resolved.leased_for.unwrap_or(interval),
        )),
        wake,
        limit: None,
    }
}

async fn failed<K: Kind>(key: &ObjectKey, failure: &Failure, effects: &Arc<Effects>) -> Pass {
    let stalled = failure.retry == Retry::Stalled;
    let Failure {
        reason, message, at, ..
    } = failure;
    let ending = match stalled {
        true => Ending::Stalled {
            reason,
            message,
            at: *at,
        },
        false => Ending::Failed {
            reason,
            message,
            at: *at,
        },
    };
    match write::<K>(key, effects, &ending).await {
        Ok(true) => {
            // as in Flux, to wait for another source is nothing to be warned of
            let kind = match at {
                At::Include => EventKind::Normal,
                _ => EventKind::Warning,
            };
            event(effects, key, SOURCE_CONTROLLER, kind, reason, message.clone(), []).await
        }
        Ok(false) => {}
        Err(error) => return lost(key, &error, effects),
    }
    let wait = effects.failures.lock().failed(key);
    let next_due = match failure.retry {
        Retry::Stalled => None,
        Retry::After(wait) => Some(after(Timestamp::now(), wait)),
        Retry::Backoff if failure.cache_down => Some(after(Timestamp::now(), wait.min(CACHE_RETRY))),
        Retry::Backoff => Some(after(Timestamp::now(), wait)),
    };
    let state = if stalled { State::Stalled } else { State::Failed };
    // a consumer goes on with what it has, and says so
    Pass {
        state,
        reason: (*reason).to_owned(),
        next_due,
        wake: Vec::new(),
        limit: failure.limit,
    }
}

/// The API server could not be reached or refused: nothing can be said on the object.
fn lost(key: &ObjectKey, error: &KubeError, effects: &Effects) -> Pass {
    tracing::warn!(object = %key, %error, "failed to write the object's state");
    let wait = effects.failures.lock().failed(key);
    Pass {
        state: State::Failed,
        reason: "Failed".to_owned(),
        next_due: Some(after(Timestamp::now(), wait)),
        wake: Vec::new(),
        limit: None,
    }
}

async fn write<K: Kind>(key: &ObjectKey, effects: &Effects, ending: &Ending<'_>) -> Result<bool, KubeError> {
    let Some(object) = effects.snapshot.get(key) else {
        return Ok(false);
    };
    let requested = object
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(REQUESTED_AT))
        .and_then(Value::as_str);
    let about = About {
        namespace: &effects.home.namespace,
        name: &key.name,
        generation: object
            .pointer("/metadata/generation")
            .and_then(Value::as_i64)
            .unwrap_or(0),
        requested_at: requested,
        suspended: object
            .pointer("/spec/suspend")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        spec: object.get("spec").unwrap_or(&Value::Null),
        now: Timestamp::now(),
    };
    write_status(effects, K::FLUX, key, SOURCE_CONTROLLER, |old| {
        status::<K>(old, &about, ending)
    })
    .await
}

async fn announce<K: Kind>(key: &ObjectKey, effects: &Effects, obtained: &Obtained) {
    let resolved = &obtained.resolved;
    let Some(object) = effects.snapshot.get(key) else {
        return;
    };
    let annotations = [
        (
            "source.toolkit.fluxcd.io/revision".to_owned(),
            resolved.revision.to_string(),
        ),
        (
            "source.toolkit.fluxcd.io/digest".to_owned(),
            resolved.digest.to_string(),
        ),
    ];
    let (reason, message) = match &obtained.notes.ready {
        Some((reason, message)) => (*reason, message.clone()),
        None => (reasons::NEW_ARTIFACT, K::news(&object, resolved)),
    };
    event(
        effects,
        key,
        SOURCE_CONTROLLER,
        EventKind::Normal,
        reason,
        message,
        annotations,
    )
    .await;
}

/// Somebody asked, or changed the object, and learns that there is nothing new. As Flux words it; a look
/// that the interval brings about says nothing.
async fn unmoved<K: Kind>(key: &ObjectKey, effects: &Effects, resolved: &Resolved) {
    let (reason, message) = K::unmoved(&resolved.revision);
    event(
        effects,
        key,
        SOURCE_CONTROLLER,
        EventKind::Normal,
        reason,
        message,
        [],
    )
    .await;
}

fn digest_of(object: &Value) -> Option<String> {
    object
        .pointer("/status/artifact/digest")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: &str = "2026-01-01T00:00:30Z";
    const MINUTE: Duration = Duration::from_secs(60);

    fn accepted(object: &Value, interval: Duration) -> u64 {
        max_age(object, interval, NOW.parse().expect("a time")).as_secs()
    }

    #[test]
    fn who_asks_or_changes_is_told_what_is_so_now_and_other_looks_go_together() {
        let object = |requested: &str, handled: &str, tried: i64| {
            json!({
                "metadata": {
                    "generation": 2, "annotations": {REQUESTED_AT: requested},
                    "creationTimestamp": "2026-01-01T00:00:00Z",
                },
                "status": {
                    "lastHandledReconcileAt": handled, "observedGeneration": 1,
                    "conditions": [{"type": "Ready", "status": "False", "observedGeneration": tried}],
                },
            })
        };
        assert_eq!(
            accepted(&object("now", "before", 2), MINUTE),
            0,
            "it is asked for"
        );
        assert_eq!(
            accepted(&object("now", "now", 1), MINUTE),
            0,
            "the spec has changed"
        );
        let failed = object("now", "now", 2);
        assert_eq!(accepted(&failed, MINUTE), 30, "it is tried again");
        assert_eq!(accepted(&failed, Duration::from_secs(5)), 10);
        assert_eq!(accepted(&failed, 60 * MINUTE), 60);
    }

    #[test]
    fn a_new_object_is_told_what_was_said_after_it_was_made() {
        let made = |at: &str| json!({"metadata": {"generation": 1, "creationTimestamp": at}});
        assert_eq!(accepted(&made("2026-01-01T00:00:00Z"), MINUTE), 28);
        assert_eq!(accepted(&made("2026-01-01T00:00:29Z"), MINUTE), 0);
        assert_eq!(
            accepted(&made("2026-01-01T00:01:00Z"), MINUTE),
            0,
            "clocks differ"
        );
        assert_eq!(accepted(&made("2025-01-01T00:00:00Z"), MINUTE), 60);
        assert_eq!(accepted(&json!({"metadata": {"generation": 1}}), MINUTE), 0);
    }
}
