use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tenure_api::{REQUESTED_AT, SOURCE_CONTROLLER, reasons};
use tenure_core::{ObjectKey, Retry};
use tenure_kube::{EventKind, GITREPOSITORY, KubeError};

use super::credential;
use super::plan::{Plan, Refusal, Resolve, SecretChoice};
use super::status::{About, Ending, status};
use crate::retry::after;
use crate::writer::{event, write_status};
use crate::{
    Effects, GitCredential, GitRequest, Pass, Resolved, SourceFailure, State, Wake, chain, next_due, reads,
};

/// Longest wait for the cache itself before the pass goes on to its next object; the answer to
/// what the remote does is bounded by `spec.timeout`.
const CACHE_RETRY: Duration = Duration::from_secs(10);

/// Carries the plan out.
pub(crate) async fn run(key: &ObjectKey, plan: Plan, effects: &Arc<Effects>) -> Pass {
    if !matches!(plan, Plan::Release { .. })
        && let Err(error) = crate::kustomization::add_finalizer(GITREPOSITORY, key, effects).await
    {
        return lost(key, &error, effects);
    }
    let outcome = match plan {
        Plan::Release { url } => {
            if let Some(url) = url {
                effects.sources.release(&url).await;
            }
            if effects
                .snapshot
                .get(key)
                .and_then(|object| digest_of(&object))
                .is_some()
            {
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
            return crate::kustomization::drop_finalizer(GITREPOSITORY, key, effects).await;
        }
        Plan::Rest => {
            return match write(key, effects, &[], &Ending::Rested).await {
                Ok(_) => Pass::suspended(),
                Err(error) => lost(key, &error, effects),
            };
        }
        Plan::Refuse(refusal) => Err(Failure::from(refusal)),
        Plan::Resolve(resolve) => attempt(&resolve, effects)
            .await
            .map(|resolved| (resolve, resolved)),
    };
    match outcome {
        Ok((resolve, resolved)) => stored(key, &resolve, &resolved, effects).await,
        Err(failure) => failed(key, &failure, effects).await,
    }
}

/// What went wrong, in the words of the status.
struct Failure {
    reason: &'static str,
    message: String,
    retry: Retry,
    cache_down: bool,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.reason,
            message: refusal.message,
            retry: Retry::Stalled,
            cache_down: false,
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
        }
    }
}

async fn attempt(resolve: &Resolve, effects: &Effects) -> Result<Resolved, Failure> {
    let credential = credential(resolve, effects).await?;
    let request = GitRequest {
        url: resolve.url.clone(),
        reference: resolve.reference.clone(),
        credential,
        ignore: resolve.ignore.clone(),
        sparse: resolve.sparse.clone(),
        timeout: resolve.timeout,
        max_artifact_bytes: effects.home.max_artifact_bytes,
    };
    let resolved = effects
        .sources
        .resolve(&request)
        .await
        .map_err(|failure| as_flux_words_it(failure.into()))?;
    if !effects.artifacts.holds(&resolved.digest) {
        let to = effects.artifacts.incoming();
        effects.sources.fetch(&resolved, to.clone()).await?;
        effects
            .artifacts
            .accept(&to, &resolved)
            .map_err(|error| Failure {
                reason: reasons::STORAGE_OPERATION_FAILED,
                message: format!("failed to keep the artifact: {}", chain(&error)),
                retry: Retry::Backoff,
                cache_down: false,
            })?;
    }
    Ok(resolved)
}

fn as_flux_words_it(failure: Failure) -> Failure {
    match failure.reason {
        reasons::GIT_OPERATION_FAILED | reasons::EMPTY_GIT_REPOSITORY => Failure {
            message: format!("failed to checkout and determine revision: {}", failure.message),
            ..failure
        },
        _ => failure,
    }
}

async fn credential(resolve: &Resolve, effects: &Effects) -> Result<GitCredential, Failure> {
    let home = &effects.home;
    let authentication = |message: String| Failure {
        reason: reasons::AUTHENTICATION_FAILED,
        message,
        retry: Retry::Backoff,
        cache_down: false,
    };
    match &resolve.secret {
        SecretChoice::Anonymous => Ok(GitCredential::default()),
        SecretChoice::Missing => Err(authentication(format!(
            "no Secret for '{}': ssh needs a Secret in namespace '{}' with the keys 'identity' and 'known_hosts'; name it in spec.secretRef, or for this URL's prefix in spec.sources.secrets of the Tenant '{}'",
            resolve.url, home.namespace, home.tenant,
        ))),
        SecretChoice::Named(name) => {
            let missing = |why: &str| {
                authentication(format!(
                    "failed to get Secret '{}/{name}' for '{}': {why}; expected the keys {}",
                    home.namespace,
                    resolve.url,
                    expected_keys(resolve.url.scheme()),
                ))
            };
            let account = home.account_for(None);
            let data = match (&account, home.strict) {
                (Err(nobody), true) => return Err(missing(nobody)),
                (Ok(account), true) => reads::secret(effects, account, name).await,
                (_, false) => reads::own_secret(effects, name).await,
            };
            let data = data
                .map_err(|error| missing(&error))?
                .ok_or_else(|| missing("not found"))?;
            credential::read(&resolve.url, name, &data).map_err(authentication)
        }
    }
}

fn expected_keys(scheme: &str) -> &'static str {
    match scheme {
        "ssh" => "'identity' and 'known_hosts'",
        _ => "'username' and 'password', or 'bearerToken'",
    }
}

async fn stored(key: &ObjectKey, resolve: &Resolve, resolved: &Resolved, effects: &Arc<Effects>) -> Pass {
    let before = effects.snapshot.get(key).and_then(|object| digest_of(&object));
    let sparse = &resolve.sparse;
    let written = match write(key, effects, sparse, &Ending::Stored(resolved)).await {
        Ok(written) => written,
        Err(error) => return lost(key, &error, effects),
    };
    effects.failures.lock().succeeded(key);
    let mut wake = Vec::new();
    let moved = before.as_deref() != Some(resolved.digest.to_string().as_str());
    // a worker may have ended between the status that says so and the word to the consumers
    if moved || crate::kustomization::is_behind(&effects.snapshot, key, &resolved.revision) {
        wake.push(Wake::ConsumersOf(key.clone()));
    }
    if moved {
        announce(key, effects, resolved).await;
    } else if written {
        unmoved(key, effects, resolved).await;
    }
    Pass {
        state: State::Ready,
        reason: reasons::SUCCEEDED.to_owned(),
        next_due: Some(next_due(Timestamp::now(), resolve.interval)),
        wake,
    }
}

async fn failed(key: &ObjectKey, failure: &Failure, effects: &Arc<Effects>) -> Pass {
    let stalled = failure.retry == Retry::Stalled;
    let Failure { reason, message, .. } = failure;
    let ending = match stalled {
        true => Ending::Stalled { reason, message },
        false => Ending::Failed { reason, message },
    };
    match write(key, effects, &[], &ending).await {
        Ok(true) => {
            event(
                effects,
                key,
                SOURCE_CONTROLLER,
                EventKind::Warning,
                reason,
                message.clone(),
                [],
            )
            .await
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
    }
}

async fn write(
    key: &ObjectKey,
    effects: &Effects,
    sparse: &[String],
    ending: &Ending<'_>,
) -> Result<bool, KubeError> {
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
        ignore: object.pointer("/spec/ignore").and_then(Value::as_str),
        sparse,
        now: Timestamp::now(),
    };
    write_status(effects, GITREPOSITORY, key, SOURCE_CONTROLLER, |old| {
        status(old, &about, ending)
    })
    .await
}

async fn announce(key: &ObjectKey, effects: &Effects, resolved: &Resolved) {
    let subject: String = resolved.subject.chars().take(50).collect();
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
    let message = format!("stored artifact for commit '{subject}'");
    event(
        effects,
        key,
        SOURCE_CONTROLLER,
        EventKind::Normal,
        "NewArtifact",
        message,
        annotations,
    )
    .await;
}

/// Somebody asked, or changed the object, and learns that there is nothing new. As Flux words it; a look
/// that the interval brings about says nothing.
async fn unmoved(key: &ObjectKey, effects: &Effects, resolved: &Resolved) {
    let message = format!(
        "no changes since last reconciliation: observed revision '{}'",
        resolved.revision
    );
    event(
        effects,
        key,
        SOURCE_CONTROLLER,
        EventKind::Normal,
        "GitOperationSucceeded",
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
